(** Purpose: dot products by any tree whose operations err by at most v |z| + w: flush-to-zero, truncation, directed, faithful and
      stochastic rounding, where Dot.v has rounding to nearest with gradual underflow.
    Main results: [dot_model_error]: ((1 + v)^h - 1) sum|x y| + (n w_m + k w_p)(1 + v)^h, h the height, k the additions; [additions_below]:
      k < n; [flushed_operation], [faithful_operation]: what v and w are; [dot_flushed_error], [dot_faithful_error].
    Depends on: Dot, HalfUlp. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export Dot HalfUlp.
Local Open Scope R_scope.

(** Additions that round: adding to [Zero] does not. *)
Fixpoint additions (s : order) : nat :=
  match s with
  | Zero | Product _ => 0
  | Plus Zero b => additions b
  | Plus a b => S (additions a + additions b)
  | Fma a _ => additions a
  end.

(** No empty part but a first accumulator of 0. *)
Fixpoint proper (s : order) : Prop :=
  match s with
  | Zero => False
  | Product _ => True
  | Plus Zero b => proper b
  | Plus a b => proper a /\ proper b
  | Fma Zero _ => True
  | Fma a _ => proper a
  end.

Theorem additions_below s : proper s -> (additions s < count s)%nat.
Proof.
  induction s as [|i|a IHa b IHb|a IHa i]; intros H; [destruct H|simpl; lia| |].
  - assert (G : proper a /\ proper b -> (S (additions a + additions b) < count (Plus a b))%nat).
    { intros [Ha Hb]. specialize (IHa Ha). specialize (IHb Hb). simpl. lia. }
    destruct a; [simpl in *; auto|exact (G H)|exact (G H)|exact (G H)].
  - assert (G : proper a -> (additions a < count (Fma a i))%nat) by (intros Ha; specialize (IHa Ha); simpl; lia).
    destruct a; [simpl; lia|exact (G H)|exact (G H)|exact (G H)].
Qed.

Section Model.
(** v: relative error of every operation; w_m: absolute error of products and FMAs, w_p: of additions. *)
Variables (x y : nat -> R) (v w_m w_p : R).
Hypothesis v_nonneg : 0 <= v.
Hypothesis w_nonneg : 0 <= w_m /\ 0 <= w_p.

(** [result s z]: z is a possible result of the order s. *)
Inductive result : order -> R -> Prop :=
  | result_zero : result Zero 0
  | result_product i z : near z (v * Rabs (x i * y i) + w_m) (x i * y i) -> result (Product i) z
  | result_plus_zero b z : result b z -> result (Plus Zero b) z
  | result_plus a b za zb z : a <> Zero -> result a za -> result b zb -> near z (v * Rabs (za + zb) + w_p) (za + zb) -> result (Plus a b) z
  | result_fma a i za z : result a za -> near z (v * Rabs (za + x i * y i) + w_m) (za + x i * y i) -> result (Fma a i) z.

Notation exact := (exactly (fun i => x i * y i)).
Notation absolute := (exactly (fun i => Rabs (x i * y i))).

Definition model_bound (h : nat) (absolute_errors A : R) : R := ((1 + v) ^ h - 1) * A + (1 + v) ^ h * absolute_errors.
Definition absolute_errors (s : order) : R := INR (count s) * w_m + INR (additions s) * w_p.

Lemma model_bound_mono h h' w A : (h <= h')%nat -> 0 <= A -> 0 <= w -> model_bound h w A <= model_bound h' w A.
Proof.
  intros Hh HA Hw. unfold model_bound. assert ((1 + v) ^ h <= (1 + v) ^ h') by (apply Rle_pow; [lra|assumption]).
  apply Rplus_le_compat; apply Rmult_le_compat_r; lra.
Qed.

Lemma absolute_errors_nonneg s : 0 <= absolute_errors s.
Proof. unfold absolute_errors. pose proof (pos_INR (count s)). pose proof (pos_INR (additions s)). nra. Qed.

(** One more operation: z0 = za + zb before it, e what za and zb are off together, A the size of the exact sum. *)
Lemma model_step h z z0 e0 w0 w A : Rabs e0 <= A -> 0 <= A -> near z0 (model_bound h w0 A) e0 -> 0 <= w -> 0 <= w0 ->
  near z (v * Rabs z0 + w) z0 -> near z (model_bound (S h) (w0 + w) A) e0.
Proof.
  intros HA HA0 H0 Hw Hw0 Hz. eapply near_weaken; [eapply near_trans; [exact Hz|exact H0]|]. pose proof (near_magnitude _ _ _ H0) as Hm.
  assert (v * Rabs z0 <= v * (A + model_bound h w0 A)) by (apply Rmult_le_compat_l; lra).
  assert (1 <= (1 + v) ^ h) by (apply pow_R1_Rle; lra). assert (Hone : 1 <= (1 + v) ^ S h) by (apply pow_R1_Rle; lra).
  assert (1 * w <= (1 + v) ^ S h * w) by (apply Rmult_le_compat_r; lra). unfold model_bound in *. simpl pow in *. lra.
Qed.

Theorem dot_model_error s z : result s z -> near z (model_bound (height s) (absolute_errors s) (absolute s)) (exact s).
Proof.
  destruct w_nonneg as [Hm Hp]. intros H.
  induction H as [|i z Hz|b z Hb IH|a b za zb z Ha Hra IHa Hrb IHb Hz|a i za z Hra IHa Hz].
  - unfold near, model_bound, absolute_errors. simpl. rewrite Rminus_0_r, Rabs_R0. lra.
  - unfold model_bound, absolute_errors. simpl. eapply near_weaken; [exact Hz|].
    assert (0 <= v * w_m) by (apply Rmult_le_pos; assumption). lra.
  - replace (absolute_errors (Plus Zero b)) with (absolute_errors b) by reflexivity. simpl exactly. rewrite !Rplus_0_l. exact IH.
  - assert (Eh : height (Plus a b) = S (Nat.max (height a) (height b))) by (destruct a; [contradiction|reflexivity..]).
    assert (Ew : absolute_errors (Plus a b) = absolute_errors a + absolute_errors b + w_p).
    { assert (Ek : additions (Plus a b) = S (additions a + additions b)) by (destruct a; [contradiction|reflexivity..]).
      unfold absolute_errors. rewrite Ek. simpl count. rewrite S_INR, !plus_INR. ring. }
    rewrite Eh, Ew. simpl exactly. set (h := Nat.max (height a) (height b)).
    pose proof (exactly_abs_nonneg (fun i => x i * y i) a) as Na. pose proof (exactly_abs_nonneg (fun i => x i * y i) b) as Nb.
    pose proof (absolute_errors_nonneg a) as Wa. pose proof (absolute_errors_nonneg b) as Wb.
    apply model_step with (z0 := za + zb); try lra; [|  |exact Hz].
    + eapply Rle_trans; [apply Rabs_triang|]. pose proof (exactly_abs (fun i => x i * y i) a).
      pose proof (exactly_abs (fun i => x i * y i) b). lra.
    + eapply near_weaken; [apply radius_sum; [exact IHa|exact IHb]|].
      pose proof (model_bound_mono (height a) h (absolute_errors a) (absolute a) ltac:(unfold h; lia) Na Wa).
      pose proof (model_bound_mono (height b) h (absolute_errors b) (absolute b) ltac:(unfold h; lia) Nb Wb).
      unfold model_bound in *. lra.
  - assert (Ew : absolute_errors (Fma a i) = absolute_errors a + w_m).
    { unfold absolute_errors. simpl count. simpl additions. rewrite S_INR. ring. }
    rewrite Ew. simpl exactly. simpl height. pose proof (exactly_abs_nonneg (fun i => x i * y i) a) as Na.
    pose proof (absolute_errors_nonneg a) as Wa. pose proof (Rabs_pos (x i * y i)) as Ni.
    apply model_step with (z0 := za + x i * y i); try lra; [| |exact Hz].
    + eapply Rle_trans; [apply Rabs_triang|]. pose proof (exactly_abs (fun i => x i * y i) a). lra.
    + eapply near_weaken; [apply radius_sum; [exact IHa|apply near_refl]|].
      assert (1 <= (1 + v) ^ height a) by (apply pow_R1_Rle; lra).
      assert (0 <= ((1 + v) ^ height a - 1) * Rabs (x i * y i)) by (apply Rmult_le_pos; lra). unfold model_bound in *. lra.
Qed.

(** For n products in a proper order: n (w_m + w_p)(1 + v)^h covers underflow. *)
Theorem dot_model_error_count s z : proper s -> result s z ->
  near z (((1 + v) ^ height s - 1) * absolute s + INR (count s) * (w_m + w_p) * (1 + v) ^ height s) (exact s).
Proof.
  intros Hs Hz. eapply near_weaken; [apply dot_model_error; exact Hz|]. unfold model_bound, absolute_errors.
  apply Rplus_le_compat_l. rewrite Rmult_comm. apply Rmult_le_compat_r; [apply pow_le; lra|].
  pose proof (additions_below s Hs) as Hk. apply lt_INR in Hk. assert (INR (additions s) * w_p <= INR (count s) * w_p)
    by (apply Rmult_le_compat_r; lra). lra.
Qed.
End Model.

(** ** Operations *)
Section Operations.
Variables (emin prec : Z) (choice : Z -> bool).
Context {prec_pos : Prec_gt_0 prec}.

(** Flush-to-zero. *)
(* C++: bounds/rounding.hpp Rounding::product_underflow. *)
Theorem flushed_operation y z : flushed emin prec choice y z -> near y (u prec * Rabs z + x_min emin prec) z.
Proof.
  pose proof (u_pos prec) as Hu. pose proof (Rabs_pos z) as Hz0. intros [->|[-> Hz]].
  - unfold near. eapply Rle_trans; [apply (round_error emin prec choice)|]. apply Rplus_le_compat_l. unfold tiny, x_min.
    assert (bpow radix2 emin <= bpow radix2 (emin + prec - 1)) by (apply bpow_le; unfold Prec_gt_0 in prec_pos; lia).
    pose proof (bpow_gt_0 radix2 emin). lra.
  - unfold near. rewrite Rabs_minus_sym, Rminus_0_r. assert (0 <= u prec * Rabs z) by (apply Rmult_le_pos; lra). lra.
Qed.

(** Either neighbour: truncation, directed, faithful, stochastic. *)
Theorem faithful_operation y z : y = round radix2 (FLT_exp emin prec) Zfloor z \/ y = round radix2 (FLT_exp emin prec) Zceil z ->
  near y (2 * unit_roundoff prec * Rabs z + 2 * tiny emin) z.
Proof.
  intros H. eapply near_weaken; [apply (ulp_of_upper emin prec y z (Rabs z) H); lra|].
  pose proof (half_ulp_relative emin prec (Rabs z) (Rabs_pos z)). lra.
Qed.

(** A dot product every operation of which may flush. *)
(* C++: bounds/accumulation.hpp accumulation; bounds/apriori_sizes.hpp sum_lost. *)
Theorem dot_flushed_error x y s z : proper s -> result x y (u prec) (x_min emin prec) (x_min emin prec) s z ->
  near z (((1 + u prec) ^ height s - 1) * exactly (fun i => Rabs (x i * y i)) s +
          INR (count s) * (x_min emin prec + x_min emin prec) * (1 + u prec) ^ height s) (exactly (fun i => x i * y i) s).
Proof.
  pose proof (u_pos prec). pose proof (bpow_gt_0 radix2 (emin + prec - 1)) as Hx. fold (x_min emin prec) in Hx.
  apply dot_model_error_count; [lra|split; lra].
Qed.

Theorem dot_faithful_error x y s z : proper s -> result x y (2 * unit_roundoff prec) (2 * tiny emin) (2 * tiny emin) s z ->
  near z (((1 + 2 * unit_roundoff prec) ^ height s - 1) * exactly (fun i => Rabs (x i * y i)) s +
          INR (count s) * (2 * tiny emin + 2 * tiny emin) * (1 + 2 * unit_roundoff prec) ^ height s) (exactly (fun i => x i * y i) s).
Proof.
  pose proof (unit_roundoff_pos prec). pose proof (tiny_pos emin). apply dot_model_error_count; [lra|split; lra].
Qed.
End Operations.
