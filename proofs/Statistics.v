(** Purpose: alpha_q and alpha_k of every norm scheme, and the weights; both forms use these same numbers.
    Main results: [unified_alpha_after_rope]: the unified statistic may be taken before or after the rotation.
    Depends on: Problem. *)
From Equinorm Require Export Problem.
Local Open Scope scalar_scope.

Section Statistics.
Context {K : Scalars} (P : MlaProblem K) (X : MlaTensors K).
Add Field K_field : (scalar_field K).

(** k0c = c W_K, eq. (3): the key of group g before norm. *)
Definition k_content (t g j : nat) : K := sum (latent P) (fun l => c X t l * w_k X g l j).

(** alpha of the content block of query i, head h. *)
Definition alpha_q (i h : nat) : K :=
  match scheme P with
  | blockwise => inv_rms (norm_kind P) (eps P) (content_dim P) (q_content X i h)
  | unified => inv_stat (norm_kind P) (eps P) (content_dim P + rope_dim P)
                 (sum_of_squares (content_dim P) (q_content X i h) + sum_of_squares (rope_dim P) (q_rope X i h))
  | full_width => inv_stat (norm_kind P) (eps P) (heads P * content_dim P)
                    (sum (heads P) (fun h' => sum_of_squares (content_dim P) (q_content X i h')))
  | no_norm => 1
  end.

(** alpha of the RoPE block of query i, head h. *)
Definition alpha_q_rope (i h : nat) : K :=
  match scheme P with
  | blockwise => inv_rms (norm_kind P) (eps P) (rope_dim P) (q_rope X i h)
  | unified => alpha_q i h
  | full_width => inv_stat (norm_kind P) (eps P) (heads P * rope_dim P)
                    (sum (heads P) (fun h' => sum_of_squares (rope_dim P) (q_rope X i h')))
  | no_norm => 1
  end.

(** alpha of the content block of token t, group g: all that the absorbed cache keeps of the key. *)
Definition alpha_k (t g : nat) : K :=
  match scheme P with
  | blockwise => inv_rms (norm_kind P) (eps P) (content_dim P) (k_content t g)
  | unified => inv_stat (norm_kind P) (eps P) (content_dim P + rope_dim P)
                 (sum_of_squares (content_dim P) (k_content t g) + sum_of_squares (rope_dim P) (k_rope X t))
  | full_width => inv_stat (norm_kind P) (eps P) (groups P * content_dim P)
                    (sum (groups P) (fun g' => sum_of_squares (content_dim P) (k_content t g')))
  | no_norm => 1
  end.

(** alpha of the RoPE block of token t; only the unified scheme makes it depend on the group. *)
Definition alpha_k_rope (t g : nat) : K :=
  match scheme P with
  | blockwise | full_width => inv_rms (norm_kind P) (eps P) (rope_dim P) (k_rope X t)
  | unified => alpha_k t g
  | no_norm => 1
  end.

(** A gamma as a factor: gamma, 1 + gamma or 1; without a norm, 1. *)
Definition gamma_factor (gamma : K) : K :=
  match scheme P with
  | no_norm => 1
  | _ => weight_factor (norm_weight P) gamma
  end.

(** RoPE at a position, on the whole RoPE block. *)
Definition rope_at (position : nat) (x : nat -> K) : nat -> K :=
  rotate (rope_layout P) (rope_pairs P) (rope_cos X position) (rope_sin X position) x.

Lemma rope_at_ext position x x' j : (forall k, x k = x' k) -> rope_at position x j = rope_at position x' j.
Proof. intros; unfold rope_at; now apply rotate_ext. Qed.

Lemma rope_at_scale position a x j : rope_at position (fun k => a * x k) j = a * rope_at position x j.
Proof. apply rotate_scale. Qed.

(** With cos^2 + sin^2 = 1 at the token's position, alpha_k of the unified scheme is the same taken after the rotation. *)
Theorem unified_alpha_after_rope t g : scheme P = unified -> (2 * rope_pairs P <= rope_dim P)%nat ->
  (forall m, (m < rope_pairs P)%nat ->
     rope_cos X (position_k X t) m * rope_cos X (position_k X t) m + rope_sin X (position_k X t) m * rope_sin X (position_k X t) m = 1) ->
  alpha_k t g = inv_stat (norm_kind P) (eps P) (content_dim P + rope_dim P)
    (sum_of_squares (content_dim P) (k_content t g) + sum_of_squares (rope_dim P) (rope_at (position_k X t) (k_rope X t))).
Proof.
  intros Hs Hd Hcs. unfold alpha_k, rope_at. rewrite Hs. now rewrite rotate_sum_of_squares.
Qed.

End Statistics.
