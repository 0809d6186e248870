(** Purpose: one rounding to nearest in a binary format with gradual underflow (Flocq's FLT): fp16, bf16, fp32, fp64.
    Main results: [round_error] (product, quotient, cast), [round_sum_error] (sums do not underflow, and lose no more than either term),
      [round_half_ulp] (half an ulp of the computed value), [product_exact] (a product of two short numbers is exact in a wide format).
    Depends on: RealSums. Axioms: those of Coq's real numbers.

    Overflow is outside: FLT has no largest number. Ties go any way. unit_roundoff = 2^-p, u = 2^-p / (1 + 2^-p), tiny = half the smallest
    subnormal. *)
From Flocq Require Export Core Relative Plus_error.
From Equinorm Require Export RealSums.
Local Open Scope R_scope.

(** fp16 is (-24, 11), bf16 (-133, 8), fp32 (-149, 24), fp64 (-1074, 53): exponent of the smallest subnormal, bits with the hidden one. *)
Section Rounding.
Variables (emin prec : Z) (choice : Z -> bool).
Context {prec_pos : Prec_gt_0 prec}.

Definition format (x : R) : Prop := generic_format radix2 (FLT_exp emin prec) x.
Definition rnd (x : R) : R := round radix2 (FLT_exp emin prec) (Znearest choice) x.
Definition unit_roundoff : R := u_ro radix2 prec.
Definition u : R := unit_roundoff / (1 + unit_roundoff).
Definition tiny : R := / 2 * bpow radix2 emin.

Lemma unit_roundoff_pos : 0 < unit_roundoff.
Proof. unfold unit_roundoff, u_ro. apply Rmult_lt_0_compat; [lra|apply bpow_gt_0]. Qed.

Lemma unit_roundoff_lt_1 : unit_roundoff < 1.
Proof.
  unfold unit_roundoff, u_ro. assert (bpow radix2 (- prec + 1) <= bpow radix2 0) by (apply bpow_le; unfold Prec_gt_0 in prec_pos; lia).
  simpl in *. lra.
Qed.

Lemma u_pos : 0 < u.
Proof. unfold u. pose proof unit_roundoff_pos. apply Rdiv_lt_0_compat; lra. Qed.

Lemma u_lt_unit_roundoff : u < unit_roundoff.
Proof.
  unfold u. pose proof unit_roundoff_pos. apply Rmult_lt_reg_r with (1 + unit_roundoff); [lra|].
  replace (unit_roundoff / (1 + unit_roundoff) * (1 + unit_roundoff)) with unit_roundoff by (field; lra). nra.
Qed.

Lemma tiny_pos : 0 < tiny.
Proof. unfold tiny. pose proof (bpow_gt_0 radix2 emin). lra. Qed.

Lemma rnd_format x : format (rnd x).
Proof. apply generic_format_round; typeclasses eauto. Qed.

Lemma rnd_exact x : format x -> rnd x = x.
Proof. intros. apply round_generic; [typeclasses eauto|assumption]. Qed.

Lemma format_0 : format 0.
Proof. apply generic_format_0. Qed.

Lemma rnd_le x y : x <= y -> rnd x <= rnd y.
Proof. apply round_le; typeclasses eauto. Qed.

(** rnd x = x (1 + e) + z, relative error e or underflow error z but not both. *)
(* C++: bounds/rounding.hpp Rounding::product_underflow. *)
Theorem round_model x : exists e z, Rabs e <= u /\ Rabs z <= tiny /\ e * z = 0 /\ rnd x = x * (1 + e) + z.
Proof.
  destruct (relative_error_N_FLT'_ex radix2 emin prec prec_pos choice x) as (e & z & He & Hz & H0 & Hr).
  exists e, z. repeat split; assumption.
Qed.

Theorem round_error x : Rabs (rnd x - x) <= u * Rabs x + tiny.
Proof.
  destruct (round_model x) as (e & z & He & Hz & _ & ->).
  replace (x * (1 + e) + z - x) with (x * e + z) by ring. eapply Rle_trans; [apply Rabs_triang|].
  rewrite Rabs_mult. pose proof (Rabs_pos x). nra.
Qed.

(** A sum of two numbers of the format has no underflow error. *)
(* C++: bounds/rounding.hpp Rounding::product_underflow. *)
Theorem round_sum_error x y : format x -> format y -> Rabs (rnd (x + y) - (x + y)) <= u * Rabs (x + y).
Proof.
  intros Hx Hy. destruct (FLT_plus_error_N_ex radix2 emin prec choice x y Hx Hy) as (e & He & Hr).
  fold (rnd (x + y)) in Hr. rewrite Hr. replace ((x + y) * (1 + e) - (x + y)) with ((x + y) * e) by ring.
  rewrite Rabs_mult. pose proof (Rabs_pos (x + y)). assert (Rabs e <= u) by exact He. nra.
Qed.

(** The computed value is the nearest: no number of the format is closer. *)
Theorem round_nearest x f : format f -> Rabs (rnd x - x) <= Rabs (f - x).
Proof. intros Hf. destruct (round_N_pt radix2 (FLT_exp emin prec) choice x) as [_ H]. apply H. assumption. Qed.

(** So a sum loses no more than either term. *)
Theorem round_sum_error_term x y : format x -> format y -> Rabs (rnd (x + y) - (x + y)) <= Rabs y.
Proof.
  intros Hx _. eapply Rle_trans; [apply (round_nearest (x + y) x Hx)|].
  replace (x - (x + y)) with (- y) by ring. rewrite Rabs_Ropp. lra.
Qed.

(** A posteriori: half an ulp of the computed value. *)
Theorem round_half_ulp x : Rabs (rnd x - x) <= / 2 * ulp radix2 (FLT_exp emin prec) (rnd x).
Proof. apply error_le_half_ulp_round; typeclasses eauto. Qed.

End Rounding.

(** A product of two numbers of one format is a number of another that has twice the bits and twice the exponent range: fp16 in fp32. *)
Theorem product_exact emin prec emin' prec' x y : (2 * prec <= prec')%Z -> (emin' <= 2 * emin)%Z ->
  Prec_gt_0 prec -> Prec_gt_0 prec' -> format emin prec x -> format emin prec y -> format emin' prec' (x * y).
Proof.
  intros Hp He Hprec Hprec' Hx Hy. apply FLT_format_generic in Hx, Hy; [|assumption|assumption].
  destruct Hx as [[mx ex] -> Hmx Hex], Hy as [[my ey] -> Hmy Hey]. cbn [Fnum Fexp] in *.
  apply generic_format_FLT. exists (Float radix2 (mx * my) (ex + ey)); cbn [Fnum Fexp]; [| |lia].
  - unfold F2R; cbn [Fnum Fexp]. rewrite mult_IZR, bpow_plus. ring.
  - rewrite Z.abs_mul. unfold Prec_gt_0 in *.
    apply Z.lt_le_trans with (radix2 ^ prec * radix2 ^ prec)%Z; [apply Z.mul_lt_mono_nonneg; auto using Z.abs_nonneg|].
    rewrite <- Z.pow_add_r by lia. apply Z.pow_le_mono_r; [reflexivity|lia].
Qed.

(** fp16 products are exact in fp32; bf16 products are in every format with that many bits that reaches 2^-266. *)
Theorem fp16_product_exact_in_fp32 x y : format (-24) 11 x -> format (-24) 11 y -> format (-149) 24 (x * y).
Proof. apply product_exact; unfold Prec_gt_0; lia. Qed.
