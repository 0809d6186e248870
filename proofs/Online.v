(** Purpose: online softmax and split-KV: partial sums relative to a reference maximum, rescaled when the reference changes.
    Main results: [schedule_equals_softmax]: any tiling, any order of tiles, any references, any tree of splits, empty splits included,
      gives the plain softmax average; [lse_combine_equals_softmax]: so do normalised splits averaged by their lse; [schedule_exp_sum]:
      and the lse.
    Depends on: Softmax. No axioms.

    Nothing is assumed of the references: they need not be maxima. That matters only to overflow. *)
From Coq Require Import List Permutation.
From Equinorm Require Export Softmax.
Local Open Scope scalar_scope.

(** How the tokens of one row are gone through. [Tile s m ts] continues s with the tokens ts under the new reference m; [Merge m a b]
    joins two partial results under the reference m; [Sink] is the partial result of the sink alone. *)
Inductive Schedule (K : Type) :=
  | Start (m : K)
  | Sink
  | Tile (before : Schedule K) (m : K) (ts : list nat)
  | Merge (m : K) (a b : Schedule K).
Arguments Start {K}. Arguments Sink {K}. Arguments Tile {K}. Arguments Merge {K}.

Fixpoint tokens_in {K} (s : Schedule K) : list nat :=
  match s with
  | Start _ | Sink => nil
  | Tile before _ ts => tokens_in before ++ ts
  | Merge _ a b => tokens_in a ++ tokens_in b
  end.

Fixpoint sinks_in {K} (s : Schedule K) : nat :=
  match s with
  | Start _ => 0
  | Sink => 1
  | Tile before _ _ => sinks_in before
  | Merge _ a b => sinks_in a + sinks_in b
  end.

Section Online.
Context {K : Scalars}.
Add Field K_field : (scalar_field K).

(** A partial result: total = sum exp(l_t - reference), acc = sum exp(l_t - reference) v_t. *)
Record Partial := { reference : K; total : K; acc : nat -> K }.

Definition list_sum {A} (f : A -> K) (ts : list A) : K := fold_right (fun t rest => f t + rest) 0 ts.

Lemma list_sum_app {A} (f : A -> K) a b : list_sum f (a ++ b) = list_sum f a + list_sum f b.
Proof. unfold list_sum. induction a as [|t a IH]; simpl; [ring|]. rewrite IH; ring. Qed.
Lemma list_sum_ext {A} (f g : A -> K) ts : (forall t, f t = g t) -> list_sum f ts = list_sum g ts.
Proof. intros H. unfold list_sum. induction ts as [|t ts IH]; simpl; [reflexivity|]. now rewrite IH, H. Qed.
Lemma list_sum_scale {A} (f : A -> K) a ts : list_sum (fun t => f t * a) ts = list_sum f ts * a.
Proof. unfold list_sum. induction ts as [|t ts IH]; simpl; [ring|]. rewrite IH; ring. Qed.
Lemma list_sum_perm {A} (f : A -> K) a b : Permutation a b -> list_sum f a = list_sum f b.
Proof. unfold list_sum. induction 1; simpl; try congruence; ring. Qed.
Lemma list_sum_seq (f : nat -> K) n : list_sum f (seq 0 n) = sum n f.
Proof. induction n as [|n IH]; [reflexivity|]. rewrite seq_S, list_sum_app, IH. simpl. ring. Qed.

