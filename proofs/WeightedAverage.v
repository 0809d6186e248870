(** Purpose: the error of softmax averages as src/bounds evaluates it: everything that a kernel does to its weights in one bound.
    Main results: [weighted_average_error]: weights exp(l + d) + omega instead of exp(l): the average errs by at most sum (p (e^E - 1) +
      Omega') |y - ybar| / Z; [weighted_average_fallback]: never by more than max |y - ybar|; [weighted_average_inexact]: the same with
      p and ybar known only nearly; [weighted_average_upper]: with any upper bounds in place of p, Omega' and |y - ybar|.
    Depends on: ValueError. Axioms: those of Coq's real numbers.

    l: the true logits. d: everything that happens to a logit, its own error, subtraction, exp, rescales (ValueError.v's effective_weight).
    omega: what underflow adds to a weight. y: any values. *)
From Equinorm Require Export ValueError.
Local Open Scope R_scope.

Section Weights.
Variables (n : nat) (l d E omega Omega : nat -> R).
Hypothesis some_token : (0 < n)%nat.
Hypothesis logits_near : forall t, (t < n)%nat -> Rabs (d t) <= E t.
Hypothesis underflow_near : forall t, (t < n)%nat -> Rabs (omega t) <= Omega t.

Let p := softmax n l.
Definition kernel_weight (t : nat) : R := exp (l t + d t) + omega t.
Let total := rsum n (fun t => exp (l t)).
Let weights_total := rsum n kernel_weight.

(** Omega relative to the sum of the true weights, and the lower bound of the kernel's sum relative to it. *)
Definition relative_underflow (t : nat) : R := Omega t / total.
Definition total_low : R := rsum n (fun t => p t * exp (- E t)) - rsum n relative_underflow.
Definition centre (y : nat -> R) : R := rsum n (fun t => p t * y t).
Definition kernel_average (y : nat -> R) : R := rsum n (fun t => kernel_weight t * y t) / weights_total.

Lemma true_total_pos : 0 < total.
Proof. now apply exp_sum_pos. Qed.

(** One weight relative to the true sum: w / total = p e^d + omega / total. *)
Lemma relative_weight t : kernel_weight t / total = p t * exp (d t) + omega t / total.
Proof. pose proof true_total_pos. unfold kernel_weight, p, softmax. fold total. rewrite exp_plus. field. lra. Qed.

Lemma relative_omega t : (t < n)%nat -> Rabs (omega t / total) <= relative_underflow t.
Proof.
  intros Ht. pose proof true_total_pos as H. unfold relative_underflow, Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ total)).
  - apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|auto].
  - left. now apply Rinv_0_lt_compat.
Qed.

Lemma weights_sum (f : nat -> R) : rsum n (fun t => kernel_weight t * f t) / total =
  rsum n (fun t => (p t * exp (d t) + omega t / total) * f t).
Proof.
  unfold Rdiv at 1. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros. rewrite <- relative_weight. unfold Rdiv. ring.
Qed.

