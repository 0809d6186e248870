(** Purpose: norm before RoPE or after it: when that matters.
    Main results: [weight_after_rope]: with one gamma for both components of a pair the order does not matter;
      [norm_after_rope_is_different]: with a gamma that differs within a pair, norm after RoPE is a different function, at a true angle
      and for every eps >= 0.
    Depends on: RealModel (the example), Norms. Axioms: those of Coq's real numbers (the example only). *)
From Coq Require Import Reals Lra.
From Equinorm Require Import RealModel.

Section SameOrder.
Context {K : Scalars}.
Local Open Scope scalar_scope.
Add Field K_field : (scalar_field K).

(** The other component of the pair that component j turns with. *)
Definition partner (layout : RopeLayout) (m j : nat) : nat :=
  match layout with
  | no_rope => j
  | interleaved => if (j <? 2 * m)%nat then if Nat.even j then j + 1 else j - 1 else j
  | half => if (j <? m)%nat then j + m else if (j <? 2 * m)%nat then j - m else j
  end%nat.

Theorem weight_after_rope layout m (co si x gamma : nat -> K) j : gamma (partner layout m j) = gamma j ->
  rotate layout m co si (fun k => x k * gamma k) j = rotate layout m co si x j * gamma j.
Proof.
  unfold rotate, partner. destruct layout; [| |reflexivity].
  - destruct (j <? 2 * m)%nat; [|reflexivity]. destruct (Nat.even j); intros ->; ring.
  - destruct (j <? m)%nat; [intros ->; ring|]. destruct (j <? 2 * m)%nat; [intros ->; ring|reflexivity].
Qed.

(** The RoPE key with norm and weight after the rotation, and the logits that it gives. *)
Definition late_k_hat_rope (P : MlaProblem K) (X : MlaTensors K) (t g j : nat) : K :=
  let z := rope_at P X (position_k X t) (k_rope X t) in
  z j * inv_rms (norm_kind P) (eps P) (rope_dim P) z * gamma_factor P (gamma_rk X j).
Definition late_logit (P : MlaProblem K) (X : MlaTensors K) (i h t : nat) : K :=
  logit_of P (dot (content_dim P) (q_hat_content P X i h) (k_hat_content P X t (group_of P h)) +
              dot (rope_dim P) (q_hat_rope P X i h) (late_k_hat_rope P X t (group_of P h))).

(** Blockwise, tables with cos^2 + sin^2 = 1, gamma_rk equal within each pair: the order does not matter. *)
Theorem norm_after_rope_same (P : MlaProblem K) (X : MlaTensors K) i h t : scheme P = blockwise -> (2 * rope_pairs P <= rope_dim P)%nat ->
  (forall m, (m < rope_pairs P)%nat ->
     rope_cos X (position_k X t) m * rope_cos X (position_k X t) m + rope_sin X (position_k X t) m * rope_sin X (position_k X t) m = 1) ->
  (forall j, gamma_rk X (partner (rope_layout P) (rope_pairs P) j) = gamma_rk X j) ->
  late_logit P X i h t = logits (explicit_path P X) i h t.
Proof.
  intros Hs Hd Hcs Hg. cbn. unfold late_logit, explicit_logit, explicit_score. do 2 f_equal.
  unfold dot. apply sum_ext; intros j _. f_equal. unfold late_k_hat_rope, k_hat_rope, alpha_k_rope, gamma_factor. rewrite Hs. cbv zeta iota.
  rewrite (inv_rms_def _ _ _ (rope_at P X (position_k X t) (k_rope X t)) (k_rope X t)) by (apply rotate_sum_of_squares; assumption).
  set (a := inv_rms _ _ _ _).
  transitivity (rope_at P X (position_k X t) (fun k => a * (k_rope X t k * weight_factor (norm_weight P) (gamma_rk X k))) j).
  - rewrite rope_at_scale. unfold rope_at. rewrite (weight_after_rope _ _ _ _ _ (fun k => weight_factor (norm_weight P) (gamma_rk X k)) j).
    + ring.
    + now rewrite Hg.
  - apply rope_at_ext. intros. ring.
Qed.

End SameOrder.

Local Open Scope R_scope.

(** One token at position 1, one query at position 0, one pair turning by a right angle per position, gamma_rk = (1, 2). *)
Definition example_problem (e : R) : MlaProblem RealScalars := {|
  mla_problem := {| tokens := 1; heads := 1; groups := 1; group_of := fun _ => 0%nat; value_dim := 1; rope_layout := interleaved;
    rope_pairs := 1; norm_kind := rms; norm_weight := plain; eps := e; scale := 1; cap := fun z => z; mask := fun _ _ => true;
    gated := false |};
  scheme := blockwise; latent := 1; content_dim := 0; rope_dim := 2
|}.
Definition example_tensors : MlaTensors RealScalars := {|
  mla_shared := {| rope_cos := fun position _ => cos (INR position * (PI / 2)); rope_sin := fun position _ => sin (INR position * (PI / 2));
    position_q := fun _ => 0%nat; position_k := fun _ => 1%nat; sink := None; gate := fun _ _ _ => 0; w_o := fun _ _ _ => 0 |};
  c := fun _ _ => 0; k_rope := fun _ j => if Nat.eqb j 0 then 1 else 0;
  q_content := fun _ _ _ => 0; q_rope := fun _ _ j => if Nat.eqb j 1 then 1 else 0;
  w_k := fun _ _ _ => 0; w_v := fun _ _ _ => 0; gamma_cq := fun _ _ => 1; gamma_ck := fun _ _ => 1; gamma_rq := fun _ _ => 1;
  gamma_rk := fun j => if Nat.eqb j 0 then 1 else 2
|}.

Theorem norm_after_rope_is_different e : 0 <= e ->
  late_logit (example_problem e) example_tensors 0 0 0 <> logits (explicit_path (example_problem e) example_tensors) 0 0 0.
Proof.
  intros He. cbn. unfold late_logit, explicit_logit, explicit_score, logit_of, dot, q_hat_rope, k_hat_rope, late_k_hat_rope, alpha_q_rope,
    alpha_k_rope, gamma_factor, weight_factor, rope_at, inv_rms, inv_stat, sum_of_squares, rotate.
  cbn. rewrite !Rmult_0_l, !Rmult_1_l, cos_0, sin_0, cos_PI2, sin_PI2.
  set (d := (0 + 1 + 1)%R).
  replace ((0 + (0 - 0) * (0 - 0) + (1 + 0) * (1 + 0)) / d + e) with (/ 2 + e) by (unfold d; field).
  replace ((0 + 1 + 0) / d + e) with (/ 2 + e) by (unfold d; field).
  replace ((0 + 0 + 1) / d + e) with (/ 2 + e) by (unfold d; field).
  set (a := / sqrt (/ 2 + e)).
  assert (Ha : 0 < a) by (apply Rinv_0_lt_compat, sqrt_lt_R0; lra).
  intros H. ring_simplify in H. nra.
Qed.
