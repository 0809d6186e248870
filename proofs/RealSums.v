(** Purpose: sums of reals with inequalities, for the rounding part.
    Main results: [rsum_abs], [rsum_le]; [cauchy_schwarz]; [triangle_norm]: the Euclidean norm obeys the triangle inequality.
    Depends on: nothing of this development. Axioms: those of Coq's real numbers. *)
From Coq Require Export Reals Lra Lia Psatz.
Local Open Scope R_scope.

(** rsum n f = f 0 + ... + f (n - 1). *)
Fixpoint rsum (n : nat) (f : nat -> R) : R :=
  match n with
  | O => 0
  | S k => rsum k f + f k
  end.

Lemma rsum_ext n f g : (forall i, (i < n)%nat -> f i = g i) -> rsum n f = rsum n g.
Proof. induction n as [|n IH]; simpl; intros H; [reflexivity|]. rewrite IH, H; auto with arith. Qed.

Lemma rsum_plus n f g : rsum n (fun i => f i + g i) = rsum n f + rsum n g.
Proof. induction n as [|n IH]; simpl; [ring|]. rewrite IH; ring. Qed.

Lemma rsum_minus n f g : rsum n (fun i => f i - g i) = rsum n f - rsum n g.
Proof. induction n as [|n IH]; simpl; [ring|]. rewrite IH; ring. Qed.

Lemma rsum_scal n a f : rsum n (fun i => a * f i) = a * rsum n f.
Proof. induction n as [|n IH]; simpl; [ring|]. rewrite IH; ring. Qed.

Lemma rsum_const n a : rsum n (fun _ => a) = INR n * a.
Proof. induction n as [|n IH]; [simpl; ring|]. rewrite S_INR. simpl rsum. rewrite IH; ring. Qed.

Lemma rsum_zero n : rsum n (fun _ => 0) = 0.
Proof. rewrite rsum_const. ring. Qed.

Lemma rsum_swap m n f : rsum m (fun i => rsum n (fun j => f i j)) = rsum n (fun j => rsum m (fun i => f i j)).
Proof. induction m as [|m IH]; simpl; [now rewrite rsum_zero|]. now rewrite IH, <- rsum_plus. Qed.

Lemma rsum_split m n f : rsum (m + n) f = rsum m f + rsum n (fun i => f (m + i)%nat).
Proof.
  induction n as [|n IH]; simpl; [rewrite Nat.add_0_r; ring|]. rewrite Nat.add_succ_r; simpl. rewrite IH; ring.
Qed.

Lemma rsum_le n f g : (forall i, (i < n)%nat -> f i <= g i) -> rsum n f <= rsum n g.
Proof. induction n as [|n IH]; simpl; intros H; [lra|]. apply Rplus_le_compat; auto with arith. Qed.

Lemma rsum_nonneg n f : (forall i, (i < n)%nat -> 0 <= f i) -> 0 <= rsum n f.
Proof. intros H. rewrite <- (rsum_zero n). apply rsum_le; auto. Qed.

Lemma rsum_abs n f : Rabs (rsum n f) <= rsum n (fun i => Rabs (f i)).
Proof. induction n as [|n IH]; simpl; [rewrite Rabs_R0; lra|]. eapply Rle_trans; [apply Rabs_triang|]. lra. Qed.

Lemma rsum_pos n f t : (forall i, (i < n)%nat -> 0 <= f i) -> (t < n)%nat -> 0 < f t -> 0 < rsum n f.
Proof.
  induction n as [|n IH]; [lia|]. intros Hf Ht Hpos. simpl. assert (0 <= rsum n f) by (apply rsum_nonneg; auto with arith).
  destruct (Nat.eq_dec t n) as [->|]; [lra|]. assert (0 < rsum n f) by (apply IH; auto with arith; lia).
  pose proof (Hf n ltac:(lia)). lra.
Qed.

(** |x|^2 of n components. *)
Definition norm2 (n : nat) (x : nat -> R) : R := rsum n (fun i => x i * x i).
Definition norm (n : nat) (x : nat -> R) : R := sqrt (norm2 n x).

Lemma norm2_nonneg n x : 0 <= norm2 n x.
Proof. apply rsum_nonneg; intros; nra. Qed.

Lemma norm_sq n x : norm n x * norm n x = norm2 n x.
Proof. apply sqrt_sqrt, norm2_nonneg. Qed.

Theorem cauchy_schwarz n x y : rsum n (fun i => x i * y i) <= norm n x * norm n y.
Proof.
  set (A := norm2 n x). set (B := norm2 n y). set (C := rsum n (fun i => x i * y i)).
  assert (HA : 0 <= A) by apply norm2_nonneg. assert (HB : 0 <= B) by apply norm2_nonneg.
  assert (Q : forall s t, 0 <= s * s * A - 2 * s * t * C + t * t * B).
  { intros s t. replace (s * s * A - 2 * s * t * C + t * t * B) with (norm2 n (fun i => s * x i - t * y i)); [apply norm2_nonneg|].
    unfold norm2, A, B, C, norm2. rewrite <- !rsum_scal, <- rsum_minus, <- rsum_plus. apply rsum_ext; intros; ring. }
  assert (HC : C * C <= A * B).
  { destruct (Rle_lt_or_eq_dec 0 A HA) as [Hp|Hz].
    - pose proof (Q C A). nra.
    - destruct (Rle_lt_or_eq_dec 0 B HB) as [Hp|Hz'].
      + pose proof (Q B C). nra.
      + pose proof (Q 1 1). pose proof (Q 1 (-1)). nra. }
  unfold norm. fold A B. rewrite <- sqrt_mult by assumption.
  destruct (Rle_lt_dec C 0) as [Hneg|Hpos]; [pose proof (sqrt_pos (A * B)); lra|].
  rewrite <- (sqrt_square C) by lra. apply sqrt_le_1; nra.
Qed.

Theorem triangle_norm n x y : norm n (fun i => x i + y i) <= norm n x + norm n y.
Proof.
  assert (0 <= norm n x) by apply sqrt_pos. assert (0 <= norm n y) by apply sqrt_pos.
  rewrite <- (sqrt_square (norm n x + norm n y)) by lra. unfold norm at 1. apply sqrt_le_1; [apply norm2_nonneg|nra|].
  replace (norm2 n (fun i => x i + y i)) with (norm2 n x + norm2 n y + 2 * rsum n (fun i => x i * y i)).
  - pose proof (cauchy_schwarz n x y). rewrite <- !norm_sq. nra.
  - unfold norm2. rewrite <- rsum_scal, <- !rsum_plus. apply rsum_ext; intros; ring.
Qed.
