(** Purpose: outputs of rows whose logits are known too little for a bound on the weights, and of kernels that are handed the weights.
    Main results: [fallback_stages]: whatever the weights are, if they are not negative and not all 0: average, stored weights, sums and
      division, from the spread of the values alone; [fallback_as_coded]: in the terms of src/bounds/average.cpp; [fallback_finished]: with
      the last rounding and the store; [given_average]: o = sum p v for a p that is handed over with radii.
    Depends on: AttentionStages. Axioms: those of Coq's real numbers. *)
From Equinorm Require Import AttentionStages.
Local Open Scope R_scope.

Section Fallback.
(** l: the exact logits; w: the kernel's weights, which nothing is known of; the rest as in AttentionStages.v. W_low: what their sum is at
    least, the largest weight being about 1. *)
Variables (n : nat) (l w sw zeta y Ey yt : nat -> R) (W_low u_P phiN phiD F num den most most_radius convex : R).
Hypothesis some_token : (0 < n)%nat.
Hypothesis w_nonneg : forall t, (t < n)%nat -> 0 <= w t.
Hypothesis W_low_pos : 0 < W_low <= rsum n w.
Hypothesis factors : 0 <= u_P /\ 0 <= phiN /\ 0 <= phiD < 1 /\ 0 <= F.
Hypothesis zeta_nonneg : forall t, (t < n)%nat -> 0 <= zeta t.
Hypothesis stored_weight_stage : forall t, (t < n)%nat -> near (sw t) (u_P * w t + zeta t) (w t).
Hypothesis value_stage : forall t, (t < n)%nat -> near (y t) (Ey t) (yt t).
Hypothesis values_at_most : forall t, (t < n)%nat -> Rabs (yt t) + Ey t <= most /\ Ey t <= most_radius.
Hypothesis spread_at_most : forall t, (t < n)%nat -> Rabs (yt t - centre n l yt) <= convex.
Hypothesis numerator_stage : near num (phiN * rsum n (fun t => Rabs (sw t * y t)) + F) (rsum n (fun t => sw t * y t)).
Hypothesis denominator_stage : near den (phiD * rsum n w) (rsum n w).

Let W := rsum n w.
Definition lost_by_store : R := rsum n (fun t => zeta t * (Rabs (yt t) + Ey t)) / W_low.
Notation lost := lost_by_store.
Definition fallback_radius : R :=
  ((phiN + phiD) * ((1 + u_P) * most + lost) + F / W_low) / (1 - phiD) + (u_P * most + lost) + most_radius + convex.

Lemma inverse_W : 0 < / W <= / W_low.
Proof. split; [apply Rinv_0_lt_compat; unfold W; lra|apply Rinv_le_contravar; unfold W; lra]. Qed.

Lemma over_weights (f : nat -> R) m : (forall t, (t < n)%nat -> 0 <= f t <= m) -> rsum n (fun t => w t * f t) / W <= m.
Proof.
  intros Hf. pose proof inverse_W as [HW _]. apply Rmult_le_reg_r with W; [unfold W; lra|]. unfold Rdiv.
  rewrite Rmult_assoc, Rinv_l, Rmult_1_r by (unfold W; lra). unfold W. rewrite <- rsum_scal. apply rsum_le; intros t Ht.
  rewrite Rmult_comm. apply Rmult_le_compat_r; [now apply w_nonneg|]. now apply Hf.
Qed.

Lemma value_most t : (t < n)%nat -> Rabs (y t) <= Rabs (yt t) + Ey t.
Proof. intros Ht. apply near_magnitude. auto. Qed.

Lemma stored_away : rsum n (fun t => Rabs ((sw t - w t) * y t)) / W <= u_P * most + lost.
Proof.
  destruct factors as (HP & _). pose proof inverse_W as [HW HWl].
  apply Rle_trans with (u_P * (rsum n (fun t => w t * Rabs (y t)) / W) + rsum n (fun t => zeta t * (Rabs (yt t) + Ey t)) / W).
  - unfold Rdiv. rewrite <- Rmult_assoc, <- Rmult_plus_distr_r, <- rsum_scal, <- rsum_plus. apply Rmult_le_compat_r; [lra|].
    apply rsum_le; intros t Ht. pose proof (stored_weight_stage t Ht) as Hs. unfold near in Hs. rewrite Rabs_mult.
    pose proof (Rabs_pos (y t)). pose proof (value_most t Ht). pose proof (zeta_nonneg t Ht).
    assert (Rabs (sw t - w t) * Rabs (y t) <= (u_P * w t + zeta t) * Rabs (y t)) by (apply Rmult_le_compat_r; lra).
    assert (zeta t * Rabs (y t) <= zeta t * (Rabs (yt t) + Ey t)) by (apply Rmult_le_compat_l; lra). lra.
  - apply Rplus_le_compat.
    + apply Rmult_le_compat_l; [assumption|]. apply over_weights. intros t Ht. pose proof (value_most t Ht). pose proof (Rabs_pos (y t)).
      pose proof (values_at_most t Ht). lra.
    + unfold lost, Rdiv. apply Rmult_le_compat_l; [|assumption]. apply rsum_nonneg; intros t Ht. apply Rmult_le_pos; [auto|].
      pose proof (value_most t Ht). pose proof (Rabs_pos (y t)). lra.
Qed.

Lemma stored_total : rsum n (fun t => Rabs (sw t * y t)) / W <= (1 + u_P) * most + lost.
Proof.
  pose proof inverse_W as [HW _]. pose proof stored_away as H.
  assert (H1 : rsum n (fun t => w t * Rabs (y t)) / W <= most).
  { apply over_weights. intros t Ht. pose proof (value_most t Ht). pose proof (Rabs_pos (y t)). pose proof (values_at_most t Ht). lra. }
  apply Rle_trans with (rsum n (fun t => w t * Rabs (y t)) / W + rsum n (fun t => Rabs ((sw t - w t) * y t)) / W); [|lra].
  unfold Rdiv. rewrite <- Rmult_plus_distr_r, <- rsum_plus. apply Rmult_le_compat_r; [lra|]. apply rsum_le; intros t Ht.
  replace (sw t * y t) with (w t * y t + (sw t - w t) * y t) by ring. eapply Rle_trans; [apply Rabs_triang|].
  rewrite (Rabs_mult (w t)), (Rabs_pos_eq (w t)) by auto. lra.
Qed.

(* C++: bounds/average.hpp average_bound. *)
Theorem fallback_stages : near (num / den) fallback_radius (centre n l yt).
Proof.
  destruct factors as (HP & HN & HD & HF). pose proof inverse_W as [HW HWl]. assert (W0 : 0 < W) by (unfold W; lra).
  assert (H1 : near (num / den) (((phiN + phiD) * ((1 + u_P) * most + lost) + F / W_low) / (1 - phiD)) (rsum n (fun t => sw t * y t) / W)).
  { assert (Hdl : (1 - phiD) * W <= den). { unfold near in denominator_stage. apply Rabs_le_inv in denominator_stage. unfold W. lra. }
    assert (Hd0 : 0 < (1 - phiD) * W) by (apply Rmult_lt_0_compat; lra). set (A := rsum n (fun t => sw t * y t)) in *.
    set (B := rsum n (fun t => Rabs (sw t * y t))) in *. assert (HAB : Rabs A <= B) by apply rsum_abs.
    unfold near in *. replace (num / den - A / W) with (((num - A) + - (A / W * (den - W))) * / den) by (field; lra).
    rewrite Rabs_mult, (Rabs_pos_eq (/ den)) by (left; apply Rinv_0_lt_compat; lra).
    assert (HA : Rabs (A / W) <= B / W).
    { unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ W)) by lra. apply Rmult_le_compat_r; lra. }
    assert (HX : Rabs ((num - A) + - (A / W * (den - W))) <= phiN * B + F + B / W * (phiD * W)).
    { eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, Rabs_mult. apply Rplus_le_compat; [exact numerator_stage|].
      apply Rmult_le_compat; try apply Rabs_pos; [exact HA|exact denominator_stage]. }
    apply Rle_trans with ((phiN * B + F + B / W * (phiD * W)) * / ((1 - phiD) * W)).
    - apply Rmult_le_compat; [apply Rabs_pos|left; apply Rinv_0_lt_compat; lra|exact HX|apply Rinv_le_contravar; assumption].
    - replace ((phiN * B + F + B / W * (phiD * W)) * / ((1 - phiD) * W)) with (((phiN + phiD) * (B / W) + F * / W) * / (1 - phiD))
        by (field; lra).
      unfold Rdiv at 2. apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat; lra|]. apply Rplus_le_compat.
      + apply Rmult_le_compat_l; [lra|exact stored_total].
      + unfold Rdiv. now apply Rmult_le_compat_l. }
  assert (H2 : near (rsum n (fun t => sw t * y t) / W) (u_P * most + lost) (rsum n (fun t => w t * y t) / W)).
  { eapply near_weaken; [|exact stored_away]. unfold near, Rdiv. rewrite <- Rmult_minus_distr_r, <- rsum_minus, Rabs_mult.
    rewrite (Rabs_pos_eq (/ W)) by lra. apply Rmult_le_compat_r; [lra|]. eapply Rle_trans; [apply rsum_abs|]. right. apply rsum_ext.
    intros t _. f_equal. ring. }
  assert (H3 : near (rsum n (fun t => w t * y t) / W) most_radius (rsum n (fun t => w t * yt t) / W)).
  { unfold near, Rdiv. rewrite <- Rmult_minus_distr_r, <- rsum_minus, Rabs_mult, (Rabs_pos_eq (/ W)) by lra.
    apply Rle_trans with (rsum n (fun t => w t * Ey t) / W).
    - unfold Rdiv. apply Rmult_le_compat_r; [lra|]. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros t Ht.
      rewrite <- Rmult_minus_distr_l, Rabs_mult, (Rabs_pos_eq (w t)) by auto. apply Rmult_le_compat_l; [auto|]. exact (value_stage t Ht).
    - apply over_weights. intros t Ht. pose proof (near_nonneg _ _ _ (value_stage t Ht)). pose proof (values_at_most t Ht). lra. }
  assert (H4 : near (rsum n (fun t => w t * yt t) / W) convex (centre n l yt)).
  { assert (Ek : forall t, kernel_weight l (fun _ => 0) (fun s => w s - exp (l s)) t = w t).
    { intros t. unfold kernel_weight. rewrite Rplus_0_r. ring. }
    pose proof (weighted_average_fallback n l (fun _ => 0) (fun s => w s - exp (l s)) yt convex) as H. unfold kernel_average in H.
    rewrite (rsum_ext n (kernel_weight l (fun _ => 0) (fun s => w s - exp (l s))) w) in H by (intros; apply Ek).
    rewrite (rsum_ext n (fun t => kernel_weight l (fun _ => 0) (fun s => w s - exp (l s)) t * yt t) (fun t => w t * yt t)) in H
      by (intros; now rewrite Ek).
    apply H; [intros t Ht; rewrite Ek; auto|exact W0|assumption]. }
  exact (near_trans _ _ _ _ _ (near_trans _ _ _ _ _ (near_trans _ _ _ _ _ H1 H2) H3) H4).
