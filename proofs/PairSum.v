(** Purpose: sums of pairs of binary64 numbers (double-double), as the oracle forms them, in Flocq's binary64 without overflow.
    Main results: [two_sum_exact], [fast_two_sum_exact] (also where the smaller term is a multiple of the larger one's ulp);
      [pair_sum_error]: the sum of two pairs errs by at most 8 u^2 |hi| = 2^-103 |hi|, cancellation and gradual underflow included.
    Depends on: Rounding. Axioms: those of Coq's real numbers.

    The literature has 3 u^2 / (1 - 4 u) relative to the exact sum; what the oracle adds to its radius is proved here directly. *)
From Flocq Require Import Sterbenz Pff2Flocq.
From Equinorm Require Export Rounding.
Local Open Scope R_scope.

Definition even_ties (z : Z) : bool := negb (Z.even z).
Notation fexp64 := (FLT_exp (-1074) 53).
Notation fl := (rnd (-1074) 53 even_ties).
Notation F := (format (-1074) 53).
#[export] Instance prec_gt_0_53 : Prec_gt_0 53 := eq_refl.

Definition u64 : R := bpow radix2 (-53).

Lemma u_size : 0 < u64 <= / 1000000000.
Proof.
  unfold u64. split; [apply bpow_gt_0|]. apply Rle_trans with (bpow radix2 (-30)); [apply bpow_le; lia|]. simpl bpow.
  apply Rinv_le_contravar; [lra|]. apply IZR_le. lia.
Qed.

Lemma F_fl x : F (fl x).
Proof. exact (@rnd_format (-1074) 53 even_ties prec_gt_0_53 x). Qed.

Lemma F_opp x : F x -> F (- x).
Proof. apply generic_format_opp. Qed.

Lemma fl_exact x : F x -> fl x = x.
Proof. apply rnd_exact. Qed.

Lemma fl_opp x : fl (- x) = - fl x.
Proof. exact (round_NE_opp radix2 fexp64 x). Qed.

(** ** One sum: its error relative to the exact sum and to the computed one *)
Lemma sum_error x y : F x -> F y ->
  Rabs (fl (x + y) - (x + y)) <= u64 * Rabs (x + y) /\ Rabs (fl (x + y) - (x + y)) <= u64 * Rabs (fl (x + y)).
Proof.
  intros Hx Hy. pose proof (round_sum_error (-1074) 53 even_ties x y Hx Hy) as H. unfold Rounding.u, unit_roundoff, u_ro in H.
  replace (/ 2 * bpow radix2 (- (53) + 1)) with u64 in H by (unfold u64; simpl bpow; lra). pose proof u_size as [Hu _].
  set (z := x + y) in *. set (e := fl z - z) in *. assert (Hi : 0 < / (1 + u64)) by (apply Rinv_0_lt_compat; lra).
  assert (H1 : (1 + u64) * Rabs e <= u64 * Rabs z).
  { apply Rmult_le_reg_r with (/ (1 + u64)); [assumption|]. replace ((1 + u64) * Rabs e * / (1 + u64)) with (Rabs e) by (field; lra).
    unfold Rdiv in H. lra. }
  assert (H2 : Rabs z <= Rabs (fl z) + Rabs e).
  { replace z with (fl z + - e) at 1 by (unfold e; ring). eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  pose proof (Rabs_pos e). split; [nra|]. assert (u64 * Rabs z <= u64 * (Rabs (fl z) + Rabs e)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** Where a sum is inexact, nothing much has cancelled. *)
Lemma inexact_sum a b : F a -> F b -> fl (a + b) <> a + b -> Rabs a + Rabs b <= 3 * Rabs (a + b).
Proof.
  intros Ha Hb Hn. assert (Hs : forall x y, F x -> F y -> 0 <= y -> x - y = a + b \/ y - x = a + b -> ~ (y / 2 <= x <= 2 * y)).
  { intros x y Hx Hy H0 E H. apply Hn. apply fl_exact. pose proof (sterbenz radix2 fexp64 x y Hx Hy H) as Hz.
    destruct E as [<-|E]; [exact Hz|]. replace (a + b) with (- (x - y)) by lra. now apply F_opp. }
  unfold Rabs. destruct (Rcase_abs a), (Rcase_abs b), (Rcase_abs (a + b)); try lra.
  - assert (~ (- a / 2 <= b <= 2 * - a)) by (apply (Hs b (- a)); [assumption|now apply F_opp|lra|lra]). lra.
  - assert (~ (- a / 2 <= b <= 2 * - a)) by (apply (Hs b (- a)); [assumption|now apply F_opp|lra|lra]). lra.
  - assert (~ (- b / 2 <= a <= 2 * - b)) by (apply (Hs a (- b)); [assumption|now apply F_opp|lra|lra]). lra.
  - assert (~ (- b / 2 <= a <= 2 * - b)) by (apply (Hs a (- b)); [assumption|now apply F_opp|lra|lra]). lra.
Qed.

(** ** Knuth's sum *)
Definition two_sum (a b : R) : R * R :=
  let s := fl (a + b) in let part := fl (s - a) in (s, fl (fl (a - fl (s - part)) + fl (b - part))).

(* C++: oracle/double_double.hpp two_sum. *)
Theorem two_sum_exact a b : F a -> F b -> fst (two_sum a b) + snd (two_sum a b) = a + b.
Proof.
  intros Ha Hb. apply (TwoSum_correct (-1074) 53 even_ties); [lia|lia| |assumption|assumption].
  intros z. unfold even_ties. f_equal. rewrite Z.even_opp, Z.even_add. simpl. destruct (Z.even z); reflexivity.
Qed.

Lemma two_sum_parts a b : F a -> F b -> exists s e, two_sum a b = (s, e) /\ F s /\ F e /\ s = fl (a + b) /\ e = a + b - s /\
  Rabs e <= u64 * Rabs (a + b) /\ Rabs e <= u64 * Rabs s.
Proof.
  intros Ha Hb. pose proof (two_sum_exact a b Ha Hb) as H. pose proof (sum_error a b Ha Hb) as [H1 H2].
  exists (fst (two_sum a b)), (snd (two_sum a b)). unfold two_sum in *. cbv zeta in *. simpl fst in *. simpl snd in *.
  set (e := fl (fl (a - _) + _)) in *. set (s := fl (a + b)) in *. assert (E : e = a + b - s) by lra. rewrite Rabs_minus_sym in H1, H2.
  repeat split; [apply F_fl|apply F_fl|exact E|rewrite E; exact H1|rewrite E; exact H2].
Qed.

(** ** Dekker's sum *)
Definition fast_two_sum (a b : R) : R * R := let s := fl (a + b) in (s, fl (b - fl (s - a))).

(** Integers times a power of two. *)
Lemma F_multiple (m e : Z) : (Z.abs m <= 2 ^ 53)%Z -> (-1074 <= e)%Z -> F (IZR m * bpow radix2 e).
Proof.
  intros Hm He. destruct (Z.eq_dec (Z.abs m) (2 ^ 53)) as [E|Hn].
  - assert (Hp : F (bpow radix2 (53 + e))) by (apply generic_format_bpow; unfold FLT_exp; lia).
    destruct (Z.abs_spec m) as [[_ Ea]|[_ Ea]].
    + replace (IZR m * bpow radix2 e) with (bpow radix2 (53 + e)); [exact Hp|]. rewrite bpow_plus. f_equal. simpl bpow. f_equal. lia.
    + replace (IZR m * bpow radix2 e) with (- bpow radix2 (53 + e)); [now apply F_opp|]. rewrite bpow_plus, Ropp_mult_distr_l.
      f_equal. simpl bpow. rewrite <- opp_IZR. f_equal. lia.
  - apply generic_format_FLT. exists (Float radix2 m e); [reflexivity| |exact He]. cbn [Fnum].
    change (Z.pow radix2 53) with (2 ^ 53)%Z. lia.
Qed.

(** A number of the format is an integer times the ulp of any smaller one. *)
Lemma multiple_of_ulp x y : F x -> y <> 0 -> Rabs y <= Rabs x -> exists k, x = IZR k * ulp radix2 fexp64 y.
Proof.
  intros Hx Hy Hyx.
  rewrite ulp_neq_0 by assumption. set (ex := cexp radix2 fexp64 x). set (ey := cexp radix2 fexp64 y).
  assert (He : (ey <= ex)%Z) by (pose proof (mag_le_abs radix2 y x Hy Hyx) as Hm; unfold ey, ex, cexp, FLT_exp; lia).
  exists (Ztrunc (scaled_mantissa radix2 fexp64 x) * 2 ^ (ex - ey))%Z. rewrite mult_IZR.
  replace (IZR (2 ^ (ex - ey))) with (bpow radix2 (ex - ey)).
  - rewrite Rmult_assoc, <- bpow_plus. replace (ex - ey + ey)%Z with ex by ring. exact Hx.
  - change 2%Z with (radix_val radix2). symmetry. apply IZR_Zpower. lia.
Qed.

(* C++: oracle/double_double.hpp fast_two_sum. *)
Theorem fast_two_sum_exact a b : F a -> F b ->
  (Rabs b <= Rabs a \/ (Rabs a <= Rabs b /\ exists k, a = IZR k * ulp radix2 fexp64 b)) ->
  fst (fast_two_sum a b) + snd (fast_two_sum a b) = a + b.
Proof.
  intros Ha Hb [H|[H (k & Hk)]].
  - pose proof (Fast2Sum_correct (-1074) 53 even_ties ltac:(lia) ltac:(lia)) as D. unfold fast_two_sum. cbv zeta. cbn [fst snd].
    replace (b - fl (fl (a + b) - a)) with (b + fl (a - fl (a + b))); [apply D; try assumption|].
    + intros z. unfold even_ties. f_equal. rewrite Z.even_opp, Z.even_add. simpl. destruct (Z.even z); reflexivity.
    + replace (a - fl (a + b)) with (- (fl (a + b) - a)) by ring. rewrite fl_opp. ring.
  - destruct (Req_dec b 0) as [->|Hb0].
    { assert (a = 0) as -> by (rewrite Rabs_R0 in H; destruct (Req_dec a 0); [assumption|]; pose proof (Rabs_pos_lt a H0); lra).
      unfold fast_two_sum. cbv zeta. cbn [fst snd]. rewrite Rplus_0_r, !Rminus_0_r, !fl_exact; try apply format_0; try ring.
      rewrite fl_exact by apply format_0. rewrite Rminus_0_r. apply format_0. }
    rewrite ulp_neq_0 in Hk by assumption. set (e := cexp radix2 fexp64 b) in *.
    assert (He : (-1074 <= e)%Z) by (unfold e, cexp, FLT_exp; lia).
    set (m := Ztrunc (scaled_mantissa radix2 fexp64 b)). assert (Eb : b = IZR m * bpow radix2 e) by exact Hb.
    pose proof (bpow_gt_0 radix2 e) as Hq. set (q := bpow radix2 e) in *.
    assert (Hm : (Z.abs m < 2 ^ 53)%Z).
    { apply lt_IZR. rewrite abs_IZR. apply Rmult_lt_reg_r with q; [assumption|]. rewrite <- (Rabs_pos_eq q) at 1 by lra.
      rewrite <- Rabs_mult, <- Eb. apply Rlt_le_trans with (bpow radix2 (mag radix2 b)); [apply bpow_mag_gt|].
      change (IZR (2 ^ 53)) with (bpow radix2 53). unfold q. rewrite <- bpow_plus. apply bpow_le. unfold e, cexp, FLT_exp. lia. }
    assert (Hkm : (Z.abs k <= Z.abs m)%Z).
    { apply le_IZR. rewrite !abs_IZR. apply Rmult_le_reg_r with q; [assumption|]. rewrite <- (Rabs_pos_eq q) by lra.
      rewrite <- !Rabs_mult, <- Eb, <- Hk. exact H. }
    assert (Es : a + b = IZR (k + m) * q) by (rewrite plus_IZR, Hk, Eb; ring).
    (* The sum is a whole number of q, and what Dekker subtracts has at most 53 bits. *)
    assert (Hd : F (fl (a + b) - a)).
    { destruct (Z_le_gt_dec (Z.abs (k + m)) (2 ^ 53)) as [Hsmall|Hlarge].
      - rewrite fl_exact; [replace (a + b - a) with b by ring; exact Hb|]. rewrite Es. now apply F_multiple.
      - assert (Hn : exists j : Z, fl (a + b) = IZR j * q /\ (Z.abs (j - (k + m)) <= 1)%Z).
        { assert (Hf : exists f : Z, (Z.abs (2 * f - (k + m)) <= 1)%Z /\ (Z.abs f <= 2 ^ 53)%Z).
          { destruct (Z.Even_or_Odd (k + m)) as [[f Ef]|[f Ef]]; [exists f; lia|exists f; lia]. }
          destruct Hf as (f & Hf1 & Hf2). assert (Ff : F (IZR (2 * f) * q)).
          { assert (E2 : bpow radix2 (e + 1) = q * 2) by (rewrite bpow_plus; reflexivity). rewrite mult_IZR.
            replace (2 * IZR f * q) with (IZR f * (q * 2)) by ring. rewrite <- E2. apply F_multiple; [exact Hf2|]. clear -He. lia. }
          assert (Hc : (e <= cexp radix2 fexp64 (fl (a + b)))%Z).
          { assert (Hbig : bpow radix2 (53 + e) <= Rabs (fl (a + b))).
            { apply abs_round_ge_generic; [typeclasses eauto|typeclasses eauto| |].
              - apply generic_format_bpow. unfold FLT_exp. lia.
              - rewrite Es, Rabs_mult, (Rabs_pos_eq q), bpow_plus, <- abs_IZR by lra. apply Rmult_le_compat_r; [lra|].
                change (bpow radix2 53) with (IZR (2 ^ 53)). apply IZR_le. lia. }
            pose proof (mag_ge_bpow radix2 (fl (a + b)) (54 + e) ltac:(replace (54 + e - 1)%Z with (53 + e)%Z by ring; exact Hbig)).
            unfold cexp, FLT_exp. lia. }
          set (c := cexp radix2 fexp64 (fl (a + b))) in *.
          set (j := (Ztrunc (scaled_mantissa radix2 fexp64 (fl (a + b))) * 2 ^ (c - e))%Z).
          assert (Ej : fl (a + b) = IZR j * q).
          { unfold j. rewrite mult_IZR. replace (IZR (2 ^ (c - e))) with (bpow radix2 (c - e)).
            - unfold q. rewrite Rmult_assoc, <- bpow_plus. replace (c - e + e)%Z with c by ring. exact (F_fl (a + b)).
            - change 2%Z with (radix_val radix2). symmetry. apply IZR_Zpower. lia. }
          exists j. split; [exact Ej|]. apply le_IZR. rewrite abs_IZR. apply Rmult_le_reg_r with q; [assumption|].
          rewrite <- (Rabs_pos_eq q) at 1 by lra. rewrite <- Rabs_mult, minus_IZR, Rmult_minus_distr_r, <- Ej, <- Es.
          eapply Rle_trans; [exact (round_nearest (-1074) 53 even_ties (a + b) _ Ff)|].
          rewrite Es, <- Rmult_minus_distr_r, <- minus_IZR, Rabs_mult, (Rabs_pos_eq q), <- abs_IZR by lra.
          apply Rmult_le_compat_r; [lra|]. apply IZR_le. lia. }
        destruct Hn as (j & Ej & Hj). replace (fl (a + b) - a) with (IZR (j - k) * q) by (rewrite Ej, Hk, minus_IZR; ring).
        apply F_multiple; lia. }
    unfold fast_two_sum. cbv zeta. cbn [fst snd]. rewrite (fl_exact (fl (a + b) - a)) by exact Hd.
    rewrite (fl_exact (b - (fl (a + b) - a))); [ring|]. replace (b - (fl (a + b) - a)) with (- (fl (a + b) - (a + b))) by ring. apply F_opp.
    apply (plus_error radix2 fexp64); assumption.
Qed.

Lemma fast_two_sum_parts a b : F a -> F b -> (Rabs b <= Rabs a \/ (Rabs a <= Rabs b /\ exists k, a = IZR k * ulp radix2 fexp64 b)) ->
  exists s e, fast_two_sum a b = (s, e) /\ F s /\ F e /\ s = fl (a + b) /\ e = a + b - s /\ Rabs e <= u64 * Rabs (a + b) /\
    Rabs e <= u64 * Rabs s.
Proof.
  intros Ha Hb Hc. pose proof (fast_two_sum_exact a b Ha Hb Hc) as H. pose proof (sum_error a b Ha Hb) as [H1 H2].
  exists (fst (fast_two_sum a b)), (snd (fast_two_sum a b)). unfold fast_two_sum in *. cbv zeta in *. cbn [fst snd] in *.
  set (e := fl (b - _)) in *. set (s := fl (a + b)) in *. assert (E : e = a + b - s) by lra. rewrite Rabs_minus_sym in H1, H2.
  repeat split; [apply F_fl|apply F_fl|exact E|rewrite E; exact H1|rewrite E; exact H2].
Qed.

(** ** The sum of two pairs *)
Definition pair_sum (ah al bh bl : R) : R * R :=
  let (sh, sl) := two_sum ah bh in
  let (th, tl) := two_sum al bl in
  let (vh, vl) := fast_two_sum sh (fl (sl + th)) in
  fast_two_sum vh (fl (tl + vl)).

Lemma cancelled_multiple ah al bh bl sh th : F ah -> F bh -> F th -> sh = ah + bh -> th <> 0 ->
  Rabs al <= u64 * Rabs ah -> Rabs bl <= u64 * Rabs bh -> Rabs th <= 2 * Rabs (al + bl) -> Rabs sh <= Rabs th ->
  exists k, sh = IZR k * ulp radix2 fexp64 th.
Proof.
  intros Ha Hb Ht -> Ht0 Hal Hbl Hth Hs. pose proof u_size as [Hu0 Hu]. pose proof (Rabs_triang al bl) as Htri.
  pose proof (Rabs_pos ah) as HA. pose proof (Rabs_pos bh) as HB.
  assert (H1 : Rabs ah <= Rabs bh + Rabs (ah + bh)).
  { replace ah with (- bh + (ah + bh)) at 1 by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  assert (H2 : Rabs bh <= Rabs ah + Rabs (ah + bh)).
  { replace bh with (- ah + (ah + bh)) at 1 by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  assert (HuA : u64 * Rabs ah <= / 1000 * Rabs ah) by (apply Rmult_le_compat_r; lra).
  assert (HuB : u64 * Rabs bh <= / 1000 * Rabs bh) by (apply Rmult_le_compat_r; lra).
  destruct (multiple_of_ulp ah th Ha Ht0 ltac:(lra)) as (i & Ei). destruct (multiple_of_ulp bh th Hb Ht0 ltac:(lra)) as (j & Ej).
  exists (i + j)%Z. rewrite plus_IZR, Ei, Ej at 1. ring.
Qed.

(* C++: oracle/double_double.hpp add. *)
Theorem pair_sum_error ah al bh bl : F ah -> F al -> F bh -> F bl -> Rabs al <= u64 * Rabs ah -> Rabs bl <= u64 * Rabs bh ->
  let (zh, zl) := pair_sum ah al bh bl in
  Rabs zl <= u64 * Rabs zh /\ Rabs (zh + zl - (ah + al + (bh + bl))) <= 8 * (u64 * (u64 * Rabs zh)).
Proof.
  intros Fah Fal Fbh Fbl Hal Hbl. pose proof u_size as [Hu0 Hu]. unfold pair_sum.
  destruct (two_sum_parts ah bh Fah Fbh) as (sh & sl & -> & Fsh & Fsl & Esh & Esl & Hsl & Hsl').
  destruct (two_sum_parts al bl Fal Fbl) as (th & tl & -> & Fth & Ftl & Eth & Etl & Htl & Htl').
  assert (Hth : Rabs th <= 2 * Rabs (al + bl)).
  { replace th with ((al + bl) + - tl) by lra. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp.
    assert (u64 * Rabs (al + bl) <= 1 * Rabs (al + bl)) by (apply Rmult_le_compat_r; [apply Rabs_pos|lra]). lra. }
  pose proof (Rabs_triang al bl) as Htri.
  (* The last two steps, once it is known how large everything is. S: a scale. *)
  assert (Last : forall S vh vl c : R, 0 <= S -> F vh -> F vl -> vh + vl = sh + c -> Rabs (tl + vl) <= 4.5 * (u64 * S) ->
    Rabs (c - (sl + th)) + u64 * Rabs (tl + vl) <= 7 * (u64 * (u64 * S)) -> 0.9999 * S <= Rabs vh ->
    let (zh, zl) := fast_two_sum vh (fl (tl + vl)) in
    Rabs zl <= u64 * Rabs zh /\ Rabs (zh + zl - (ah + al + (bh + bl))) <= 8 * (u64 * (u64 * Rabs zh))).
  { intros S vh vl c HS Fvh Fvl Ev Hw Hsum Hvh. pose proof (sum_error tl vl Ftl Fvl) as [Hwe _].
    set (S1 := u64 * S) in *. assert (HS1 : 0 <= S1 <= / 1000000 * S).
    { unfold S1. split; [apply Rmult_le_pos; lra|]. apply Rmult_le_compat_r; lra. }
    set (w := fl (tl + vl)) in *. assert (Hwabs : Rabs w <= 5 * S1).
    { replace w with ((w - (tl + vl)) + (tl + vl)) by ring. eapply Rle_trans; [apply Rabs_triang|].
      assert (u64 * Rabs (tl + vl) <= / 1000 * Rabs (tl + vl)) by (apply Rmult_le_compat_r; [apply Rabs_pos|lra]). lra. }
    destruct (fast_two_sum_parts vh w Fvh (F_fl _) ltac:(left; lra)) as (zh & zl & -> & _ & _ & _ & Ezl & Hzl & Hzl').
    split; [exact Hzl'|]. assert (Hzh : 0.99 * S <= Rabs zh).
    { assert (H : Rabs vh <= Rabs zh + Rabs (zl - w)) by (replace vh with (zh + (zl - w)) at 1 by lra; apply Rabs_triang).
      assert (Rabs (zl - w) <= Rabs zl + Rabs w) by (eapply Rle_trans; [apply Rabs_triang|]; rewrite Rabs_Ropp; lra).
      assert (u64 * Rabs zh <= / 1000 * Rabs zh) by (apply Rmult_le_compat_r; [apply Rabs_pos|lra]). lra. }
    replace (zh + zl - (ah + al + (bh + bl))) with ((c - (sl + th)) + (w - (tl + vl))) by lra.
    eapply Rle_trans; [apply Rabs_triang|]. apply Rle_trans with (7 * (u64 * S1)); [lra|].
    assert (u64 * S1 <= u64 * (u64 * (Rabs zh / 0.99))); [|assert (0 <= u64 * (u64 * Rabs zh)) by (apply Rmult_le_pos; [lra|];
      apply Rmult_le_pos; [lra|apply Rabs_pos]); lra].
    apply Rmult_le_compat_l; [lra|]. unfold S1. apply Rmult_le_compat_l; lra. }
  destruct (Req_dec sl 0) as [Hsl0|Hsl0].
  - (* The leading sum is exact: c = th. *)
    assert (Ec : fl (sl + th) = th) by (rewrite Hsl0, Rplus_0_l; now apply fl_exact). rewrite Ec.
    assert (Es : sh = ah + bh) by lra.
    assert (Hmul : th <> 0 -> exists k, sh = IZR k * ulp radix2 fexp64 th).
    { intros Ht0. destruct (Rle_dec (Rabs th) (Rabs sh)) as [H|H]; [now apply multiple_of_ulp|].
      apply (cancelled_multiple ah al bh bl); try assumption. lra. }
    assert (Hcond : Rabs th <= Rabs sh \/ (Rabs sh <= Rabs th /\ exists k, sh = IZR k * ulp radix2 fexp64 th)).
    { destruct (Rle_dec (Rabs th) (Rabs sh)) as [H|H]; [left; assumption|right; split; [lra|]]. apply Hmul. intros ->.
      rewrite Rabs_R0 in H. pose proof (Rabs_pos sh). lra. }
    destruct (fast_two_sum_parts sh th Fsh Fth Hcond) as (vh & vl & -> & Fvh & Fvl & Evh & Evl & Hvl & Hvl').
    destruct (Req_dec vl 0) as [Hvl0|Hvl0].
    + (* Nothing is rounded at all. *)
      assert (Ew : fl (tl + vl) = tl) by (rewrite Hvl0, Rplus_0_r; now apply fl_exact). rewrite Ew.
      assert (Hcond2 : Rabs tl <= Rabs vh \/ (Rabs vh <= Rabs tl /\ exists k, vh = IZR k * ulp radix2 fexp64 tl)).
      { destruct (Req_dec vh 0) as [Hv0|Hv0].
        - right. rewrite Hv0, Rabs_R0. split; [apply Rabs_pos|]. exists 0%Z. ring.
        - left. destruct (Req_dec th 0) as [Ht0|Ht0].
          + rewrite Ht0, Rabs_R0 in Htl'. pose proof (Rabs_pos vh). pose proof (Rabs_pos tl). lra.
          + destruct (Hmul Ht0) as (k & Hk). destruct (multiple_of_ulp th th Fth Ht0 (Rle_refl _)) as (j & Hj).
            set (q := ulp radix2 fexp64 th) in *. assert (Hq : 0 <= q) by apply ulp_ge_0.
            assert (Etl2 : Rabs tl <= / 2 * q).
            { rewrite Etl, Eth, Rabs_minus_sym. unfold q. rewrite Eth. apply error_le_half_ulp_round; typeclasses eauto. }
            assert (Ev : vh = IZR (k + j) * q) by (rewrite plus_IZR; lra).
            assert (Hz : (k + j <> 0)%Z) by (intros Hz; apply Hv0; rewrite Ev, Hz; ring).
            assert (1 * q <= Rabs vh); [|lra]. rewrite Ev, Rabs_mult, (Rabs_pos_eq q) by assumption.
            apply Rmult_le_compat_r; [assumption|]. rewrite <- abs_IZR. apply IZR_le. lia. }
      destruct (fast_two_sum_parts vh tl Fvh Ftl Hcond2) as (zh & zl & -> & _ & _ & _ & Ezl & Hzl & Hzl'). split; [exact Hzl'|].
      replace (zh + zl - (ah + al + (bh + bl))) with 0 by lra. rewrite Rabs_R0.
      apply Rmult_le_pos; [lra|]. apply Rmult_le_pos; [lra|]. apply Rmult_le_pos; [lra|apply Rabs_pos].
    + set (S := Rabs (sh + th)). assert (Hin : Rabs sh + Rabs th <= 3 * S).
      { apply inexact_sum; [assumption|assumption|]. intros H. apply Hvl0. lra. }
      pose proof (Rabs_pos sh). pose proof (Rabs_pos (sh + th)) as HS. fold S in HS.
      assert (Hut : u64 * Rabs th <= 3 * (u64 * S)) by (replace (3 * (u64 * S)) with (u64 * (3 * S)) by ring; apply Rmult_le_compat_l; lra).
      assert (HuS : u64 * S <= / 1000000 * S) by (apply Rmult_le_compat_r; lra).
      assert (HuS0 : 0 <= u64 * S) by (apply Rmult_le_pos; lra).
      assert (HuuS : 0 <= u64 * (u64 * S)) by (apply Rmult_le_pos; [lra|apply Rmult_le_pos; lra]).
      assert (Hw : Rabs (tl + vl) <= 4 * (u64 * S)) by (eapply Rle_trans; [apply Rabs_triang|]; fold S in Hvl; lra).
      apply (Last S vh vl th); try assumption; [lra|lra| |].
      * rewrite Hsl0, Rplus_0_l, Rminus_diag_eq, Rabs_R0 by reflexivity.
        assert (u64 * Rabs (tl + vl) <= u64 * (4 * (u64 * S))) by (apply Rmult_le_compat_l; lra). lra.
      * assert (S <= Rabs vh + Rabs vl) by (unfold S; replace (sh + th) with (vh + vl) by lra; apply Rabs_triang).
        fold S in Hvl. lra.
  - (* The leading sum is rounded, so that it is not much smaller than its terms. *)
    set (S := Rabs (ah + bh)) in *. assert (Hin : Rabs ah + Rabs bh <= 3 * S).
    { apply inexact_sum; [assumption|assumption|]. intros H. apply Hsl0. lra. }
    assert (HS : 0 <= S) by apply Rabs_pos.
    set (S1 := u64 * S) in *. assert (HS1 : 0 <= S1 <= / 1000000 * S).
    { unfold S1. split; [apply Rmult_le_pos; lra|]. apply Rmult_le_compat_r; lra. }
    assert (Hlow : Rabs (al + bl) <= 3 * S1).
    { assert (u64 * (Rabs ah + Rabs bh) <= u64 * (3 * S)) by (apply Rmult_le_compat_l; lra). unfold S1. lra. }
    assert (HS2 : 0 <= u64 * S1 <= / 1000000 * S1) by (split; [apply Rmult_le_pos; lra|apply Rmult_le_compat_r; lra]).
    assert (Htl2 : Rabs tl <= 3 * (u64 * S1)).
    { eapply Rle_trans; [exact Htl|]. replace (3 * (u64 * S1)) with (u64 * (3 * S1)) by ring. apply Rmult_le_compat_l; lra. }
    assert (Hth2 : Rabs th <= 3.001 * S1).
    { replace th with ((al + bl) + - tl) by lra. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
    assert (Hsum : Rabs (sl + th) <= 4.001 * S1) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
    pose proof (sum_error sl th Fsl Fth) as [Hce _]. set (c := fl (sl + th)) in *.
    assert (Hce2 : Rabs (c - (sl + th)) <= 4.001 * (u64 * S1)).
    { eapply Rle_trans; [exact Hce|]. replace (4.001 * (u64 * S1)) with (u64 * (4.001 * S1)) by ring. apply Rmult_le_compat_l; lra. }
    assert (Hc : Rabs c <= 4.1 * S1).
    { replace c with ((c - (sl + th)) + (sl + th)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. }
    assert (Hsh : S <= Rabs sh + Rabs sl) by (unfold S; replace (ah + bh) with (sh + sl) by lra; apply Rabs_triang).
    assert (Hsh2 : Rabs sh <= S + Rabs sl).
    { replace sh with ((ah + bh) + - sl) by lra. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. fold S. lra. }
    destruct (fast_two_sum_parts sh c Fsh (F_fl _) ltac:(left; lra)) as (vh & vl & -> & Fvh & Fvl & Evh & Evl & Hvl & Hvl').
    assert (Hshc : Rabs (sh + c) <= 1.001 * S) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
    assert (Hvl2 : Rabs vl <= 1.001 * S1).
    { eapply Rle_trans; [exact Hvl|]. unfold S1. replace (1.001 * (u64 * S)) with (u64 * (1.001 * S)) by ring.
      apply Rmult_le_compat_l; lra. }
    assert (Hw : Rabs (tl + vl) <= 1.1 * S1) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
    apply (Last S vh vl c); try assumption; [lra|unfold S1 in *; lra| |].
    + assert (u64 * Rabs (tl + vl) <= u64 * (1.1 * S1)) by (apply Rmult_le_compat_l; lra). unfold S1 in *. lra.
    + assert (Rabs sh <= Rabs vh + Rabs (vl - c)) by (replace sh with (vh + (vl - c)) at 1 by lra; apply Rabs_triang).
      assert (Rabs (vl - c) <= Rabs vl + Rabs c) by (eapply Rle_trans; [apply Rabs_triang|]; rewrite Rabs_Ropp; lra). lra.
Qed.
