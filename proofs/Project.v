(** Purpose: the path from the hidden state x. Mirrors stage `project` of src/paths.
    Main results: [absorbed_equals_explicit_from_x]: the two forms stay equal when c, k_rope and q come from x, with or without latent
      norms.
    Depends on: Absorption. No axioms. *)
From Equinorm Require Export Absorption.
Local Open Scope scalar_scope.

(** How the queries come from x: straight, or through a latent of their own. *)
Inductive QueryDown (K : Scalars) :=
  | direct
  | through_latent (width : nat) (w_dq : nat -> nat -> K) (gamma_q_latent : nat -> K).
Arguments direct {K}.
Arguments through_latent {K}.

Record Hidden (K : Scalars) := {
  model_dim : nat;
  x : nat -> nat -> K;  (** x t m *)
  x_query : nat -> nat -> K;  (** the hidden state of query i; by default the last S tokens are the queries *)
  w_dkv : nat -> nat -> K;
  w_kr : nat -> nat -> K;
  query_down : QueryDown K;
  w_uq : nat -> nat -> nat -> K;  (** w_uq input h j: per head content, then RoPE *)
  latent_norm : bool;
  gamma_kv_latent : nat -> K
}.
Arguments model_dim {K}. Arguments x {K}. Arguments x_query {K}. Arguments w_dkv {K}. Arguments w_kr {K}. Arguments query_down {K}.
Arguments w_uq {K}. Arguments latent_norm {K}. Arguments gamma_kv_latent {K}.

Section Project.
Context {K : Scalars} (P : MlaProblem K) (X : MlaTensors K) (Z : Hidden K).

Definition row_times (n : nat) (row : nat -> K) (W : nat -> nat -> K) (j : nat) : K := sum n (fun m => row m * W m j).

Definition norm_latent (n : nat) (gamma row : nat -> K) (j : nat) : K :=
  if latent_norm Z then row j * inv_rms rms (eps P) n row * gamma j else row j.

Definition projected_c (t : nat) : nat -> K :=
  norm_latent (latent P) (gamma_kv_latent Z) (row_times (model_dim Z) (x Z t) (w_dkv Z)).

Definition projected_q (i h j : nat) : K :=
  match query_down Z with
  | direct => row_times (model_dim Z) (x_query Z i) (fun m => w_uq Z m h) j
  | through_latent width w_dq gamma =>
      row_times width (norm_latent width gamma (row_times (model_dim Z) (x_query Z i) w_dq)) (fun m => w_uq Z m h) j
  end.

(** The tensors X with c, k_rope, q_content and q_rope computed from x. *)
Definition project : MlaTensors K := {|
  mla_shared := mla_shared X;
  c := projected_c;
  k_rope := fun t => row_times (model_dim Z) (x Z t) (w_kr Z);
  q_content := projected_q;
  q_rope := fun i h j => projected_q i h (content_dim P + j);
  w_k := w_k X;
  w_v := w_v X;
  gamma_cq := gamma_cq X;
  gamma_ck := gamma_ck X;
  gamma_rq := gamma_rq X;
  gamma_rk := gamma_rk X
|}.

Theorem absorbed_equals_explicit_from_x place : same_outputs (absorbed_path P project place) (explicit_path P project).
Proof. apply absorbed_equals_explicit. Qed.

End Project.
