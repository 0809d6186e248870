(** Purpose: the absorbed form, which keeps only c, the rotated RoPE key and alpha_k. Mirrors the absorbed stages of src/paths.
    Main definitions: [absorbed_path]; the cached tensors [alpha_k], [k_rope_cached].
    Depends on: Statistics, Softmax. *)
From Equinorm Require Export Statistics Softmax.
Local Open Scope scalar_scope.

Section Absorbed.
Context {K : Scalars} (P : MlaProblem K) (X : MlaTensors K) (place : AlphaQPlace).

(** Stage `cache_write`: the RoPE key, weighted and rotated; normalised as well unless the scheme is unified, where
    alpha_k does it later. *)
Definition k_rope_cached (t : nat) : nat -> K :=
  rope_at P X (position_k X t) (fun j =>
    match scheme P with
    | unified => k_rope X t j * gamma_factor P (gamma_rk X j)
    | _ => k_rope X t j * alpha_k_rope P X t 0 * gamma_factor P (gamma_rk X j)
    end).

(** Stage `query`: the factors g = q gamma_cq gamma_ck [alpha_q], and q_tilde = g W_K^T, eq. (10). *)
Definition query_factor (i h j : nat) : K :=
  let g := q_content X i h j * gamma_factor P (gamma_cq X h j) * gamma_factor P (gamma_ck X (group_of P h) j) in
  match place with
  | on_score => g
  | on_query => g * alpha_q P X i h
  end.
Definition q_tilde (i h l : nat) : K := sum (content_dim P) (fun j => query_factor i h j * w_k X (group_of P h) l j).

(** The RoPE query, weighted and rotated; normalised too, unless the unified alpha_q is still to come. *)
Definition q_rope_hat (i h : nat) : nat -> K :=
  rope_at P X (position_q X i) (fun j =>
    match scheme P, place with
    | unified, on_score => q_rope X i h j * gamma_factor P (gamma_rq X h j)
    | _, _ => q_rope X i h j * alpha_q_rope P X i h * gamma_factor P (gamma_rq X h j)
    end).

(** Stage `score`, eq. (11), (12); unified: one statistic scales both parts, eq. (13). *)
Definition alpha_q_on_score (i h : nat) : K :=
  match place with
  | on_score => alpha_q P X i h
  | on_query => 1
  end.
Definition absorbed_score (i h t : nat) : K :=
  let content := dot (latent P) (q_tilde i h) (c X t) in
  let rope := dot (rope_dim P) (q_rope_hat i h) (k_rope_cached t) in
  match scheme P with
  | unified => (content + rope) * alpha_q_on_score i h * alpha_k P X t (group_of P h)
  | _ => content * alpha_q_on_score i h * alpha_k P X t (group_of P h) + rope
  end.
Definition absorbed_logit (i h t : nat) : K := logit_of P (absorbed_score i h t).

(** Stage `value`: u = sum_t p_t c_t. Stage `output`: o = u W_V. *)
Definition u (i h l : nat) : K := sum (tokens P) (fun t => row_weights P X i h (absorbed_logit i h) t * c X t l).
Definition absorbed_o (i h j : nat) : K := sum (latent P) (fun l => u i h l * w_v X (group_of P h) l j).

Definition absorbed_path : Outputs K := finish P X absorbed_logit absorbed_o.

End Absorbed.
