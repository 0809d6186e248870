(** Purpose: the statistics of QK-norm: RMS and L2, weights plain, zero-centred or none.
    Main results: a statistic sees a vector only through its sum of squares ([inv_rms_def]); so it may be taken before or after a rotation
      with cos^2 + sin^2 = 1 ([inv_rms_rotate]).
    Depends on: Scalars, Sums, Rope. *)
From Equinorm Require Export Rope.
Local Open Scope scalar_scope.

Inductive NormKind := rms | l2.
Inductive NormWeight := plain | zero_centred | unweighted.

Section Norms.
Context {K : Scalars}.

(** alpha = 1 / S for a block of `width` components whose squares add up to `total`: S^2 = total / width + eps (RMS) or total + eps (L2). *)
Definition inv_stat (kind : NormKind) (eps : K) (width : nat) (total : K) : K :=
  match kind with
  | rms => rsqrt (total / of_nat width + eps)
  | l2 => rsqrt (total + eps)
  end.

(** alpha of one vector of n components. *)
Definition inv_rms (kind : NormKind) (eps : K) (n : nat) (x : nat -> K) : K := inv_stat kind eps n (sum_of_squares n x).

(** The factor that a stored norm weight stands for. *)
Definition weight_factor (weight : NormWeight) (gamma : K) : K :=
  match weight with
  | plain => gamma
  | zero_centred => 1 + gamma
  | unweighted => 1
  end.

Lemma inv_rms_def kind eps n x y : sum_of_squares n x = sum_of_squares n y -> inv_rms kind eps n x = inv_rms kind eps n y.
Proof. unfold inv_rms. intros ->. reflexivity. Qed.

(** The statistic may be taken before or after RoPE. *)
Theorem inv_rms_rotate kind eps layout from m n co si x :
  (from + 2 * m <= n)%nat -> (forall i, (i < m)%nat -> co i * co i + si i * si i = 1) ->
  inv_rms kind eps n (rotate_part layout from m co si x) = inv_rms kind eps n x.
Proof. intros. apply inv_rms_def, rotate_part_sum_of_squares; assumption. Qed.

End Norms.
