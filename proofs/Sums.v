(** Purpose: finite sums over any field, the only loop that the formulas need.
    Main results: sums of sums commute ([sum_swap]), constants move in and out ([sum_scale_l], [sum_scale_r]), sums split ([sum_split]).
    Depends on: Scalars. *)
From Equinorm Require Export Scalars.
Local Open Scope scalar_scope.

Section Sums.
Context {K : Scalars}.
Add Field K_field : (scalar_field K).

(** sum n f = f 0 + ... + f (n - 1). *)
Fixpoint sum (n : nat) (f : nat -> K) : K :=
  match n with
  | O => 0
  | S k => sum k f + f k
  end.

Definition dot (n : nat) (x y : nat -> K) : K := sum n (fun i => x i * y i).
Definition sum_of_squares (n : nat) (x : nat -> K) : K := sum n (fun i => x i * x i).

Lemma sum_ext n f g : (forall i, (i < n)%nat -> f i = g i) -> sum n f = sum n g.
Proof.
  induction n as [|n IH]; simpl; intros H; [reflexivity|].
  rewrite IH, H; auto with arith.
Qed.

Lemma sum_zero n : sum n (fun _ => 0) = 0.
Proof. induction n as [|n IH]; simpl; [reflexivity|]. rewrite IH; ring. Qed.

Lemma sum_plus n f g : sum n (fun i => f i + g i) = sum n f + sum n g.
Proof. induction n as [|n IH]; simpl; [ring|]. rewrite IH; ring. Qed.

Lemma sum_scale_l n a f : sum n (fun i => a * f i) = a * sum n f.
Proof. induction n as [|n IH]; simpl; [ring|]. rewrite IH; ring. Qed.

Lemma sum_scale_r n a f : sum n (fun i => f i * a) = sum n f * a.
Proof. induction n as [|n IH]; simpl; [ring|]. rewrite IH; ring. Qed.

Lemma sum_swap m n f : sum m (fun i => sum n (fun j => f i j)) = sum n (fun j => sum m (fun i => f i j)).
Proof.
  induction m as [|m IH]; simpl; [now rewrite sum_zero|].
  now rewrite IH, <- sum_plus.
Qed.

Lemma sum_split m n f : sum (m + n) f = sum m f + sum n (fun i => f (m + i)%nat).
Proof.
  induction n as [|n IH]; simpl; [rewrite Nat.add_0_r; ring|].
  rewrite Nat.add_succ_r; simpl. rewrite IH; ring.
Qed.

Lemma sum_pairs m f : sum (2 * m) f = sum m (fun i => f (2 * i)%nat + f (2 * i + 1)%nat).
Proof.
  induction m as [|m IH]; [reflexivity|].
  replace (2 * S m)%nat with (S (S (2 * m))) by lia.
  cbn [sum]. rewrite IH.
  replace (2 * m + 1)%nat with (S (2 * m)) by lia. ring.
Qed.

End Sums.
