(** Purpose: from the kernel's weights to its output: storing the weights, accumulating, dividing, radii of the values, and u W_V.
    Main results: [accumulated_average_error]: numerator terms with relative error phi_N, denominator with phi_D; [kernel_average_error]:
      the whole error of an average (explicit o, absorbed u); [kernel_output_error]: the absorbed o = u W_V, with the weights' errors
      centred in value space.
    Depends on: WeightedAverage. Axioms: those of Coq's real numbers.

    w_t = exp(l_t + d_t) + omega_t: the weights that the denominator sums. w'_t: the weights that meet the values, equal to w_t but for a
    store: |w'_t - w_t| <= u_P |w_t| + zeta_t (u_P = zeta_t = 0 where both are the same numbers). *)
From Equinorm Require Export WeightedAverage.
Local Open Scope R_scope.

Section Kernel.
Variables (n : nat) (l d E omega Omega : nat -> R).
Hypothesis some_token : (0 < n)%nat.
Hypothesis logits_near : forall t, (t < n)%nat -> Rabs (d t) <= E t.
Hypothesis underflow_near : forall t, (t < n)%nat -> Rabs (omega t) <= Omega t.
Hypothesis total_low_pos : 0 < total_low n l E Omega.

Notation w := (kernel_weight l d omega).
Notation W := (rsum n w).
Notation p_upper := (weight_upper n l E Omega).
Notation centre := (centre n l).

Variables (stored_weight zeta : nat -> R) (u_P W_low phiN phiD : R).
Hypothesis u_P_nonneg : 0 <= u_P.
Hypothesis zeta_nonneg : forall t, (t < n)%nat -> 0 <= zeta t.
Hypothesis weights_stored : forall t, (t < n)%nat -> Rabs (stored_weight t - w t) <= u_P * Rabs (w t) + zeta t.
Hypothesis W_low_pos : 0 < W_low <= W.
Hypothesis phiN_nonneg : 0 <= phiN.
Hypothesis phiD_small : 0 <= phiD < 1.

(** What the store of the weights does to an average of f >= 0, and the most that such an average can be. *)
Definition store_radius (f : nat -> R) : R := u_P * rsum n (fun t => p_upper t * f t) + rsum n (fun t => zeta t * f t) / W_low.
Definition stored_upper (f : nat -> R) : R := rsum n (fun t => p_upper t * f t) + store_radius f.

Let average_upper f := kernel_average_upper n l d E omega Omega some_token logits_near underflow_near total_low_pos f.

Lemma over_W (a f b : nat -> R) : (forall t, (t < n)%nat -> 0 <= f t) -> (forall t, (t < n)%nat -> Rabs (a t) <= b t) ->
  rsum n (fun t => Rabs (a t) * f t) / W <= rsum n (fun t => b t * f t) / W.
Proof.
  intros Hf Hab. unfold Rdiv. apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat; lra|]. apply rsum_le; intros t Ht.
  apply Rmult_le_compat_r; auto.
Qed.

Lemma store_radius_bound f : (forall t, (t < n)%nat -> 0 <= f t) ->
  rsum n (fun t => Rabs (stored_weight t - w t) * f t) / W <= store_radius f.
Proof.
  intros Hf. assert (Hi : 0 < / W) by (apply Rinv_0_lt_compat; lra). eapply Rle_trans; [exact (over_W _ f _ Hf weights_stored)|].
  apply Rle_trans with (u_P * (rsum n (fun t => Rabs (w t) * f t) / W) + rsum n (fun t => zeta t * f t) / W).
  - right. unfold Rdiv. rewrite <- Rmult_assoc, <- Rmult_plus_distr_r, <- rsum_scal, <- rsum_plus. f_equal.
    apply rsum_ext; intros; ring.
  - unfold store_radius. apply Rplus_le_compat; [apply Rmult_le_compat_l; [assumption|]; exact (average_upper f Hf)|].
    unfold Rdiv. apply Rmult_le_compat_l; [|apply Rinv_le_contravar; lra]. apply rsum_nonneg; intros t Ht.
    apply Rmult_le_pos; auto.
Qed.

Lemma stored_upper_bound f : (forall t, (t < n)%nat -> 0 <= f t) ->
  rsum n (fun t => Rabs (stored_weight t) * f t) / W <= stored_upper f.
