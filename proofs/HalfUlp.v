(** Purpose: the error of one rounding from an upper bound of the size of what is rounded. Bounds on kernels that do not show their
      intermediate values rest on this: they know magnitudes of the exact quantities, not the computed ones.
    Main results: [half_ulp_of_upper]: |z| <= m implies |round(z) - z| <= half an ulp at m; [flushed_of_upper]: with flush-to-zero, the
      larger of that and x_min; [ulp_of_upper]: truncation and any faithful rounding, one ulp; [half_ulp_value]: what half an ulp is;
      [half_ulp_relative]: at most 2^-p m + tiny; [rounded_radius]: a radius before rounding becomes one after it; [constant_product]:
      a constant that is held rounded costs one more relative rounding.
    Depends on: Radius. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export Radius.
Local Open Scope R_scope.

Section HalfUlp.
Variables (emin prec : Z) (choice : Z -> bool).
Context {prec_pos : Prec_gt_0 prec}.
Notation fexp := (FLT_exp emin prec).
Notation rnd := (rnd emin prec choice).

Definition half_ulp_at (m : R) : R := / 2 * ulp radix2 fexp m.

Lemma half_ulp_at_nonneg m : 0 <= half_ulp_at m.
Proof. unfold half_ulp_at. pose proof (ulp_ge_0 radix2 fexp m). lra. Qed.

Lemma half_ulp_at_mono z m : Rabs z <= m -> half_ulp_at z <= half_ulp_at m.
Proof.
  intros H. unfold half_ulp_at. apply Rmult_le_compat_l; [lra|]. apply ulp_le; [typeclasses eauto|typeclasses eauto|].
  rewrite (Rabs_pos_eq m); [assumption|]. eapply Rle_trans; [apply Rabs_pos|exact H].
Qed.

(* C++: bounds/bounds.hpp instrumented_bounds; bounds/followed.hpp followed_errors; bounds/given.hpp HandedOver; bounds/rounding.hpp
   Rounding::error_near; bounds/rounding.hpp Rounding::half_ulp; bounds/rounding.hpp Rounding::held_near; bounds/setting.hpp Setting::store;
   bounds/setting.hpp Setting::store_near; bounds/vectors.hpp weights. *)
Theorem half_ulp_of_upper z m : Rabs z <= m -> near (rnd z) (half_ulp_at m) z.
Proof.
  intros H. unfold near. eapply Rle_trans; [|apply half_ulp_at_mono; exact H]. apply error_le_half_ulp. typeclasses eauto.
Qed.

(** Half an ulp at m in numbers: 2^(e - 1 - p) for 2^(e - 1) <= m < 2^e, but never below half the smallest subnormal. *)
Theorem half_ulp_value m e : bpow radix2 (e - 1) <= m < bpow radix2 e ->
  half_ulp_at m = / 2 * bpow radix2 (Z.max (e - prec) emin).
Proof.
  intros H. unfold half_ulp_at. f_equal. assert (Hm : 0 < m) by (pose proof (bpow_gt_0 radix2 (e - 1)); lra).
  rewrite ulp_neq_0 by lra. unfold cexp, FLT_exp. rewrite (mag_unique_pos radix2 m e) by assumption. reflexivity.
Qed.

(* C++: bounds/rounding.hpp Rounding::relative. *)
Theorem half_ulp_relative m : 0 <= m -> half_ulp_at m <= unit_roundoff prec * m + tiny emin.
Proof.
  intros Hm. unfold half_ulp_at, tiny. pose proof (unit_roundoff_pos prec) as Hu. pose proof (bpow_gt_0 radix2 emin) as He.
  destruct (Req_dec m 0) as [->|Hm0].
  - rewrite Rmult_0_r, Rplus_0_l. rewrite ulp_FLT_0 by assumption. lra.
  - rewrite ulp_neq_0 by assumption. unfold cexp, FLT_exp. set (e := mag radix2 m : Z).
    destruct (Z.max_spec (e - prec) emin) as [[_ ->]|[_ ->]]; [assert (0 <= unit_roundoff prec * m) by nra; lra|].
    assert (Hlow : bpow radix2 (e - 1) <= m) by (rewrite <- (Rabs_pos_eq m) by assumption; now apply bpow_mag_le).
    assert (E : / 2 * bpow radix2 (e - prec) = unit_roundoff prec * bpow radix2 (e - 1)).
    { unfold unit_roundoff, u_ro. replace (e - prec)%Z with ((- prec + 1) + (e - 1))%Z by ring. rewrite bpow_plus. ring. }
    rewrite E. assert (unit_roundoff prec * bpow radix2 (e - 1) <= unit_roundoff prec * m) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** The whole step: v is near x, then v is rounded. *)
