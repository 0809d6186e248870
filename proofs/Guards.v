(** Purpose: the overflow guards that src/bounds evaluates, as what [dot_finite_guard] and [rounding_finite] ask for.
    Main results: [absolute_sum_guard]: the absolute sum of the numbers that a kernel holds, from exact values and radii; [norm_guard]: by
      lengths of vectors; [squares_guard]: sums of squares; [joined_guard]: a score before, between and after its statistics;
      [reference_guard]: unnormalised softmax sums.
    Depends on: NoOverflow, ScoreStages. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export NoOverflow ScoreStages.
Local Open Scope R_scope.

(** |v| <= |x| + e, |w| <= |y| + f: the sum that the guard takes. *)
(* C++: bounds/contraction.hpp contract; bounds/linear.hpp multiply_bounded; bounds/scores.hpp make_scores. *)
Theorem absolute_sum_guard n (v e x w f y : nat -> R) : (forall i, (i < n)%nat -> near (v i) (e i) (x i)) ->
  (forall i, (i < n)%nat -> near (w i) (f i) (y i)) ->
  rsum n (fun i => Rabs (v i * w i)) <= rsum n (fun i => (Rabs (x i) + e i) * (Rabs (y i) + f i)).
Proof.
  intros Hv Hw. apply rsum_le; intros i Hi. rewrite Rabs_mult. apply Rmult_le_compat; try apply Rabs_pos; apply near_magnitude; auto.
Qed.

(** With q, c >= all magnitudes: lengths whose product is at most a sixteenth of the largest number leave room for a factor of 8 and for
    underflow. *)
(* C++: bounds/scores.hpp make_scores. *)
Theorem norm_guard n (q c v w : nat -> R) growth lost largest : (forall i, (i < n)%nat -> Rabs (v i) <= q i) ->
  (forall i, (i < n)%nat -> Rabs (w i) <= c i) -> norm n q * norm n c <= largest / 16 -> 1 <= growth <= 8 -> 0 <= lost ->
  lost * growth < largest / 2 -> (rsum n (fun i => Rabs (v i * w i)) + lost) * growth < largest.
Proof.
  intros Hv Hw Hn Hg Hl Hlg. assert (H : rsum n (fun i => Rabs (v i * w i)) <= largest / 16).
  { eapply Rle_trans; [|exact Hn]. eapply Rle_trans; [|apply cauchy_schwarz]. apply rsum_le; intros i Hi. rewrite Rabs_mult.
    apply Rmult_le_compat; try apply Rabs_pos; auto. }
  assert (H0 : 0 <= rsum n (fun i => Rabs (v i * w i))) by (apply rsum_nonneg; intros; apply Rabs_pos).
  assert (rsum n (fun i => Rabs (v i * w i)) * growth <= largest / 16 * 8) by (apply Rmult_le_compat; lra). lra.
Qed.

(** A kernel's own sum of squares. *)
(* C++: bounds/statistic.hpp statistic. *)
Theorem squares_guard n (v e x : nat -> R) : (forall i, (i < n)%nat -> near (v i) (e i) (x i)) ->
  rsum n (fun i => v i * v i) <= rsum n (fun i => x i * x i) + rsum n (fun i => 2 * Rabs (x i) * e i + e i * e i).
Proof.
  intros Hv. rewrite <- rsum_plus. apply rsum_le; intros i Hi. pose proof (near_magnitude _ _ _ (Hv i Hi)) as H.
  pose proof (Rabs_pos (v i)) as H0. assert (Rabs (v i) * Rabs (v i) <= (Rabs (x i) + e i) * (Rabs (x i) + e i))
    by (apply Rmult_le_compat; lra).
  rewrite <- (Rabs_pos_eq (v i * v i)) by (apply Rle_0_sqr). rewrite <- (Rabs_pos_eq (x i * x i)) by (apply Rle_0_sqr).
  rewrite !Rabs_mult. lra.
Qed.

(** A score with ratio r (within f) and radius e in units of o: what the kernel holds before o is applied. *)
(* C++: bounds/scores.hpp make_scores. *)
Theorem joined_guard s e f r x o largest : 0 < o -> Rabs (r - 1) <= f - 1 -> near (s * o) e (r * x) ->
  (f * Rabs x + e) / o <= largest -> Rabs s <= largest.
Proof.
  intros Ho Hr Hs H. pose proof (near_magnitude _ _ _ Hs) as Hm. pose proof (ratio_size r f x Hr) as Hx.
  rewrite Rabs_mult, (Rabs_pos_eq o) in Hm by lra. eapply Rle_trans; [|exact H]. apply Rmult_le_reg_r with o; [assumption|].
  unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. lra.
Qed.

(** Weights at most 1 + b whatever the reference: the accumulator's absolute sum. *)
(* C++: bounds/average.hpp average_bound. *)
Theorem reference_guard n (w y m : nat -> R) b : 0 <= b -> (forall t, (t < n)%nat -> Rabs (w t) <= 1 + b) ->
  (forall t, (t < n)%nat -> Rabs (y t) <= m t) -> rsum n (fun t => Rabs (w t * y t)) <= (1 + b) * rsum n m.
Proof.
  intros Hb Hw Hy. rewrite <- rsum_scal. apply rsum_le; intros t Ht. rewrite Rabs_mult.
  apply Rmult_le_compat; try apply Rabs_pos; auto.
Qed.
