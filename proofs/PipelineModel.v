(** Purpose: the exact output that Pipeline.v speaks of is the one of the model in RealModel.v.
    Main results: [model_logits], [model_output]: the explicit path's logits and o, row by row, with any mask and any sink;
      [absorbed_model_logits], [absorbed_model_row], [absorbed_model_values]: the same in the absorbed contraction, with the statistics on
      the score; [model_empty_row]: a row that sees no token is 0.
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

(** The row that the end-to-end theorems have: the tokens that the mask lets through, in their order, and the sink. *)
Let count := live_count (Problem.mask P i) (Problem.tokens P).
Let seen := live_at (Problem.mask P i) (Problem.tokens P).
Let sink := Softmax.head_sink X h.
Definition live_score : nat -> R :=
  row_logit count (Problem.rope_dim P) (fun k => model_logit P X i h (seen k)) (fun _ => 1) (fun _ => 1) (Explicit.q_hat_rope P X i h)
    (fun k => Explicit.k_hat_rope P X (seen k) group) (Problem.scale P) (Problem.cap P) sink.

Lemma model_row_weights t :
  Softmax.row_weights P X i h (Explicit.explicit_logit P X i h) t =
  row_weight (Problem.mask P i) (Problem.tokens P) sink (Explicit.explicit_logit P X i h) t.
Proof.
  unfold Softmax.row_weights, Softmax.softmax, Softmax.exp_total, row_weight, row_total. rewrite model_sum. fold sink.
  unfold Softmax.live_exp, Softmax.sink_exp, sink_weight. destruct sink; reflexivity.
Qed.

(* C++: bounds/bounds.hpp error_bounds. *)
Theorem model_output j : Explicit.explicit_o P X i h j =
  centre (with_sink sink count) live_score (extended count (fun k => Explicit.v P X (seen k) group j) 0).
Proof.
  unfold Explicit.explicit_o. rewrite model_sum.
  rewrite (RealSums.rsum_ext _ _ (fun t => row_weight (Problem.mask P i) (Problem.tokens P) sink (Explicit.explicit_logit P X i h) t *
    Explicit.v P X t group j)) by (intros t _; now rewrite model_row_weights).
  rewrite (live_average _ _ _ _ (fun t => Explicit.v P X t group j)). fold count. unfold centre. apply RealSums.rsum_ext; intros t _.
  assert (E : forall s, live_logit (Problem.mask P i) (Problem.tokens P) sink (Explicit.explicit_logit P X i h) s = live_score s).
  { intros s. unfold live_logit, live_score, row_logit, extended. fold count. destruct (s <? count)%nat; [|reflexivity].
    fold seen. rewrite model_logits. reflexivity. }
  f_equal. unfold SoftmaxError.softmax. rewrite E. f_equal. apply RealSums.rsum_ext; intros s _. now rewrite E.
Qed.

(** Its absorbed reading: alpha_q alpha_k on the score, and v from the latents. *)
Theorem absorbed_model_row k :
  live_score k = row_logit count (Problem.rope_dim P)
    (fun s => RealSums.rsum (Problem.content_dim P) (fun j => Problem.q_content X i h j *
      Statistics.gamma_factor P (Problem.gamma_cq X h j) * Statistics.gamma_factor P (Problem.gamma_ck X group j) *
      LogitError.k0 (Problem.latent P) (Problem.w_k X group) (Problem.c X (seen s)) j))
    (fun s => Statistics.alpha_q P X i h * Statistics.alpha_k P X (seen s) group) (fun _ => 1) (Explicit.q_hat_rope P X i h)
    (fun s => Explicit.k_hat_rope P X (seen s) group) (Problem.scale P) (Problem.cap P) sink k.
Proof.
  unfold live_score, row_logit, extended. destruct (k <? count)%nat; [|reflexivity]. exact (absorbed_model_logits (seen k)).
Qed.

Theorem absorbed_model_values j k :
  Explicit.v P X (seen k) group j =
  v (Problem.latent P) (fun s => Problem.c X (seen s)) (fun l => Problem.w_v X group l j) k.
Proof. unfold Explicit.v, v. now rewrite model_sum. Qed.

(** A row that sees no token: o and gated o are 0, with a sink or without, which a kernel is to write there. *)
(* C++: bounds/bounds.hpp error_bounds. *)
Theorem model_empty_row j : (forall t, (t < Problem.tokens P)%nat -> Problem.mask P i t = false) ->
  Explicit.explicit_o P X i h j = 0 /\ Problem.o_gated (Explicit.explicit_path P X) i h j = 0.
Proof.
  intros H. assert (Ho : Explicit.explicit_o P X i h j = 0).
  { unfold Explicit.explicit_o. rewrite model_sum.
    rewrite (RealSums.rsum_ext _ _ (fun t => row_weight (Problem.mask P i) (Problem.tokens P) sink (Explicit.explicit_logit P X i h) t *
      Explicit.v P X t group j)) by (intros t _; now rewrite model_row_weights). now apply empty_row. }
  split; [exact Ho|]. change (Explicit.explicit_o P X i h j * Softmax.gate_factor P X i h j = 0). rewrite Ho. apply Rmult_0_l.
Qed.
End Model.