Proof.
  intros Hf. assert (Hi : 0 < / W) by (apply Rinv_0_lt_compat; lra).
  apply Rle_trans with (rsum n (fun t => Rabs (w t) * f t) / W + rsum n (fun t => Rabs (stored_weight t - w t) * f t) / W).
  - unfold Rdiv. rewrite <- Rmult_plus_distr_r, <- rsum_plus. apply Rmult_le_compat_r; [lra|]. apply rsum_le; intros t Ht.
    rewrite <- Rmult_plus_distr_r. apply Rmult_le_compat_r; [auto|]. replace (stored_weight t) with (w t + (stored_weight t - w t)) at 1
      by ring. apply Rabs_triang.
  - apply Rplus_le_compat; [exact (average_upper f Hf)|now apply store_radius_bound].
Qed.

(** Storing alone. *)
Lemma stored_average_near (y : nat -> R) :
  near (rsum n (fun t => stored_weight t * y t) / W) (store_radius (fun t => Rabs (y t))) (kernel_average n l d omega y).
Proof.
  eapply near_weaken; [|apply store_radius_bound; intros; apply Rabs_pos]. unfold near, kernel_average, Rdiv.
  rewrite <- Rmult_minus_distr_r, <- rsum_minus, Rabs_mult, (Rabs_pos_eq (/ W)) by (left; apply Rinv_0_lt_compat; lra).
  apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat; lra|]. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros.
  rewrite <- Rmult_minus_distr_r, Rabs_mult. lra.
Qed.

(** Accumulation and division: the sums themselves. F: absolute error of the numerator (underflow). *)
Definition accumulation (F : R) (y : nat -> R) : R :=
  ((phiN + phiD) * stored_upper (fun t => Rabs (y t)) + F / W_low) / (1 - phiD).

(* C++: bounds/average.hpp average_bound; bounds/softmax_sums.hpp average_sums. *)
Theorem accumulated_average_error (y : nat -> R) num den F : 0 <= F ->
  near num (phiN * rsum n (fun t => Rabs (stored_weight t * y t)) + F) (rsum n (fun t => stored_weight t * y t)) ->
  near den (phiD * W) W -> near (num / den) (accumulation F y) (rsum n (fun t => stored_weight t * y t) / W).
Proof.
  intros HF Hnum Hden.
  pose proof (quotient_error num _ (rsum n (fun t => Rabs (stored_weight t * y t))) F den W phiN phiD ltac:(lra) phiD_small Hnum Hden)
    as H.
  eapply near_weaken; [exact H|]. unfold accumulation. unfold Rdiv at 1 6. apply Rmult_le_compat_r.
  { left. apply Rinv_0_lt_compat. lra. }
  pose proof (stored_upper_bound (fun t => Rabs (y t)) ltac:(intros; apply Rabs_pos)) as Hs.
  assert (Ha : rsum n (fun t => Rabs (stored_weight t * y t)) / W <= stored_upper (fun t => Rabs (y t))).
  { eapply Rle_trans; [|exact Hs]. right. f_equal. apply rsum_ext; intros. now rewrite Rabs_mult. }
  assert (Hb : Rabs (rsum n (fun t => stored_weight t * y t)) / W <= stored_upper (fun t => Rabs (y t))).
  { eapply Rle_trans; [|exact Ha]. unfold Rdiv. apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat; lra|]. apply rsum_abs. }
  assert (F / W <= F / W_low) by (unfold Rdiv; apply Rmult_le_compat_l; [assumption|apply Rinv_le_contravar; lra]).
  assert (phiN * (rsum n (fun t => Rabs (stored_weight t * y t)) / W) <= phiN * stored_upper (fun t => Rabs (y t)))
    by (apply Rmult_le_compat_l; assumption).
  assert (phiD * (Rabs (rsum n (fun t => stored_weight t * y t)) / W) <= phiD * stored_upper (fun t => Rabs (y t)))
    by (apply Rmult_le_compat_l; lra).
  lra.
Qed.

(** Values with radii Ey. *)
Lemma values_near (y Ey yt : nat -> R) : (forall t, (t < n)%nat -> near (y t) (Ey t) (yt t)) ->
  near (kernel_average n l d omega y) (rsum n (fun t => p_upper t * Ey t)) (kernel_average n l d omega yt).
