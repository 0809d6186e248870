(** Purpose: the explicit form, which builds every key and every value. Mirrors the explicit stages of src/paths.
    Main definition: [explicit_path].
    Depends on: Statistics, Softmax. *)
From Equinorm Require Export Statistics Softmax.
Local Open Scope scalar_scope.

Section Explicit.
Context {K : Scalars} (P : MlaProblem K) (X : MlaTensors K).

(** Stage `query`: normalised, weighted; the RoPE block then rotated. Eq. (9). *)
Definition q_hat_content (i h j : nat) : K := q_content X i h j * alpha_q P X i h * gamma_factor P (gamma_cq X h j).
Definition q_hat_rope (i h : nat) : nat -> K :=
  rope_at P X (position_q X i) (fun j => q_rope X i h j * alpha_q_rope P X i h * gamma_factor P (gamma_rq X h j)).

(** Stage `cache_write`: the same for the keys. Eq. (5). *)
Definition k_hat_content (t g j : nat) : K := k_content P X t g j * alpha_k P X t g * gamma_factor P (gamma_ck X g j).
Definition k_hat_rope (t g : nat) : nat -> K :=
  rope_at P X (position_k X t) (fun j => k_rope X t j * alpha_k_rope P X t g * gamma_factor P (gamma_rk X j)).

(** Stage `score`. *)
Definition explicit_score (i h t : nat) : K :=
  dot (content_dim P) (q_hat_content i h) (k_hat_content t (group_of P h)) +
  dot (rope_dim P) (q_hat_rope i h) (k_hat_rope t (group_of P h)).
Definition explicit_logit (i h t : nat) : K := logit_of P (explicit_score i h t).

(** Stage `value`: v = c W_V, o = sum_t p_t v_t. *)
Definition v (t g j : nat) : K := sum (latent P) (fun l => c X t l * w_v X g l j).
Definition explicit_o (i h j : nat) : K :=
  sum (tokens P) (fun t => row_weights P X i h (explicit_logit i h) t * v t (group_of P h) j).

Definition explicit_path : Outputs K := finish P X explicit_logit explicit_o.

End Explicit.
