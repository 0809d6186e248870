(** Purpose: a matrix unit's product along K as the code bounds it: blocks of unequal length, subnormal operands, zeros, and what they cut.
    Main results: [unit_exponent]: 2^E is at most the magnitudes' sum, or w, what a subnormal or zero operand sets; [unit_count]: of L
      products and the accumulator at most L lose bits; [unit_truncated]: q blocks of n products cut to the output err by at most (q 2^(1 -
      p) + N 2^-F) B + N 2^-F w + q 2^emin, N = n or n + 1, B = |c| + sum|ab|; [unit_rounded]: the same with outputs to nearest, times the
      growth (1 + u)^(q - 1); [unit_halves]: blocks that are multiplied from 0 and joined by a rounded sum.
    Depends on: AlignedBlock. Axioms: those of Coq's real numbers.

    That real units work like this is an assumption, as in AlignedBlock.v. *)
From Equinorm Require Export AlignedBlock.
Local Open Scope R_scope.

(** ** The exponent, and which addends lose bits *)
Section Alignment.
(** m, mc: fraction bits of the factors and of the accumulator. emin_in, emin_c: their least exponents, which a subnormal number has too.
    g: at least every factor's magnitude, if any of them is subnormal. *)
Variables (F m mc emin_in emin_c : Z) (subnormal : bool) (g w : R).
Hypothesis w_accumulator : bpow radix2 emin_c <= w.
Hypothesis w_factors : subnormal = true -> bpow radix2 emin_in * Rmax g (bpow radix2 emin_in) <= w.

(** x is a number of exponent e: normal, or subnormal. *)
Definition operand (x : R) (e : Z) : Prop :=
  (exists M, x = IZR M * bpow radix2 (e - m)) /\
  (bpow radix2 e <= Rabs x \/ (subnormal = true /\ e = emin_in)) /\ (subnormal = true -> Rabs x <= g).

(** E is the accumulator's exponent, a product's, or a zero's: that is below emin_c, so that no accumulator but 0 has one as small. *)
Definition unit_alignment (L : nat) (c : R) (a b : nat -> R) (ec : Z) (ea eb : nat -> Z) (E : Z) : Prop :=
  (E = ec /\ (exists M, c = IZR M * bpow radix2 (ec - mc)) /\ (bpow radix2 ec <= Rabs c \/ (ec <= emin_c)%Z)) \/
  (exists i, (i < L)%nat /\ E = (ea i + eb i)%Z /\ operand (a i) (ea i) /\ operand (b i) (eb i)) \/
  ((E <= emin_c)%Z /\ c = 0).

Lemma factor_exponent x y e f : operand x e -> operand y f -> bpow radix2 (e + f) <= Rabs (x * y) \/ bpow radix2 (e + f) <= w.
Proof.
  pose proof (bpow_gt_0 radix2 emin_in) as Hp. intros (_ & Hx & Hxg) (_ & Hy & Hyg). rewrite bpow_plus, Rabs_mult.
  assert (Hside : forall z h, subnormal = true -> bpow radix2 h <= Rabs z -> Rabs z <= g -> bpow radix2 emin_in * bpow radix2 h <= w).
  { intros z h Hs Hz Hzg. eapply Rle_trans; [|exact (w_factors Hs)]. apply Rmult_le_compat_l; [lra|].
    eapply Rle_trans; [|apply Rmax_l]. lra. }
  destruct Hx as [Hx|[Hs ->]], Hy as [Hy|[Hs' ->]].
  - left. apply Rmult_le_compat; auto using bpow_ge_0.
  - right. rewrite Rmult_comm. eauto.
  - right. eauto.
  - right. eapply Rle_trans; [|exact (w_factors Hs)]. apply Rmult_le_compat_l; [lra|]. apply Rmax_r.
Qed.

(* C++: bounds/accumulation.hpp matrix_unit_underflow; scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem unit_exponent L c a b ec ea eb E : unit_alignment L c a b ec ea eb E ->
  bpow radix2 E <= absolute_sum L c (fun i => a i * b i) + w.
Proof.
  pose proof (bpow_gt_0 radix2 emin_c) as Hz. unfold absolute_sum. cbv beta.
  assert (Hs : 0 <= rsum L (fun i => Rabs (a i * b i))) by (apply rsum_nonneg; intros; apply Rabs_pos). pose proof (Rabs_pos c).
  assert (Hlow : forall e, (e <= emin_c)%Z -> bpow radix2 e <= w) by (intros e He; pose proof (bpow_le radix2 _ _ He); lra).
  intros [(-> & _ & [H1|H1])|[(i & Hi & -> & Ha & Hb)|(H1 & _)]].
  - lra.
  - pose proof (Hlow _ H1). lra.
  - pose proof (one_below_sum L (fun i => a i * b i) i Hi) as H3. cbv beta in H3. destruct (factor_exponent _ _ _ _ Ha Hb); lra.
  - pose proof (Hlow _ H1). lra.
Qed.

(* C++: scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem unit_count L c a b ec ea eb E : (2 * m <= F)%Z -> (mc <= F)%Z -> unit_alignment L c a b ec ea eb E ->
  inexact_count (bpow radix2 (E - F)) L c (fun i => a i * b i) <= INR L.
Proof.
  intros Hm Hmc H. apply inexact_at_most.
  destruct H as [(-> & (M & ->) & _)|[(i & Hi & -> & ((Ma & Ha) & _) & ((Mb & Hb) & _))|(_ & ->)]].
  - left. apply attaining_exact. lia.
  - right. exists i. split; [assumption|]. assert (Ep : a i * b i = IZR (Ma * Mb) * bpow radix2 (ea i + eb i - 2 * m)).
    { rewrite Ha, Hb, mult_IZR. replace (ea i + eb i - 2 * m)%Z with (ea i - m + (eb i - m))%Z by ring. rewrite bpow_plus. ring. }
    rewrite Ep. apply attaining_exact. lia.
  - left. replace 0 with (IZR 0 * bpow radix2 (E - F)) at 1 2 by ring. apply cut_multiple, bpow_gt_0.
Qed.
End Alignment.

(** ** The chain *)
Section Chain.
Variables (emin prec F : Z) (w : R).
Context {prec_pos : Prec_gt_0 prec}.
Hypothesis w_nonneg : 0 <= w.
(** q blocks of L j products p j; N j of block j's addends may lose bits. *)
Variables (q : nat) (L : nat -> nat) (acc : nat -> R) (p : nat -> nat -> R) (E : nat -> Z) (N : nat -> R).
Let unit j := bpow radix2 (E j - F).
Let A j := rsum (L j) (fun i => Rabs (p j i)).
Hypothesis count : forall j, (j < q)%nat -> inexact_count (unit j) (L j) (acc j) (p j) <= N j.
Hypothesis exponent : forall j, (j < q)%nat -> bpow radix2 (E j) <= absolute_sum (L j) (acc j) (p j) + w.

(** B: everything that enters. n: all that may lose bits. *)
Definition entered (j : nat) : R := Rabs (acc 0%nat) + rsum j A.
Definition lossy (j : nat) : R := rsum j N.
Definition exact_chain (j : nat) : R := acc 0%nat + rsum j (fun k => rsum (L k) (p k)).

Lemma A_nonneg j : 0 <= A j.
Proof. apply rsum_nonneg; intros; apply Rabs_pos. Qed.

Lemma N_nonneg j : (j < q)%nat -> 0 <= N j.
Proof. intros Hj. pose proof (count j Hj). pose proof (inexact_count_range (unit j) (L j) (acc j) (p j)). lra. Qed.

Lemma entered_mono j : (j <= q)%nat -> entered j <= entered q.
Proof.
  intros Hj. unfold entered. apply Rplus_le_compat_l. replace q with (j + (q - j))%nat by lia. rewrite rsum_split.
  pose proof (rsum_nonneg (q - j) (fun i => A (j + i)%nat) (fun i _ => A_nonneg _)). lra.
Qed.

Lemma entered_nonneg j : 0 <= entered j.
Proof. unfold entered. pose proof (Rabs_pos (acc 0%nat)). pose proof (rsum_nonneg j A (fun i _ => A_nonneg i)). lra. Qed.

(** One aligned sum. *)
Lemma aligned_step j : (j < q)%nat -> let B := absolute_sum (L j) (acc j) (p j) in
  near (aligned_sum (unit j) (L j) (acc j) (p j)) (N j * bpow radix2 (- F) * (B + w)) (exact_sum (L j) (acc j) (p j)) /\
  Rabs (aligned_sum (unit j) (L j) (acc j) (p j)) <= B /\ B = Rabs (acc j) + A j.
Proof.
  intros Hj B. assert (Hq : 0 < unit j) by apply bpow_gt_0. pose proof (bpow_gt_0 radix2 (- F)) as Hf. split; [|split].
  - eapply near_weaken; [apply cut_block_error, Hq|]. pose proof (N_nonneg j Hj) as HN.
    apply Rle_trans with (N j * unit j); [apply Rmult_le_compat_r; [lra|now apply count]|].
    replace (unit j) with (bpow radix2 (- F) * bpow radix2 (E j))
      by (unfold unit; rewrite <- bpow_plus; f_equal; ring).
    rewrite <- Rmult_assoc. apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|now apply exponent].
  - now apply aligned_sum_magnitude.
  - reflexivity.
Qed.

Lemma exact_step j : exact_chain (S j) - exact_chain j = exact_sum (L j) (acc j) (p j) - acc j.
Proof. unfold exact_chain, exact_sum. simpl. ring. Qed.

(** *** Outputs cut *)
Section Truncated.
Hypothesis steps : forall j, (j < q)%nat -> acc (S j) = toward_zero emin prec (aligned_sum (unit j) (L j) (acc j) (p j)).

Lemma truncated_below j : (j <= q)%nat -> Rabs (acc j) <= entered j.
Proof.
  induction j as [|j IH]; intros Hj; [unfold entered; simpl; lra|]. destruct (aligned_step j ltac:(lia)) as (_ & H & HB).
  rewrite (steps j ltac:(lia)). eapply Rle_trans; [apply toward_zero_magnitude|]. specialize (IH ltac:(lia)).
  unfold entered in *. simpl rsum. lra.
Qed.

(* C++: bounds/accumulation.hpp matrix_unit_underflow; bounds/apriori_sizes.hpp sum_lost; scalar/tensor_core.hpp tensor_core_error_factor.
   *)
Theorem unit_truncated :
  near (acc q) ((INR q * u_cut prec + lossy q * bpow radix2 (- F)) * entered q +
    (lossy q * bpow radix2 (- F) * w + INR q * bpow radix2 emin)) (exact_chain q).
Proof.
  assert (H : forall j, (j <= q)%nat -> near (acc j) ((INR j * u_cut prec + lossy j * bpow radix2 (- F)) * entered q +
    (lossy j * bpow radix2 (- F) * w + INR j * bpow radix2 emin)) (exact_chain j)); [|now apply H].
  pose proof (bpow_gt_0 radix2 (- F)) as Hf. assert (Hu : 0 < u_cut prec) by (unfold u_cut; pose proof (unit_roundoff_pos prec); lra).
  induction j as [|j IH]; intros Hj.
  - unfold lossy, exact_chain, near. simpl. rewrite Rplus_0_r, Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
  - specialize (IH ltac:(lia)). destruct (aligned_step j ltac:(lia)) as (H1 & H2 & HB). set (B := absolute_sum _ _ _) in *.
    assert (HBq : B <= entered q).
    { eapply Rle_trans; [|exact (entered_mono (S j) Hj)]. rewrite HB. pose proof (truncated_below j ltac:(lia)). unfold entered in *.
      simpl rsum. lra. }
    pose proof (toward_zero_near emin prec _ _ H2) as H3. rewrite <- (steps j ltac:(lia)) in H3. pose proof (N_nonneg j ltac:(lia)) as HN.
    assert (Hc : N j * bpow radix2 (- F) * (B + w) <= N j * bpow radix2 (- F) * (entered q + w)).
    { apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|lra]. }
    assert (Hr : u_cut prec * B <= u_cut prec * entered q) by (apply Rmult_le_compat_l; lra).
    rewrite S_INR. unfold lossy in *. simpl rsum. unfold near in *. pose proof (exact_step j) as He.
    replace (acc (S j) - exact_chain (S j)) with ((acc (S j) - aligned_sum (unit j) (L j) (acc j) (p j)) +
      (aligned_sum (unit j) (L j) (acc j) (p j) - exact_sum (L j) (acc j) (p j)) + (acc j - exact_chain j)) by lra.
    eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_triang (acc (S j) - aligned_sum (unit j) (L j) (acc j) (p j))
      (aligned_sum (unit j) (L j) (acc j) (p j) - exact_sum (L j) (acc j) (p j))). lra.
Qed.
End Truncated.

(** *** Outputs rounded to nearest: magnitudes may grow by 1 + u a block *)
Section Rounded.
Variables (v z : R).
Hypothesis v_nonneg : 0 <= v.
Hypothesis z_nonneg : 0 <= z.
Hypothesis steps : forall j, (j < q)%nat ->
  let S := aligned_sum (unit j) (L j) (acc j) (p j) in near (acc (Datatypes.S j)) (v * Rabs S + z) S.

Lemma power_at_least_1 k : 1 <= (1 + v) ^ k.
Proof. apply pow_R1_Rle. lra. Qed.

Lemma power_mono i k : (i <= k)%nat -> (1 + v) ^ i <= (1 + v) ^ k.
Proof. intros H. apply Rle_pow; [lra|assumption]. Qed.

Lemma rounded_below j : (j <= q)%nat -> Rabs (acc j) <= (1 + v) ^ j * (entered j + INR j * z).
Proof.
  induction j as [|j IH]; intros Hj; [unfold entered; simpl; lra|]. destruct (aligned_step j ltac:(lia)) as (_ & H & HB).
  pose proof (near_magnitude _ _ _ (steps j ltac:(lia))) as H1. cbv zeta in H1. specialize (IH ltac:(lia)).
  set (S := aligned_sum (unit j) (L j) (acc j) (p j)) in *. pose proof (A_nonneg j) as HA.
  assert (H2 : Rabs S <= (1 + v) ^ j * (entered j + INR j * z) + A j) by lra.
  assert (H3 : (1 + v) * Rabs S <= (1 + v) * ((1 + v) ^ j * (entered j + INR j * z) + A j)) by (apply Rmult_le_compat_l; lra).
  assert (H4 : entered (Datatypes.S j) = entered j + A j) by (unfold entered; simpl; ring).
  rewrite H4, S_INR. pose proof (power_at_least_1 (Datatypes.S j)) as H5. pose proof (power_mono 1 (Datatypes.S j) ltac:(lia)) as H6.
  simpl pow in *. assert ((1 + v) * A j <= (1 + v) * (1 + v) ^ j * A j) by (apply Rmult_le_compat_r; lra).
  assert (z <= (1 + v) * (1 + v) ^ j * z) by nra. lra.
Qed.

Definition rounded_factor : R := (INR q * v + lossy q * bpow radix2 (- F)) * (1 + v) ^ (q - 1).

(* C++: bounds/accumulation.hpp matrix_unit_underflow; scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem unit_rounded :
  near (acc q) (rounded_factor * entered q + (lossy q * bpow radix2 (- F) * w + INR q * z) * (1 + rounded_factor)) (exact_chain q).
Proof.
  pose proof (bpow_gt_0 radix2 (- F)) as Hf. pose proof (power_at_least_1 (q - 1)) as Hg. set (G := (1 + v) ^ (q - 1)) in *.
  assert (Hmost : 0 <= entered q + INR q * z).
  { pose proof (entered_nonneg q). assert (0 <= INR q * z) by (apply Rmult_le_pos; [apply pos_INR|assumption]). lra. }
  assert (H : forall j, (j <= q)%nat -> near (acc j) ((INR j * v + lossy j * bpow radix2 (- F)) * (G * (entered q + INR q * z)) +
    (lossy j * bpow radix2 (- F) * w + INR j * z)) (exact_chain j)).
  { induction j as [|j IH]; intros Hj.
    - unfold lossy, exact_chain, near. simpl. rewrite Rplus_0_r, Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
    - specialize (IH ltac:(lia)). destruct (aligned_step j ltac:(lia)) as (H1 & H2 & HB). set (B := absolute_sum _ _ _) in *.
      pose proof (steps j ltac:(lia)) as H3. cbv zeta in H3. set (S := aligned_sum (unit j) (L j) (acc j) (p j)) in *.
      assert (HBq : B <= G * (entered q + INR q * z)).
      { rewrite HB. pose proof (rounded_below j ltac:(lia)) as Hj0. pose proof (A_nonneg j) as HA.
        pose proof (power_mono j (q - 1) ltac:(lia)) as Hp. fold G in Hp. pose proof (power_at_least_1 j) as Hp1.
        pose proof (entered_mono (Datatypes.S j) Hj) as Hm. assert (Hs : entered (Datatypes.S j) = entered j + A j)
          by (unfold entered; simpl; ring).
        assert (Hjq : INR j * z <= INR q * z) by (apply Rmult_le_compat_r; [assumption|apply le_INR; lia]).
        pose proof (entered_nonneg j). assert (0 <= INR j * z) by (apply Rmult_le_pos; [apply pos_INR|assumption]).
        assert ((1 + v) ^ j * (entered j + INR j * z) <= G * (entered j + INR j * z)) by (apply Rmult_le_compat_r; lra).
        assert (A j <= G * A j) by nra.
        assert (G * (entered j + INR j * z + A j) <= G * (entered q + INR q * z)) by (apply Rmult_le_compat_l; lra). lra. }
      pose proof (N_nonneg j ltac:(lia)) as HN.
      assert (Hc : N j * bpow radix2 (- F) * (B + w) <= N j * bpow radix2 (- F) * (G * (entered q + INR q * z) + w)).
      { apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|lra]. }
      assert (Hr : v * Rabs S <= v * (G * (entered q + INR q * z))) by (apply Rmult_le_compat_l; lra).
      rewrite S_INR. unfold lossy in *. simpl rsum. unfold near in *. pose proof (exact_step j) as He.
      replace (acc (Datatypes.S j) - exact_chain (Datatypes.S j)) with ((acc (Datatypes.S j) - S) +
        (S - exact_sum (L j) (acc j) (p j)) + (acc j - exact_chain j)) by lra.
      eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_triang (acc (Datatypes.S j) - S) (S - exact_sum (L j) (acc j) (p j))). lra. }
  eapply near_weaken; [apply (H q); lia|]. unfold rounded_factor. fold G.
  set (D := INR q * v + lossy q * bpow radix2 (- F)).
  assert (HN : 0 <= lossy q) by (apply rsum_nonneg; intros; now apply N_nonneg).
  assert (HD : 0 <= D).
  { unfold D. assert (0 <= INR q * v) by (apply Rmult_le_pos; [apply pos_INR|assumption]).
    assert (0 <= lossy q * bpow radix2 (- F)) by (apply Rmult_le_pos; lra). lra. }
  assert (0 <= D * G * (lossy q * bpow radix2 (- F) * w)) by (repeat apply Rmult_le_pos; lra). lra.
Qed.
End Rounded.
End Chain.

(** ** Blocks multiplied from 0 (D, U: theirs), joined to the accumulator by a rounded sum, which does not underflow *)
(* C++: bounds/accumulation.hpp matrix_unit_underflow; scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem unit_halves (q : nat) (acc y s A : nat -> R) D U v : 0 <= D -> 0 <= U -> 0 <= v ->
  (forall j, (j < q)%nat -> Rabs (s j) <= A j /\ near (y j) (D * A j + U) (s j)) ->
  (forall j, (j < q)%nat -> near (acc (S j)) (v * Rabs (y j + acc j)) (y j + acc j)) ->
  near (acc q) (((1 + D) * (1 + v) ^ q - 1) * (Rabs (acc 0%nat) + rsum q A) + INR q * (1 + v) ^ q * U) (acc 0%nat + rsum q s).
Proof.
  intros HD HU Hv. induction q as [|q IH]; intros Hy Hacc.
  - unfold near. simpl. rewrite Rplus_0_r, Rminus_diag_eq, Rabs_R0 by reflexivity. pose proof (Rabs_pos (acc 0%nat)). nra.
  - assert (IH' := IH (fun j Hj => Hy j ltac:(lia)) (fun j Hj => Hacc j ltac:(lia))). clear IH.
    destruct (Hy q ltac:(lia)) as [Hs Hyq]. specialize (Hacc q ltac:(lia)).
    assert (HA : Rabs (acc 0%nat + rsum q s) <= Rabs (acc 0%nat) + rsum q A).
    { eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat_l. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros j Hj.
      apply Hy. lia. }
    set (B := Rabs (acc 0%nat) + rsum q A) in *. set (X := acc 0%nat + rsum q s) in *.
    set (e := ((1 + D) * (1 + v) ^ q - 1) * B + INR q * (1 + v) ^ q * U) in *.
    pose proof (near_magnitude _ _ _ IH') as H1. pose proof (near_magnitude _ _ _ Hyq) as H2. pose proof (Rabs_pos (s q)) as Hs0.
    assert (H3 : Rabs (y q + acc q) <= (1 + D) * A q + U + B + e) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
    assert (H4 : v * Rabs (y q + acc q) <= v * ((1 + D) * A q + U + B + e)) by (apply Rmult_le_compat_l; lra).
    assert (Hp : 1 <= (1 + v) ^ q) by (apply pow_R1_Rle; lra).
    assert (Hp1 : (1 + v) <= (1 + v) ^ S q) by (simpl; nra).
    assert (H5 : (1 + v) * ((1 + D) * A q) <= (1 + v) ^ S q * ((1 + D) * A q)).
    { apply Rmult_le_compat_r; [apply Rmult_le_pos; lra|lra]. }
    assert (H6 : (1 + v) * U <= (1 + v) ^ S q * U) by (apply Rmult_le_compat_r; lra).
    assert (H7 : (1 + v) * e + v * B = ((1 + D) * (1 + v) ^ S q - 1) * B + INR q * (1 + v) ^ S q * U) by (unfold e; simpl; ring).
    rewrite S_INR. simpl rsum. unfold near in *. fold B. unfold B in *. unfold X in *.
    replace (acc (S q) - (acc 0%nat + (rsum q s + s q))) with ((acc (S q) - (y q + acc q)) + (y q - s q) +
      (acc q - (acc 0%nat + rsum q s))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_triang (acc (S q) - (y q + acc q)) (y q - s q)). lra.
Qed.