Qed.

(** accumulation + stored_p + carried + weights of AverageBound. *)
(* C++: bounds/average.hpp average_bound. *)
Theorem fallback_as_coded : 0 <= most -> 0 <= most_radius -> 0 <= lost -> let quotient := / (1 - phiD) in
  fallback_radius <= quotient * (most * ((1 + u_P) * phiN + phiD) + F / W_low) + quotient * (1 + phiN) * (u_P * most + lost) +
    (most_radius * (1 + u_P) + lost) + convex.
Proof.
  intros Hm Hr Hl quotient. destruct factors as (HP & HN & HD & HF). unfold fallback_radius.
  assert (Hq : 0 < quotient) by (apply Rinv_0_lt_compat; lra). assert (Hq1 : quotient * (1 - phiD) = 1) by (apply Rinv_l; lra).
  unfold Rdiv at 1. fold quotient. assert (X1 : 0 <= phiN * (u_P * most)) by (repeat apply Rmult_le_pos; assumption).
  assert (X2 : 0 <= most_radius * u_P) by (apply Rmult_le_pos; assumption).
  assert (E : u_P * most + lost = quotient * ((1 - phiD) * (u_P * most + lost))) by (rewrite <- Rmult_assoc, Hq1; ring).
  rewrite E at 1. assert (0 <= quotient * (phiN * (u_P * most))) by (apply Rmult_le_pos; lra). lra.
