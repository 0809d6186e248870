(** Purpose: products of pairs of binary64 numbers with a fused multiply-add, as the oracle forms them, and its enclosures.
    Main results: [fma_two_product]: the error of a product is a number of the format; [pair_product_error], [pair_scaled_error]: pair times
      pair, pair times number, at most 8 u^2 |hi| + 2^-1060, gradual underflow included; [enclosed_sum], [enclosed_product],
      [enclosed_scaled]: the radii of Bounded; [measured_quotient]: a quotient judged by its remainder.
    Depends on: PairSum, Radius. Axioms: those of Coq's real numbers. Overflow is outside: it makes the oracle's radius infinite or NaN. *)
From Flocq Require Import Mult_error.
From Equinorm Require Export Radius PairSum.
Local Open Scope R_scope.

(** Half the smallest subnormal number, and what the oracle adds for underflow. *)
Definition t : R := bpow radix2 (-1075).
Definition oracle_tiny : R := bpow radix2 (-1060).

Lemma t_size : 0 < t /\ 8 * t <= oracle_tiny.
Proof.
  unfold t, oracle_tiny. split; [apply bpow_gt_0|]. replace 8 with (bpow radix2 3) by (simpl; lra). rewrite <- bpow_plus.
  apply bpow_le. lia.
Qed.

Lemma op_error x m : Rabs x <= m -> Rabs (fl x - x) <= u64 * m + t.
Proof.
  intros Hm. pose proof (round_error (-1074) 53 even_ties x) as H. pose proof (u_lt_unit_roundoff 53) as Hu.
  pose proof (u_pos 53) as Hp. replace (unit_roundoff 53) with u64 in Hu by (unfold unit_roundoff, u_ro, u64; simpl bpow; lra).
  replace (tiny (-1074)) with t in H by (unfold tiny, t; change (-1075)%Z with (-1 + -1074)%Z; rewrite bpow_plus; reflexivity).
  assert (Rounding.u 53 * Rabs x <= u64 * m) by (apply Rmult_le_compat; try apply Rabs_pos; lra). lra.
Qed.

(** p + e = a b exactly, unless the product is so small that e falls below the subnormal numbers. *)
(* C++: oracle/double_double.hpp mul. *)
Theorem fma_two_product a b : F a -> F b -> (a * b <> 0 -> bpow radix2 (-1074 + 2 * 53 - 1) <= Rabs (a * b)) ->
  fl (a * b) + fl (a * b - fl (a * b)) = a * b.
Proof.
  intros Ha Hb Hab. rewrite (@rnd_exact (-1074) 53 even_ties (a * b - fl (a * b))); [ring|].
  replace (a * b - fl (a * b)) with (- (fl (a * b) - a * b)) by ring. apply F_opp.
  apply (@mult_error_FLT radix2 (-1074) 53 prec_gt_0_53 (Znearest even_ties) _ a b); assumption.
Qed.

(** The last step of both products: p near x, w what is left. *)
Lemma product_end x p w y P : 0 <= P -> F p -> F w -> Rabs x = P -> Rabs (p - x) <= u64 * P + t -> Rabs w <= 4 * (u64 * P) + 6 * t ->
  Rabs (p + w - y) <= 7.1 * (u64 * (u64 * P)) + 6.5 * t ->
  let (zh, zl) := fast_two_sum p w in
  Rabs zl <= u64 * Rabs zh /\ Rabs (zh + zl - y) <= 8 * (u64 * (u64 * Rabs zh)) + oracle_tiny.
