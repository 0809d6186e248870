(** Purpose: the stages after the score that both forms share: softmax over live tokens, gate, output projection.
    Main results: [softmax_ext]: equal logits give equal weights; [finish_same]: equal logits and equal o give equal outputs.
    Depends on: Problem.

    Masked tokens are left out by a flag, never by a large negative number. A row with nothing to attend to has all weights 0 / 0 * 0 = 0,
    because its numerators are 0 whatever the inverse of 0 is taken to be. *)
From Equinorm Require Export Problem.
Local Open Scope scalar_scope.

(** Where alpha_q is applied: to the score, or to the query before it is absorbed (the code's fold_alpha_q). Both are legal. *)
Inductive AlphaQPlace := on_score | on_query.

Section Softmax.
Context {K : Scalars}.
Add Field K_field : (scalar_field K).

Definition live_exp (live : nat -> bool) (l : nat -> K) (t : nat) : K := if live t then exp_of (l t) else 0.

Definition sink_exp (sink_logit : option K) : K :=
  match sink_logit with
  | Some s => exp_of s
  | None => 0
  end.

(** sum over live t of exp(l t), plus exp(sink). *)
Definition exp_total (n : nat) (live : nat -> bool) (sink_logit : option K) (l : nat -> K) : K :=
  sum n (live_exp live l) + sink_exp sink_logit.

(** The softmax weight of token t. *)
Definition softmax (n : nat) (live : nat -> bool) (sink_logit : option K) (l : nat -> K) (t : nat) : K :=
  live_exp live l t / exp_total n live sink_logit l.

Lemma exp_total_ext n live s l l' : (forall t, l t = l' t) -> exp_total n live s l = exp_total n live s l'.
Proof. intros H. unfold exp_total, live_exp. f_equal. apply sum_ext; intros t _. now rewrite H. Qed.

Lemma softmax_ext n live s l l' t : (forall t, l t = l' t) -> softmax n live s l t = softmax n live s l' t.
Proof. intros H. unfold softmax, live_exp. now rewrite (exp_total_ext n live s l l' H), H. Qed.

Definition head_sink (X : Shared K) (h : nat) : option K := option_map (fun s => s h) (sink X).

(** The weights of one query and head: stage `softmax`. *)
Definition row_weights (P : Problem K) (X : Shared K) (i h : nat) (l : nat -> K) : nat -> K :=
  softmax (tokens P) (mask P i) (head_sink X h) l.

(** Stage `score`, last step: l = cap(scale * raw). *)
Definition logit_of (P : Problem K) (raw : K) : K := cap P (scale P * raw).

Definition gate_factor (P : Problem K) (X : Shared K) (i h j : nat) : K := if gated P then sigmoid (gate X i h j) else 1.

(** Stages `softmax` and `output`, given all logits and all o. *)
Definition finish (P : Problem K) (X : Shared K) (l : nat -> nat -> nat -> K) (out : nat -> nat -> nat -> K) : Outputs K := {|
  logits := l;
  exp_sum := fun i h => exp_total (tokens P) (mask P i) (head_sink X h) (l i h);
  p := fun i h t => row_weights P X i h (l i h) t;
  o := out;
  o_gated := fun i h j => out i h j * gate_factor P X i h j;
  y := fun i n => sum (heads P) (fun h => sum (value_dim P) (fun j => out i h j * gate_factor P X i h j * w_o X h j n))
|}.

Lemma finish_same P X l l' out out' :
  (forall i h t, l i h t = l' i h t) -> (forall i h j, out i h j = out' i h j) -> same_outputs (finish P X l out) (finish P X l' out').
Proof.
  intros Hl Ho. unfold same_outputs, finish, row_weights; cbn. repeat split; intros; auto.
  - apply exp_total_ext; auto.
  - apply softmax_ext; auto.
  - now rewrite Ho.
  - apply sum_ext; intros h _. apply sum_ext; intros j _. now rewrite Ho.
Qed.

End Softmax.
