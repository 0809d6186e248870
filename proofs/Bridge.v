(** Purpose: the exact quantities that the rounding part speaks of are those of the model of RealModel.v.
    Main results: [model_content_score], [model_alpha], [model_softmax]: they are the same numbers; [computed_absorbed_score],
      [computed_explicit_score]: what either form computes in floating point is within its bound of the explicit path's exact score;
      [exact_absorbed_score], [exact_explicit_score]: the same with bounds in magnitudes of the exact values.
    Depends on: RealModel, ExactLogit, SoftmaxError. Axioms: those of Coq's real numbers. *)
From Equinorm Require Import RealModel.
From Equinorm Require Import ExactLogit SoftmaxError.
Local Open Scope R_scope.

Lemma model_sum n (f : nat -> R) : @Sums.sum RealScalars n f = RealSums.rsum n f.
Proof. induction n as [|n IH]; simpl; [reflexivity|]. now rewrite IH. Qed.

Section Bridge.
Variables (P : Problem.MlaProblem RealScalars) (X : Problem.MlaTensors RealScalars) (i h t : nat).
Let group := Problem.group_of P h.

(** The content part of the explicit path's score before scale, as the rounding part writes it. *)
Definition model_logit : R :=
  exact_logit (Problem.latent P) (Problem.content_dim P) (Problem.w_k X group) (Problem.c X t) (Problem.q_content X i h)
    (fun j => Statistics.gamma_factor P (Problem.gamma_cq X h j)) (fun j => Statistics.gamma_factor P (Problem.gamma_ck X group j))
    (Statistics.alpha_q P X i h) (Statistics.alpha_k P X t group).

Theorem model_content_score :
  Sums.dot (Problem.content_dim P) (Explicit.q_hat_content P X i h) (Explicit.k_hat_content P X t group) = model_logit.
Proof.
  unfold Sums.dot, model_logit, exact_logit, logit_with. rewrite model_sum. apply RealSums.rsum_ext; intros j _.
  unfold Explicit.q_hat_content, Explicit.k_hat_content, Statistics.k_content, k0. rewrite model_sum. reflexivity.
Qed.

(** alpha of the model is 1 / S. *)
Theorem model_alpha eps n (x : nat -> R) : Norms.inv_rms (K := RealScalars) Norms.rms eps n x = / sqrt (S2 (/ INR n) eps n x).
Proof. rewrite real_inv_rms, real_of_nat, model_sum. unfold S2, Rdiv. now rewrite Rmult_comm. Qed.

(** Without mask and sink the model's weights are the rounding part's. *)
Theorem model_softmax n (l : nat -> R) s : Softmax.softmax (K := RealScalars) n (fun _ => true) None l s = SoftmaxError.softmax n l s.
Proof.
  unfold Softmax.softmax, SoftmaxError.softmax, Softmax.exp_total, Softmax.live_exp. simpl. rewrite model_sum. now rewrite Rplus_0_r.
Qed.

(** Bounds against the model, for the computed statistics aq', ak' within rhoq, rhok (StatisticError.v). *)
Variables (fa fx : Format) (k0_format k_hat_format q_hat_format g_format q_tilde_format : option Format) (h_r h_dc : nat) (over_r over_dc :
  order).
Hypothesis over_r_sums : sums over_r 0 (Problem.latent P).
Hypothesis over_dc_sums : sums over_dc 0 (Problem.content_dim P).
Hypothesis over_r_height : (height over_r <= h_r)%nat.
Hypothesis over_dc_height : (height over_dc <= h_dc)%nat.
Variables (aq' ak' rhoq rhok : R).
Hypothesis aq_nonzero : aq' <> 0.
Hypothesis ak_nonzero : ak' <> 0.
Hypothesis aq_ratio : Rabs (Statistics.alpha_q P X i h / aq' - 1) <= rhoq.
Hypothesis ak_ratio : Rabs (Statistics.alpha_k P X t group / ak' - 1) <= rhok.

Let W := Problem.w_k X group.
Let latent_t := Problem.c X t.
Let q := Problem.q_content X i h.
Let gq := fun j => Statistics.gamma_factor P (Problem.gamma_cq X h j).
Let gk := fun j => Statistics.gamma_factor P (Problem.gamma_ck X group j).
Let r := Problem.latent P.
Let dc := Problem.content_dim P.

Theorem computed_absorbed_score :
  let L := absorbed_logit fa fx g_format q_tilde_format over_r over_dc W latent_t q gq gk aq' ak' in
  near L
    (with_statistics rhoq rhok L
      (absorbed_radius r dc W latent_t aq' ak' (g_radius fx g_format q gq gk) (q_tilde fa fx g_format q_tilde_format over_dc W q gq gk)
        (q_tilde_radius fa fx g_format q_tilde_format dc h_dc over_dc W q gq gk) (dot_factor fa h_r) (dot_underflow fa h_r r)
        (alphas_radius fa fx g_format q_tilde_format over_r over_dc W latent_t q gq gk aq' ak')))
    (Sums.dot (Problem.content_dim P) (Explicit.q_hat_content P X i h) (Explicit.k_hat_content P X t group)).
Proof. intros L. rewrite model_content_score. now apply absorbed_computed_error. Qed.

Theorem computed_explicit_score :
  let L := explicit_logit fa fx k0_format k_hat_format q_hat_format over_r over_dc W latent_t q gq gk aq' ak' in
  let kh := k_hat fa fx k0_format k_hat_format over_r W latent_t gk ak' in
  let qh := q_hat fx q_hat_format q gq aq' in
  near L
    (with_statistics rhoq rhok L
      (explicit_radius dc qh kh (q_hat_radius fx q_hat_format q gq aq')
        (k_hat_radius fa fx k0_format k_hat_format r h_r over_r W latent_t gk ak') (dot_factor fa h_dc) (dot_underflow fa h_dc dc)))
    (Sums.dot (Problem.content_dim P) (Explicit.q_hat_content P X i h) (Explicit.k_hat_content P X t group)).
Proof. intros L kh qh. rewrite model_content_score. now apply explicit_computed_error. Qed.

(** In magnitudes of the exact values; rq, rk: ratios of the computed to the true statistics. *)
Variables (rq rk fq fk : R).
Hypothesis q_ratio : Rabs (rq - 1) <= fq - 1.
Hypothesis k_ratio : Rabs (rk - 1) <= fk - 1.
Let alpha_q := Statistics.alpha_q P X i h.
Let alpha_k := Statistics.alpha_k P X t group.
Let score := Sums.dot (Problem.content_dim P) (Explicit.q_hat_content P X i h) (Explicit.k_hat_content P X t group).

Theorem exact_absorbed_score :
  near (absorbed_logit fa fx g_format q_tilde_format over_r over_dc W latent_t q gq gk (rq * alpha_q) (rk * alpha_k))
    (absorbed_exact_radius fa fx g_format q_tilde_format r dc h_r h_dc W latent_t q gq gk alpha_q alpha_k fq fk +
     (fq * fk - 1) * Rabs score) score.
Proof. unfold score. rewrite model_content_score. now apply absorbed_exact_error. Qed.

Theorem exact_explicit_score :
  near (explicit_logit fa fx k0_format k_hat_format q_hat_format over_r over_dc W latent_t q gq gk (rq * alpha_q) (rk * alpha_k))
    (explicit_exact_radius fa fx k0_format k_hat_format q_hat_format r dc h_r h_dc W latent_t q gq gk alpha_q alpha_k fq fk +
     (fq * fk - 1) * Rabs score) score.
Proof. unfold score. rewrite model_content_score. now apply explicit_exact_error. Qed.
End Bridge.
