(** Purpose: the common factor and the statistic's radius as src/bounds evaluates them from the exact values, for kernels that do not show
      what they compute in between.
    Main results: [factor_elementwise]: e becomes e f + (f - 1)|x| when a computed statistic stands in an elementwise stage;
      [factor_product]: f of several statistics is the product of the 1 + rho; [linear_error_scales]: errors of the linear form grow by at
      most f; [statistic_distance]: both forms of d; [computed_mean_square]: the mean square with every constant rounded;
      [statistic_radius_exact], [statistic_ratio_exact]: rho of a computed alpha, from the exact x, radii E and the floor sqrt(eps).
    Depends on: HalfUlp, StatisticError. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export HalfUlp StatisticError.
Local Open Scope R_scope.

(** ** The common factor
    x: the exact value. The kernel used computed statistics in place of the true ones, so it aims at r x. *)
(* C++: bounds/linear.hpp spread_factor; bounds/vectors.hpp Vectors; bounds/vectors.hpp Vectors::error. *)
Theorem factor_elementwise v e x r f : Rabs (r - 1) <= f - 1 -> near v (e * f) (r * x) -> near v (e * f + (f - 1) * Rabs x) x.
Proof.
  intros Hr Hv. eapply near_trans; [exact Hv|]. unfold near. replace (r * x - x) with ((r - 1) * x) by ring. rewrite Rabs_mult.
  apply Rmult_le_compat_r; [apply Rabs_pos|assumption].
Qed.

(* C++: bounds/scores.hpp make_scores. *)
Theorem factor_product ra rb fa fb : Rabs (ra - 1) <= fa - 1 -> Rabs (rb - 1) <= fb - 1 -> Rabs (ra * rb - 1) <= fa * fb - 1.
Proof.
  intros Ha Hb. replace (ra * rb - 1) with ((ra - 1) * (rb - 1) + ((ra - 1) + (rb - 1))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. rewrite Rabs_mult.
  pose proof (Rabs_pos (ra - 1)). pose proof (Rabs_pos (rb - 1)).
  assert (Rabs (ra - 1) * Rabs (rb - 1) <= (fa - 1) * (fb - 1)) by (apply Rmult_le_compat; assumption). lra.
Qed.

Lemma ratio_below r f : Rabs (r - 1) <= f - 1 -> Rabs r <= f.
Proof. intros H. replace r with (1 + (r - 1)) by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_R1. lra. Qed.

(** Why e f is enough: a rounding of the linear form v |z| + w, made at r x instead of x, on a radius that has grown by f already. Half an
    ulp is not of this form, it can double: there it must be taken at f times the magnitude. *)
Theorem linear_error_scales u v x r f e w : 0 <= u -> 0 <= w -> 1 <= f -> Rabs (r - 1) <= f - 1 -> near v (e * f) (r * x) ->
  forall v', near v' (u * Rabs v + w) v -> near v' ((e + u * (Rabs x + e) + w) * f) (r * x).
Proof.
  intros Hu Hw Hf Hr Hv v' Hv'. eapply near_weaken; [eapply near_trans; [exact Hv'|exact Hv]|].
  pose proof (near_magnitude v (e * f) (r * x) Hv) as H. rewrite Rabs_mult in H. pose proof (ratio_below r f Hr) as Hrf.
  assert (H1 : Rabs r * Rabs x <= f * Rabs x) by (apply Rmult_le_compat_r; [apply Rabs_pos|assumption]).
  assert (H2 : u * Rabs v <= u * (f * Rabs x + e * f)) by (apply Rmult_le_compat_l; lra). assert (w * 1 <= w * f) by nra. lra.
Qed.

Theorem half_ulp_scales emin prec choice {prec_pos : Prec_gt_0 prec} v x r f e : 1 <= f -> Rabs (r - 1) <= f - 1 ->
  near v (e * f) (r * x) -> near (rnd emin prec choice v) (e * f + half_ulp_at emin prec (f * (Rabs x + e))) (r * x).
Proof.
  intros Hf Hr Hv. eapply radius_round; [|exact Hv]. apply (half_ulp_of_upper emin prec choice).
  eapply Rle_trans; [apply near_magnitude; exact Hv|].
  rewrite Rabs_mult. assert (Rabs r * Rabs x <= f * Rabs x) by (apply Rmult_le_compat_r; [apply Rabs_pos|now apply ratio_below]). lra.
Qed.

(** ** How far S may move when the components do *)
Section Distance.
Variables (nu eps : R) (n : nat) (x xh E : nat -> R).
Hypothesis nu_nonneg : 0 <= nu.
Hypothesis eps_pos : 0 < eps.
Hypothesis components_near : forall j, (j < n)%nat -> near (xh j) (E j) (x j).

(** x is the vector that is known, xh the other one. *)
Definition S_known : R := sqrt (S2 nu eps n x).
Definition S_other : R := sqrt (S2 nu eps n xh).
Definition d_norm : R := sqrt nu * norm n E.
Definition S_floor (d : R) : R := Rmax (S_known - d) (sqrt eps).
Definition d_squares : R := nu * rsum n (fun j => 2 * Rabs (x j) * E j + E j * E j) / (S_known + S_floor d_norm).
Definition d_min : R := Rmin d_norm d_squares.

Lemma floor_pos d : 0 < S_floor d.
Proof. unfold S_floor. eapply Rlt_le_trans; [apply sqrt_lt_R0; exact eps_pos|apply Rmax_r]. Qed.

Lemma S_pos z : sqrt eps <= sqrt (S2 nu eps n z).
Proof. pose proof (S2_ge_eps nu eps n z nu_nonneg). apply sqrt_le_1; lra. Qed.

Lemma S_known_pos : 0 < S_known.
Proof. eapply Rlt_le_trans; [apply sqrt_lt_R0; exact eps_pos|apply S_pos]. Qed.

Lemma floor_below d : Rabs (S_other - S_known) <= d -> S_floor d <= S_other.
Proof. intros H. apply Rabs_le_inv in H. unfold S_floor. apply Rmax_lub; [lra|apply S_pos]. Qed.

Lemma distance_norm : Rabs (S_other - S_known) <= d_norm.
Proof.
  eapply Rle_trans; [apply (rms_lipschitz nu eps n xh x nu_nonneg ltac:(lra))|]. unfold d_norm.
  apply Rmult_le_compat_l; [apply sqrt_pos|]. unfold norm. apply sqrt_le_1; try apply norm2_nonneg. unfold norm2.
  apply rsum_le; intros j Hj. specialize (components_near j Hj). unfold near in components_near. pose proof (Rabs_pos (xh j - x j)).
  replace ((xh j - x j) * (xh j - x j)) with (Rabs (xh j - x j) * Rabs (xh j - x j)).
  - apply Rmult_le_compat; assumption.
  - rewrite <- Rabs_mult. apply Rabs_pos_eq, Rle_0_sqr.
Qed.

(* C++: bounds/statistic.hpp statistic. *)
Theorem statistic_distance : Rabs (S_other - S_known) <= d_min.
Proof.
  unfold d_min. apply Rmin_glb; [apply distance_norm|]. pose proof S_known_pos as Hk. pose proof (floor_pos d_norm) as Hf.
  pose proof (floor_below d_norm distance_norm) as Hb.
  assert (Hc : forall j, (j < n)%nat -> near (x j) (E j) (xh j)).
  { intros j Hj. unfold near. rewrite Rabs_minus_sym. exact (components_near j Hj). }
  pose proof (rms_perturb nu eps n xh x E nu_nonneg eps_pos Hc) as H. unfold near in H. rewrite Rabs_minus_sym in H.
  eapply Rle_trans; [exact H|]. fold S_known. fold S_other. unfold d_squares, Rdiv. apply Rmult_le_compat_l.
  - apply Rmult_le_pos; [assumption|]. apply rsum_nonneg; intros j Hj. pose proof (near_nonneg _ _ _ (components_near j Hj)).
    pose proof (Rabs_pos (x j)). nra.
  - apply Rinv_le_contravar; lra.
Qed.

(** From S to 1 / S: the radius, and the floor that keeps it finite. *)
Definition E2 (d : R) : R := Rmax (/ S_floor d - / S_known) (/ S_known - / (S_known + d)).

Theorem inverse_distance d : Rabs (S_other - S_known) <= d -> near (/ S_other) (E2 d) (/ S_known).
Proof.
  intros H. unfold near. rewrite Rabs_minus_sym. unfold E2.
  apply (alpha_perturb S_known S_other d (S_floor d) S_known_pos (floor_pos d) (floor_below d H)).
  unfold near. now rewrite Rabs_minus_sym.
Qed.
End Distance.

(** ** The mean square, every constant rounded
    sum: computed, D s + F off; q: sum times 1/n, whether by division (kq = u) or by a rounded 1/n and a product (kq = (1 + u)^2 - 1);
      e: the
    eps that is added; last: the rounding of the sum. An FMA makes the product exact: kq is then the error of 1/n alone. *)
(* C++: bounds/statistic.hpp statistic. *)
Theorem computed_mean_square s sum nu eps D F q kq fq e ke fe m' v w : 0 <= s -> 0 <= nu -> 0 <= eps -> 0 <= D -> 0 <= kq -> 0 <= v ->
  near sum (D * s + F) s -> near q (kq * Rabs (nu * sum) + fq) (nu * sum) -> near e (ke * eps + fe) eps -> ke <= (1 + D) * (1 + kq) - 1 ->
  near m' (v * Rabs (q + e) + w) (q + e) ->
  let m := nu * s + eps in
  near m' (((1 + D) * (1 + kq) * (1 + v) - 1) * m + ((nu * F * (1 + kq) + fq + fe) * (1 + v) + w)) m.
Proof.
  intros Hs Hnu Heps HD Hkq Hv Hsum Hq He Hke Hm m. set (P := (1 + D) * (1 + kq) - 1) in *.
  assert (H1 : near (nu * sum) (D * (nu * s) + nu * F) (nu * s)).
  { eapply near_weaken; [apply radius_scale; exact Hsum|]. rewrite Rabs_pos_eq by assumption. lra. }
  assert (Hns : 0 <= nu * s) by nra.
  assert (H2 : Rabs (nu * sum) <= nu * s + (D * (nu * s) + nu * F)).
  { rewrite <- (Rabs_pos_eq (nu * s)) at 1 by assumption. now apply near_magnitude. }
  assert (H3 : near q (P * (nu * s) + nu * F * (1 + kq) + fq) (nu * s)).
  { eapply near_weaken; [eapply near_trans; [exact Hq|exact H1]|].
    assert (kq * Rabs (nu * sum) <= kq * (nu * s + (D * (nu * s) + nu * F))) by (apply Rmult_le_compat_l; assumption). unfold P. lra. }
  assert (H4 : near (q + e) (P * m + nu * F * (1 + kq) + fq + fe) m).
  { eapply near_weaken; [apply radius_sum; [exact H3|exact He]|]. assert (ke * eps <= P * eps) by (apply Rmult_le_compat_r; assumption).
    unfold m. lra. }
  eapply near_weaken; [eapply near_trans; [exact Hm|exact H4]|]. pose proof (near_magnitude _ _ _ H4) as H5.
  rewrite (Rabs_pos_eq m) in H5 by (unfold m; lra).
  assert (v * Rabs (q + e) <= v * (m + (P * m + nu * F * (1 + kq) + fq + fe))) by (apply Rmult_le_compat_l; assumption).
  replace ((1 + D) * (1 + kq) * (1 + v) - 1) with (P * (1 + v) + v) by (unfold P; ring). lra.
Qed.

(** ** The radius of a computed alpha, all from the exact x *)
Section Radius.
Variables (nu eps : R) (n : nat) (x xh E : nat -> R).
Hypothesis nu_nonneg : 0 <= nu.
Hypothesis eps_pos : 0 < eps.
Hypothesis components_near : forall j, (j < n)%nat -> near (xh j) (E j) (x j).

(** The kernel's mean square m' of its own xh is off by P relative and U absolute (computed_mean_square); e: the error of rsqrt. *)
Variables (m' P U e er : R).
Hypothesis P_nonneg : 0 <= P.
Hypothesis U_nonneg : 0 <= U.
Hypothesis mean_square_near : near m' (P * S2 nu eps n xh + U) (S2 nu eps n xh).
Hypothesis rsqrt_near : Rabs e <= er.
Hypothesis er_lt_1 : er < 1.

Let d := d_min nu eps n x E.
Let low := S_floor nu eps n x d.
Definition tau_exact : R := P + U / (low * low).
Definition r1_exact : R := (1 + er) / sqrt (1 - tau_exact) - 1.
(** k, w: the store of alpha, relative and absolute. *)
Definition alpha_radius (k w : R) : R :=
  let e0 := r1_exact / low + E2 nu eps n x d in e0 + (k * (/ S_known nu eps n x + e0) + w).

Lemma low_bounds : 0 < low <= S_other nu eps n xh.
Proof.
  split; [now apply floor_pos|]. apply floor_below; [assumption|assumption|]. now apply statistic_distance.
Qed.

Lemma low_square : 0 < low * low.
Proof. pose proof low_bounds as [H _]. now apply Rmult_lt_0_compat. Qed.

Lemma r1_nonneg : tau_exact < 1 -> 0 <= r1_exact.
Proof.
  intros Ht. pose proof low_square as Hl. assert (0 <= tau_exact).
  { unfold tau_exact. assert (0 <= U / (low * low)) by (apply Rmult_le_pos; [assumption|left; now apply Rinv_0_lt_compat]). lra. }
  assert (He : 0 <= er) by (eapply Rle_trans; [apply Rabs_pos|exact rsqrt_near]). unfold r1_exact.
  assert (Hs : 0 < sqrt (1 - tau_exact) <= 1).
  { split; [apply sqrt_lt_R0; lra|]. rewrite <- sqrt_1 at 2. apply sqrt_le_1; lra. }
  assert (H1 : 1 <= / sqrt (1 - tau_exact)) by (rewrite <- Rinv_1 at 1; apply Rinv_le_contravar; lra). unfold Rdiv.
  set (i := / sqrt (1 - tau_exact)) in *. clearbody i. clear - He H1. nra.
Qed.

Theorem statistic_radius_exact k w alpha' : tau_exact < 1 -> 0 <= k ->
  near alpha' (k * Rabs ((1 + e) / sqrt m') + w) ((1 + e) / sqrt m') -> near alpha' (alpha_radius k w) (/ S_known nu eps n x).
Proof.
  intros Ht Hk Hstore. pose proof low_bounds as [Hl0 Hl]. set (m := S2 nu eps n xh) in *.
  assert (Hm0 : eps <= m) by (apply S2_ge_eps; assumption).
  assert (Hll : low * low <= m). { unfold S_other in Hl. fold m in Hl. rewrite <- (sqrt_sqrt m) by lra. apply Rmult_le_compat; lra. }
  assert (Hmt : near m' (tau_exact * m) m).
  { eapply near_weaken; [exact mean_square_near|]. unfold tau_exact. rewrite Rmult_plus_distr_r. apply Rplus_le_compat_l.
    unfold Rdiv. rewrite Rmult_assoc. rewrite <- (Rmult_1_r U) at 1. apply Rmult_le_compat_l; [assumption|].
    pose proof low_square as Hsq. apply Rmult_le_reg_l with (low * low); [assumption|].
    rewrite <- Rmult_assoc, Rinv_r, Rmult_1_l, Rmult_1_r by lra. assumption. }
  pose proof (alpha_error m m' e tau_exact er ltac:(lra) Hmt Ht rsqrt_near er_lt_1) as H1. fold r1_exact in H1.
  assert (H2 : near ((1 + e) / sqrt m') (r1_exact / low) (/ sqrt m)).
  { eapply near_weaken; [exact H1|]. unfold Rdiv. apply Rmult_le_compat_l; [now apply r1_nonneg|]. apply Rinv_le_contravar; assumption. }
  assert (H3 : near (/ sqrt m) (E2 nu eps n x d) (/ S_known nu eps n x)).
  { apply (inverse_distance nu eps n x xh); try assumption. now apply statistic_distance. }
  pose proof (near_trans _ _ _ _ _ H2 H3) as H4. pose proof (S_known_pos nu eps n x nu_nonneg eps_pos) as HS.
  unfold alpha_radius. cbv zeta. rewrite Rplus_comm. eapply near_trans; [|exact H4]. eapply near_weaken; [exact Hstore|].
  apply Rplus_le_compat_r. apply Rmult_le_compat_l; [assumption|]. pose proof (near_magnitude _ _ _ H4) as H5.
  rewrite (Rabs_pos_eq (/ S_known nu eps n x)) in H5 by (left; now apply Rinv_0_lt_compat). exact H5.
Qed.

(** rho for the common factor: |alpha' / alpha - 1| <= alpha_radius S. *)
(* C++: bounds/keys.hpp make_group_keys; bounds/keys.hpp make_row_keys; bounds/queries.hpp make_queries; bounds/sources.hpp make_sources;
   bounds/statistic.hpp statistic. *)
Theorem statistic_ratio_exact k w alpha' : tau_exact < 1 -> 0 <= k ->
  near alpha' (k * Rabs ((1 + e) / sqrt m') + w) ((1 + e) / sqrt m') ->
  Rabs (alpha' / / S_known nu eps n x - 1) <= alpha_radius k w * S_known nu eps n x.
Proof.
  intros Ht Hk Hs. pose proof (statistic_radius_exact k w alpha' Ht Hk Hs) as H. unfold near in H.
  pose proof (S_known_pos nu eps n x nu_nonneg eps_pos) as HS. set (S := S_known nu eps n x) in *.
  replace (alpha' / / S - 1) with ((alpha' - / S) * S) by (field; lra). rewrite Rabs_mult, (Rabs_pos_eq S) by lra.
  apply Rmult_le_compat_r; lra.
Qed.
End Radius.