Lemma weights_total_low : total_low <= weights_total / total.
Proof.
  unfold weights_total. rewrite (rsum_ext n kernel_weight (fun t => kernel_weight t * 1)) by (intros; ring). rewrite weights_sum.
  unfold total_low. rewrite <- rsum_minus. apply rsum_le; intros t Ht. pose proof (relative_omega t Ht) as H. apply Rabs_le_inv in H.
  pose proof (exp_bounds n d E logits_near t Ht) as He. pose proof (softmax_pos n l t some_token) as Hp. fold p in Hp.
  assert (p t * exp (- E t) <= p t * exp (d t)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Section Average.
Hypothesis total_low_pos : 0 < total_low.

Lemma weights_total_pos : 0 < weights_total.
Proof.
  pose proof weights_total_low as H. pose proof true_total_pos as Ht. replace weights_total with (weights_total / total * total)
    by (field; lra). apply Rmult_lt_0_compat; lra.
Qed.

(** Deviation of the kernel's average from the centre, exactly. *)
Lemma average_centred y : kernel_average y - centre y =
  rsum n (fun t => (p t * (exp (d t) - 1) + omega t / total) * (y t - centre y)) / (weights_total / total).
Proof.
  pose proof true_total_pos as Ht. pose proof weights_total_pos as Hw. unfold kernel_average. set (m := centre y).
  assert (E0 : rsum n (fun t => p t * (y t - m)) = 0).
  { transitivity (centre y - m * rsum n p); [|unfold p; rewrite softmax_sum by assumption; fold m; ring].
    unfold centre. rewrite <- rsum_scal, <- rsum_minus. apply rsum_ext; intros; ring. }
  assert (E1 : rsum n (fun t => (p t * (exp (d t) - 1) + omega t / total) * (y t - m)) =
               rsum n (fun t => kernel_weight t * (y t - m)) / total).
  { rewrite weights_sum. rewrite <- (Rplus_0_r (rsum n _)) at 1. rewrite <- E0, <- rsum_plus. apply rsum_ext; intros; ring. }
  rewrite E1. assert (E2 : rsum n (fun t => kernel_weight t * (y t - m)) = rsum n (fun t => kernel_weight t * y t) - m * weights_total).
  { unfold weights_total. rewrite <- rsum_scal, <- rsum_minus. apply rsum_ext; intros; ring. }
  rewrite E2. field. lra.
Qed.

(** With upper bounds of p, Omega' and |y - ybar|, and a lower bound of the total, however they were had. *)
(* C++: bounds/softmax_weights.hpp make_weights. *)
Theorem weighted_average_upper y (P O C : nat -> R) Z : 0 < Z <= total_low ->
  (forall t, (t < n)%nat -> p t <= P t) -> (forall t, (t < n)%nat -> relative_underflow t <= O t) ->
  (forall t, (t < n)%nat -> Rabs (y t - centre y) <= C t) ->
  near (kernel_average y) (rsum n (fun t => (P t * (exp (E t) - 1) + O t) * C t) / Z) (centre y).
Proof.
  intros [HZ HZl] HP HO HC. unfold near. rewrite average_centred. pose proof weights_total_low as Hlow.
  assert (Hpos : 0 < weights_total / total) by lra. unfold Rdiv at 1.
  rewrite Rabs_mult, (Rabs_pos_eq (/ _)) by (left; now apply Rinv_0_lt_compat).
  apply Rmult_le_compat; [apply Rabs_pos|left; now apply Rinv_0_lt_compat| |apply Rinv_le_contravar; lra].
  eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros t Ht. rewrite Rabs_mult.
  apply Rmult_le_compat; [apply Rabs_pos|apply Rabs_pos| |auto]. eapply Rle_trans; [apply Rabs_triang|].
  apply Rplus_le_compat; [|eapply Rle_trans; [now apply relative_omega|auto]].
  pose proof (softmax_pos n l t some_token) as Hp. fold p in Hp. rewrite Rabs_mult, (Rabs_pos_eq (p t)) by lra.
  pose proof (exp_bounds n d E logits_near t Ht) as He. pose proof (exp_ineq1_le (- E t)). pose proof (exp_ineq1_le (E t)).
  apply Rmult_le_compat; [lra|apply Rabs_pos|auto|]. apply Rabs_le. lra.
Qed.

(* C++: bounds/average.hpp average_bound; bounds/softmax_weights.hpp make_weights. *)
Theorem weighted_average_error y :
  near (kernel_average y) (rsum n (fun t => (p t * (exp (E t) - 1) + relative_underflow t) * Rabs (y t - centre y)) / total_low) (centre y).
Proof. apply weighted_average_upper; intros; lra. Qed.

(** p' within a factor 1 +- eta of p, m within delta of ybar. *)
(* C++: bounds/average.hpp average_bound. *)
Theorem weighted_average_inexact y (p' O : nat -> R) m eta delta : 0 <= eta < 1 ->
  (forall t, (t < n)%nat -> Rabs (p' t - p t) <= eta * p t) -> Rabs (m - centre y) <= delta ->
  (forall t, (t < n)%nat -> relative_underflow t <= O t) ->
  let Z := rsum n (fun t => p' t * exp (- E t)) / (1 + eta) - rsum n O in 0 < Z ->
  near (kernel_average y) (rsum n (fun t => (p' t / (1 - eta) * (exp (E t) - 1) + O t) * (Rabs (y t - m) + delta)) / Z) (centre y).
Proof.
  intros Heta Hp' Hm HO Z HZ.
  assert (Hlow : Z <= total_low).
  { unfold Z, total_low. apply Rplus_le_compat; [|apply Ropp_le_contravar, rsum_le; auto]. unfold Rdiv. rewrite Rmult_comm, <- rsum_scal.
    apply rsum_le; intros t Ht. specialize (Hp' t Ht). apply Rabs_le_inv in Hp'. rewrite <- Rmult_assoc.
    apply Rmult_le_compat_r; [left; apply exp_pos|]. apply Rmult_le_reg_l with (1 + eta); [lra|].
    rewrite <- Rmult_assoc, Rinv_r, Rmult_1_l by lra. lra. }
  apply weighted_average_upper; auto.
  - intros t Ht. specialize (Hp' t Ht). apply Rabs_le_inv in Hp'. apply Rmult_le_reg_r with (1 - eta); [lra|].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. lra.
  - intros t _. replace (y t - centre y) with ((y t - m) + (m - centre y)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

(** The kernel's own p is at most this: p+ = (p e^E + Omega') / Z. *)
Definition weight_upper (t : nat) : R := (p t * exp (E t) + relative_underflow t) / total_low.

Lemma kernel_weight_upper t : (t < n)%nat -> Rabs (kernel_weight t) / weights_total <= weight_upper t.
Proof.
  intros Ht. pose proof true_total_pos as Hs. pose proof weights_total_pos as Hw. pose proof weights_total_low as Hl.
  replace (Rabs (kernel_weight t) / weights_total) with (Rabs (kernel_weight t / total) * / (weights_total / total)).
  - unfold weight_upper, Rdiv at 3. apply Rmult_le_compat; [apply Rabs_pos|left; apply Rinv_0_lt_compat; lra| |].
    + rewrite relative_weight. eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat; [|now apply relative_omega].
      pose proof (softmax_pos n l t some_token) as Hp. fold p in Hp. pose proof (exp_pos (d t)).
      rewrite Rabs_pos_eq by (apply Rmult_le_pos; lra). apply Rmult_le_compat_l; [lra|].
      exact (proj2 (exp_bounds n d E logits_near t Ht)).
    + apply Rinv_le_contravar; lra.
  - unfold Rdiv at 1. rewrite Rabs_mult, (Rabs_pos_eq (/ total)) by (left; now apply Rinv_0_lt_compat). field. lra.
Qed.

Lemma kernel_average_upper (f : nat -> R) : (forall t, (t < n)%nat -> 0 <= f t) ->
  rsum n (fun t => Rabs (kernel_weight t) * f t) / weights_total <= rsum n (fun t => weight_upper t * f t).
Proof.
  intros Hf. unfold Rdiv. rewrite Rmult_comm, <- rsum_scal. apply rsum_le; intros t Ht.
  replace (/ weights_total * (Rabs (kernel_weight t) * f t)) with (Rabs (kernel_weight t) / weights_total * f t) by (unfold Rdiv; ring).
  apply Rmult_le_compat_r; [auto|now apply kernel_weight_upper].
Qed.
End Average.

(** Whatever the errors of the logits: with weights that are not negative and not all 0, the average stays among the values. *)
(* C++: bounds/average.hpp average_bound. *)
Theorem weighted_average_fallback y M : (forall t, (t < n)%nat -> 0 <= kernel_weight t) -> 0 < weights_total ->
  (forall t, (t < n)%nat -> Rabs (y t - centre y) <= M) -> near (kernel_average y) M (centre y).
Proof.
  intros Hw HW HM. unfold near, kernel_average.
  replace (rsum n (fun t => kernel_weight t * y t) / weights_total - centre y) with
    (rsum n (fun t => kernel_weight t * (y t - centre y)) / weights_total).
  - unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ _)) by (left; now apply Rinv_0_lt_compat).
    apply Rmult_le_reg_r with weights_total; [assumption|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    eapply Rle_trans; [apply rsum_abs|]. unfold weights_total. rewrite <- rsum_scal. apply rsum_le; intros t Ht.
    rewrite Rabs_mult, (Rabs_pos_eq (kernel_weight t)) by auto. rewrite Rmult_comm. apply Rmult_le_compat_r; auto.
  - transitivity ((rsum n (fun t => kernel_weight t * y t) - centre y * weights_total) / weights_total).
    + f_equal. unfold weights_total. rewrite <- rsum_scal, <- rsum_minus. apply rsum_ext; intros; ring.
    + field. lra.
Qed.
End Weights.