(** One row: which tokens live, their logits, their value vectors, and the sink's logit (used only if a [Sink] occurs). *)
Variables (live : nat -> bool) (l : nat -> K) (value : nat -> nat -> K) (sink_logit : K).

Definition relative_weight (m : K) (t : nat) : K := if live t then exp_diff (l t) m else 0.

Definition tile_step (before : Partial) (m : K) (ts : list nat) : Partial := {|
  reference := m;
  total := total before * exp_diff (reference before) m + list_sum (relative_weight m) ts;
  acc := fun j => acc before j * exp_diff (reference before) m + list_sum (fun t => relative_weight m t * value t j) ts
|}.

Definition merge_step (m : K) (a b : Partial) : Partial := {|
  reference := m;
  total := total a * exp_diff (reference a) m + total b * exp_diff (reference b) m;
  acc := fun j => acc a j * exp_diff (reference a) m + acc b j * exp_diff (reference b) m
|}.

Fixpoint run (s : Schedule K) : Partial :=
  match s with
  | Start m => {| reference := m; total := 0; acc := fun _ => 0 |}
  | Sink => {| reference := sink_logit; total := 1; acc := fun _ => 0 |}
  | Tile before m ts => tile_step (run before) m ts
  | Merge m a b => merge_step m (run a) (run b)
  end.

(** The result of a partial, and its lse carried as sum exp(l). *)
Definition average (a : Partial) (j : nat) : K := acc a j / total a.
Definition partial_exp_sum (a : Partial) : K := total a * exp_of (reference a).

Lemma exp_diff_times (a m : K) : exp_diff a m * exp_of m = exp_of a.
Proof. unfold exp_diff. field. apply exp_of_nonzero. Qed.

Lemma relative_weight_times m t : relative_weight m t * exp_of m = live_exp live l t.
Proof. unfold relative_weight, live_exp. destruct (live t); [apply exp_diff_times|ring]. Qed.

(** The invariant: times exp(reference), a partial does not know its reference. *)
Theorem run_exp_sum (s : Schedule K) : partial_exp_sum (run s) = list_sum (live_exp live l) (tokens_in s) + of_nat (sinks_in s)
  * exp_of sink_logit.
Proof.
  induction s as [m| |before IH m ts|m a IHa b IHb]; unfold partial_exp_sum in *; simpl.
  - ring.
  - ring.
  - rewrite list_sum_app. transitivity (total (run before) * (exp_diff (reference (run before)) m * exp_of m) +
      list_sum (relative_weight m) ts * exp_of m); [ring|].
    rewrite exp_diff_times, IH, <- list_sum_scale.
    rewrite (list_sum_ext (fun t => relative_weight m t * exp_of m) (live_exp live l)) by (intros; apply relative_weight_times). ring.
  - rewrite list_sum_app. transitivity (total (run a) * (exp_diff (reference (run a)) m * exp_of m) +
      total (run b) * (exp_diff (reference (run b)) m * exp_of m)); [ring|].
    rewrite !exp_diff_times, IHa, IHb.
    replace (of_nat (sinks_in a + sinks_in b)) with (@of_nat K (sinks_in a) + of_nat (sinks_in b)); [ring|].
    clear. induction (sinks_in b) as [|n IH]; simpl; [rewrite Nat.add_0_r; ring|]. rewrite Nat.add_succ_r; simpl. rewrite <- IH; ring.
Qed.

Theorem run_acc (s : Schedule K) j : acc (run s) j * exp_of (reference (run s)) = list_sum (fun t => live_exp live l t * value t j)
  (tokens_in s).
Proof.
  induction s as [m| |before IH m ts|m a IHa b IHb]; simpl.
  - ring.
  - ring.
  - rewrite list_sum_app. transitivity (acc (run before) j * (exp_diff (reference (run before)) m * exp_of m) +
      list_sum (fun t => relative_weight m t * value t j) ts * exp_of m); [ring|].
    rewrite exp_diff_times, IH, <- list_sum_scale. f_equal. apply list_sum_ext. intros t.
    rewrite <- (relative_weight_times m). ring.
  - rewrite list_sum_app. transitivity (acc (run a) j * (exp_diff (reference (run a)) m * exp_of m) +
      acc (run b) j * (exp_diff (reference (run b)) m * exp_of m)); [ring|].
    now rewrite !exp_diff_times, IHa, IHb.
Qed.

(** A schedule serves a row of n tokens: it goes once through every token, in any order, and through the sink if there is one. *)
Definition serves (s : Schedule K) (n : nat) (with_sink : option K) : Prop :=
  Permutation (tokens_in s) (seq 0 n) /\
  match with_sink with
  | Some sink => sinks_in s = 1%nat /\ sink_logit = sink
  | None => sinks_in s = 0%nat
  end.

Lemma sum_of_weighted n (f : nat -> K) a j : sum n (fun t => f t / a * value t j) = sum n (fun t => f t * value t j) / a.
Proof.
  transitivity (sum n (fun t => f t * value t j) * / a); [|rewrite (Fdiv_def (scalar_field K)); reflexivity].
  rewrite <- sum_scale_r. apply sum_ext; intros t _. rewrite (Fdiv_def (scalar_field K)). ring.
Qed.

Theorem schedule_exp_sum s n with_sink : serves s n with_sink -> partial_exp_sum (run s) = exp_total n live with_sink l.
Proof.
  intros [Hp Hs]. rewrite run_exp_sum, (list_sum_perm _ _ _ Hp), list_sum_seq. unfold exp_total. f_equal.
  destruct with_sink as [sink|]; [destruct Hs as [-> ->]; simpl; ring|]. rewrite Hs. simpl. ring.
Qed.

(** The plain softmax average. The total must not vanish (over the reals it cannot), or no token is live: then both sides are 0. *)
Theorem schedule_equals_softmax s n with_sink j : serves s n with_sink ->
  exp_total n live with_sink l <> 0 \/ (forall t, (t < n)%nat -> live t = false) ->
  average (run s) j = sum n (fun t => softmax n live with_sink l t * value t j).
Proof.
  intros Hs Hlive. pose proof (schedule_exp_sum s n with_sink Hs) as HE. pose proof (run_acc s j) as HA.
  destruct Hs as [Hp _]. rewrite (list_sum_perm _ _ _ Hp), list_sum_seq in HA.
  unfold softmax. rewrite sum_of_weighted, <- HA, <- HE. unfold average, partial_exp_sum in *.
  pose proof (exp_of_nonzero K (reference (run s))) as Hr.
  destruct Hlive as [Hnz|Hdead].
  - field. split; [assumption|]. intros H0. apply Hnz. rewrite <- HE, H0. ring.
  - assert (Hzero : acc (run s) j = 0).
    { transitivity (acc (run s) j * exp_of (reference (run s)) / exp_of (reference (run s))); [field; assumption|]. rewrite HA.
      rewrite (sum_ext n _ (fun _ => 0)), sum_zero; [field; assumption|].
      intros t Ht. unfold live_exp. rewrite Hdead by assumption. ring. }
    rewrite Hzero, !(Fdiv_def (scalar_field K)). ring.
Qed.

(** Split-KV by lse: each split hands out its average and its sum E = exp(lse); weights are E / base, base = exp(any reference). Splits
    without a live token must be left out (their average would be 0 / 0): [skipped] are their tokens. *)
Definition lse_weight (base : K) (a : Partial) : K := partial_exp_sum a / base.
Definition lse_combine (base : K) (with_sink : option K) (parts : list Partial) (j : nat) : K :=
  list_sum (fun a => lse_weight base a * average a j) parts / (list_sum (lse_weight base) parts + sink_exp with_sink / base).

Theorem lse_combine_equals_softmax base with_sink (splits : list (Schedule K)) (skipped : list nat) n j : base <> 0 ->
  (forall s, In s splits -> total (run s) <> 0 /\ sinks_in s = 0%nat) ->
  (forall t, In t skipped -> live t = false) -> Permutation (concat (map tokens_in splits) ++ skipped) (seq 0 n) ->
  exp_total n live with_sink l <> 0 ->
  lse_combine base with_sink (map run splits) j = sum n (fun t => softmax n live with_sink l t * value t j).
Proof.
  intros Hb Hsplit Hskip Hp Hnz.
  assert (Hfilter : forall f, (forall t, live t = false -> f t = 0) -> list_sum f (concat (map tokens_in splits)) = sum n f).
  { intros f Hf. rewrite <- list_sum_seq, <- (list_sum_perm _ _ _ Hp), list_sum_app. clear Hp.
    replace (list_sum f skipped) with (0 : K); [ring|].
    induction skipped as [|t ts IH]; [reflexivity|]. simpl. rewrite <- IH by (intros; apply Hskip; now right).
    rewrite Hf by (apply Hskip; now left). ring. }
  assert (Hnum : list_sum (fun a => lse_weight base a * average a j) (map run splits) =
                 list_sum (fun t => live_exp live l t * value t j) (concat (map tokens_in splits)) / base).
  { clear Hp Hfilter. induction splits as [|s splits IH]; simpl; [field; assumption|].
    rewrite IH by (intros; apply Hsplit; now right). rewrite list_sum_app, <- run_acc.
    destruct (Hsplit s (or_introl eq_refl)) as [Ht _]. unfold lse_weight, average, partial_exp_sum. field. auto. }
  assert (Hden : list_sum (lse_weight base) (map run splits) = list_sum (live_exp live l) (concat (map tokens_in splits)) / base).
  { clear Hp Hfilter Hnum. induction splits as [|s splits IH]; simpl; [field; assumption|].
    rewrite IH by (intros; apply Hsplit; now right). rewrite list_sum_app.
    destruct (Hsplit s (or_introl eq_refl)) as [_ H0]. unfold lse_weight. rewrite run_exp_sum, H0. simpl. field. assumption. }
  unfold lse_combine, softmax. rewrite Hnum, Hden, sum_of_weighted. unfold exp_total in *.
  rewrite !Hfilter in *; try (intros t Et; unfold live_exp; rewrite Et; ring).
  field. repeat split; assumption.
Qed.

End Online.