Qed.

(* C++: bounds/average.hpp AverageBound::total. *)
Theorem fallback_finished kq wq out f : 0 <= kq -> near out (kq * Rabs (num / den) + wq) (num / den) ->
  near (store f out) (finished kq wq f fallback_radius (centre n l yt)) (centre n l yt).
Proof. intros Hk Hout. apply finishing_stage with (v := num / den); [assumption|exact fallback_stages|assumption]. Qed.
End Fallback.

(** p handed over (radii ep), values with radii, one dot product, its store. *)
(* C++: bounds/softmax_weights.hpp given_weights. *)
Theorem given_average n (p ep ph v ev vh : nat -> R) D U f out : 0 <= D -> (forall t, (t < n)%nat -> near (ph t) (ep t) (p t)) ->
  (forall t, (t < n)%nat -> near (vh t) (ev t) (v t)) ->
  near out (D * rsum n (fun t => Rabs (ph t * vh t)) + U) (rsum n (fun t => ph t * vh t)) ->
  let e := D * rsum n (fun t => (Rabs (p t) + ep t) * (Rabs (v t) + ev t)) + U +
    rsum n (fun t => Rabs (p t) * ev t + ep t * Rabs (v t) + ep t * ev t) in
  near (store f out) (e + storing_at f (Rabs (rsum n (fun t => p t * v t)) + e)) (rsum n (fun t => p t * v t)).
Proof.
  intros HD Hp Hv Ho e. pose proof (radius_dot_exact n ph ep p vh ev v out D U HD Hp Hv Ho) as H. fold e in H.
  eapply radius_round; [|exact H]. apply store_upper. now apply near_magnitude.
Qed.
