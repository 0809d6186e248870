(** Purpose: the orders that src/scalar names, as trees: sequential, FMA chain, pairwise, blocked.
    Main results: for each, that it sums x_0 y_0, ..., x_(n-1) y_(n-1) once, and its height: [sequential_height], [fma_height],
      [pairwise_height], [blocked_height]; [dot_sequential], [dot_fma], [dot_pairwise], [dot_blocked]: the error bounds that follow.
    Depends on: Dot. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export Dot.
Local Open Scope R_scope.

(** [sums s start n]: the order s adds the products start, ..., start + n - 1 once each. *)
Definition sums (s : order) (start n : nat) : Prop :=
  (forall f, exactly f s = rsum n (fun i => f (start + i)%nat)) /\ count s = n /\ without_fma s.

Lemma sums_plus a b start m n : sums a start m -> sums b (start + m) n -> sums (Plus a b) start (m + n).
Proof.
  intros (Ea & Ca & Fa) (Eb & Cb & Fb). split; [|simpl; auto]. intros f. simpl. rewrite Ea, Eb, rsum_split. f_equal.
  apply rsum_ext; intros. f_equal. lia.
Qed.

Lemma sums_product i : sums (Product i) i 1.
Proof. split; [|simpl; auto]. intros f. simpl. rewrite Nat.add_0_r. ring. Qed.

Lemma height_plus a b h : (height a <= h)%nat -> (height b <= h)%nat -> (height (Plus a b) <= S h)%nat.
Proof.
  intros Ha Hb. destruct a as [|i|a1 a2|a1 i]; [simpl; lia| | |];
    match goal with |- (height (Plus ?a ?b) <= _)%nat => change (height (Plus a b)) with (S (Nat.max (height a) (height b))) end; lia.
Qed.

(** k + 1 products from `start`, one after the other. *)
Fixpoint sequential_from (start k : nat) : order :=
  match k with
  | O => Product start
  | S k' => Plus (sequential_from start k') (Product (start + S k'))
  end.

Lemma sequential_from_sums start k : sums (sequential_from start k) start (S k).
Proof.
  induction k as [|k IH]; simpl; [apply sums_product|]. replace (S (S k)) with (S k + 1)%nat by lia. apply sums_plus; [assumption|].
  apply sums_product.
Qed.

Lemma sequential_from_height start k : (height (sequential_from start k) <= S k)%nat.
Proof. induction k as [|k IH]; [simpl; lia|]. cbn [sequential_from]. apply height_plus; [assumption|simpl; lia]. Qed.

Definition sequential (n : nat) : order :=
  match n with
  | O => Zero
  | S k => sequential_from 0 k
  end.

Lemma sequential_sums n : sums (sequential n) 0 n.
Proof. destruct n as [|k]; [repeat split|]. apply sequential_from_sums. Qed.

Theorem sequential_height n : (height (sequential n) <= n)%nat.
Proof. destruct n as [|k]; [simpl; lia|]. apply sequential_from_height. Qed.

(** acc = fma(x_i, y_i, acc) from 0. *)
Fixpoint fma_chain (n : nat) : order :=
  match n with
  | O => Zero
  | S k => Fma (fma_chain k) k
  end.

Lemma fma_exactly n f : exactly f (fma_chain n) = rsum n f.
Proof. induction n as [|n IH]; simpl; [reflexivity|]. now rewrite IH. Qed.

Lemma fma_count n : count (fma_chain n) = n.
Proof. induction n as [|n IH]; simpl; [reflexivity|]. now rewrite IH. Qed.

Theorem fma_height n : height (fma_chain n) = n.
Proof. induction n as [|n IH]; simpl; [reflexivity|]. now rewrite IH. Qed.

(** n <= 2^d products from `start`, split at the largest power of two below n, down to single products. *)
Fixpoint pairwise_from (d start n : nat) : order :=
  match d with
  | O => Product start
  | S e => if (n <=? 2 ^ e)%nat then pairwise_from e start n
           else Plus (pairwise_from e start (2 ^ e)) (pairwise_from e (start + 2 ^ e) (n - 2 ^ e))
  end.

Lemma pairwise_from_sums d start n : (1 <= n <= 2 ^ d)%nat -> sums (pairwise_from d start n) start n.
Proof.
  revert start n. induction d as [|e IH]; intros start n H; simpl in *.
  - replace n with 1%nat by lia. apply sums_product.
  - destruct (Nat.leb_spec n (2 ^ e)) as [Hle|Hgt]; [apply IH; lia|].
    replace n with (2 ^ e + (n - 2 ^ e))%nat at 2 by lia. apply sums_plus; apply IH; lia.
Qed.

Lemma pairwise_from_height d start n : (height (pairwise_from d start n) <= S d)%nat.
Proof.
  revert start n. induction d as [|e IH]; intros start n; simpl pairwise_from; [simpl; lia|].
  destruct (n <=? 2 ^ e)%nat; [specialize (IH start n); lia|]. apply height_plus; apply IH.
Qed.

Definition pairwise (n : nat) : order := if (n =? 0)%nat then Zero else pairwise_from (Nat.log2_up n) 0 n.

Lemma pairwise_sums n : sums (pairwise n) 0 n.
Proof.
  unfold pairwise. destruct (Nat.eqb_spec n 0) as [->|H]; [repeat split|]. apply pairwise_from_sums. split; [lia|].
  destruct (Nat.eq_dec n 1) as [->|]; [reflexivity|]. apply Nat.log2_up_spec. lia.
Qed.

Theorem pairwise_height n : (height (pairwise n) <= Nat.log2_up n + 1)%nat.
Proof.
  unfold pairwise. destruct (n =? 0)%nat; [simpl; lia|]. pose proof (pairwise_from_height (Nat.log2_up n) 0 n). lia.
Qed.

(** q blocks of b + 1 products and a last one of r + 1, r <= b: each block sequentially, then the block sums sequentially. *)
Fixpoint blocks (b q : nat) : order :=
  match q with
  | O => Zero
  | S q' => Plus (blocks b q') (sequential_from (q' * S b) b)
  end.
Definition blocked (b q r : nat) : order := Plus (blocks b q) (sequential_from (q * S b) r).

Lemma blocks_sums b q : sums (blocks b q) 0 (q * S b).
Proof.
  induction q as [|q IH]; [repeat split|]. cbn [blocks]. replace (S q * S b)%nat with (q * S b + S b)%nat by lia.
  apply sums_plus; [assumption|]. apply sequential_from_sums.
Qed.

Lemma blocked_sums b q r : sums (blocked b q r) 0 (q * S b + S r).
Proof. apply sums_plus; [apply blocks_sums|]. apply sequential_from_sums. Qed.

Lemma blocks_height b q : (height (blocks b q) <= b + q)%nat.
Proof.
  induction q as [|q IH]; [simpl; lia|]. cbn [blocks]. pose proof (sequential_from_height (q * S b) b) as H.
  destruct q as [|q]; [simpl in *; lia|]. replace (b + S (S q))%nat with (S (b + S q)) by lia. apply height_plus; lia.
Qed.

(** With B = b + 1 products a block and q + 1 blocks: B + (q + 1) - 1. *)
Theorem blocked_height b q r : (r <= b)%nat -> (height (blocked b q r) <= S b + S q - 1)%nat.
Proof.
  intros Hr. unfold blocked. pose proof (blocks_height b q). pose proof (sequential_from_height (q * S b) r).
  destruct q as [|q]; [simpl in *; lia|]. replace (S b + S (S q) - 1)%nat with (S (b + S q)) by lia. apply height_plus; lia.
Qed.

Section Bounds.
Variables (emin prec : Z) (choice : Z -> bool).
Context {prec_pos : Prec_gt_0 prec}.
Variables x y : nat -> R.
Notation computed := (computed emin prec choice x y).
Notation exact n := (rsum n (fun i => x i * y i)).
Notation absolute n := (rsum n (fun i => Rabs (x i * y i))).
Notation bound h n := (height_bound emin prec h n (absolute n)).

Lemma dot_of_sums s n h : sums s 0 n -> (height s <= h)%nat -> Rabs (computed s - exact n) <= bound h n.
Proof.
  intros (E & C & _) Hh. pose proof (dot_error_height emin prec choice x y s) as H. rewrite C, !E in H. simpl in H.
  eapply Rle_trans; [exact H|]. apply height_bound_mono; [assumption|]. apply rsum_nonneg; intros; apply Rabs_pos.
Qed.

(* C++: bounds/accumulation.hpp rounding_height. *)
Theorem dot_sequential n : Rabs (computed (sequential n) - exact n) <= bound n n.
Proof. apply dot_of_sums; [apply sequential_sums|apply sequential_height]. Qed.

(* C++: bounds/accumulation.hpp rounding_height. *)
Theorem dot_pairwise n : Rabs (computed (pairwise n) - exact n) <= bound (Nat.log2_up n + 1)%nat n.
Proof. apply dot_of_sums; [apply pairwise_sums|apply pairwise_height]. Qed.

(* C++: bounds/accumulation.hpp rounding_height. *)
Theorem dot_blocked b q r : (r <= b)%nat -> let n := (q * S b + S r)%nat in
  Rabs (computed (blocked b q r) - exact n) <= bound (S b + S q - 1)%nat n.
Proof. intros Hr n. apply dot_of_sums; [apply blocked_sums|now apply blocked_height]. Qed.

(* C++: bounds/accumulation.hpp accumulation. *)
Theorem dot_fma n : Rabs (computed (fma_chain n) - exact n) <= bound n n.
Proof.
  pose proof (dot_error_height emin prec choice x y (fma_chain n)) as H. rewrite fma_height, fma_count, !fma_exactly in H. exact H.
Qed.

(** Any order at all without FMA, any n: n 2^-p. *)
Theorem dot_any_order s n : sums s 0 n ->
  Rabs (computed s - exact n) <=
  INR n * unit_roundoff prec * absolute n + INR n * (1 + INR n * unit_roundoff prec) * tiny emin.
Proof.
  intros (E & C & F). pose proof (dot_error_count emin prec choice x y s F) as H. rewrite C, !E in H. exact H.
Qed.

End Bounds.
