(** Purpose: errors through the soft-cap cap tanh(x / cap) and through the output gate sigmoid(x) o, operation by operation.
    Main results: [soft_cap_error]: rounded cap, division, tanh with a declared error, product; [division_by_rounded_cap],
      [product_by_rounded_inverse]: the two ways to divide; [sigmoid_lipschitz]: sigmoid is 1/4-Lipschitz; [gate_error]: the gated output.
    Depends on: HalfUlp, SoftmaxError. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export HalfUlp SoftmaxError.
Local Open Scope R_scope.

Lemma tanh_below_1 x : Rabs (tanh x) <= 1.
Proof.
  unfold tanh, sinh, cosh. pose proof (exp_pos x) as Hf. pose proof (exp_pos (- x)) as Hg. set (f := exp x) in *. set (g := exp (- x)) in *.
  replace ((f - g) / 2 / ((f + g) / 2)) with ((f - g) * / (f + g)) by (field; lra).
  assert (Hi : 0 < / (f + g)) by (apply Rinv_0_lt_compat; lra). rewrite Rabs_mult, (Rabs_pos_eq (/ (f + g))) by lra.
  apply Rmult_le_reg_r with (f + g); [lra|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r, Rmult_1_l by lra. apply Rabs_le. lra.
Qed.

Section SoftCap.
(** X: the exact scaled logit, xh the computed one; cap': the cap as held; a: computed xh / cap; t: computed tanh a. *)
Variables (X xh e cap cap' uc a ka wa t et at_ out ko wo : R).
Hypothesis cap_pos : 0 < cap.
Hypothesis cap_near : Rabs (cap' - cap) <= uc * cap.
Hypothesis factors_nonneg : 0 <= ka /\ 0 <= et /\ 0 <= ko.
Hypothesis x_near : near xh e X.
Hypothesis a_near : near a (ka * Rabs (xh / cap) + wa) (xh / cap).
Hypothesis t_near : near t (et * Rabs (tanh a) + at_) (tanh a).
Hypothesis out_near : near out (ko * Rabs (cap' * t) + wo) (cap' * t).

(** A: how far the argument is off; T: the most that |tanh| can be. *)
Definition cap_argument : R := (e + ka * (Rabs X + e)) / cap + wa.
Definition cap_size : R := Rmin 1 (Rabs (tanh (X / cap)) + cap_argument).
Definition soft_cap_radius : R :=
  cap * (cap_argument + et * cap_size + at_) + cap * ((1 + uc) * (1 + ko) - 1) * (cap_size * (1 + et) + at_) + wo.

Lemma argument_near : near a cap_argument (X / cap).
Proof.
  assert (Hi : 0 < / cap) by (now apply Rinv_0_lt_compat). pose proof (near_magnitude _ _ _ x_near) as Hx.
  eapply near_weaken; [eapply near_trans; [exact a_near|]|].
  - unfold Rdiv. apply radius_scale_r. exact x_near.
  - unfold cap_argument. rewrite (Rabs_pos_eq (/ cap)) by lra. unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ cap)) by lra.
    assert (ka * (Rabs xh * / cap) <= ka * ((Rabs X + e) * / cap)).
    { apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_r; lra. }
    lra.
Qed.

(* C++: bounds/apriori.hpp apriori_logit; bounds/scores.hpp make_scores. *)
Theorem soft_cap_error : near out soft_cap_radius (cap * tanh (X / cap)).
Proof.
  assert (Ht : near (tanh a) cap_argument (tanh (X / cap))).
  { unfold near. eapply Rle_trans; [apply tanh_lipschitz|]. exact argument_near. }
  assert (HT : Rabs (tanh a) <= cap_size).
  { unfold cap_size. apply Rmin_glb; [apply tanh_below_1|]. now apply near_magnitude. }
  assert (Het : et * Rabs (tanh a) <= et * cap_size) by (apply Rmult_le_compat_l; lra).
  assert (Htt : near t (cap_argument + et * cap_size + at_) (tanh (X / cap))).
  { eapply near_weaken; [eapply near_trans; [exact t_near|exact Ht]|]. lra. }
  pose proof (near_magnitude _ _ _ t_near) as Hts. set (tm := cap_size * (1 + et) + at_) in *.
  assert (Htm : Rabs t <= tm) by (unfold tm; lra). pose proof (Rabs_pos t) as Ht0.
  assert (Hcs : Rabs cap' <= cap * (1 + uc)).
  { replace cap' with (cap + (cap' - cap)) by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite (Rabs_pos_eq cap) by lra. lra. }
  assert (Hct : Rabs (cap' * t) <= cap * (1 + uc) * tm).
  { rewrite Rabs_mult. apply Rmult_le_compat; try apply Rabs_pos; assumption. }
  assert (Hd : near (cap' * t) (cap * (cap_argument + et * cap_size + at_) + uc * cap * tm) (cap * tanh (X / cap))).
  { unfold near. replace (cap' * t - cap * tanh (X / cap)) with (cap * (t - tanh (X / cap)) + (cap' - cap) * t) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, (Rabs_pos_eq cap) by lra. apply Rplus_le_compat.
    - apply Rmult_le_compat_l; [lra|exact Htt].
    - apply Rmult_le_compat; try apply Rabs_pos; assumption. }
  eapply near_weaken; [eapply near_trans; [exact out_near|exact Hd]|].
  assert (ko * Rabs (cap' * t) <= ko * (cap * (1 + uc) * tm)) by (apply Rmult_le_compat_l; lra).
  unfold soft_cap_radius. fold tm. lra.
Qed.
End SoftCap.

(** x / cap' instead of x / cap, cap' within uc of cap, the division within k |.| + w. *)
Theorem division_by_rounded_cap x cap cap' uc k w a : 0 < cap -> 0 <= uc < 1 -> 0 <= k -> Rabs (cap' - cap) <= uc * cap ->
  near a (k * Rabs (x / cap') + w) (x / cap') -> near a (((1 + k) / (1 - uc) - 1) * Rabs (x / cap) + w) (x / cap).
Proof.
  intros Hc Hu Hk Hcap Ha. apply Rabs_le_inv in Hcap as Hcap'. assert (Hc' : 0 < cap * (1 - uc)) by (apply Rmult_lt_0_compat; lra).
  assert (Hpos : 0 < cap') by lra. assert (Hi : 0 < / (1 - uc)) by (apply Rinv_0_lt_compat; lra).
  assert (H1 : Rabs (x / cap') <= / (1 - uc) * Rabs (x / cap)).
  { unfold Rdiv. rewrite !Rabs_mult, (Rabs_pos_eq (/ cap')), (Rabs_pos_eq (/ cap)) by (left; now apply Rinv_0_lt_compat).
    replace (/ (1 - uc) * (Rabs x * / cap)) with (Rabs x * / (cap * (1 - uc))) by (field; lra).
    apply Rmult_le_compat_l; [apply Rabs_pos|]. apply Rinv_le_contravar; lra. }
  assert (H2 : Rabs (x / cap' - x / cap) <= (/ (1 - uc) - 1) * Rabs (x / cap)).
  { replace (x / cap' - x / cap) with ((cap - cap') * / cap' * (x / cap)) by (field; lra). rewrite Rabs_mult.
    apply Rmult_le_compat_r; [apply Rabs_pos|]. rewrite Rabs_mult, (Rabs_pos_eq (/ cap')) by (left; now apply Rinv_0_lt_compat).
    rewrite Rabs_minus_sym. replace (/ (1 - uc) - 1) with (uc * cap * / (cap * (1 - uc))) by (field; lra).
    apply Rmult_le_compat; [apply Rabs_pos|left; now apply Rinv_0_lt_compat|assumption|]. apply Rinv_le_contravar; lra. }
  unfold near in *. replace (a - x / cap) with ((a - x / cap') + (x / cap' - x / cap)) by ring. eapply Rle_trans; [apply Rabs_triang|].
  assert (k * Rabs (x / cap') <= k * (/ (1 - uc) * Rabs (x / cap))) by (apply Rmult_le_compat_l; assumption).
  replace ((1 + k) / (1 - uc) - 1) with (k * / (1 - uc) + (/ (1 - uc) - 1)) by (field; lra). lra.
Qed.

(** x times a rounded 1/cap. *)
Theorem product_by_rounded_inverse emin prec choice {prec_pos : Prec_gt_0 prec} x cap inverse : 0 < cap ->
  Rabs (inverse - / cap) <= u prec * Rabs (/ cap) ->
  near (rnd emin prec choice (inverse * x)) (((1 + u prec) * (1 + u prec) - 1) * Rabs (x / cap) + tiny emin) (x / cap).
Proof.
  intros Hc Hi. unfold Rdiv. rewrite (Rmult_comm x (/ cap)). now apply constant_product.
Qed.

(** ** The gate *)
Definition sigmoid (x : R) : R := / (1 + exp (- x)).

Lemma sigmoid_bounds x : 0 < sigmoid x < 1.
Proof.
  unfold sigmoid. pose proof (exp_pos (- x)). split; [apply Rinv_0_lt_compat; lra|].
  apply Rmult_lt_reg_r with (1 + exp (- x)); [lra|]. rewrite Rinv_l by lra. lra.
Qed.

Lemma sigmoid_tanh x : sigmoid x = / 2 * (1 + tanh (x / 2)).
Proof.
  unfold sigmoid, tanh, sinh, cosh. pose proof (exp_pos (x / 2)) as Hf. pose proof (exp_pos (- (x / 2))) as Hg.
  assert (E1 : exp (- x) = exp (- (x / 2)) * exp (- (x / 2))) by (rewrite <- exp_plus; f_equal; field).
  assert (E2 : exp (x / 2) * exp (- (x / 2)) = 1) by (rewrite <- exp_plus, Rplus_opp_r; apply exp_0).
  rewrite E1. set (f := exp (x / 2)) in *. set (g := exp (- (x / 2))) in *.
  replace f with (/ g) by (apply Rmult_eq_reg_r with g; [rewrite Rinv_l; lra|lra]). field.
  assert (0 < g * g) by (now apply Rmult_lt_0_compat). repeat split; lra.
Qed.

Theorem sigmoid_lipschitz x y : Rabs (sigmoid x - sigmoid y) <= / 4 * Rabs (x - y).
Proof.
  rewrite !sigmoid_tanh. replace (/ 2 * (1 + tanh (x / 2)) - / 2 * (1 + tanh (y / 2))) with (/ 2 * (tanh (x / 2) - tanh (y / 2))) by ring.
  rewrite Rabs_mult, (Rabs_pos_eq (/ 2)) by lra. pose proof (tanh_lipschitz (x / 2) (y / 2)) as H.
  replace (x / 2 - y / 2) with (/ 2 * (x - y)) in H by field. rewrite Rabs_mult, (Rabs_pos_eq (/ 2)) in H by lra. lra.
Qed.

(** X: the exact gate logit, o: the exact output; s: the computed sigmoid, es relative and as_ absolute. *)
(* C++: bounds/apriori.hpp apriori_bounds; bounds/bounds.hpp error_bounds. *)
Theorem gate_error X xh e o oh eo s es as_ out ko wo : 0 <= es -> 0 <= ko ->
  near xh e X -> near oh eo o -> near s (es * sigmoid xh + as_) (sigmoid xh) -> near out (ko * Rabs (s * oh) + wo) (s * oh) ->
  let eg := e / 4 + es * Rmin 1 (sigmoid X + e / 4) + as_ in
  let product := sigmoid X * eo + eg * Rabs o + eg * eo in
  near out (ko * (sigmoid X * Rabs o + product) + wo + product) (sigmoid X * o).
Proof.
  intros Hes Hko Hx Ho Hs Hout eg product.
  assert (H1 : near (sigmoid xh) (e / 4) (sigmoid X)).
  { unfold near in *. eapply Rle_trans; [apply sigmoid_lipschitz|]. lra. }
  assert (H2 : near s eg (sigmoid X)).
  { eapply near_weaken; [eapply near_trans; [exact Hs|exact H1]|]. unfold eg.
    assert (es * sigmoid xh <= es * Rmin 1 (sigmoid X + e / 4)); [|lra]. apply Rmult_le_compat_l; [assumption|].
    pose proof (sigmoid_bounds xh). apply Rmin_glb; [lra|]. unfold near in H1. apply Rabs_le_inv in H1. lra. }
  pose proof (sigmoid_bounds X) as HX.
  assert (H3 : near (s * oh) product (sigmoid X * o)).
  { eapply near_weaken; [apply radius_product_exact; [exact H2|exact Ho]|]. rewrite (Rabs_pos_eq (sigmoid X)) by lra. unfold product. lra. }
  eapply near_trans; [|exact H3]. eapply near_weaken; [exact Hout|]. apply Rplus_le_compat_r. apply Rmult_le_compat_l; [assumption|].
  pose proof (near_magnitude _ _ _ H3) as H4. rewrite (Rabs_mult (sigmoid X)), (Rabs_pos_eq (sigmoid X)) in H4 by lra. exact H4.
Qed.
