(** Purpose: the exact output that Pipeline.v speaks of is the one of the model in RealModel.v.
    Main results: [model_logits], [model_output]: the explicit path's logits and o, row by row, where every token is seen and no sink is
      there; [absorbed_model_logits]: the same logit in the absorbed contraction, with the statistics on the score.
    Depends on: Bridge, Pipeline. Axioms: those of Coq's real numbers. *)
From Equinorm Require Import RealModel Bridge.
From Equinorm Require Import Pipeline.
Local Open Scope R_scope.

Section Model.
Variables (P : Problem.MlaProblem RealScalars) (X : Problem.MlaTensors RealScalars) (i h : nat).
Let group := Problem.group_of P h.

(** The logits as Pipeline.v has them: no statistic outside. *)
Definition row_score : nat -> R :=
  exact_score (Problem.rope_dim P) (fun t => model_logit P X i h t) (fun _ => 1) (fun _ => 1) (Explicit.q_hat_rope P X i h)
    (fun t => Explicit.k_hat_rope P X t group) (Problem.scale P) (Problem.cap P).

Theorem model_logits t : Explicit.explicit_logit P X i h t = row_score t.
Proof.
  unfold row_score, exact_score, Explicit.explicit_logit, Softmax.logit_of, Explicit.explicit_score. rewrite model_content_score.
  unfold Sums.dot. rewrite model_sum. simpl. f_equal. f_equal. rewrite !Rmult_1_l. reflexivity.
Qed.

(** alpha_q alpha_k on the content score, RoPE beside it. *)
Theorem absorbed_model_logits t :
  row_score t = exact_score (Problem.rope_dim P)
    (fun s => RealSums.rsum (Problem.content_dim P) (fun j => Problem.q_content X i h j *
      Statistics.gamma_factor P (Problem.gamma_cq X h j) * Statistics.gamma_factor P (Problem.gamma_ck X group j) *
      LogitError.k0 (Problem.latent P) (Problem.w_k X group) (Problem.c X s) j))
    (fun s => Statistics.alpha_q P X i h * Statistics.alpha_k P X s group) (fun _ => 1) (Explicit.q_hat_rope P X i h)
    (fun s => Explicit.k_hat_rope P X s group) (Problem.scale P) (Problem.cap P) t.
Proof.
  unfold row_score, exact_score. do 2 f_equal. f_equal. f_equal. rewrite Rmult_1_l. symmetry. apply absorbed_dot.
Qed.

Theorem model_output j : (forall t, Problem.mask P i t = true) -> Softmax.head_sink X h = None ->
  Explicit.explicit_o P X i h j = centre (Problem.tokens P) row_score (fun t => Explicit.v P X t group j).
Proof.
  intros Hm Hs. unfold Explicit.explicit_o, centre. rewrite model_sum. apply RealSums.rsum_ext; intros t _. f_equal.
  unfold Softmax.row_weights, Softmax.softmax, Softmax.exp_total, SoftmaxError.softmax. rewrite Hs. cbn [Softmax.sink_exp].
  rewrite model_sum. unfold Softmax.live_exp. rewrite Hm. simpl. rewrite Rplus_0_r, model_logits.
  rewrite (RealSums.rsum_ext (Problem.tokens P) _ (fun s => exp (row_score s))); [reflexivity|].
  intros s _. rewrite Hm, model_logits. reflexivity.
Qed.
End Model.
