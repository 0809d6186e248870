(** Purpose: grouped-query attention with QK-norm: the explicit form, and the deferred form that caches a key weighted and rotated but not
      normalised, and applies alpha_k in the score.
    Main results: [deferred_equals_explicit]: every output of the two is equal, for any sizes, scheme, partial RoPE and the rest.
    Depends on: Softmax. No axioms. *)
From Equinorm Require Export Softmax.
Local Open Scope scalar_scope.

(** per_head: a statistic per head (key: per group). full_width_gqa: one over all heads (key: all groups). *)
Inductive GqaScheme := per_head | full_width_gqa | no_norm_gqa.

Record GqaProblem (K : Scalars) := {
  gqa_problem :> Problem K;
  gqa_scheme : GqaScheme;
  head_dim : nat;  (** d *)
  rope_from : nat  (** first rotated component: 0, or d - 2 rope_pairs for the last ones *)
}.

Record GqaTensors (K : Scalars) := {
  gqa_shared :> Shared K;
  q_raw : nat -> nat -> nat -> K;  (** q i h j *)
  k_raw : nat -> nat -> nat -> K;  (** k t g j *)
  v_raw : nat -> nat -> nat -> K;  (** v t g j *)
  gamma_q : nat -> nat -> K;  (** gamma_q h j; the same for all h unless full_width *)
  gamma_k : nat -> nat -> K  (** gamma_k g j *)
}.
Arguments gqa_problem {K}. Arguments gqa_scheme {K}. Arguments head_dim {K}. Arguments rope_from {K}. Arguments gqa_shared {K}.
Arguments q_raw {K}. Arguments k_raw {K}. Arguments v_raw {K}. Arguments gamma_q {K}. Arguments gamma_k {K}.

Section Gqa.
Context {K : Scalars} (P : GqaProblem K) (X : GqaTensors K) (place : AlphaQPlace).
Add Field K_field : (scalar_field K).

(** One statistic of a side with n blocks z 0, ..., z (n - 1), as block b sees it. *)
Definition side_alpha (n : nat) (z : nat -> nat -> K) (b : nat) : K :=
  match gqa_scheme P with
  | per_head => inv_rms (norm_kind P) (eps P) (head_dim P) (z b)
  | full_width_gqa => inv_stat (norm_kind P) (eps P) (n * head_dim P) (sum n (fun b' => sum_of_squares (head_dim P) (z b')))
  | no_norm_gqa => 1
  end.
Definition gqa_alpha_q (i h : nat) : K := side_alpha (heads P) (q_raw X i) h.
Definition gqa_alpha_k (t g : nat) : K := side_alpha (groups P) (k_raw X t) g.

Definition gqa_gamma_factor (gamma : K) : K :=
  match gqa_scheme P with
  | no_norm_gqa => 1
  | _ => weight_factor (norm_weight P) gamma
  end.

Definition gqa_rope (position : nat) (z : nat -> K) : nat -> K :=
  rotate_part (rope_layout P) (rope_from P) (rope_pairs P) (rope_cos X position) (rope_sin X position) z.

Definition gqa_q_hat (i h : nat) : nat -> K :=
  gqa_rope (position_q X i) (fun j => q_raw X i h j * gqa_alpha_q i h * gqa_gamma_factor (gamma_q X h j)).

(** Explicit: the cached key is normalised, weighted, rotated. *)
Definition gqa_k_hat (t g : nat) : nat -> K :=
  gqa_rope (position_k X t) (fun j => k_raw X t g j * gqa_alpha_k t g * gqa_gamma_factor (gamma_k X g j)).
Definition gqa_explicit_logit (i h t : nat) : K := logit_of P (dot (head_dim P) (gqa_q_hat i h) (gqa_k_hat t (group_of P h))).

(** Deferred: the cached key is weighted and rotated; alpha_k, and alpha_q unless the query has it already, multiply the score. *)
Definition k_deferred (t g : nat) : nat -> K := gqa_rope (position_k X t) (fun j => k_raw X t g j * gqa_gamma_factor (gamma_k X g j)).
Definition q_deferred (i h : nat) : nat -> K :=
  match place with
  | on_score => gqa_rope (position_q X i) (fun j => q_raw X i h j * gqa_gamma_factor (gamma_q X h j))
  | on_query => gqa_q_hat i h
  end.
Definition deferred_logit (i h t : nat) : K :=
  let raw := dot (head_dim P) (q_deferred i h) (k_deferred t (group_of P h)) in
  logit_of P
    match place with
    | on_score => raw * gqa_alpha_q i h * gqa_alpha_k t (group_of P h)
    | on_query => raw * gqa_alpha_k t (group_of P h)
    end.

Definition gqa_o (l : nat -> nat -> nat -> K) (i h j : nat) : K :=
  sum (tokens P) (fun t => row_weights P X i h (l i h) t * v_raw X t (group_of P h) j).

Definition gqa_explicit_path : Outputs K := finish P X gqa_explicit_logit (gqa_o gqa_explicit_logit).
Definition gqa_deferred_path : Outputs K := finish P X deferred_logit (gqa_o deferred_logit).

Lemma gqa_rope_factor position a z w j : (forall k, w k = a * z k) -> gqa_rope position w j = a * gqa_rope position z j.
Proof. intros H. unfold gqa_rope. rewrite <- rotate_part_scale. now apply rotate_part_ext. Qed.

Lemma deferred_logit_equals i h t : deferred_logit i h t = gqa_explicit_logit i h t.
Proof.
  unfold deferred_logit, gqa_explicit_logit, q_deferred, gqa_k_hat, gqa_q_hat. f_equal. unfold dot. set (g := group_of P h).
  transitivity (sum (head_dim P) (fun j => gqa_q_hat i h j * k_deferred t g j) * gqa_alpha_k t g).
  - destruct place; [|reflexivity]. f_equal. rewrite <- sum_scale_r. apply sum_ext; intros j _. unfold gqa_q_hat.
    rewrite (gqa_rope_factor (position_q X i) (gqa_alpha_q i h) (fun k => q_raw X i h k * gqa_gamma_factor (gamma_q X h k))
      (fun k => q_raw X i h k * gqa_alpha_q i h * gqa_gamma_factor (gamma_q X h k))) by (intros; ring).
    ring.
  - rewrite <- sum_scale_r. apply sum_ext; intros j _. fold (gqa_q_hat i h). unfold k_deferred.
    rewrite (gqa_rope_factor (position_k X t) (gqa_alpha_k t g) (fun k => k_raw X t g k * gqa_gamma_factor (gamma_k X g k))
      (fun k => k_raw X t g k * gqa_alpha_k t g * gqa_gamma_factor (gamma_k X g k))) by (intros; ring).
    ring.
Qed.

Theorem deferred_equals_explicit : same_outputs gqa_deferred_path gqa_explicit_path.
Proof.
  apply finish_same; intros; [apply deferred_logit_equals|].
  unfold gqa_o. apply sum_ext; intros t _. f_equal. apply softmax_ext. intros; apply deferred_logit_equals.
Qed.

End Gqa.