Proof.
  intros HP Fp Fw Hx Hp Hw Hy. pose proof u_size as [Hu0 Hu]. pose proof t_size as [Ht Ht8].
  assert (HuP : 0 <= u64 * P <= / 1000000 * P) by (split; [apply Rmult_le_pos; lra|apply Rmult_le_compat_r; lra]).
  assert (HPp : P <= Rabs p + (u64 * P + t)).
  { rewrite <- Hx at 1. replace x with (p + - (p - x)) by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  assert (Hcond : Rabs w <= Rabs p \/ (Rabs p <= Rabs w /\ exists k, p = IZR k * ulp radix2 fexp64 w)).
  { destruct (Rle_dec (Rabs w) (Rabs p)) as [H|H]; [now left|]. right. split; [lra|].
    assert (Hw0 : w <> 0) by (intros ->; rewrite Rabs_R0 in H; pose proof (Rabs_pos p); lra).
    assert (Hsmall : Rabs w < bpow radix2 (-1021)).
    { apply Rle_lt_trans with (8 * t); [lra|]. apply Rle_lt_trans with (1 := Ht8). apply bpow_lt. lia. }
    rewrite ulp_neq_0 by assumption. assert (Hc : cexp radix2 fexp64 w = (-1074)%Z).
    { unfold cexp, FLT_exp. pose proof (mag_le_bpow radix2 w (-1021) Hw0 Hsmall). lia. }
    rewrite Hc. set (c := cexp radix2 fexp64 p). assert (He : (-1074 <= c)%Z) by (unfold c, cexp, FLT_exp; lia).
    exists (Ztrunc (scaled_mantissa radix2 fexp64 p) * 2 ^ (c - -1074))%Z. rewrite mult_IZR.
    replace (IZR (2 ^ (c - -1074))) with (bpow radix2 (c - -1074)).
    - rewrite Rmult_assoc, <- bpow_plus. replace (c - -1074 + -1074)%Z with c by ring. exact Fp.
    - change 2%Z with (radix_val radix2). symmetry. apply IZR_Zpower. lia. }
  destruct (fast_two_sum_parts p w Fp Fw Hcond) as (zh & zl & -> & _ & _ & _ & Ezl & Hzl & Hzl'). split; [exact Hzl'|].
  replace (zh + zl) with (p + w) by lra. eapply Rle_trans; [exact Hy|].
  assert (Hpz : Rabs p <= Rabs zh + (Rabs zl + Rabs w)).
  { replace p with (zh + (zl + - w)) by lra. eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat_l.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  assert (u64 * Rabs zh <= / 1000000 * Rabs zh) by (apply Rmult_le_compat_r; [apply Rabs_pos|lra]).
  assert (HPz : P <= 1.001 * Rabs zh + 8 * t) by lra.
  assert (HuPz : u64 * (u64 * P) <= u64 * (u64 * (1.001 * Rabs zh + 8 * t))) by (do 2 (apply Rmult_le_compat_l; [lra|]); exact HPz).
  assert (Hut : u64 * (u64 * t) <= / 1000000 * t).
  { assert (u64 * t <= / 1000000 * t) by (apply Rmult_le_compat_r; lra).
    assert (u64 * (u64 * t) <= 1 * (u64 * t)) by (apply Rmult_le_compat_r; [apply Rmult_le_pos|]; lra). lra. }
  assert (0 <= u64 * (u64 * Rabs zh)) by (apply Rmult_le_pos; [lra|]; apply Rmult_le_pos; [lra|apply Rabs_pos]).
  replace (u64 * (u64 * (1.001 * Rabs zh + 8 * t))) with (1.001 * (u64 * (u64 * Rabs zh)) + 8 * (u64 * (u64 * t))) in HuPz by ring. lra.
Qed.

(** |v| from |v - x| and |x|. *)
Lemma size_of v x e m : Rabs (v - x) <= e -> Rabs x <= m -> Rabs v <= e + m.
Proof. intros. replace v with ((v - x) + x) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. Qed.

Lemma abs_product a b x y : Rabs a <= x -> Rabs b <= y -> Rabs (a * b) <= x * y.
Proof. intros. rewrite Rabs_mult. apply Rmult_le_compat; try apply Rabs_pos; assumption. Qed.

Lemma triangle_5 a b c d e : Rabs (a + (b + (c + (d + e)))) <= Rabs a + Rabs b + Rabs c + Rabs d + Rabs e.
Proof.
  pose proof (Rabs_triang a (b + (c + (d + e)))). pose proof (Rabs_triang b (c + (d + e))). pose proof (Rabs_triang c (d + e)).
  pose proof (Rabs_triang d e). lra.
Qed.

(** Pair times pair. *)
Definition pair_product (ah al bh bl : R) : R * R :=
  let p := fl (ah * bh) in
  let e := fl (ah * bh - p) in
  let cross := fl (al * bh + fl (ah * bl + fl (al * bl))) in
  fast_two_sum p (fl (e + cross)).

(* C++: oracle/double_double.hpp mul. *)
Theorem pair_product_error ah al bh bl : Rabs al <= u64 * Rabs ah -> Rabs bl <= u64 * Rabs bh ->
  let (zh, zl) := pair_product ah al bh bl in
  Rabs zl <= u64 * Rabs zh /\ Rabs (zh + zl - (ah + al) * (bh + bl)) <= 8 * (u64 * (u64 * Rabs zh)) + oracle_tiny.
Proof.
  intros Hal Hbl. pose proof u_size as [Hu0 Hu]. pose proof t_size as [Ht _]. unfold pair_product. cbv zeta.
  set (P := Rabs (ah * bh)). assert (HP : 0 <= P) by apply Rabs_pos. assert (EP : P = Rabs ah * Rabs bh) by apply Rabs_mult.
  set (P1 := u64 * P). set (P2 := u64 * P1).
  assert (HP1 : 0 <= P1 <= / 1000000 * P) by (split; [apply Rmult_le_pos; lra|apply Rmult_le_compat_r; lra]).
  assert (HP2 : 0 <= P2 <= / 1000000 * P1) by (split; [apply Rmult_le_pos; lra|apply Rmult_le_compat_r; lra]).
  assert (HP3 : 0 <= u64 * P2 <= / 1000000 * P2) by (split; [apply Rmult_le_pos; lra|apply Rmult_le_compat_r; lra]).
  assert (Hut : 0 <= u64 * t <= / 1000000 * t) by (split; [apply Rmult_le_pos; lra|apply Rmult_le_compat_r; lra]).
  assert (Hcross1 : Rabs (al * bh) <= P1).
  { unfold P1. rewrite EP, <- Rmult_assoc. apply abs_product; [assumption|lra]. }
  assert (Hcross2 : Rabs (ah * bl) <= P1).
  { unfold P1. rewrite EP. replace (u64 * (Rabs ah * Rabs bh)) with (Rabs ah * (u64 * Rabs bh)) by ring.
    apply abs_product; [lra|assumption]. }
  assert (Hlow : Rabs (al * bl) <= P2).
  { unfold P2, P1. rewrite EP. replace (u64 * (u64 * (Rabs ah * Rabs bh))) with (u64 * Rabs ah * (u64 * Rabs bh)) by ring.
    now apply abs_product. }
  pose proof (op_error (ah * bh) P (Rle_refl _)) as Hp. fold P1 in Hp. set (p := fl (ah * bh)) in *.
  assert (Hd : Rabs (ah * bh - p) <= P1 + t) by (rewrite Rabs_minus_sym; exact Hp).
  pose proof (op_error _ _ Hd) as He. pose proof (size_of _ _ _ _ He Hd) as He'. rewrite Rmult_plus_distr_l in He, He'. fold P2 in He, He'.
  set (e := fl (ah * bh - p)) in *.
  pose proof (op_error _ _ Hlow) as Hf0. pose proof (size_of _ _ _ _ Hf0 Hlow) as Hf0'. set (f0 := fl (al * bl)) in *.
  assert (Hg : Rabs (ah * bl + f0) <= 1.001 * P1 + t) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
  pose proof (op_error _ _ Hg) as Hf1. pose proof (size_of _ _ _ _ Hf1 Hg) as Hf1'. set (f1 := fl (ah * bl + f0)) in *.
  replace (u64 * (1.001 * P1 + t)) with (1.001 * P2 + u64 * t) in Hf1, Hf1' by (unfold P2; ring).
  assert (Hh : Rabs (al * bh + f1) <= 2.01 * P1 + 2.01 * t) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
  pose proof (op_error _ _ Hh) as Hc. pose proof (size_of _ _ _ _ Hc Hh) as Hc'. set (cross := fl (al * bh + f1)) in *.
  replace (u64 * (2.01 * P1 + 2.01 * t)) with (2.01 * P2 + 2.01 * (u64 * t)) in Hc, Hc' by (unfold P2; ring).
  assert (Hk : Rabs (e + cross) <= 3.02 * P1 + 5.1 * t) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
  pose proof (proj1 (sum_error e cross (F_fl _) (F_fl _))) as Hw.
  assert (Hw1 : u64 * Rabs (e + cross) <= 3.02 * P2 + 5.1 * (u64 * t)).
  { replace (3.02 * P2 + 5.1 * (u64 * t)) with (u64 * (3.02 * P1 + 5.1 * t)) by (unfold P2; ring). apply Rmult_le_compat_l; lra. }
  pose proof (size_of _ _ _ _ (Rle_trans _ _ _ Hw Hw1) Hk) as Hw'. set (w := fl (e + cross)) in *.
  apply (product_end (ah * bh) p w _ P); [assumption|apply F_fl|apply F_fl|reflexivity|exact Hp|fold P1; lra|fold P1 P2].
  replace (p + w - (ah + al) * (bh + bl)) with
    ((w - (e + cross)) + ((cross - (al * bh + f1)) + ((f1 - (ah * bl + f0)) + ((f0 - al * bl) + (e - (ah * bh - p)))))) by ring.
  eapply Rle_trans; [apply triangle_5|]. lra.
Qed.

(** Pair times number. *)
Definition pair_scaled (ah al b : R) : R * R :=
  let p := fl (ah * b) in fast_two_sum p (fl (al * b + fl (ah * b - p))).

(* C++: oracle/double_double.hpp mul. *)
Theorem pair_scaled_error ah al b : Rabs al <= u64 * Rabs ah ->
  let (zh, zl) := pair_scaled ah al b in
  Rabs zl <= u64 * Rabs zh /\ Rabs (zh + zl - (ah + al) * b) <= 8 * (u64 * (u64 * Rabs zh)) + oracle_tiny.
Proof.
  intros Hal. pose proof u_size as [Hu0 Hu]. pose proof t_size as [Ht _]. unfold pair_scaled. cbv zeta.
  set (P := Rabs (ah * b)). assert (HP : 0 <= P) by apply Rabs_pos. assert (EP : P = Rabs ah * Rabs b) by apply Rabs_mult.
  set (P1 := u64 * P). set (P2 := u64 * P1).
  assert (HP1 : 0 <= P1 <= / 1000000 * P) by (split; [apply Rmult_le_pos; lra|apply Rmult_le_compat_r; lra]).
  assert (HP2 : 0 <= P2 <= / 1000000 * P1) by (split; [apply Rmult_le_pos; lra|apply Rmult_le_compat_r; lra]).
  assert (Hut : 0 <= u64 * t <= / 1000000 * t) by (split; [apply Rmult_le_pos; lra|apply Rmult_le_compat_r; lra]).
  assert (Hcross : Rabs (al * b) <= P1) by (unfold P1; rewrite EP, <- Rmult_assoc; apply abs_product; [assumption|lra]).
  pose proof (op_error (ah * b) P (Rle_refl _)) as Hp. fold P1 in Hp. set (p := fl (ah * b)) in *.
  assert (Hd : Rabs (ah * b - p) <= P1 + t) by (rewrite Rabs_minus_sym; exact Hp).
  pose proof (op_error _ _ Hd) as He. pose proof (size_of _ _ _ _ He Hd) as He'. rewrite Rmult_plus_distr_l in He, He'. fold P2 in He, He'.
  set (e := fl (ah * b - p)) in *.
  assert (Hk : Rabs (al * b + e) <= 2.01 * P1 + 2.1 * t) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
  pose proof (op_error _ _ Hk) as Hw. pose proof (size_of _ _ _ _ Hw Hk) as Hw'. set (w := fl (al * b + e)) in *.
  replace (u64 * (2.01 * P1 + 2.1 * t)) with (2.01 * P2 + 2.1 * (u64 * t)) in Hw, Hw' by (unfold P2; ring).
  apply (product_end (ah * b) p w _ P); [assumption|apply F_fl|apply F_fl|reflexivity|exact Hp|fold P1; lra|fold P1 P2].
  replace (p + w - (ah + al) * b) with ((w - (al * b + e)) + (0 + (0 + (0 + (e - (ah * b - p)))))) by ring.
  eapply Rle_trans; [apply triangle_5|]. rewrite Rabs_R0. lra.
Qed.

(** ** Enclosures: x within ra of the pair, y within rb *)
(* C++: oracle/double_double.hpp add. *)
Theorem enclosed_sum ah al ra x bh bl rb y : F ah -> F al -> F bh -> F bl -> Rabs al <= u64 * Rabs ah -> Rabs bl <= u64 * Rabs bh ->
  near (ah + al) ra x -> near (bh + bl) rb y ->
  let (zh, zl) := pair_sum ah al bh bl in near (zh + zl) (ra + rb + 8 * (u64 * (u64 * Rabs zh))) (x + y).
Proof.
  intros H1 H2 H3 H4 Ha Hb Hx Hy. pose proof (pair_sum_error ah al bh bl H1 H2 H3 H4 Ha Hb) as H.
  destruct (pair_sum ah al bh bl) as [zh zl].
  destruct H as [_ H]. eapply near_weaken; [exact (near_trans _ _ _ _ _ H (radius_sum _ _ _ _ _ _ Hx Hy))|]. lra.
Qed.

Lemma pair_size ah al : Rabs al <= u64 * Rabs ah -> Rabs (ah + al) <= (1 + u64) * Rabs ah.
Proof. intros H. eapply Rle_trans; [apply Rabs_triang|]. lra. Qed.

(* C++: oracle/double_double.hpp mul. *)
Theorem enclosed_product ah al ra x bh bl rb y : Rabs al <= u64 * Rabs ah -> Rabs bl <= u64 * Rabs bh ->
  near (ah + al) ra x -> near (bh + bl) rb y ->
  let (zh, zl) := pair_product ah al bh bl in
  near (zh + zl) ((1 + u64) * (Rabs ah * rb + Rabs bh * ra) + ra * rb + (8 * (u64 * (u64 * Rabs zh)) + oracle_tiny)) (x * y).
Proof.
  intros Ha Hb Hx Hy. pose proof (pair_product_error ah al bh bl Ha Hb) as H. destruct (pair_product ah al bh bl) as [zh zl].
  destruct H as [_ H]. eapply near_weaken; [exact (near_trans _ _ _ _ _ H (radius_product _ _ _ _ _ _ Hx Hy))|].
  pose proof (pair_size ah al Ha) as Sa. pose proof (pair_size bh bl Hb) as Sb. pose proof (near_nonneg _ _ _ Hx).
  pose proof (near_nonneg _ _ _ Hy). assert (Rabs (ah + al) * rb <= (1 + u64) * Rabs ah * rb) by (apply Rmult_le_compat_r; assumption).
  assert (ra * Rabs (bh + bl) <= ra * ((1 + u64) * Rabs bh)) by (apply Rmult_le_compat_l; assumption). lra.
Qed.

(* C++: oracle/double_double.hpp mul. *)
Theorem enclosed_scaled ah al ra x b : Rabs al <= u64 * Rabs ah -> near (ah + al) ra x ->
  let (zh, zl) := pair_scaled ah al b in near (zh + zl) (Rabs b * ra + (8 * (u64 * (u64 * Rabs zh)) + oracle_tiny)) (x * b).
Proof.
  intros Ha Hx. pose proof (pair_scaled_error ah al b Ha) as H. destruct (pair_scaled ah al b) as [zh zl]. destruct H as [_ H].
  eapply near_weaken; [exact (near_trans _ _ _ _ _ H (radius_scale_r b _ _ _ Hx))|]. lra.
Qed.

(** A quotient, whatever made it, judged by its remainder. *)
(* C++: oracle/double_double.hpp div. *)
Theorem measured_quotient a b q m : 0 < m <= Rabs b -> near q (Rabs (a - q * b) / m) (a / b).
Proof.
  intros Hm. assert (Hb : b <> 0) by (intros ->; rewrite Rabs_R0 in Hm; lra). unfold near.
  replace (q - a / b) with (- ((a - q * b) * / b)) by (field; assumption). rewrite Rabs_Ropp, Rabs_mult, Rabs_inv.
  unfold Rdiv. apply Rmult_le_compat_l; [apply Rabs_pos|]. apply Rinv_le_contravar; lra.
Qed.
