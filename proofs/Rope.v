(** Purpose: rotary position embedding, in the layouts of src/problem.
    Main results: rotation is linear ([rotate_scale]); with cos^2 + sin^2 = 1 it keeps the sum of squares ([rotate_sum_of_squares]).
    Depends on: Scalars, Sums.

    A table entry is any pair of scalars: nothing assumes cos^2 + sin^2 = 1 unless it says so. Rounded tables miss it by about 8e-8. *)
From Equinorm Require Export Sums.
Local Open Scope scalar_scope.

Inductive RopeLayout := interleaved | half | no_rope.

Section Rope.
Context {K : Scalars}.
Add Field K_field : (scalar_field K).

(** [rotate layout m co si x]: the first 2 m components of x turn, the others pass. Pair i has the table entry (co i, si i) and is
    (2 i, 2 i + 1) when interleaved, (i, i + m) when half. (a, b) becomes (a cos - b sin, a sin + b cos). *)
Definition rotate (layout : RopeLayout) (m : nat) (co si x : nat -> K) (j : nat) : K :=
  match layout with
  | no_rope => x j
  | interleaved =>
      if (j <? 2 * m)%nat then
        if Nat.even j then x j * co (j / 2)%nat - x (j + 1)%nat * si (j / 2)%nat
        else x (j - 1)%nat * si (j / 2)%nat + x j * co (j / 2)%nat
      else x j
  | half =>
      if (j <? m)%nat then x j * co j - x (j + m)%nat * si j
      else if (j <? 2 * m)%nat then x (j - m)%nat * si (j - m)%nat + x j * co (j - m)%nat
      else x j
  end.

(** The same on the components [from, from + 2 m): rope part `first` is from = 0, `last` is from = d - 2 m. *)
Definition rotate_part (layout : RopeLayout) (from m : nat) (co si x : nat -> K) (j : nat) : K :=
  if (j <? from)%nat then x j else rotate layout m co si (fun k => x (from + k)%nat) (j - from)%nat.

Lemma rotate_ext layout m co si x y j : (forall k, x k = y k) -> rotate layout m co si x j = rotate layout m co si y j.
Proof. intros H. unfold rotate. destruct layout; rewrite ?H; reflexivity. Qed.

Lemma rotate_scale layout m co si a x j : rotate layout m co si (fun k => a * x k) j = a * rotate layout m co si x j.
Proof.
  unfold rotate. destruct layout.
  - destruct (j <? 2 * m)%nat; [|ring]. destruct (Nat.even j); ring.
  - destruct (j <? m)%nat; [ring|]. destruct (j <? 2 * m)%nat; ring.
  - ring.
Qed.

Lemma rotate_part_ext layout from m co si x y j :
  (forall k, x k = y k) -> rotate_part layout from m co si x j = rotate_part layout from m co si y j.
Proof. intros H. unfold rotate_part. rewrite H. destruct (j <? from)%nat; auto using rotate_ext. Qed.

Lemma rotate_part_scale layout from m co si a x j :
  rotate_part layout from m co si (fun k => a * x k) j = a * rotate_part layout from m co si x j.
Proof. unfold rotate_part. destruct (j <? from)%nat; [reflexivity|]. apply rotate_scale. Qed.

Lemma pair_norm (a b c s : K) : c * c + s * s = 1 ->
  (a * c - b * s) * (a * c - b * s) + (a * s + b * c) * (a * s + b * c) = a * a + b * b.
Proof. intros H. transitivity ((a * a + b * b) * (c * c + s * s)); [ring|]. rewrite H. ring. Qed.

Lemma interleaved_even m co si x i : (i < m)%nat ->
  rotate interleaved m co si x (2 * i) = x (2 * i)%nat * co i - x (2 * i + 1)%nat * si i.