(* C++: bounds/values.hpp group_values; bounds/vectors.hpp finish_row. *)
Theorem rounded_radius v e x : near v e x -> near (rnd v) (e + half_ulp_at (Rabs x + e)) x.
Proof.
  intros H. eapply radius_round; [|exact H]. apply half_ulp_of_upper. unfold near in H.
  replace v with (x + (v - x)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

(** ** Flush-to-zero: a result below the smallest normal number may become 0, whether that is judged before or after rounding. *)
Definition x_min : R := bpow radix2 (emin + prec - 1).
Definition flushed (y z : R) : Prop := y = rnd z \/ (y = 0 /\ Rabs z < x_min).

(* C++: bounds/rounding.hpp Rounding::half_ulp. *)
Theorem flushed_of_upper y z m : flushed y z -> Rabs z <= m -> near y (Rmax (half_ulp_at m) x_min) z.
Proof.
  intros [->|[-> Hz]] H.
  - eapply near_weaken; [exact (half_ulp_of_upper z m H)|apply Rmax_l].
  - unfold near. rewrite Rabs_minus_sym, Rminus_0_r. eapply Rle_trans; [left; exact Hz|apply Rmax_r].
Qed.

(** Judged after rounding: what rounds to a subnormal number was below x_min itself. *)
Theorem flushed_after_rounding z : Rabs (rnd z) < x_min -> flushed 0 z.
Proof.
  intros H. right. split; [reflexivity|]. apply Rnot_le_lt. intros Hz. apply (Rlt_not_le _ _ H).
  unfold Rounding.rnd. apply abs_round_ge_generic; [typeclasses eauto|typeclasses eauto| |exact Hz].
  apply generic_format_bpow. unfold FLT_exp. unfold Prec_gt_0 in prec_pos. lia.
Qed.

(** A flush costs nothing on top of the radius unless the value may be below x_min. *)
Theorem flushed_radius y v e x : flushed y v -> near v e x -> near y (e + Rmax (half_ulp_at (Rabs x + e)) x_min) x.
Proof.
  intros Hy H. eapply radius_round; [|exact H]. apply flushed_of_upper; [assumption|]. unfold near in H.
  replace v with (x + (v - x)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

(** ** Truncation, directed and faithful rounding: y is one of the two neighbours of z *)
Theorem ulp_of_upper y z m : y = round radix2 fexp Zfloor z \/ y = round radix2 fexp Zceil z -> Rabs z <= m ->
  near y (2 * half_ulp_at m) z.
Proof.
  intros Hy H. eapply near_weaken; [|apply Rmult_le_compat_l; [lra|]; apply (half_ulp_at_mono z m H)].
  unfold near, half_ulp_at. replace (2 * (/ 2 * ulp radix2 fexp z)) with (ulp radix2 fexp z) by field.
  destruct Hy as [->| ->]; apply error_le_ulp; typeclasses eauto.
Qed.

(** ** Constants such as 1/n, the scale and the cap are exact numbers that a kernel holds rounded *)
(* C++: bounds/scores.hpp make_scores. *)
Theorem constant_product c c' x : Rabs (c' - c) <= u prec * Rabs c ->
  near (rnd (c' * x)) (((1 + u prec) * (1 + u prec) - 1) * Rabs (c * x) + tiny emin) (c * x).
Proof.
  intros Hc. pose proof (round_error emin prec choice (c' * x)) as H. pose proof (u_pos prec) as Hu.
  assert (H1 : Rabs (c' * x - c * x) <= u prec * Rabs (c * x)).
  { replace (c' * x - c * x) with ((c' - c) * x) by ring. rewrite !Rabs_mult, <- Rmult_assoc.
    apply Rmult_le_compat_r; [apply Rabs_pos|assumption]. }
  assert (H2 : Rabs (c' * x) <= (1 + u prec) * Rabs (c * x)).
  { replace (c' * x) with (c * x + (c' * x - c * x)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. }
  assert (u prec * Rabs (c' * x) <= u prec * ((1 + u prec) * Rabs (c * x))) by (apply Rmult_le_compat_l; lra).
  unfold near. replace (rnd (c' * x) - c * x) with ((rnd (c' * x) - c' * x) + (c' * x - c * x)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

(** A constant in the normal range, rounded once, is held within u of itself. *)
Theorem rounded_constant c : bpow radix2 (emin + prec - 1) <= Rabs c -> Rabs (rnd c - c) <= u prec * Rabs c.
Proof.
  intros Hc. unfold Rounding.rnd. rewrite round_FLT_FLX by exact Hc. exact (relative_error_N_FLX' radix2 prec prec_pos choice c).
Qed.
End HalfUlp.

(** The three formats of kernels. *)
Theorem fp16_half_ulp_of_upper choice z m : Rabs z <= m -> near (rnd (-24) 11 choice z) (half_ulp_at (-24) 11 m) z.
Proof. apply (@half_ulp_of_upper (-24) 11 choice eq_refl). Qed.

Theorem bf16_half_ulp_of_upper choice z m : Rabs z <= m -> near (rnd (-133) 8 choice z) (half_ulp_at (-133) 8 m) z.
Proof. apply (@half_ulp_of_upper (-133) 8 choice eq_refl). Qed.

Theorem fp32_half_ulp_of_upper choice z m : Rabs z <= m -> near (rnd (-149) 24 choice z) (half_ulp_at (-149) 24 m) z.
Proof. apply (@half_ulp_of_upper (-149) 24 choice eq_refl). Qed.

(** ** Radius arithmetic in magnitudes of the exact values x, y (Radius.v has it in the computed v, w) *)
(* C++: bounds/vectors.hpp finish_row. *)
Theorem radius_product_exact v e x w f y : near v e x -> near w f y -> near (v * w) (Rabs x * f + e * Rabs y + e * f) (x * y).
Proof.
  unfold near. intros He Hf. replace (v * w - x * y) with (x * (w - y) + ((v - x) * y + (v - x) * (w - y))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. rewrite !Rabs_mult.
  pose proof (Rabs_pos x). pose proof (Rabs_pos y). pose proof (Rabs_pos (v - x)). pose proof (Rabs_pos (w - y)).
  assert (Rabs x * Rabs (w - y) <= Rabs x * f) by (apply Rmult_le_compat_l; assumption).
  assert (Rabs (v - x) * Rabs y <= e * Rabs y) by (apply Rmult_le_compat_r; assumption).
  assert (Rabs (v - x) * Rabs (w - y) <= e * f) by (apply Rmult_le_compat; assumption). lra.
Qed.

(* C++: bounds/vectors.hpp Vectors::magnitude. *)
Theorem near_magnitude v e x : near v e x -> Rabs v <= Rabs x + e.
Proof. unfold near. intros. replace v with (x + (v - x)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. Qed.

(* C++: bounds/bounds.hpp error_bounds; bounds/contraction.hpp contract; bounds/contraction.hpp follow_products; bounds/contraction.hpp
   moves_by_stores; bounds/linear.hpp multiply_bounded; bounds/softmax_weights.hpp given_weights; bounds/sources.hpp make_sources;
   bounds/values.hpp group_values. *)
Theorem radius_dot_exact n (v e x w f y : nat -> R) s D F : 0 <= D ->
  (forall i, (i < n)%nat -> near (v i) (e i) (x i)) -> (forall i, (i < n)%nat -> near (w i) (f i) (y i)) ->
  near s (D * rsum n (fun i => Rabs (v i * w i)) + F) (rsum n (fun i => v i * w i)) ->
  near s (D * rsum n (fun i => (Rabs (x i) + e i) * (Rabs (y i) + f i)) + F +
          rsum n (fun i => Rabs (x i) * f i + e i * Rabs (y i) + e i * f i)) (rsum n (fun i => x i * y i)).
Proof.
  intros HD Hv Hw Hs. eapply near_trans; [eapply near_weaken; [exact Hs|]|].
  - apply Rplus_le_compat_r. apply Rmult_le_compat_l; [assumption|]. apply rsum_le; intros i Hi. rewrite Rabs_mult.
    apply Rmult_le_compat; try apply Rabs_pos; apply near_magnitude; auto.
  - apply radius_rsum. intros i Hi. apply radius_product_exact; auto.
Qed.
