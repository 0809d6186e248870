(** Purpose: the error of lse = ln sum exp(l), the number that split-KV kernels return beside o.
    Main results: [lse_lipschitz]: errors of the logits by at most B move lse by at most B; [lse_error]: by at most ln sum p e^E, which
      weighs each token's error by its attention; [lse_of_weights]: the same with underflow; [computed_lse_error]: round(m + log(s)), s
      accumulated, log with a declared error; [computed_lse_error_known]: the same without sight of s.
    Depends on: WeightedAverage. Axioms: those of Coq's real numbers.

    A sink is one more token. *)
From Equinorm Require Export WeightedAverage.
Local Open Scope R_scope.

Definition lse (n : nat) (l : nat -> R) : R := ln (rsum n (fun t => exp (l t))).

Lemma ln_le' a b : 0 < a -> a <= b -> ln a <= ln b.
Proof. intros Ha [H| ->]; [left; now apply ln_increasing|right; reflexivity]. Qed.

(** lse does not depend on the reference. *)
Lemma lse_reference n l m : (0 < n)%nat -> lse n l = m + lse n (fun t => l t - m).
Proof.
  intros Hn. unfold lse. rewrite (rsum_ext n (fun t => exp (l t)) (fun t => exp m * exp (l t - m))).
  - rewrite rsum_scal, ln_mult by (try apply exp_pos; now apply exp_sum_pos). now rewrite ln_exp.
  - intros. rewrite <- exp_plus. f_equal. ring.
Qed.

Section Perturbed.
Variables (n : nat) (l d E : nat -> R).
Hypothesis some_token : (0 < n)%nat.
Hypothesis logits_near : forall t, (t < n)%nat -> Rabs (d t) <= E t.
Let p := softmax n l.

Lemma p_pos t : 0 < p t.
Proof. now apply softmax_pos. Qed.

Lemma p_exp_pos f : 0 < rsum n (fun t => p t * exp (f t)).
Proof.
  apply (rsum_pos n _ 0%nat); try assumption; intros; [left|]; apply Rmult_lt_0_compat; auto using exp_pos, p_pos.
Qed.

Lemma p_exp_le f g : (forall t, (t < n)%nat -> f t <= g t) -> rsum n (fun t => p t * exp (f t)) <= rsum n (fun t => p t * exp (g t)).
Proof. intros H. apply rsum_le; intros t Ht. pose proof (p_pos t). apply Rmult_le_compat_l; [lra|]. apply exp_le. auto. Qed.

Lemma lse_shift : lse n (fun t => l t + d t) - lse n l = ln (rsum n (fun t => p t * exp (d t))).
Proof.
  pose proof (exp_sum_pos n l some_token) as HZ. pose proof (p_exp_pos d) as Hp.
  assert (E1 : rsum n (fun t => exp (l t + d t)) = rsum n (fun t => exp (l t)) * rsum n (fun t => p t * exp (d t))).
  { rewrite <- rsum_scal. apply rsum_ext; intros. unfold p, softmax. rewrite exp_plus. field. lra. }
  unfold lse. rewrite E1, ln_mult by assumption. ring.
Qed.

(** Arithmetic against harmonic mean: what the errors may add is the most that they may take. *)
Lemma mean_exp : 1 <= rsum n (fun t => p t * exp (E t)) * rsum n (fun t => p t * exp (- E t)).
Proof.
  set (A := rsum n (fun t => p t * exp (E t))). assert (HA : 0 < A) by apply p_exp_pos.
  assert (H : 2 * / A - A * (/ A * / A) <= rsum n (fun t => p t * exp (- E t))).
  { apply Rle_trans with (rsum n (fun t => p t * (2 * / A) - (p t * exp (E t)) * (/ A * / A))); [right|].
    - rewrite rsum_minus. f_equal.
      + rewrite (rsum_ext n _ (fun i => 2 * / A * p i)) by (intros; ring). rewrite rsum_scal. unfold p.
        rewrite softmax_sum by assumption. ring.
      + rewrite (rsum_ext n _ (fun i => / A * / A * (p i * exp (E i)))) by (intros; ring). rewrite rsum_scal. fold A. ring.
    - apply rsum_le; intros t _. pose proof (p_pos t) as Hp. pose proof (exp_pos (E t)) as Ha.
      assert (Hinv : exp (- E t) = / exp (E t)) by apply exp_Ropp. rewrite Hinv. set (a := exp (E t)) in *.
      replace (p t * (2 * / A) - p t * a * (/ A * / A)) with (p t * (2 * / A - a * (/ A * / A))) by ring.
      apply Rmult_le_compat_l; [lra|]. apply Rmult_le_reg_r with a; [assumption|]. rewrite (Rinv_l a) by lra.
      pose proof (Rle_0_sqr (a * / A - 1)) as Hsq. unfold Rsqr in Hsq. lra. }
  replace (2 * / A - A * (/ A * / A)) with (/ A) in H by (field; lra).
  apply Rmult_le_reg_l with (/ A); [now apply Rinv_0_lt_compat|]. rewrite <- Rmult_assoc, Rinv_l, Rmult_1_l, Rmult_1_r by lra. exact H.