Proof.
  intros Hy. assert (Hi : 0 < / W) by (apply Rinv_0_lt_compat; lra).
  assert (HE : forall t, (t < n)%nat -> 0 <= Ey t) by (intros t Ht; eapply near_nonneg; exact (Hy t Ht)).
  eapply near_weaken; [|apply (average_upper Ey HE)].
  unfold near, kernel_average, Rdiv. rewrite <- Rmult_minus_distr_r, <- rsum_minus, Rabs_mult, (Rabs_pos_eq (/ W)) by lra.
  apply Rmult_le_compat_r; [lra|]. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros t Ht.
  rewrite <- Rmult_minus_distr_l, Rabs_mult. apply Rmult_le_compat_l; [apply Rabs_pos|]. exact (Hy t Ht).
Qed.

(** What the weights' own errors do, centred. *)
Definition weights_radius (y : nat -> R) : R :=
  rsum n (fun t => (softmax n l t * (exp (E t) - 1) + relative_underflow n l Omega t) * Rabs (y t - centre y)) / total_low n l E Omega.

Lemma weights_near (y : nat -> R) : near (kernel_average n l d omega y) (weights_radius y) (centre y).
Proof. now apply weighted_average_error. Qed.

(** An average from end to end. h: the division's rounding and the store of the result. *)
(* C++: bounds/average.hpp average_bound; bounds/softmax_sums.hpp average_sums. *)
Theorem kernel_average_error (y Ey yt : nat -> R) num den F out h : 0 <= F ->
  (forall t, (t < n)%nat -> near (y t) (Ey t) (yt t)) ->
  near num (phiN * rsum n (fun t => Rabs (stored_weight t * y t)) + F) (rsum n (fun t => stored_weight t * y t)) ->
  near den (phiD * W) W -> near out h (num / den) ->
  near out (h + accumulation F y + store_radius (fun t => Rabs (y t)) + rsum n (fun t => p_upper t * Ey t) + weights_radius yt) (centre yt).
Proof.
  intros HF Hy Hnum Hden Hout. eapply near_trans; [|apply weights_near]. eapply near_trans; [|apply values_near; exact Hy].
  eapply near_trans; [|apply stored_average_near]. eapply near_trans; [exact Hout|]. now apply accumulated_average_error.
Qed.

(** Absorbed: u_i = sum w' c_i / W up to R_i (accumulation, division, stores), then o = u W_V with dot error D, F. Everything that happens
    to the weights meets the values v_t = c_t W_V, centred; only R goes through |W_V|. *)
(* C++: bounds/bounds.hpp error_bounds. *)
Theorem kernel_output_error r (c : nat -> nat -> R) (WV u R : nat -> R) out D F :
  (forall i, (i < r)%nat -> near (u i) (R i) (rsum n (fun t => stored_weight t * c t i) / W)) ->
  near out (D * rsum r (fun i => Rabs (u i * WV i)) + F) (rsum r (fun i => u i * WV i)) ->
  let v t := rsum r (fun i => c t i * WV i) in
  near out (D * rsum r (fun i => Rabs (u i * WV i)) + F + rsum r (fun i => R i * Rabs (WV i)) + store_radius (fun t => Rabs (v t)) +
            weights_radius v) (centre v).
Proof.
  intros Hu Hout v. eapply near_trans; [|apply weights_near]. eapply near_trans; [|apply stored_average_near].
  eapply near_trans; [exact Hout|].
  replace (rsum n (fun t => stored_weight t * v t) / W) with (rsum r (fun i => rsum n (fun t => stored_weight t * c t i) / W * WV i)).
  - apply radius_rsum. intros i Hi. apply radius_scale_r. auto.
  - unfold v, Rdiv. transitivity (/ W * rsum r (fun i => rsum n (fun t => stored_weight t * c t i * WV i))).
    + rewrite <- rsum_scal. apply rsum_ext; intros. rewrite (rsum_ext n (fun t => stored_weight t * c t i * WV i)
        (fun t => WV i * (stored_weight t * c t i))) by (intros; ring). rewrite rsum_scal. ring.
    + rewrite rsum_swap, Rmult_comm. f_equal. apply rsum_ext; intros. rewrite <- rsum_scal. apply rsum_ext; intros; ring.
Qed.
End Kernel.
