(** Purpose: one step of a matrix unit: exact products and the accumulator aligned to a common exponent, each cut to F fraction bits,
      added exactly, the sum cut or rounded to the output format; and the chain of steps along K.
    Main results: [cut_block_error]: the aligned sum is off by less than N 2^(E - F), N the number of addends that lose bits;
      [exponent_below]: 2^E is at most the largest addend, although a product's significand lies in [1, 4); [attaining_exact],
      [inexact_at_most]: with F large enough N is at most the number of products; [truncating_block]: one step; [truncating_chain]: n steps:
      n (2^(1 - p) + N 2^-F) (|c| + sum|ab|), with no growth factor; [truncating_chain_power]: that is below ((1 + N 2^-F)(1 + 2^(1 -
      p)))^n - 1; [nearest_block]: a step whose output is rounded to nearest (chained by BlockDot.v's block_chain_error).
    Depends on: BlockDot, HalfUlp. Axioms: those of Coq's real numbers.

    That real units work like this is an assumption: it is what published tests of them found. *)
From Equinorm Require Export BlockDot HalfUlp.
Local Open Scope R_scope.

(** Towards zero to a multiple of q. *)
Definition cut (q x : R) : R := IZR (Ztrunc (x / q)) * q.

Lemma Ztrunc_below z : Rabs (IZR (Ztrunc z)) <= Rabs z /\ Rabs (IZR (Ztrunc z) - z) < 1.
Proof.
  destruct (Rle_or_lt 0 z) as [H|H].
  - rewrite Ztrunc_floor by assumption. pose proof (Zfloor_lb z). pose proof (Zfloor_ub z).
    assert (0 <= IZR (Zfloor z)) by (apply IZR_le, Zfloor_lub; assumption). rewrite !Rabs_pos_eq, Rabs_left1 by lra. lra.
  - rewrite Ztrunc_ceil by lra. pose proof (Zceil_ub z) as H1. assert (H2 : IZR (Zceil z) - 1 < z) by (pose proof (Zceil_lb z); lra).
    assert (IZR (Zceil z) <= 0) by (apply IZR_le, Zceil_glb; simpl; lra). rewrite (Rabs_left1 z), Rabs_left1, Rabs_pos_eq by lra. lra.
Qed.

Section Cut.
Variable q : R.
Hypothesis q_pos : 0 < q.

Lemma cut_magnitude x : Rabs (cut q x) <= Rabs x.
Proof.
  unfold cut. rewrite Rabs_mult, (Rabs_pos_eq q) by lra. destruct (Ztrunc_below (x / q)) as [H _].
  replace (Rabs x) with (Rabs (x / q) * q); [now apply Rmult_le_compat_r; [lra|]|].
  rewrite <- (Rabs_pos_eq q) at 2 by lra. rewrite <- Rabs_mult. f_equal. field. lra.
Qed.

Lemma cut_near x : near (cut q x) q x.
Proof.
  unfold near, cut. destruct (Ztrunc_below (x / q)) as [_ H].
  replace (IZR (Ztrunc (x / q)) * q - x) with ((IZR (Ztrunc (x / q)) - x / q) * q)
    by (field; lra).
  rewrite Rabs_mult, (Rabs_pos_eq q) by lra. assert (Rabs (IZR (Ztrunc (x / q)) - x / q) * q <= 1 * q); [|lra].
  apply Rmult_le_compat_r; lra.
Qed.

Lemma cut_multiple k : cut q (IZR k * q) = IZR k * q.
Proof. unfold cut. replace (IZR k * q / q) with (IZR k) by (field; lra). now rewrite Ztrunc_IZR. Qed.

(** 1 if x loses bits. *)
Definition inexact (x : R) : R := if Req_EM_T (cut q x) x then 0 else 1.

Lemma inexact_range x : 0 <= inexact x <= 1.
Proof. unfold inexact. destruct (Req_EM_T _ _); lra. Qed.

Lemma cut_near_inexact x : near (cut q x) (inexact x * q) x.
Proof.
  unfold inexact. destruct (Req_EM_T (cut q x) x) as [->|].
  - unfold near. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
  - rewrite Rmult_1_l. apply cut_near.
Qed.

(** ** The aligned sum *)
Variables (L : nat) (c : R) (p : nat -> R).
Definition aligned_sum : R := cut q c + rsum L (fun i => cut q (p i)).
Definition exact_sum : R := c + rsum L p.
Definition absolute_sum : R := Rabs c + rsum L (fun i => Rabs (p i)).
(** N. *)
Definition inexact_count : R := inexact c + rsum L (fun i => inexact (p i)).

(* C++: scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem cut_block_error : near aligned_sum (inexact_count * q) exact_sum.
Proof.
  unfold aligned_sum, exact_sum, inexact_count. eapply near_weaken.
  - apply radius_sum; [apply cut_near_inexact|]. apply radius_rsum. intros i _. apply cut_near_inexact.
  - right. rewrite (rsum_ext L (fun i => inexact (p i) * q) (fun i => q * inexact (p i))) by (intros; ring). rewrite rsum_scal. ring.
Qed.

Lemma aligned_sum_magnitude : Rabs aligned_sum <= absolute_sum.
Proof.
  unfold aligned_sum, absolute_sum. eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat; [apply cut_magnitude|].
  eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros. apply cut_magnitude.
Qed.

Theorem inexact_count_range : 0 <= inexact_count <= INR L + 1.
Proof.
  unfold inexact_count. pose proof (inexact_range c). assert (0 <= rsum L (fun i => inexact (p i)) <= rsum L (fun _ => 1)).
  { split; [apply rsum_nonneg|apply rsum_le]; intros; apply inexact_range. }
  rewrite rsum_const in *. lra.
Qed.

(** One exact addend, the accumulator or a product: N is at most the number of products. *)
(* C++: scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem inexact_at_most : cut q c = c \/ (exists i, (i < L)%nat /\ cut q (p i) = p i) -> inexact_count <= INR L.
Proof.
  assert (Hone : forall n, rsum n (fun i => inexact (p i)) <= INR n).
  { intros n. rewrite <- (Rmult_1_r (INR n)), <- rsum_const. apply rsum_le; intros; apply inexact_range. }
  intros [H|(i & Hi & H)]; unfold inexact_count.
  - unfold inexact at 1. destruct (Req_EM_T (cut q c) c); [|contradiction]. pose proof (Hone L). lra.
  - replace L with (i + S (L - i - 1))%nat by lia. rewrite rsum_split. pose proof (inexact_range c). pose proof (Hone i).
    assert (Htail : rsum (S (L - i - 1)) (fun j => inexact (p (i + j)%nat)) <= INR (L - i - 1)).
    { clear - H. induction (L - i - 1)%nat as [|k IH].
      - simpl. rewrite Nat.add_0_r. unfold inexact. destruct (Req_EM_T (cut q (p i)) (p i)); [lra|contradiction].
      - change (rsum (S (S k)) ?f) with (rsum (S k) f + f (S k)). rewrite S_INR. pose proof (inexact_range (p (i + S k)%nat)). lra. }
    rewrite plus_INR, S_INR. lra.
Qed.
End Cut.

(** ** The exponent E
    It is read from the operands: ec of the accumulator, ea + eb of a product, with |a| in [2^ea, 2^(ea + 1)) and so |a b| in [2^(ea + eb),
    4 * 2^(ea + eb)): no product is normalised first. A zero counts as 2^e_zero. *)
Definition alignment (L : nat) (c : R) (a b : nat -> R) (ec : Z) (ea eb : nat -> Z) (e_zero E : Z) : Prop :=
  (E = ec /\ bpow radix2 ec <= Rabs c) \/
  (exists i, (i < L)%nat /\ E = (ea i + eb i)%Z /\ bpow radix2 (ea i) <= Rabs (a i) /\ bpow radix2 (eb i) <= Rabs (b i)) \/
  E = e_zero.

Lemma one_below_sum L (p : nat -> R) i : (i < L)%nat -> Rabs (p i) <= rsum L (fun j => Rabs (p j)).
Proof.
  induction L as [|L IH]; [lia|]. intros Hi. simpl. pose proof (Rabs_pos (p L)).
  assert (0 <= rsum L (fun j => Rabs (p j))) by (apply rsum_nonneg; intros; apply Rabs_pos).
  destruct (Nat.eq_dec i L) as [->|]; [lra|]. pose proof (IH ltac:(lia)). lra.
Qed.

Theorem exponent_below L c a b ec ea eb e_zero E : alignment L c a b ec ea eb e_zero E ->
  bpow radix2 E <= absolute_sum L c (fun i => a i * b i) + bpow radix2 e_zero.
Proof.
  pose proof (bpow_gt_0 radix2 e_zero) as Hz. unfold absolute_sum. cbv beta.
  assert (Hs : 0 <= rsum L (fun i => Rabs (a i * b i))) by (apply rsum_nonneg; intros; apply Rabs_pos). pose proof (Rabs_pos c).
  intros [[-> H1]|[(i & Hi & -> & H1 & H2)| ->]]; [lra| |lra].
  pose proof (one_below_sum L (fun i => a i * b i) i Hi) as H3. cbv beta in H3. rewrite Rabs_mult in H3. rewrite bpow_plus.
  assert (bpow radix2 (ea i) * bpow radix2 (eb i) <= Rabs (a i) * Rabs (b i)) by (apply Rmult_le_compat; auto using bpow_ge_0). lra.
Qed.

(** An addend with m bits below its own exponent e loses none if e - m >= E - F: so the one with e = E, if F >= m. For a product of two
    p-bit numbers m = 2 (p - 1), whatever its significand; for an fp32 accumulator m = 23. *)
(* C++: scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem attaining_exact E F e m M : (E - F <= e - m)%Z -> cut (bpow radix2 (E - F)) (IZR M * bpow radix2 (e - m)) = IZR M * bpow radix2
  (e - m).
Proof.
  intros H. assert (Eq : bpow radix2 (e - m) = IZR (2 ^ (e - m - (E - F))) * bpow radix2 (E - F)).
  { rewrite (IZR_Zpower radix2) by lia. rewrite <- bpow_plus. f_equal. ring. }
  rewrite Eq, <- Rmult_assoc, <- mult_IZR. apply cut_multiple, bpow_gt_0.
Qed.

Section Step.
Variables (emin prec : Z).
Context {prec_pos : Prec_gt_0 prec}.
Notation fexp := (FLT_exp emin prec).
Definition toward_zero (x : R) : R := round radix2 fexp Ztrunc x.
(** Twice the unit roundoff: 2^-23 for fp32. *)
Definition u_cut : R := 2 * unit_roundoff prec.

Lemma toward_zero_magnitude x : Rabs (toward_zero x) <= Rabs x.
Proof.
  unfold toward_zero, round, F2R, scaled_mantissa. cbn [Fnum Fexp]. pose proof (bpow_gt_0 radix2 (cexp radix2 fexp x)) as Hb.
  rewrite Rabs_mult, (Rabs_pos_eq (bpow _ _)) by lra. destruct (Ztrunc_below (x * bpow radix2 (- cexp radix2 fexp x))) as [H _].
  eapply Rle_trans; [apply Rmult_le_compat_r; [lra|exact H]|]. rewrite Rabs_mult, (Rabs_pos_eq (bpow _ (- _))) by apply bpow_ge_0.
  rewrite Rmult_assoc, <- bpow_plus, Z.add_opp_diag_l. simpl. lra.
Qed.

Lemma toward_zero_near x m : Rabs x <= m -> near (toward_zero x) (u_cut * m + bpow radix2 emin) x.
Proof.
  intros H. assert (Hm : 0 <= m) by (eapply Rle_trans; [apply Rabs_pos|exact H]). eapply near_weaken.
  - apply (ulp_of_upper emin prec) with (m := m); [|exact H]. unfold toward_zero.
    destruct (Rle_or_lt 0 x); [left; apply round_ZR_DN; assumption|right].
    apply round_ZR_UP; lra.
  - pose proof (half_ulp_relative emin prec m Hm) as Hh. unfold tiny in Hh. unfold u_cut. lra.
Qed.

(** rel: what cutting adds relative to the magnitudes, N 2^-F; absolute: the same for an exponent that a zero sets, and the subnormal
    quantum of the output. *)
Variables (L : nat) (F e_zero : Z) (N : R).
Definition cut_relative : R := N * bpow radix2 (- F).
Definition cut_absolute : R := N * bpow radix2 (e_zero - F).

Section One.
Variables (c : R) (p : nat -> R) (E : Z).
Let q := bpow radix2 (E - F).
Let B := absolute_sum L c p.
Hypothesis count_below : inexact_count q L c p <= N.
Hypothesis exponent : bpow radix2 E <= B + bpow radix2 e_zero.

Lemma q_pos' : 0 < q.
Proof. apply bpow_gt_0. Qed.

Lemma aligned_near : near (aligned_sum q L c p) (cut_relative * B + cut_absolute) (exact_sum L c p).
Proof.
  eapply near_weaken; [apply cut_block_error, q_pos'|]. pose proof (bpow_gt_0 radix2 (- F)) as Hf.
  assert (HN : 0 <= N). { pose proof (inexact_count_range q L c p). lra. }
  apply Rle_trans with (N * q); [apply Rmult_le_compat_r; [left; apply q_pos'|exact count_below]|].
  unfold cut_relative, cut_absolute, q, Z.sub. rewrite !bpow_plus.
  assert (N * (bpow radix2 E * bpow radix2 (- F)) <= N * ((B + bpow radix2 e_zero) * bpow radix2 (- F))).
  { apply Rmult_le_compat_l; [assumption|]. apply Rmult_le_compat_r; lra. }
  lra.
Qed.

(** The output is cut. *)
(* C++: scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem truncating_block : let out := toward_zero (aligned_sum q L c p) in
  near out ((u_cut + cut_relative) * B + (cut_absolute + bpow radix2 emin)) (exact_sum L c p) /\ Rabs out <= B.
Proof.
  intros out. pose proof (aligned_sum_magnitude q q_pos' L c p) as Hm. fold B in Hm. split.
  - eapply near_weaken; [eapply near_trans; [apply (toward_zero_near _ B Hm)|apply aligned_near]|]. lra.
  - eapply Rle_trans; [apply toward_zero_magnitude|exact Hm].
Qed.

(** The output is rounded to nearest. *)
(* C++: scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem nearest_block choice : let out := rnd emin prec choice (aligned_sum q L c p) in
  near out (((1 + cut_relative) * (1 + u prec) - 1) * B + (cut_absolute + tiny emin)) (exact_sum L c p).
Proof.
  intros out. pose proof (aligned_sum_magnitude q q_pos' L c p) as Hm. fold B in Hm. pose proof (u_pos prec) as Hu.
  assert (HB : 0 <= B) by (eapply Rle_trans; [apply Rabs_pos|exact Hm]).
  assert (Hrel : 0 <= cut_relative). { unfold cut_relative. pose proof (inexact_count_range q L c p). pose proof (bpow_gt_0 radix2 (- F)).
    apply Rmult_le_pos; lra. }
  eapply near_weaken; [eapply near_trans; [unfold near, out; apply (round_error emin prec choice)|apply aligned_near]|].
  assert (u prec * Rabs (aligned_sum q L c p) <= u prec * B) by (apply Rmult_le_compat_l; lra).
  assert (0 <= cut_relative * u prec * B) by (apply Rmult_le_pos; [apply Rmult_le_pos; lra|assumption]). lra.
Qed.
End One.

(** ** The chain: c_(j+1) is the output of step j, which has the products p j. P j: |c_0| and the products of the first j steps. *)
Variables (n : nat) (acc : nat -> R) (p : nat -> nat -> R) (E : nat -> Z).
Let P (j : nat) : R := Rabs (acc 0%nat) + rsum j (fun k => rsum L (fun i => Rabs (p k i))).
Hypothesis N_nonneg : 0 <= N.
Hypothesis count_below : forall j, (j < n)%nat -> inexact_count (bpow radix2 (E j - F)) L (acc j) (p j) <= N.
Hypothesis exponent : forall j, (j < n)%nat -> bpow radix2 (E j) <= absolute_sum L (acc j) (p j) + bpow radix2 e_zero.
Hypothesis steps : forall j, (j < n)%nat -> acc (S j) = toward_zero (aligned_sum (bpow radix2 (E j - F)) L (acc j) (p j)).

Theorem accumulator_below j : (j <= n)%nat -> Rabs (acc j) <= P j.
Proof.
  induction j as [|j IH]; intros Hj; [unfold P; simpl; lra|].
  pose proof (truncating_block (acc j) (p j) (E j) (count_below j ltac:(lia)) (exponent j ltac:(lia))) as [_ H].
  rewrite <- (steps j ltac:(lia)) in H. unfold absolute_sum in H. specialize (IH ltac:(lia)). unfold P in *. simpl rsum. lra.
Qed.

Lemma P_mono j : (j <= n)%nat -> P j <= P n.
Proof.
  intros Hj. unfold P. apply Rplus_le_compat_l. replace n with (j + (n - j))%nat by lia. rewrite rsum_split.
  assert (0 <= rsum (n - j) (fun i => rsum L (fun i0 => Rabs (p (j + i)%nat i0)))); [|lra].
  apply rsum_nonneg; intros. apply rsum_nonneg; intros. apply Rabs_pos.
Qed.

(** Errors add up with factor 1: cutting never makes anything larger. *)
(* C++: bounds/accumulation.hpp accumulation; scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem truncating_chain :
  near (acc n) (INR n * ((u_cut + cut_relative) * P n + (cut_absolute + bpow radix2 emin))) (acc 0%nat + rsum n (fun k => rsum L (p k))).
Proof.
  set (step := (u_cut + cut_relative) * P n + (cut_absolute + bpow radix2 emin)).
  assert (Hrel : 0 <= u_cut + cut_relative).
  { unfold u_cut, cut_relative. pose proof (unit_roundoff_pos prec). pose proof (bpow_gt_0 radix2 (- F)).
    assert (0 <= N * bpow radix2 (- F)) by (apply Rmult_le_pos; lra). lra. }
  assert (H : forall j, (j <= n)%nat -> near (acc j) (INR j * step) (acc 0%nat + rsum j (fun k => rsum L (p k)))); [|apply H; lia].
  induction j as [|j IH]; intros Hj.
  - simpl. rewrite Rmult_0_l, Rplus_0_r. apply near_refl.
  - specialize (IH ltac:(lia)).
    pose proof (truncating_block (acc j) (p j) (E j) (count_below j ltac:(lia)) (exponent j ltac:(lia))) as [H _].
    rewrite <- (steps j ltac:(lia)) in H.
    assert (HB : absolute_sum L (acc j) (p j) <= P n).
    { eapply Rle_trans; [|apply (P_mono (S j) Hj)]. pose proof (accumulator_below j ltac:(lia)) as Ha. unfold absolute_sum, P in *.
      simpl rsum. lra. }
    assert (Hs : near (acc (S j)) step (exact_sum L (acc j) (p j))).
    { eapply near_weaken; [exact H|]. unfold step. apply Rplus_le_compat_r. now apply Rmult_le_compat_l. }
    rewrite S_INR. unfold near in *. unfold exact_sum in Hs. simpl rsum.
    replace (acc (S j) - (acc 0%nat + (rsum j (fun k => rsum L (p k)) + rsum L (p j)))) with
      ((acc (S j) - (acc j + rsum L (p j))) + (acc j - (acc 0%nat + rsum j (fun k => rsum L (p k))))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

(** Below the product form. *)
Theorem truncating_chain_power : INR n * (u_cut + cut_relative) <= ((1 + cut_relative) * (1 + u_cut)) ^ n - 1.
Proof.
  assert (Hc : 0 <= cut_relative) by (apply Rmult_le_pos; [assumption|apply bpow_ge_0]).
  assert (Hu : 0 < u_cut) by (unfold u_cut; pose proof (unit_roundoff_pos prec); lra).
  set (x := (1 + cut_relative) * (1 + u_cut) - 1). assert (Hx : u_cut + cut_relative <= x) by (unfold x; nra).
  replace ((1 + cut_relative) * (1 + u_cut)) with (1 + x) by (unfold x; ring). clearbody x.
  assert (H : 1 + INR n * x <= (1 + x) ^ n); [|pose proof (pos_INR n); nra].
  clear - Hx Hc Hu. induction n as [|k IH]; [simpl; lra|]. rewrite S_INR. simpl pow. pose proof (pos_INR k).
  assert (0 <= INR k * x * x) by nra. nra.
Qed.
End Step.
