(** Purpose: rows with masked tokens and with a sink, as rows of tokens that all are seen.
    Main results: [rsum_live]: a sum over the tokens that a mask lets through; [live_average]: the softmax average with a mask and a sink is
      the plain one over the live tokens and one more, whose logit is the sink's and whose value is 0; [empty_row]: with neither it is 0.
    Depends on: WeightedAverage. Axioms: those of Coq's real numbers. *)
From Coq Require Import List.
From Equinorm Require Export WeightedAverage.
Local Open Scope R_scope.

(** ** A row of n tokens, and the sink behind them *)
(** f on the tokens, e behind them. *)
Definition extended {A} (n : nat) (f : nat -> A) (e : A) (t : nat) : A := if (t <? n)%nat then f t else e.
Definition with_sink (sink : option R) (n : nat) : nat := match sink with Some _ => S n | None => n end.
Definition sink_logit (sink : option R) : R := match sink with Some s => s | None => 0 end.
Definition sink_weight (sink : option R) : R := match sink with Some s => exp s | None => 0 end.

Lemma extended_token {A} n (f : nat -> A) e t : (t < n)%nat -> extended n f e t = f t.
Proof. intros H. unfold extended. now rewrite (proj2 (Nat.ltb_lt t n) H). Qed.

Lemma extended_behind {A} n (f : nat -> A) e : extended n f e n = e.
Proof. unfold extended. now rewrite Nat.ltb_irrefl. Qed.

Lemma token_or_sink sink n t : (t < with_sink sink n)%nat -> (t < n)%nat \/ (t = n /\ exists s, sink = Some s).
Proof. destruct sink as [s|]; simpl; intros H; [|now left]. destruct (Nat.eq_dec t n) as [->|]; [right; eauto|left; lia]. Qed.

Lemma token_in_row sink n t : (t < n)%nat -> (t < with_sink sink n)%nat.
Proof. destruct sink; simpl; lia. Qed.

(** A sum over the row in which the sink counts nothing. *)
Lemma rsum_row sink n f g : (forall t, (t < n)%nat -> f t = g t) -> f n = 0 -> rsum (with_sink sink n) f = rsum n g.
Proof. intros H H0. destruct sink; simpl; [rewrite H0, Rplus_0_r|]; now apply rsum_ext. Qed.

(** ** The tokens that a mask lets through *)
Definition live_list (live : nat -> bool) (n : nat) : list nat := filter live (seq 0 n).
Definition live_count (live : nat -> bool) (n : nat) : nat := length (live_list live n).
(** The k-th of them. *)
Definition live_at (live : nat -> bool) (n k : nat) : nat := nth k (live_list live n) 0%nat.

Lemma live_list_step live n : live_list live (S n) = live_list live n ++ (if live n then n :: nil else nil).
Proof. unfold live_list. rewrite seq_S, filter_app. reflexivity. Qed.

Theorem live_at_seen live n k : (k < live_count live n)%nat -> (live_at live n k < n)%nat /\ live (live_at live n k) = true.
Proof.
  intros H. pose proof (nth_In (live_list live n) 0%nat H) as Hin. unfold live_list in Hin. apply filter_In in Hin.
  destruct Hin as [Hin Hl]. apply in_seq in Hin. unfold live_at, live_list. split; [lia|exact Hl].
Qed.

Theorem rsum_live (live : nat -> bool) n (f : nat -> R) :
  rsum n (fun t => if live t then f t else 0) = rsum (live_count live n) (fun k => f (live_at live n k)).
Proof.
  induction n as [|n IH]; [reflexivity|]. simpl rsum. rewrite IH. unfold live_count, live_at. rewrite live_list_step.
  destruct (live n) eqn:E.
  - rewrite app_length. simpl length. rewrite Nat.add_1_r. simpl rsum.
    rewrite app_nth2, Nat.sub_diag by lia. simpl nth. f_equal. apply rsum_ext; intros k Hk. now rewrite app_nth1.
  - rewrite app_nil_r. ring.
Qed.

(** ** The average *)
Section Row.
Variables (live : nat -> bool) (n : nat) (sink : option R) (l y : nat -> R).
Let m := live_count live n.

(** Weights as the model has them: 0 where masked; the denominator has the sink. *)
Definition row_total : R := rsum n (fun t => if live t then exp (l t) else 0) + sink_weight sink.
Definition row_weight (t : nat) : R := (if live t then exp (l t) else 0) / row_total.

Definition live_logit : nat -> R := extended m (fun k => l (live_at live n k)) (sink_logit sink).
Definition live_value : nat -> R := extended m (fun k => y (live_at live n k)) 0.

Lemma row_total_live : row_total = rsum (with_sink sink m) (fun t => exp (live_logit t)).
Proof.
  unfold row_total. rewrite (rsum_live live n (fun t => exp (l t))). fold m. unfold live_logit.
  destruct sink as [s|]; simpl.
  - rewrite extended_behind. f_equal. apply rsum_ext; intros k Hk. now rewrite extended_token.
  - rewrite Rplus_0_r. apply rsum_ext; intros k Hk. now rewrite extended_token.
Qed.

(* C++: bounds/average.hpp average_bound. *)
Theorem live_average : rsum n (fun t => row_weight t * y t) = centre (with_sink sink m) live_logit live_value.
Proof.
  transitivity (rsum n (fun t => if live t then exp (l t) / row_total * y t else 0)).
  { apply rsum_ext; intros t _. unfold row_weight. destruct (live t); [reflexivity|]. unfold Rdiv. ring. }
  rewrite (rsum_live live n (fun t => exp (l t) / row_total * y t)). fold m. symmetry. unfold centre. apply rsum_row.
  - intros k Hk. unfold softmax. rewrite <- row_total_live. unfold live_logit, live_value. now rewrite !extended_token.
  - unfold live_value. rewrite extended_behind. ring.
Qed.

(** Nothing seen: 0, what a kernel is to write there, with a sink or without. *)
(* C++: bounds/average.hpp average_bound. *)
Theorem empty_row : (forall t, (t < n)%nat -> live t = false) -> rsum n (fun t => row_weight t * y t) = 0.
Proof.
  intros H. rewrite <- (rsum_zero n). apply rsum_ext; intros t Ht. unfold row_weight. rewrite (H t Ht). unfold Rdiv. ring.
Qed.
End Row.
