(** Purpose: closed forms of the output error from the largest logit error, the range and the size of the values; no underflow.
    Main results: [apriori_component]: a stored dot product; [apriori_average]: an average errs by at most tanh((E + X) / 2) range + k
      max|y|; [apriori_output]: the absorbed o = u W_V, the range being that of the values v = c W_V.
    Depends on: AprioriForms, ValueError. Axioms: those of Coq's real numbers.

    E: errors of the logits, X: what the kernel's weights add to them (KernelWeight.v), both at most so much for every token. *)
From Equinorm Require Export AprioriForms ValueError.
Local Open Scope R_scope.

(** s |x| + D (1 + s) A, for a dot product that is stored. *)
(* C++: bounds/apriori.hpp apriori_bounds. *)
Theorem apriori_component D A s v v' x : 0 <= s -> near v (D * A) x -> relative s v' v -> near v' (s * Rabs x + D * (1 + s) * A) x.
Proof.
  intros Hs Hv Hr. eapply near_weaken; [eapply near_trans; [exact Hr|exact Hv]|]. pose proof (near_magnitude _ _ _ Hv) as Hm.
  assert (s * Rabs v <= s * (Rabs x + D * A)) by (apply Rmult_le_compat_l; assumption). lra.
Qed.

Section Output.
(** Weights exp(l + d), |d| <= B for every token; w': as they meet the values. *)
Variables (n : nat) (l d : nat -> R) (B : R).
Hypothesis some_token : (0 < n)%nat.
Hypothesis logits_near : forall t, (t < n)%nat -> Rabs (d t) <= B.
Let w (t : nat) : R := exp (l t + d t).
Let W : R := rsum n w.
Variables (stored : nat -> R) (u_P phiN phiD : R).
Hypothesis nonneg : 0 <= u_P /\ 0 <= phiN /\ 0 <= phiD < 1.
Hypothesis weights_stored : forall t, (t < n)%nat -> relative u_P (stored t) (w t).

(** The average of y with weights w, and with the true ones. *)
Definition used_average (y : nat -> R) : R := rsum n (fun t => w t * y t) / W.
Definition true_average (y : nat -> R) : R := rsum n (fun t => softmax n l t * y t).
Definition k_average : R := (1 + u_P) * (1 + phiN) / (1 - phiD) - 1.

Lemma W_positive : 0 < W.
Proof. now apply (exp_sum_pos n (fun t => l t + d t)). Qed.

Lemma used_near_true_average y b range : (forall t, (t < n)%nat -> b <= y t <= b + range) ->
  near (used_average y) (tanh (B / 2) * range) (true_average y).
Proof.
  intros Hy. pose proof (average_range n l d (- B) (2 * B) y b range some_token) as H. replace (2 * B / 4) with (B / 2) in H by field.
  unfold near. rewrite Rabs_minus_sym. unfold used_average, true_average.
  replace (rsum n (fun t => w t * y t) / W) with (rsum n (fun t => softmax n (fun s => l s + d s) t * y t)).
  - apply H; [|exact Hy]. intros s Hs. specialize (logits_near s Hs). apply Rabs_le_inv in logits_near. lra.
  - unfold softmax. fold w. unfold Rdiv. rewrite (Rmult_comm _ (/ W)), <- rsum_scal. apply rsum_ext; intros. unfold W, w. ring.
Qed.

(** Sums of the stored weights against sums of the weights. *)
Lemma stored_sum y Y : (forall t, (t < n)%nat -> Rabs (y t) <= Y) ->
  rsum n (fun t => Rabs (stored t * y t)) <= (1 + u_P) * (W * Y) /\
  near (rsum n (fun t => stored t * y t)) (u_P * (W * Y)) (rsum n (fun t => w t * y t)).
Proof.
  intros Hy. assert (Hw : forall t, 0 < w t) by (intros; apply exp_pos).
  assert (E : W * Y = rsum n (fun t => w t * Y)).
  { unfold W. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros; ring. }
  rewrite E, <- !rsum_scal. split.
  - apply rsum_le; intros t Ht. pose proof (relative_magnitude _ _ _ (weights_stored t Ht)) as H. rewrite (Rabs_pos_eq (w t)) in H
      by (left; apply Hw). rewrite Rabs_mult, <- Rmult_assoc. apply Rmult_le_compat; try apply Rabs_pos; auto.
  - apply radius_rsum. intros t Ht. eapply near_weaken; [apply radius_scale_r; apply weights_stored; exact Ht|].
    rewrite (Rabs_pos_eq (w t)) by (left; apply Hw). rewrite Rmult_assoc. apply Rmult_le_compat_l; [tauto|].
    apply Rmult_le_compat_l; [left; apply Hw|auto].
Qed.

Lemma used_average_size y Y : (forall t, (t < n)%nat -> Rabs (y t) <= Y) -> Rabs (used_average y) <= Y.
Proof.
  intros Hy. pose proof W_positive as HW. unfold used_average, Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ W)) by
    (left; now apply Rinv_0_lt_compat).
  apply Rmult_le_reg_r with W; [assumption|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. eapply Rle_trans; [apply rsum_abs|].
  unfold W. rewrite <- rsum_scal. apply rsum_le; intros t Ht. rewrite Rabs_mult, (Rabs_pos_eq (w t)) by (left; apply exp_pos).
  rewrite Rmult_comm. apply Rmult_le_compat_r; [left; apply exp_pos|auto].
Qed.

Lemma accumulated_average y Y num den : (forall t, (t < n)%nat -> Rabs (y t) <= Y) ->
  near num (phiN * rsum n (fun t => Rabs (stored t * y t))) (rsum n (fun t => stored t * y t)) -> near den (phiD * W) W ->
  near (num / den) (k_average * Y) (used_average y).
Proof.
  intros Hy Hnum Hden. destruct nonneg as (HuP & HN & HD). pose proof W_positive as HW. destruct (stored_sum y Y Hy) as [H1 H2].
  pose proof (used_average_size y Y Hy) as HA. set (A := used_average y) in *.
  assert (HY : 0 <= Y) by (eapply Rle_trans; [apply Rabs_pos|exact HA]). assert (HWY : 0 <= W * Y) by (apply Rmult_le_pos; lra).
  assert (H3 : near num (((1 + u_P) * (1 + phiN) - 1) * (W * Y)) (A * W)).
  { replace (A * W) with (rsum n (fun t => w t * y t)) by (unfold A, used_average; field; lra).
    eapply near_weaken; [eapply near_trans; [exact Hnum|exact H2]|].
    assert (phiN * rsum n (fun t => Rabs (stored t * y t)) <= phiN * ((1 + u_P) * (W * Y))) by (apply Rmult_le_compat_l; assumption). lra. }
  unfold near in *. apply Rabs_le_inv in Hden as Hd. assert (Hlow : 0 < W * (1 - phiD) <= den).
  { split; [apply Rmult_lt_0_compat; lra|lra]. }
  replace (num / den - A) with (((num - A * W) + A * (W - den)) * / den) by (field; lra).
  rewrite Rabs_mult, (Rabs_pos_eq (/ den)) by (left; apply Rinv_0_lt_compat; lra). unfold k_average.
  replace (((1 + u_P) * (1 + phiN) / (1 - phiD) - 1) * Y) with
    ((((1 + u_P) * (1 + phiN) - 1) * (W * Y) + Y * (phiD * W)) * / (W * (1 - phiD))) by (field; lra).
  apply Rmult_le_compat; [apply Rabs_pos|left; apply Rinv_0_lt_compat; lra| |apply Rinv_le_contravar; lra].
  eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat; [exact H3|]. rewrite Rabs_mult, (Rabs_minus_sym W).
  apply Rmult_le_compat; try apply Rabs_pos; assumption.
Qed.

(** ks: the division and the store of the result, (1 + u)(1 + u_s) - 1. *)
Definition k_stored (ks : R) : R := (1 + k_average) * (1 + ks) - 1.

Lemma stored_average y Y num den ks out : 0 <= ks -> (forall t, (t < n)%nat -> Rabs (y t) <= Y) ->
  near num (phiN * rsum n (fun t => Rabs (stored t * y t))) (rsum n (fun t => stored t * y t)) -> near den (phiD * W) W ->
  relative ks out (num / den) -> near out (k_stored ks * Y) (used_average y).
Proof.
  intros Hks Hy Hnum Hden Hout. pose proof (accumulated_average y Y num den Hy Hnum Hden) as H.
  eapply near_weaken; [eapply near_trans; [exact Hout|exact H]|]. pose proof (near_magnitude _ _ _ H).
  pose proof (used_average_size y Y Hy).
  assert (ks * Rabs (num / den) <= ks * (Y + k_average * Y)) by (apply Rmult_le_compat_l; lra). unfold k_stored. lra.
Qed.

(* C++: bounds/apriori.hpp apriori_average; bounds/apriori.hpp apriori_bounds. *)
Theorem apriori_average y Y b range num den ks out : 0 <= ks -> (forall t, (t < n)%nat -> Rabs (y t) <= Y) ->
  (forall t, (t < n)%nat -> b <= y t <= b + range) ->
  near num (phiN * rsum n (fun t => Rabs (stored t * y t))) (rsum n (fun t => stored t * y t)) -> near den (phiD * W) W ->
  relative ks out (num / den) -> near out (tanh (B / 2) * range + k_stored ks * Y) (true_average y).
Proof.
  intros Hks Hy Hr Hnum Hden Hout. rewrite Rplus_comm. eapply near_trans; [now apply (stored_average y Y num den)|].
  now apply used_near_true_average with (b := b).
Qed.

(** o = u W_V: D the dot product over the latents, us the store of o. *)
(* C++: bounds/apriori.hpp apriori_bounds. *)
Theorem apriori_output r (c : nat -> nat -> R) (WV C u num : nat -> R) den ks D us dot out b range :
  let v t := rsum r (fun i => c t i * WV i) in
  0 <= ks -> 0 <= D -> 0 <= us -> (forall i t, (i < r)%nat -> (t < n)%nat -> Rabs (c t i) <= C i) ->
  (forall t, (t < n)%nat -> b <= v t <= b + range) ->
  (forall i, (i < r)%nat -> near (num i) (phiN * rsum n (fun t => Rabs (stored t * c t i))) (rsum n (fun t => stored t * c t i))) ->
  near den (phiD * W) W -> (forall i, (i < r)%nat -> relative ks (u i) (num i / den)) ->
  near dot (D * rsum r (fun i => Rabs (u i * WV i))) (rsum r (fun i => u i * WV i)) -> relative us out dot ->
  near out (tanh (B / 2) * range + ((1 + k_stored ks) * (1 + D) * (1 + us) - 1) * rsum r (fun i => C i * Rabs (WV i))) (true_average v).
Proof.
  intros v Hks HD Hus HC Hr Hnum Hden Hu Hdot Hout. rewrite Rplus_comm.
  eapply near_trans; [|now apply used_near_true_average with (b := b)].
  set (k := k_stored ks). set (M := rsum r (fun i => C i * Rabs (WV i))).
  assert (Hui : forall i, (i < r)%nat -> near (u i) (k * C i) (used_average (fun t => c t i))).
  { intros i Hi. apply (stored_average (fun t => c t i) (C i) (num i) den ks (u i) Hks); auto. }
  assert (Hav : forall i, (i < r)%nat -> Rabs (used_average (fun t => c t i)) <= C i).
  { intros i Hi. apply used_average_size. auto. }
  assert (Ev : used_average v = rsum r (fun i => used_average (fun t => c t i) * WV i)).
  { unfold used_average, v, Rdiv. transitivity (/ W * rsum n (fun t => rsum r (fun i => w t * c t i * WV i))).
    - rewrite Rmult_comm. f_equal. apply rsum_ext; intros. rewrite <- rsum_scal. apply rsum_ext; intros; ring.
    - rewrite rsum_swap, <- rsum_scal. apply rsum_ext; intros. rewrite (rsum_ext n (fun t => w t * c t i * WV i)
        (fun t => WV i * (w t * c t i))) by (intros; ring). rewrite rsum_scal. ring. }
  assert (H1 : near (rsum r (fun i => u i * WV i)) (k * M) (used_average v)).
  { rewrite Ev. unfold M. rewrite <- rsum_scal. apply radius_rsum. intros i Hi. rewrite <- Rmult_assoc. apply radius_scale_r. auto. }
  assert (H2 : rsum r (fun i => Rabs (u i * WV i)) <= (1 + k) * M).
  { unfold M. rewrite <- rsum_scal. apply rsum_le; intros i Hi. rewrite Rabs_mult, <- Rmult_assoc. apply Rmult_le_compat_r;
    [apply Rabs_pos|].
    pose proof (near_magnitude _ _ _ (Hui i Hi)). pose proof (Hav i Hi). lra. }
  assert (H3 : near dot (((1 + k) * (1 + D) - 1) * M) (used_average v)).
  { eapply near_weaken; [eapply near_trans; [exact Hdot|exact H1]|].
    assert (D * rsum r (fun i => Rabs (u i * WV i)) <= D * ((1 + k) * M)) by (apply Rmult_le_compat_l; assumption). lra. }
  eapply near_weaken; [eapply near_trans; [exact Hout|exact H3]|].
  assert (Hv : Rabs (used_average v) <= M).
  { rewrite Ev. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros i Hi. rewrite Rabs_mult.
    apply Rmult_le_compat_r; [apply Rabs_pos|auto]. }
  pose proof (near_magnitude _ _ _ H3) as Hm.
  assert (us * Rabs dot <= us * (M + ((1 + k) * (1 + D) - 1) * M)) by (apply Rmult_le_compat_l; lra). lra.
Qed.
End Output.
