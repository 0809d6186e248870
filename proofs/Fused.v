(** Purpose: the absorbed form as kernels run it: tiles, splits and rescales over the latents, then u W_V.
    Main results: [fused_absorbed_equals_explicit], [fused_deferred_equals_explicit]: any schedule over the absorbed (deferred) logits
      gives the explicit path's o.
    Depends on: Absorption, Gqa, Online. No axioms. *)
From Equinorm Require Export Absorption Gqa Online.
Local Open Scope scalar_scope.

Section Fused.
Context {K : Scalars}.

Definition sink_value (with_sink : option K) : K :=
  match with_sink with
  | Some s => s
  | None => 0
  end.

(** Row (i, h) has a total that does not vanish, or nothing to attend to. Over the reals this always holds (RealModel.v). *)
Definition row_defined (n : nat) (live : nat -> bool) (with_sink : option K) (l : nat -> K) : Prop :=
  exp_total n live with_sink l <> 0 \/ (forall t, (t < n)%nat -> live t = false).

Section Mla.
Variables (P : MlaProblem K) (X : MlaTensors K) (place : AlphaQPlace).

(** u of one query and head, by a schedule. *)
Definition fused_u (s : Schedule K) (i h l : nat) : K :=
  average (run (mask P i) (absorbed_logit P X place i h) (c X) (sink_value (head_sink X h)) s) l.

Theorem fused_absorbed_equals_explicit s i h j :
  serves (sink_value (head_sink X h)) s (tokens P) (head_sink X h) ->
  row_defined (tokens P) (mask P i) (head_sink X h) (absorbed_logit P X place i h) ->
  sum (latent P) (fun l => fused_u s i h l * w_v X (group_of P h) l j) = o (explicit_path P X) i h j.
Proof.
  intros Hs Hd. cbn. rewrite (o_absorbs P X place). unfold absorbed_o. apply sum_ext; intros l _. f_equal.
  unfold fused_u. now rewrite (schedule_equals_softmax _ _ _ _ s (tokens P) (head_sink X h)).
Qed.
End Mla.

Section GqaFused.
Variables (P : GqaProblem K) (X : GqaTensors K) (place : AlphaQPlace).

Theorem fused_deferred_equals_explicit s i h j :
  serves (sink_value (head_sink X h)) s (tokens P) (head_sink X h) ->
  row_defined (tokens P) (mask P i) (head_sink X h) (deferred_logit P X place i h) ->
  average (run (mask P i) (deferred_logit P X place i h) (fun t => v_raw X t (group_of P h)) (sink_value (head_sink X h)) s) j =
  o (gqa_explicit_path P X) i h j.
Proof.
  intros Hs Hd. rewrite (schedule_equals_softmax _ _ _ _ s (tokens P) (head_sink X h)) by assumption.
  destruct (deferred_equals_explicit P X place) as (_ & _ & _ & Ho & _). rewrite <- Ho. reflexivity.
Qed.
End GqaFused.

End Fused.
