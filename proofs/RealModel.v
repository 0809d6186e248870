(** Purpose: the theorems over the real numbers, and what the definitions say there, in plain formulas.
    Main results: [mla_forms_equal], [mla_forms_equal_from_x], [gqa_forms_equal], [fused_mla_equal], [fused_gqa_equal]: the statements to
      quote; [online_softmax], [online_lse], [split_kv_by_lse]: tiles and splits, without side conditions. The Remarks hold by
      computation: they show a reader that the definitions are the paper's.
    Depends on: Fused, Project. Axioms: those of Coq's real numbers. *)
From Coq Require Import Reals RealField Lra List Permutation.
From Equinorm Require Export Fused Project.
Local Open Scope R_scope.

Lemma exp_not_zero z : exp z <> 0.
Proof. pose proof (exp_pos z). lra. Qed.

Canonical Structure RealScalars : Scalars := {|
  scalar := R;
  zero := 0;
  one := 1;
  add := Rplus;
  mul := Rmult;
  sub := Rminus;
  opp := Ropp;
  div := Rdiv;
  inv := Rinv;
  scalar_field := Rfield;
  rsqrt := fun z => / sqrt z;
  sigmoid := fun z => / (1 + exp (- z));
  exp_of := exp;
  exp_of_nonzero := exp_not_zero
|}.

(** A finite sum of reals: f 0 + ... + f (n - 1). *)
Notation rsum := (@sum RealScalars).
(** cap * tanh(z / cap), the soft-cap of the problem file. *)
Definition tanh_cap (bound z : R) : R := bound * tanh (z / bound).

(** The main theorems over R: every output equal, for every problem and all data. *)
Theorem mla_forms_equal (P : MlaProblem RealScalars) (X : MlaTensors RealScalars) place :
  same_outputs (absorbed_path P X place) (explicit_path P X).
Proof. apply absorbed_equals_explicit. Qed.

Theorem mla_forms_equal_from_x (P : MlaProblem RealScalars) (X : MlaTensors RealScalars) (Z : Hidden RealScalars) place :
  same_outputs (absorbed_path P (project P X Z) place) (explicit_path P (project P X Z)).
Proof. apply absorbed_equals_explicit. Qed.

Theorem gqa_forms_equal (P : GqaProblem RealScalars) (X : GqaTensors RealScalars) place :
  same_outputs (gqa_deferred_path P X place) (gqa_explicit_path P X).
Proof. apply deferred_equals_explicit. Qed.

(** What the definitions say over R. *)
Remark real_inv_rms eps n x : inv_rms rms eps n x = / sqrt (rsum n (fun j => x j * x j) / of_nat n + eps).
Proof. reflexivity. Qed.

Remark real_inv_l2 eps n x : inv_rms l2 eps n x = / sqrt (rsum n (fun j => x j * x j) + eps).
Proof. reflexivity. Qed.

Remark real_of_nat n : of_nat n = INR n.
Proof. induction n as [|n IH]; [reflexivity|]. rewrite S_INR, <- IH. reflexivity. Qed.

Remark real_exp_diff (a b : R) : exp_diff a b = exp (a - b).
Proof. unfold exp_diff; simpl. unfold Rminus, Rdiv. now rewrite exp_plus, exp_Ropp. Qed.

Remark real_softmax n live l t : live t = true ->
  softmax n live None l t = exp (l t) / (rsum n (fun s => if live s then exp (l s) else 0) + 0).
Proof. intros H. unfold softmax, live_exp at 1. rewrite H. reflexivity. Qed.

Remark real_explicit_logit (P : MlaProblem RealScalars) (X : MlaTensors RealScalars) i h t :
  logits (explicit_path P X) i h t =
  cap P (scale P * (rsum (content_dim P) (fun j => q_hat_content P X i h j * k_hat_content P X t (group_of P h) j) +
                    rsum (rope_dim P) (fun j => q_hat_rope P X i h j * k_hat_rope P X t (group_of P h) j))).
Proof. reflexivity. Qed.

Remark real_absorbed_blockwise_logit (P : MlaProblem RealScalars) (X : MlaTensors RealScalars) i h t : scheme P = blockwise ->
  logits (absorbed_path P X on_score) i h t =
  cap P (scale P * (rsum (latent P) (fun l => q_tilde P X on_score i h l * c X t l) * alpha_q P X i h * alpha_k P X t (group_of P h) +
                    rsum (rope_dim P) (fun j => q_rope_hat P X on_score i h j * k_rope_cached P X t j))).
Proof. intros H. cbn. unfold absorbed_logit, absorbed_score. rewrite H. reflexivity. Qed.

Remark real_absorbed_o (P : MlaProblem RealScalars) (X : MlaTensors RealScalars) place i h j :
  o (absorbed_path P X place) i h j =
  rsum (latent P) (fun l => rsum (tokens P) (fun t => p (absorbed_path P X place) i h t * c X t l) * w_v X (group_of P h) l j).
Proof. reflexivity. Qed.

(** Over R a row's total is positive unless the row is empty and has no sink. *)
Lemma live_exp_nonneg live (l : nat -> R) t : 0 <= live_exp live l t.
Proof. unfold live_exp. destruct (live t); simpl; [left; apply exp_pos|lra]. Qed.

Lemma live_sum_nonneg n live (l : nat -> R) : 0 <= rsum n (live_exp live l).
Proof. induction n as [|n IH]; simpl; [lra|]. pose proof (live_exp_nonneg live l n). simpl in *. lra. Qed.

Lemma live_sum_pos n live (l : nat -> R) t : (t < n)%nat -> live t = true -> 0 < rsum n (live_exp live l).
Proof.
  induction n as [|n IH]; [lia|]. intros Ht Hl. simpl. pose proof (live_sum_nonneg n live l). pose proof (live_exp_nonneg live l n).
  destruct (Nat.eq_dec t n) as [->|].
  - assert (0 < live_exp live l n) by (unfold live_exp; rewrite Hl; apply exp_pos). simpl in *. lra.
  - assert (0 < rsum n (live_exp live l)) by (apply IH; [lia|assumption]). simpl in *. lra.
Qed.

Lemma real_row_defined n live (with_sink : option R) (l : nat -> R) : row_defined n live with_sink l.
Proof.
  unfold row_defined, exp_total. pose proof (live_sum_nonneg n live l) as Hn.
  destruct with_sink as [s|]; simpl.
  - left. pose proof (exp_pos s). lra.
  - destruct (existsb live (seq 0 n)) eqn:E.
    + apply existsb_exists in E. destruct E as (t & Ht & Hl). apply in_seq in Ht.
      left. pose proof (live_sum_pos n live l t ltac:(lia) Hl). lra.
    + right. intros t Ht. destruct (live t) eqn:El; [|reflexivity].
      assert (existsb live (seq 0 n) = true); [|congruence]. apply existsb_exists. exists t. split; [apply in_seq; lia|assumption].
Qed.

Section Tiles.
Variables (n : nat) (live : nat -> bool) (with_sink : option R) (l : nat -> R) (value : nat -> nat -> R).
Let sink_l := sink_value with_sink.
Variable s : Schedule RealScalars.
Hypothesis serves_row : serves sink_l s n with_sink.
Let result := run live l value sink_l s.

(** Any schedule of tiles, splits and merges gives the plain softmax average, empty rows included (0). *)
Theorem online_softmax j : average result j = rsum n (fun t => softmax n live with_sink l t * value t j).
Proof. apply schedule_equals_softmax; [assumption|]. apply real_row_defined. Qed.

(** ... and lse = reference + ln total is the logarithm of the plain sum. *)
Theorem online_lse : exp_total n live with_sink l <> 0 ->
  reference result + ln (total result) = ln (exp_total n live with_sink l).
Proof.
  intros Hnz. pose proof (schedule_exp_sum live l value sink_l s n with_sink serves_row) as HE.
  fold result in HE. rewrite <- HE in *. unfold partial_exp_sum in *. simpl in *.
  assert (0 < total result).
  { assert (Hp : 0 <= total result * exp (reference result)).
    { rewrite HE. unfold exp_total. pose proof (live_sum_nonneg n live l). simpl in *.
      destruct with_sink as [z|]; simpl; [pose proof (exp_pos z)|]; lra. }
    pose proof (exp_pos (reference result)). nra. }
  rewrite ln_mult, ln_exp by (auto using exp_pos). ring.
Qed.

End Tiles.

(** Splits with a live token each, averaged with weights exp(lse - m) for any m. *)
Theorem split_kv_by_lse n live (with_sink : option R) (l : nat -> R) (value : nat -> nat -> R) m (splits : list (Schedule RealScalars))
  skipped j :
  (forall s, In s splits -> sinks_in s = 0%nat /\ exists t, In t (tokens_in s) /\ live t = true) ->
  (forall t, In t skipped -> live t = false) -> Permutation (concat (map tokens_in splits) ++ skipped) (seq 0 n) -> splits <> nil ->
  lse_combine (exp m) with_sink (map (run live l value 0) splits) j =
  rsum n (fun t => softmax n live with_sink l t * value t j).
Proof.
  intros Hsplit Hskip Hp Hne.
  assert (Hnonneg : forall ts, 0 <= list_sum (live_exp live l) ts).
  { intros ts. induction ts as [|t ts IH]; simpl in *; [lra|]. pose proof (live_exp_nonneg live l t). simpl in *. lra. }
  apply (lse_combine_equals_softmax) with (skipped := skipped); try assumption.
  - apply exp_not_zero.
  - intros s Hs. destruct (Hsplit s Hs) as (H0 & t & Ht & Hl). split; [|assumption]. intros Hz.
    pose proof (run_exp_sum live l value 0 s) as HE. unfold partial_exp_sum in HE. rewrite Hz, H0 in HE.
    apply in_split in Ht. destruct Ht as (a & b & Hab). rewrite Hab, list_sum_app in HE. simpl in HE.
    pose proof (Hnonneg a). pose proof (Hnonneg b). unfold live_exp at 2 in HE. rewrite Hl in HE. pose proof (exp_pos (l t)). simpl in *.
    lra.
  - destruct splits as [|s splits]; [congruence|]. destruct (Hsplit s (or_introl eq_refl)) as (_ & t & Ht & Hl).
    assert (Hin : In t (seq 0 n)). { rewrite <- Hp. simpl. rewrite !in_app_iff. auto. }
    apply in_seq in Hin. unfold exp_total. pose proof (live_sum_pos n live l t ltac:(lia) Hl).
    destruct with_sink as [z|]; simpl in *; [pose proof (exp_pos z)|]; lra.
Qed.

(** The fused kernels' output, over R. *)
Theorem fused_mla_equal (P : MlaProblem RealScalars) (X : MlaTensors RealScalars) place s i h j :
  serves (sink_value (head_sink X h)) s (tokens P) (head_sink X h) ->
  rsum (latent P) (fun l => fused_u P X place s i h l * w_v X (group_of P h) l j) = o (explicit_path P X) i h j.
Proof. intros Hs. apply fused_absorbed_equals_explicit; [assumption|]. apply real_row_defined. Qed.

Theorem fused_gqa_equal (P : GqaProblem RealScalars) (X : GqaTensors RealScalars) place s i h j :
  serves (sink_value (head_sink X h)) s (tokens P) (head_sink X h) ->
  average (run (mask P i) (deferred_logit P X place i h) (fun t => v_raw X t (group_of P h)) (sink_value (head_sink X h)) s) j =
  o (gqa_explicit_path P X) i h j.
Proof. intros Hs. apply fused_deferred_equals_explicit; [assumption|]. apply real_row_defined. Qed.