Proof.
  intros H. unfold rotate. replace (2 * i <? 2 * m)%nat with true by (symmetry; apply Nat.ltb_lt; lia).
  rewrite Nat.even_mul. simpl Nat.even. cbv iota beta. simpl orb. cbv iota.
  replace (2 * i / 2)%nat with i by (rewrite Nat.mul_comm, Nat.div_mul; lia). reflexivity.
Qed.

Lemma interleaved_odd m co si x i : (i < m)%nat ->
  rotate interleaved m co si x (2 * i + 1) = x (2 * i)%nat * si i + x (2 * i + 1)%nat * co i.
Proof.
  intros H. unfold rotate. replace (2 * i + 1 <? 2 * m)%nat with true by (symmetry; apply Nat.ltb_lt; lia).
  replace (Nat.even (2 * i + 1)) with false by (rewrite Nat.even_add, Nat.even_mul; reflexivity).
  replace ((2 * i + 1) / 2)%nat with i by (rewrite Nat.mul_comm, Nat.div_add_l; [simpl; lia|lia]).
  replace (2 * i + 1 - 1)%nat with (2 * i)%nat by lia. reflexivity.
Qed.

(** Turning a vector of n >= 2 m components keeps its sum of squares. *)
Theorem rotate_sum_of_squares layout m n co si x :
  (2 * m <= n)%nat -> (forall i, (i < m)%nat -> co i * co i + si i * si i = 1) ->
  sum_of_squares n (rotate layout m co si x) = sum_of_squares n x.
Proof.
  intros Hn Hcs. unfold sum_of_squares.
  destruct layout; [| |reflexivity]; replace n with (2 * m + (n - 2 * m))%nat by lia; rewrite !sum_split; f_equal.
  - rewrite !sum_pairs. apply sum_ext; intros i Hi.
    rewrite interleaved_even, interleaved_odd by assumption. apply pair_norm; auto.
  - apply sum_ext; intros i Hi. unfold rotate.
    replace (2 * m + i <? 2 * m)%nat with false by (symmetry; apply Nat.ltb_ge; lia). reflexivity.
  - replace (2 * m)%nat with (m + m)%nat by lia. rewrite !sum_split, <- !sum_plus.
    apply sum_ext; intros i Hi. unfold rotate.
    replace (i <? m)%nat with true by (symmetry; apply Nat.ltb_lt; lia).
    replace (m + i <? m)%nat with false by (symmetry; apply Nat.ltb_ge; lia).
    replace (m + i <? 2 * m)%nat with true by (symmetry; apply Nat.ltb_lt; lia).
    replace (m + i - m)%nat with i by lia. replace (i + m)%nat with (m + i)%nat by lia. apply pair_norm; auto.
  - apply sum_ext; intros i Hi. unfold rotate.
    replace (2 * m + i <? m)%nat with false by (symmetry; apply Nat.ltb_ge; lia).
    replace (2 * m + i <? 2 * m)%nat with false by (symmetry; apply Nat.ltb_ge; lia). reflexivity.
Qed.

Theorem rotate_part_sum_of_squares layout from m n co si x :
  (from + 2 * m <= n)%nat -> (forall i, (i < m)%nat -> co i * co i + si i * si i = 1) ->
  sum_of_squares n (rotate_part layout from m co si x) = sum_of_squares n x.
Proof.
  intros Hn Hcs. unfold sum_of_squares. replace n with (from + (n - from))%nat by lia. rewrite !sum_split. f_equal.
  - apply sum_ext; intros i Hi. unfold rotate_part.
    replace (i <? from)%nat with true by (symmetry; apply Nat.ltb_lt; lia). reflexivity.
  - transitivity (sum_of_squares (n - from) (rotate layout m co si (fun k => x (from + k)%nat))).
    2: apply rotate_sum_of_squares; assumption || lia.
    apply sum_ext; intros i Hi. unfold rotate_part.
    replace (from + i <? from)%nat with false by (symmetry; apply Nat.ltb_ge; lia).
    replace (from + i - from)%nat with i by lia. reflexivity.
Qed.

End Rope.
