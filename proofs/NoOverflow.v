(** Purpose: when nothing overflows: IEEE arithmetic with infinities, NaN and zeros of two signs then computes what the bounds assume.
    Main results: [dot_finite]: a dot product by any tree of products, sums and FMAs of IEEE numbers (Flocq's binary_float) is finite and
      equals the unbounded computation of Dot.v if (sum|x y| + n tiny)(1 + u)^h is below 2^emax; every part of the tree is;
      [dot_finite_guard]: the same in the largest number, from bounds of the operands; [rounding_finite]: one operation or cast;
      [alpha_finite]: alpha is at most (1 + er) / sqrt(eps); [rescale_finite]: rescaling an accumulator by at most 1; [accumulator_guard]:
      sum|w c| for softmax weights.
    Depends on: DotOrders, StatisticError. Axioms: those of Coq's real numbers. *)
From Flocq Require Import IEEE754.BinarySingleNaN.
From Equinorm Require Export DotOrders StatisticError.
Local Open Scope R_scope.

Section Finite.
(** prec bits, magnitudes below 2^emax: fp16 (11, 16), bf16 (8, 128), fp32 (24, 128). *)
Variables (prec emax : Z).
Context {prec_pos : Prec_gt_0 prec} {prec_below : Prec_lt_emax prec emax}.
Notation float := (binary_float prec emax).
Definition emin_of : Z := SpecFloat.emin prec emax.
Definition even_ties (z : Z) : bool := negb (Z.even z).
Notation rnd := (rnd emin_of prec even_ties).
Definition too_large : R := bpow radix2 emax.

(** The largest number. *)
Definition largest_finite : R := too_large - bpow radix2 (emax - prec).

Lemma largest_below : largest_finite < too_large.
Proof. unfold largest_finite. pose proof (bpow_gt_0 radix2 (emax - prec)). lra. Qed.

(** One operation on exact z. *)
Theorem rounding_finite z m : Rabs z <= m -> m * (1 + u prec) + tiny emin_of < too_large -> Rabs (rnd z) < too_large.
Proof.
  intros Hz Hm. pose proof (round_error emin_of prec even_ties z) as H. pose proof (u_pos prec) as Hu.
  assert (Rabs (rnd z) <= Rabs z + Rabs (rnd z - z)).
  { replace (rnd z) with (z + (rnd z - z)) at 1 by ring. apply Rabs_triang. }
  assert (u prec * Rabs z <= u prec * m) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Variables x y : nat -> float.
Hypothesis x_finite : forall i, is_finite (x i) = true.
Hypothesis y_finite : forall i, is_finite (y i) = true.
Let X (i : nat) : R := B2R (x i).
Let Y (i : nat) : R := B2R (y i).

(** The order s in IEEE arithmetic, to nearest even. *)
Fixpoint ieee (s : order) : float :=
  match s with
  | Zero => B754_zero false
  | Product i => Bmult mode_NE (x i) (y i)
  | Plus a b => Bplus mode_NE (ieee a) (ieee b)
  | Fma a i => Bfma mode_NE (x i) (y i) (ieee a)
  end.
Notation value s := (computed emin_of prec even_ties X Y s).
Notation absolute s := (exactly (fun i => Rabs (X i * Y i)) s).

(** The most that any partial result can be. *)
Definition size_bound (s : order) : R := (1 + u prec) ^ height s * (absolute s + INR (count s) * tiny emin_of).

Lemma value_below s : Rabs (value s) <= size_bound s.
Proof.
  pose proof (dot_error_height emin_of prec even_ties X Y s) as H. pose proof (exactly_abs (fun i => X i * Y i) s) as Ha.
  replace (value s) with ((value s - exactly (fun i => X i * Y i) s) + exactly (fun i => X i * Y i) s) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. unfold size_bound. unfold height_bound in H. lra.
Qed.

Lemma size_bound_mono a s : (height a <= height s)%nat -> (count a <= count s)%nat -> absolute a <= absolute s ->
  size_bound a <= size_bound s.
Proof.
  intros Hh Hc Ha. unfold size_bound. pose proof (power_mono prec _ _ Hh) as Hp. pose proof (power_ge_1 prec (height a)) as H1.
  apply le_INR in Hc. pose proof (tiny_pos emin_of) as Ht. pose proof (exactly_abs_nonneg (fun i => X i * Y i) a) as Hn.
  pose proof (pos_INR (count a)). assert (INR (count a) * tiny emin_of <= INR (count s) * tiny emin_of) by (apply Rmult_le_compat_r; lra).
  assert (0 <= INR (count a) * tiny emin_of) by (apply Rmult_le_pos; lra). apply Rmult_le_compat; lra.
Qed.

Lemma plus_left a b : size_bound a <= size_bound (Plus a b).
Proof.
  pose proof (exactly_abs_nonneg (fun i => X i * Y i) b) as Hb. apply size_bound_mono; [|simpl; lia|simpl; lra].
  destruct a; [simpl; lia|..]; match goal with |- (height ?a <= height (Plus ?a ?b))%nat =>
    change (height (Plus a b)) with (S (Nat.max (height a) (height b))) end; lia.
Qed.

Lemma plus_right a b : size_bound b <= size_bound (Plus a b).
Proof.
  pose proof (exactly_abs_nonneg (fun i => X i * Y i) a) as Ha. apply size_bound_mono; [|simpl; lia|simpl; lra].
  destruct a; [simpl; lia|..]; match goal with |- (_ <= height (Plus ?a ?b))%nat =>
    change (height (Plus a b)) with (S (Nat.max (height a) (height b))) end; lia.
Qed.

Lemma fma_left a i : size_bound a <= size_bound (Fma a i).
Proof. apply size_bound_mono; simpl; try lia. pose proof (Rabs_pos (X i * Y i)). lra. Qed.

Theorem dot_finite s : size_bound s < too_large -> is_finite (ieee s) = true /\ B2R (ieee s) = value s.
Proof.
  unfold too_large. induction s as [|i|a IHa b IHb|a IHa i]; intros Hs.
  - simpl. auto.
  - pose proof (value_below (Product i)) as Hv. simpl computed in Hv.
    pose proof (Bmult_correct prec emax prec_pos prec_below mode_NE (x i) (y i)) as H.
    rewrite Rlt_bool_true in H by (eapply Rle_lt_trans; [exact Hv|exact Hs]). destruct H as (H1 & H2 & _).
    rewrite x_finite, y_finite in H2. split; [exact H2|exact H1].
  - destruct IHa as [Fa Va]; [eapply Rle_lt_trans; [apply plus_left|exact Hs]|].
    destruct IHb as [Fb Vb]; [eapply Rle_lt_trans; [apply plus_right|exact Hs]|].
    pose proof (value_below (Plus a b)) as Hv. simpl computed in Hv.
    pose proof (Bplus_correct prec emax prec_pos prec_below mode_NE (ieee a) (ieee b) Fa Fb) as H. rewrite Va, Vb in H.
    rewrite Rlt_bool_true in H by (eapply Rle_lt_trans; [exact Hv|exact Hs]). destruct H as (H1 & H2 & _).
    split; [exact H2|exact H1].
  - destruct IHa as [Fa Va]; [eapply Rle_lt_trans; [apply fma_left|exact Hs]|].
    pose proof (value_below (Fma a i)) as Hv. simpl computed in Hv.
    pose proof (Bfma_correct prec emax prec_pos prec_below mode_NE (x i) (y i) (ieee a) (x_finite i) (y_finite i) Fa) as H.
    cbv zeta in H. rewrite Va, (Rplus_comm (_ * _)) in H.
    rewrite Rlt_bool_true in H by (eapply Rle_lt_trans; [exact Hv|exact Hs]). destruct H as (H1 & H2 & _).
    split; [exact H2|exact H1].
Qed.

(** In numbers: n products, height at most h, |x_i y_i| <= A_i. *)
(* C++: bounds/linear.hpp multiply_bounded; bounds/linear.hpp sum_errors; bounds/scores.hpp make_scores. *)
Theorem dot_finite_guard s n h (A : nat -> R) : sums s 0 n -> (height s <= h)%nat ->
  (forall i, (i < n)%nat -> Rabs (X i * Y i) <= A i) -> (rsum n A + INR n * tiny emin_of) * (1 + u prec) ^ h <= largest_finite ->
  is_finite (ieee s) = true /\ B2R (ieee s) = value s.
Proof.
  intros (Hsum & Hcount & _) Hh HA Hg. apply dot_finite. pose proof largest_below as Hl.
  eapply Rle_lt_trans; [|eapply Rle_lt_trans; [exact Hg|exact Hl]].
  unfold size_bound. rewrite Hcount, Hsum, Rmult_comm. simpl plus. pose proof (power_mono prec _ _ Hh).
  pose proof (power_ge_1 prec (height s)).
  assert (rsum n (fun i => Rabs (X i * Y i)) <= rsum n A) by (apply rsum_le; exact HA).
  assert (0 <= rsum n (fun i => Rabs (X i * Y i))) by (apply rsum_nonneg; intros; apply Rabs_pos).
  assert (0 <= INR n * tiny emin_of) by (apply Rmult_le_pos; [apply pos_INR|left; apply tiny_pos]). apply Rmult_le_compat; lra.
Qed.

(** Rescaling an accumulator by a factor of at most 1 makes it no larger. *)
Theorem rescale_finite a r : Rounding.format emin_of prec a -> 0 <= r <= 1 -> Rabs (rnd (a * r)) <= Rabs a.
Proof.
  intros Ha Hr. unfold Rounding.rnd. apply abs_round_le_generic; [typeclasses eauto|typeclasses eauto|now apply generic_format_abs|].
  rewrite Rabs_mult, (Rabs_pos_eq r) by lra. pose proof (Rabs_pos a).
  rewrite <- (Rmult_1_r (Rabs a)) at 2. apply Rmult_le_compat_l; lra.
Qed.
End Finite.

(** alpha: with q >= 0 the mean square is not below the eps that was added, so alpha is at most (1 + er) / sqrt(eps). *)
Theorem alpha_finite emin prec choice {prec_pos : Prec_gt_0 prec} q eps e er : 0 <= q -> 0 < eps -> Rounding.format emin prec eps ->
  Rabs e <= er -> Rabs ((1 + e) / sqrt (rnd emin prec choice (q + eps))) <= (1 + er) / sqrt eps.
Proof.
  intros Hq He Hf Her. assert (Hm : eps <= rnd emin prec choice (q + eps)).
  { apply Rle_trans with (rnd emin prec choice eps); [rewrite rnd_exact by exact Hf; lra|]. apply (rnd_le emin prec choice). lra. }
  assert (Hs : 0 < sqrt eps) by (now apply sqrt_lt_R0). assert (Hs' : sqrt eps <= sqrt (rnd emin prec choice (q + eps))).
  { apply sqrt_le_1; lra. }
  unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ _)) by (left; apply Rinv_0_lt_compat; lra).
  apply Rmult_le_compat; [apply Rabs_pos|left; apply Rinv_0_lt_compat; lra| |apply Rinv_le_contravar; lra].
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_R1. lra.
Qed.

(** An accumulator of T weights of at most w and values of at most C. *)
(* C++: bounds/average.hpp average_bound. *)
Theorem accumulator_guard T (weight c : nat -> R) w C : (forall t, (t < T)%nat -> 0 <= weight t <= w) ->
  (forall t, (t < T)%nat -> Rabs (c t) <= C) -> rsum T (fun t => Rabs (weight t * c t)) <= INR T * (w * C).
Proof.
  intros Hw Hc. rewrite <- rsum_const. apply rsum_le; intros t Ht. rewrite Rabs_mult. specialize (Hw t Ht).
  apply Rmult_le_compat; try apply Rabs_pos; [|auto]. rewrite Rabs_pos_eq; lra.
Qed.