Qed.

(* C++: bounds/softmax_weights.hpp make_weights. *)
Theorem lse_error : Rabs (lse n (fun t => l t + d t) - lse n l) <= ln (rsum n (fun t => p t * exp (E t))).
Proof.
  rewrite lse_shift. pose proof (p_exp_pos d) as Hd. pose proof (p_exp_pos E) as HE. pose proof (p_exp_pos (fun t => - E t)) as HmE.
  assert (Hup : rsum n (fun t => p t * exp (d t)) <= rsum n (fun t => p t * exp (E t))).
  { apply p_exp_le; intros t Ht. specialize (logits_near t Ht). apply Rabs_le_inv in logits_near. lra. }
  assert (Hlow : rsum n (fun t => p t * exp (- E t)) <= rsum n (fun t => p t * exp (d t))).
  { apply p_exp_le; intros t Ht. specialize (logits_near t Ht). apply Rabs_le_inv in logits_near. lra. }
  apply Rabs_le. split; [|now apply ln_le'].
  apply Rle_trans with (ln (rsum n (fun t => p t * exp (- E t)))); [|now apply ln_le'].
  pose proof mean_exp as H. apply ln_le' in H; [|lra]. rewrite ln_1, ln_mult in H by assumption. lra.
Qed.

Theorem lse_lipschitz B : (forall t, (t < n)%nat -> E t <= B) -> Rabs (lse n (fun t => l t + d t) - lse n l) <= B.
Proof.
  intros HB. eapply Rle_trans; [apply lse_error|]. rewrite <- (ln_exp B). apply ln_le'; [apply p_exp_pos|].
  apply Rle_trans with (rsum n (fun t => p t * exp ((fun _ => B) t))); [now apply p_exp_le|].
  rewrite (rsum_ext n _ (fun t => exp B * p t)) by (intros; ring). rewrite rsum_scal. unfold p. rewrite softmax_sum by assumption. lra.
Qed.
End Perturbed.

(** ** With underflow of the weights, and computed *)
Section Computed.
Variables (n : nat) (l d E omega Omega : nat -> R) (m : R).
Hypothesis some_token : (0 < n)%nat.
Hypothesis logits_near : forall t, (t < n)%nat -> Rabs (d t) <= E t.
Hypothesis underflow_near : forall t, (t < n)%nat -> Rabs (omega t) <= Omega t.

(** m: the kernel's reference, its running maximum; weights exp(l - m + d) + omega. *)
Let lm (t : nat) : R := l t - m.
Let total := rsum n (fun t => exp (lm t)).
Let s := rsum n (kernel_weight lm d omega).
Hypothesis total_low_pos : 0 < total_low n lm E Omega.

Definition total_high : R := rsum n (fun t => softmax n lm t * exp (E t)) + rsum n (relative_underflow n lm Omega).
(** How far the logarithm of the sum of the kernel's weights may be off. *)
Definition lse_radius : R := Rmax (ln total_high) (- ln (total_low n lm E Omega)).

Lemma total_bounds : total_low n lm E Omega <= s / total <= total_high.
Proof.
  split; [exact (weights_total_low n lm d E omega Omega some_token logits_near underflow_near)|].
  unfold s. rewrite (rsum_ext n (kernel_weight lm d omega) (fun t => kernel_weight lm d omega t * 1)) by (intros; ring).
  unfold total. rewrite (weights_sum n lm d omega some_token). unfold total_high. rewrite <- rsum_plus. apply rsum_le; intros t Ht.
  pose proof (relative_omega n lm omega Omega some_token underflow_near t Ht) as H. apply Rabs_le_inv in H.
  pose proof (exp_bounds n d E logits_near t Ht) as He. pose proof (softmax_pos n lm t some_token) as Hp.
  assert (softmax n lm t * exp (d t) <= softmax n lm t * exp (E t)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Lemma s_pos : 0 < s.
Proof. exact (weights_total_pos n lm d E omega Omega some_token logits_near underflow_near total_low_pos). Qed.

Theorem lse_of_weights : near (m + ln s) lse_radius (lse n l).
Proof.
  assert (Ht : 0 < total) by (now apply exp_sum_pos). pose proof s_pos as Hs. pose proof total_bounds as [Hlo Hhi].
  rewrite (lse_reference n l m some_token). unfold near. replace (m + ln s - (m + lse n (fun t => l t - m))) with (ln (s / total)).
  - apply Rabs_le. pose proof (Rmax_l (ln total_high) (- ln (total_low n lm E Omega))).
    pose proof (Rmax_r (ln total_high) (- ln (total_low n lm E Omega))). unfold lse_radius.
    assert (ln (total_low n lm E Omega) <= ln (s / total)) by (apply ln_le'; lra).
    assert (ln (s / total) <= ln total_high) by (apply ln_le'; lra). lra.
  - unfold Rdiv. rewrite ln_mult, ln_Rinv by (try assumption; now apply Rinv_0_lt_compat).
    change (lse n (fun t => l t - m)) with (ln total). ring.
Qed.

(** s' accumulated with relative error phi; log with relative error e_log and absolute error a_log; h: the rounding of the sum. *)
Variables (s' log_s' out phi e_log a_log h : R).
Hypothesis phi_small : 0 <= phi < 1.
Hypothesis e_log_nonneg : 0 <= e_log.
Hypothesis accumulated : near s' (phi * s) s.
Hypothesis logarithm : near log_s' (e_log * Rabs (ln s') + a_log) (ln s').
Hypothesis rounded : near out h (m + log_s').

Lemma accumulated_log : near (ln s') (- ln (1 - phi)) (ln s).
Proof.
  pose proof s_pos as Hs. set (x := s' / s - 1).
  assert (Hx : Rabs x <= phi).
  { unfold x, near in *. replace (s' / s - 1) with ((s' - s) * / s) by (field; lra).
    rewrite Rabs_mult, (Rabs_pos_eq (/ s)) by (left; now apply Rinv_0_lt_compat). apply Rmult_le_reg_r with s; [assumption|].
    rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. assumption. }
  destruct (log_error_bound phi x phi_small Hx) as (y & Hy & Hyb).
  replace s' with (s * (1 + x)) by (unfold x; field; lra). rewrite Hy, ln_mult, ln_exp by (auto using exp_pos).
  unfold near. replace (ln s + y - ln s) with y by ring. exact Hyb.
Qed.

(* C++: bounds/softmax_weights.hpp make_weights. *)
Theorem computed_lse_error : near out (h + (e_log * Rabs (ln s') + a_log) + - ln (1 - phi) + lse_radius) (lse n l).
Proof.
  eapply near_trans; [|apply lse_of_weights]. eapply near_trans with (w := m + ln s').
  - eapply near_trans; [exact rounded|]. unfold near in *. replace (m + log_s' - (m + ln s')) with (log_s' - ln s') by ring. assumption.
  - pose proof accumulated_log as H. unfold near in *. replace (m + ln s' - (m + ln s)) with (ln s' - ln s) by ring. assumption.
Qed.

(** ln s' is within reach of lse - m. *)
(* C++: bounds/softmax_weights.hpp make_weights. *)
Theorem computed_lse_error_known :
  let r := - ln (1 - phi) + lse_radius in near out (h + (e_log * (Rabs (lse n l - m) + r) + a_log) + r) (lse n l).
Proof.
  intros r. eapply near_weaken; [apply computed_lse_error|]. assert (Hs' : Rabs (ln s') <= Rabs (lse n l - m) + r).
  { pose proof accumulated_log as H1. pose proof lse_of_weights as H2. unfold near in *.
    replace (ln s') with ((ln s' - ln s) + ((m + ln s - lse n l) + (lse n l - m))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. unfold r. lra. }
  assert (e_log * Rabs (ln s') <= e_log * (Rabs (lse n l - m) + r)) by (apply Rmult_le_compat_l; assumption). unfold r in *. lra.
Qed.
End Computed.
