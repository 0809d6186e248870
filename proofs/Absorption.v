(** Purpose: the two forms of QK-normed MLA are the same function.
    Main results: [absorb_logit], [absorb_value]: the two identities behind it; [absorbed_equals_explicit]: every output of the two paths
      is equal, over any field, for any sizes, data, grouping, norm scheme and kind, weights, eps, scale, soft-cap, mask, sink, gate, RoPE
      tables.
    Depends on: Explicit, Absorbed. No axioms. *)
From Equinorm Require Export Explicit Absorbed.
Local Open Scope scalar_scope.

Section Absorption.
Context {K : Scalars}.
Add Field K_field : (scalar_field K).

(** q_hat . k_hat = (q_tilde . c) alpha_q alpha_k for any numbers alpha: the statistic never enters the argument. *)
Theorem absorb_logit r dc (W : nat -> nat -> K) (ct q gq gk : nat -> K) (aq ak : K) :
  sum dc (fun j => (q j * aq * gq j) * (sum r (fun l => ct l * W l j) * ak * gk j)) =
  sum r (fun l => sum dc (fun j => q j * gq j * gk j * W l j) * ct l) * aq * ak.
Proof.
  transitivity (sum dc (fun j => aq * ak * sum r (fun l => q j * gq j * gk j * W l j * ct l))).
  { apply sum_ext; intros j _.
    transitivity (aq * ak * (q j * gq j * gk j * sum r (fun l => ct l * W l j))); [ring|].
    f_equal. rewrite <- sum_scale_l. apply sum_ext; intros; ring. }
  rewrite sum_scale_l, sum_swap.
  replace (sum r (fun l => sum dc (fun j => q j * gq j * gk j * W l j) * ct l))
    with (sum r (fun l => sum dc (fun j => q j * gq j * gk j * W l j * ct l))); [ring|].
  apply sum_ext; intros l _. apply sum_scale_r.
Qed.

(** sum_t p_t (c_t W_V) = (sum_t p_t c_t) W_V for any weights p. *)
Theorem absorb_value n r (w : nat -> K) (ct : nat -> nat -> K) (W : nat -> K) :
  sum n (fun t => w t * sum r (fun l => ct t l * W l)) = sum r (fun l => sum n (fun t => w t * ct t l) * W l).
Proof.
  transitivity (sum n (fun t => sum r (fun l => w t * ct t l * W l))).
  { apply sum_ext; intros t _. rewrite <- sum_scale_l. apply sum_ext; intros; ring. }
  rewrite sum_swap. apply sum_ext; intros l _. apply sum_scale_r.
Qed.

Variables (P : MlaProblem K) (X : MlaTensors K) (place : AlphaQPlace).

Lemma content_absorbs i h t :
  dot (content_dim P) (q_hat_content P X i h) (k_hat_content P X t (group_of P h)) =
  dot (latent P) (q_tilde P X place i h) (c X t) * alpha_q_on_score P X place i h * alpha_k P X t (group_of P h).
Proof.
  unfold dot, q_hat_content, k_hat_content, k_content, q_tilde, query_factor, alpha_q_on_score.
  rewrite absorb_logit. destruct place; [reflexivity|]. f_equal.
  rewrite <- sum_scale_r. transitivity (sum (latent P) (fun l => sum (content_dim P) (fun j => q_content X i h j *
    gamma_factor P (gamma_cq X h j) * gamma_factor P (gamma_ck X (group_of P h) j) * alpha_q P X i h
    * w_k X (group_of P h) l j) * c X t l)).
  - apply sum_ext; intros l _. rewrite <- !sum_scale_r. apply sum_ext; intros; ring.
  - ring.
Qed.

(** A common factor of the vector comes out of its rotation. *)
Lemma rope_factor position a z w j : (forall k, w k = a * z k) -> rope_at P X position w j = a * rope_at P X position z j.
Proof. intros H. rewrite <- rope_at_scale. now apply rope_at_ext. Qed.

Lemma rope_absorbs i h t :
  dot (rope_dim P) (q_hat_rope P X i h) (k_hat_rope P X t (group_of P h)) =
  match scheme P with
  | unified => dot (rope_dim P) (q_rope_hat P X place i h) (k_rope_cached P X t) * alpha_q_on_score P X place i h
      * alpha_k P X t (group_of P h)
  | _ => dot (rope_dim P) (q_rope_hat P X place i h) (k_rope_cached P X t)
  end.
Proof.
  unfold q_hat_rope, k_hat_rope, q_rope_hat, k_rope_cached, alpha_q_on_score, alpha_k_rope, alpha_q_rope.
  destruct (scheme P); try reflexivity.
  unfold dot. rewrite <- !sum_scale_r. apply sum_ext; intros j _.
  rewrite (rope_factor (position_k X t) (alpha_k P X t (group_of P h)) (fun k => k_rope X t k * gamma_factor P (gamma_rk X k)))
    by (intros; ring).
  destruct place; [|ring].
  rewrite (rope_factor (position_q X i) (alpha_q P X i h) (fun k => q_rope X i h k * gamma_factor P (gamma_rq X h k))) by (intros; ring).
  ring.
Qed.

Lemma score_absorbs i h t : explicit_score P X i h t = absorbed_score P X place i h t.
Proof.
  unfold explicit_score, absorbed_score. rewrite content_absorbs, rope_absorbs. destruct (scheme P); ring.
Qed.

Lemma logit_absorbs i h t : explicit_logit P X i h t = absorbed_logit P X place i h t.
Proof. unfold explicit_logit, absorbed_logit. now rewrite score_absorbs. Qed.

Lemma o_absorbs i h j : explicit_o P X i h j = absorbed_o P X place i h j.
Proof.
  unfold explicit_o, absorbed_o, u, v. rewrite absorb_value.
  apply sum_ext; intros l _. f_equal. apply sum_ext; intros t _. f_equal.
  apply softmax_ext. intros; apply logit_absorbs.
Qed.

Theorem absorbed_equals_explicit : same_outputs (absorbed_path P X place) (explicit_path P X).
Proof.
  unfold absorbed_path, explicit_path. apply finish_same; intros; symmetry; [apply logit_absorbs|apply o_absorbs].
Qed.

End Absorption.
