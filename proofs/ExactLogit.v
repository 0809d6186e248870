(** Purpose: both forms' content logit operation by operation in declared formats, the bound in magnitudes of the exact values alone: what
      src/bounds can evaluate for a kernel that shows nothing but its output. (LogitFormats.v has it in the computed values.)
    Main results: [normalised_component_error]: x alpha gamma with a computed alpha, two products, a store; [projected_component_error]:
      a component of c W; [explicit_exact_error], [absorbed_exact_error]: the logit; [exact_forms_difference].
    Depends on: LogitFormats, ExactMagnitudes. Axioms: those of Coq's real numbers.

    rq, rk: ratios of the computed to the true statistics; fq, fk >= 1 with |rq - 1| <= fq - 1. *)
From Equinorm Require Export LogitFormats ExactMagnitudes.
Local Open Scope R_scope.

(** Half an ulp at m in a format; nothing if the tensor is not stored. *)
Definition rounding_at (f : Format) (m : R) : R := half_ulp_at (emin f) (prec f) m.
Definition storing_at (f : option Format) (m : R) : R :=
  match f with
  | Some f => rounding_at f m
  | None => 0
  end.

Lemma fl_upper f z m : Rabs z <= m -> near (fl f z) (rounding_at f m) z.
Proof. exact (half_ulp_of_upper (emin f) (prec f) (ties f) z m). Qed.

Lemma store_upper f z m : Rabs z <= m -> near (store f z) (storing_at f m) z.
Proof. destruct f as [f|]; [apply fl_upper|]. intros _. apply near_refl. Qed.

(** One rounded product by a factor r b, |r| <= F, b known. *)
Lemma product_upper f F z e x r b : Rabs r <= F -> near z e x ->
  near (fl f (z * (r * b))) (F * e * Rabs b + rounding_at f (F * (Rabs x + e) * Rabs b)) (r * (x * b)).
Proof.
  intros Hr Hz. pose proof (near_nonneg _ _ _ Hz) as He. pose proof (Rabs_pos r) as Hr0.
  eapply near_weaken; [eapply near_trans; [apply fl_upper with (m := F * (Rabs x + e) * Rabs b)|]|].
  - rewrite !Rabs_mult, <- Rmult_assoc. apply Rmult_le_compat_r; [apply Rabs_pos|]. rewrite (Rmult_comm F).
    pose proof (near_magnitude _ _ _ Hz). apply Rmult_le_compat; try apply Rabs_pos; assumption.
  - replace (r * (x * b)) with (x * (r * b)) by ring. apply radius_scale_r. exact Hz.
  - rewrite Rabs_mult. assert (e * (Rabs r * Rabs b) <= e * (F * Rabs b)); [|lra]. apply Rmult_le_compat_l; [assumption|].
    apply Rmult_le_compat_r; [apply Rabs_pos|assumption].
Qed.

Section Component.
Variables (fx : Format) (stored : option Format) (F e x alpha gamma : R).

(** x alpha, then gamma, then the store; every half ulp at F times the magnitude. *)
Definition component_radius : R :=
  let e1 := F * e * Rabs alpha + rounding_at fx (F * (Rabs x + e) * Rabs alpha) in
  let e2 := e1 * Rabs gamma + rounding_at fx ((F * Rabs (x * alpha) + e1) * Rabs gamma) in
  e2 + storing_at stored (F * Rabs (x * alpha * gamma) + e2).

(* C++: bounds/keys.hpp make_group_keys; bounds/keys.hpp make_row_keys; bounds/queries.hpp make_queries; bounds/sources.hpp make_sources;
   bounds/vectors.hpp finish_row. *)
Theorem normalised_component_error z r : Rabs r <= F -> near z e x ->
  near (twice fx stored z (r * alpha) gamma) component_radius (r * (x * alpha * gamma)).
Proof.
  intros Hr Hz. unfold twice, component_radius. cbv zeta. set (e1 := F * e * Rabs alpha + rounding_at fx (F * (Rabs x + e) * Rabs alpha)).
  assert (Hrx : forall t, Rabs (r * t) <= F * Rabs t).
  { intros t. rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|assumption]. }
  assert (H1 : near (fl fx (z * (r * alpha))) e1 (r * (x * alpha))) by (now apply product_upper).
  set (e2 := e1 * Rabs gamma + rounding_at fx ((F * Rabs (x * alpha) + e1) * Rabs gamma)).
  assert (H2 : near (fl fx (fl fx (z * (r * alpha)) * gamma)) e2 (r * (x * alpha * gamma))).
  { eapply radius_round; [apply fl_upper|].
    - rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|]. eapply Rle_trans; [apply near_magnitude; exact H1|].
      apply Rplus_le_compat_r, Hrx.
    - replace (r * (x * alpha * gamma)) with (r * (x * alpha) * gamma) by ring. now apply radius_scale_r. }
  eapply radius_round; [|exact H2]. apply store_upper. eapply Rle_trans; [apply near_magnitude; exact H2|]. apply Rplus_le_compat_r, Hrx.
Qed.
End Component.

Section Formats.
Variables (fa fx : Format) (k0_format k_hat_format q_hat_format g_format q_tilde_format : option Format).
Variables (r dc h_r h_dc : nat) (over_r over_dc : order).
Hypothesis over_r_sums : sums over_r 0 r.
Hypothesis over_dc_sums : sums over_dc 0 dc.
Hypothesis over_r_height : (height over_r <= h_r)%nat.
Hypothesis over_dc_height : (height over_dc <= h_dc)%nat.
Variables (W : nat -> nat -> R) (c q gq gk : nat -> R) (aq ak rq rk fq fk : R).
Hypothesis q_ratio : Rabs (rq - 1) <= fq - 1.
Hypothesis k_ratio : Rabs (rk - 1) <= fk - 1.

Notation key := (k0 r W c).
Notation exact := (exact_logit r dc W c q gq gk aq ak).
Let Dr := dot_factor fa h_r.
Let Dc := dot_factor fa h_dc.
Let Ur := dot_underflow fa h_r r.
Let Uc := dot_underflow fa h_dc dc.

Lemma exact_with_ratios : logit_with r dc W c q gq gk (rq * aq) (rk * ak) = rq * rk * exact.
Proof. unfold exact_logit, logit_with. rewrite <- rsum_scal. apply rsum_ext; intros; ring. Qed.

(** Against the computed statistics first, against the true ones at the end. *)
Lemma ratios_back v e : near v e (rq * rk * exact) -> near v (e + (fq * fk - 1) * Rabs exact) exact.
Proof.
  intros H. eapply near_trans; [exact H|]. unfold near. replace (rq * rk * exact - exact) with ((rq * rk - 1) * exact) by ring.
  rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|]. now apply factor_product.
Qed.

(** ** k0 = c W_K *)
Definition projected_radius (j : nat) : R :=
  let e := Dr * rsum r (fun l => Rabs (c l * W l j)) + Ur in e + storing_at k0_format (Rabs (key j) + e).

(* C++: bounds/keys.hpp make_group_keys. *)
Theorem projected_component_error j : near (k0_computed fa k0_format over_r W c j) (projected_radius j) (key j).
Proof.
  pose proof (dot_in_near fa over_r c (fun l => W l j) r h_r over_r_sums over_r_height) as H. fold Dr Ur in H. unfold projected_radius.
  eapply radius_round; [|exact H]. apply store_upper. apply near_magnitude. exact H.
Qed.

(** ** Explicit *)
Definition k_hat_exact_radius (j : nat) : R := component_radius fx k_hat_format fk (projected_radius j) (key j) ak (gk j).
Definition q_hat_exact_radius (j : nat) : R := component_radius fx q_hat_format fq 0 (q j) aq (gq j).
Definition explicit_exact_radius : R :=
  let x j := fq * Rabs (q j * aq * gq j) in
  let y j := fk * Rabs (key j * ak * gk j) in
  let e := q_hat_exact_radius in
  let f := k_hat_exact_radius in
  Dc * rsum dc (fun j => (x j + e j) * (y j + f j)) + Uc + rsum dc (fun j => x j * f j + e j * y j + e j * f j).

Lemma explicit_with_ratios :
  near (explicit_logit fa fx k0_format k_hat_format q_hat_format over_r over_dc W c q gq gk (rq * aq) (rk * ak)) explicit_exact_radius
    (rq * rk * exact).
Proof.
  set (qh := q_hat fx q_hat_format q gq (rq * aq)). set (kh := k_hat fa fx k0_format k_hat_format over_r W c gk (rk * ak)).
  pose proof (ratio_below rq fq q_ratio) as Hq. pose proof (ratio_below rk fk k_ratio) as Hk.
  assert (H1 : forall j, (j < dc)%nat -> near (qh j) (q_hat_exact_radius j) (rq * (q j * aq * gq j))).
  { intros j _. apply normalised_component_error; [assumption|apply near_refl]. }
  assert (H2 : forall j, (j < dc)%nat -> near (kh j) (k_hat_exact_radius j) (rk * (key j * ak * gk j))).
  { intros j _. apply normalised_component_error; [assumption|apply projected_component_error]. }
  pose proof (dot_in_near fa over_dc qh kh dc h_dc over_dc_sums over_dc_height) as H3. fold Dc Uc in H3.
  pose proof (radius_dot_exact dc qh q_hat_exact_radius _ kh k_hat_exact_radius _ _ Dc Uc (dot_factor_nonneg fa h_dc) H1 H2 H3) as H4.
  replace (rq * rk * exact) with (rsum dc (fun i => rq * (q i * aq * gq i) * (rk * (key i * ak * gk i)))).
  - eapply near_weaken; [exact H4|]. unfold explicit_exact_radius. cbv zeta.
    assert (Hx : forall t, Rabs (rq * t) <= fq * Rabs t) by (intros; rewrite Rabs_mult; apply Rmult_le_compat_r; [apply Rabs_pos|exact Hq]).
    assert (Hy : forall t, Rabs (rk * t) <= fk * Rabs t) by (intros; rewrite Rabs_mult; apply Rmult_le_compat_r; [apply Rabs_pos|exact Hk]).
    apply Rplus_le_compat; [apply Rplus_le_compat_r; apply Rmult_le_compat_l; [apply dot_factor_nonneg|]|]; apply rsum_le; intros j Hj;
      pose proof (near_nonneg _ _ _ (H1 j Hj)); pose proof (near_nonneg _ _ _ (H2 j Hj)); pose proof (Hx (q j * aq * gq j));
      pose proof (Hy (key j * ak * gk j)); pose proof (Rabs_pos (rq * (q j * aq * gq j))); pose proof (Rabs_pos (rk * (key j * ak * gk j))).
    + apply Rmult_le_compat; lra.
    + apply Rplus_le_compat_r. apply Rplus_le_compat; [apply Rmult_le_compat_r|apply Rmult_le_compat_l]; assumption.
  - rewrite <- exact_with_ratios. unfold logit_with. apply rsum_ext; intros; ring.
Qed.

(* C++: bounds/scores.hpp make_scores. *)
Theorem explicit_exact_error :
  near (explicit_logit fa fx k0_format k_hat_format q_hat_format over_r over_dc W c q gq gk (rq * aq) (rk * ak))
    (explicit_exact_radius + (fq * fk - 1) * Rabs exact) exact.
Proof. apply ratios_back, explicit_with_ratios. Qed.

(** ** Absorbed *)
Definition g_exact_radius (j : nat) : R := component_radius fx g_format 1 0 (q j) (gq j) (gk j).
Definition q_tilde_true (l : nat) : R := rsum dc (fun j => W l j * (q j * gq j * gk j)).
(** What g brings to q_tilde; the local error of q_tilde: its dot product and its store. *)
Definition q_tilde_inherited (l : nat) : R := rsum dc (fun j => Rabs (W l j) * g_exact_radius j).
Definition q_tilde_local (l : nat) : R :=
  let e := Dc * rsum dc (fun j => Rabs (W l j) * (Rabs (q j * gq j * gk j) + g_exact_radius j)) + Uc in
  e + storing_at q_tilde_format (Rabs (q_tilde_true l) + q_tilde_inherited l + e).
Definition score_exact_radius : R :=
  Dr * rsum r (fun l => (Rabs (q_tilde_true l) + q_tilde_inherited l + q_tilde_local l) * Rabs (c l)) + Ur +
  rsum r (fun l => q_tilde_local l * Rabs (c l)) + rsum dc (fun j => g_exact_radius j * Rabs (key j)).
Definition score_true : R := rsum dc (fun j => q j * gq j * gk j * key j).
Definition absorbed_exact_radius : R :=
  let e1 := fq * score_exact_radius * Rabs aq + rounding_at fx (fq * (Rabs score_true + score_exact_radius) * Rabs aq) in
  fk * e1 * Rabs ak + rounding_at fx (fk * (fq * Rabs (score_true * aq) + e1) * Rabs ak).

Lemma g_component j : near (g fx g_format q gq gk j) (g_exact_radius j) (q j * gq j * gk j).
Proof.
  pose proof (normalised_component_error fx g_format 1 0 (q j) (gq j) (gk j) (q j) 1 ltac:(rewrite Rabs_R1; lra) (near_refl _)) as H.
  rewrite !Rmult_1_l in H. exact H.
Qed.

Lemma q_tilde_near_local l :
  let d := rsum dc (fun j => W l j * g fx g_format q gq gk j) in
  near (q_tilde fa fx g_format q_tilde_format over_dc W q gq gk l) (q_tilde_local l) d /\
  near d (q_tilde_inherited l) (q_tilde_true l).
Proof.
  intros d. pose proof (dot_in_near fa over_dc (W l) (g fx g_format q gq gk) dc h_dc over_dc_sums over_dc_height) as H. fold Dc Uc in H.
  assert (H2 : near d (q_tilde_inherited l) (q_tilde_true l)).
  { apply radius_rsum. intros j _. apply radius_scale, g_component. }
  set (e := Dc * rsum dc (fun j => Rabs (W l j) * (Rabs (q j * gq j * gk j) + g_exact_radius j)) + Uc).
  assert (H1 : near (dot_in fa over_dc (W l) (g fx g_format q gq gk)) e d).
  { eapply near_weaken; [exact H|]. unfold e. apply Rplus_le_compat_r. apply Rmult_le_compat_l; [apply dot_factor_nonneg|].
    apply rsum_le; intros j _. rewrite Rabs_mult. apply Rmult_le_compat_l; [apply Rabs_pos|]. apply near_magnitude, g_component. }
  split; [|exact H2]. unfold q_tilde, q_tilde_local. fold e. eapply radius_round; [|exact H1]. apply store_upper.
  pose proof (near_magnitude _ _ _ H1). pose proof (near_magnitude _ _ _ H2). lra.
Qed.

Lemma absorbed_with_ratios :
  near (absorbed_logit fa fx g_format q_tilde_format over_r over_dc W c q gq gk (rq * aq) (rk * ak)) absorbed_exact_radius (rq * rk *
    exact).
Proof.
  set (z := LogitFormats.z fa fx g_format q_tilde_format over_r over_dc W c q gq gk).
  set (qt := q_tilde fa fx g_format q_tilde_format over_dc W q gq gk).
  assert (Hz : near z score_exact_radius score_true).
  { pose proof (dot_in_near fa over_r qt c r h_r over_r_sums over_r_height) as H. fold Dr Ur in H.
    pose proof (score_near r dc W c q gq gk (g fx g_format q gq gk) g_exact_radius qt q_tilde_local z Dr Ur (fun j _ => g_component j)
      (fun l _ => proj1 (q_tilde_near_local l)) H) as H1.
    eapply near_weaken; [exact H1|]. unfold score_radius, score_exact_radius. do 3 apply Rplus_le_compat_r.
    apply Rmult_le_compat_l; [apply dot_factor_nonneg|]. apply rsum_le; intros l _. rewrite Rabs_mult.
    apply Rmult_le_compat_r; [apply Rabs_pos|]. destruct (q_tilde_near_local l) as [N1 N2].
    pose proof (near_magnitude _ _ _ N1). pose proof (near_magnitude _ _ _ N2). fold qt in H0. lra. }
  unfold absorbed_logit. fold z. unfold absorbed_exact_radius. cbv zeta.
  pose proof (ratio_below rq fq q_ratio) as Hq. pose proof (ratio_below rk fk k_ratio) as Hk.
  pose proof (product_upper fx fq z _ _ rq aq Hq Hz) as H1.
  set (e1 := fq * score_exact_radius * Rabs aq + rounding_at fx (fq * (Rabs score_true + score_exact_radius) * Rabs aq)) in *.
  pose proof (product_upper fx fk _ _ _ rk ak Hk H1) as H2. replace (rq * rk * exact) with (rk * (rq * (score_true * aq) * ak)).
  - eapply near_weaken; [exact H2|]. apply Rplus_le_compat_l. apply (half_ulp_at_mono (emin fx) (prec fx)).
    pose proof (near_nonneg _ _ _ H1) as He1. pose proof (Rabs_pos rk). assert (Hfk : 0 <= fk) by lra.
    rewrite Rabs_pos_eq by (apply Rmult_le_pos; [apply Rmult_le_pos; [assumption|]|apply Rabs_pos]; apply Rplus_le_le_0_compat;
      [apply Rabs_pos|assumption]).
    apply Rmult_le_compat_r; [apply Rabs_pos|]. apply Rmult_le_compat_l; [assumption|]. apply Rplus_le_compat_r. rewrite Rabs_mult.
    apply Rmult_le_compat_r; [apply Rabs_pos|exact Hq].
  - unfold score_true, exact_logit, logit_with. transitivity (rq * rk * (aq * ak * rsum dc (fun j => q j * gq j * gk j * key j))); [ring|].
    rewrite <- rsum_scal. f_equal. apply rsum_ext; intros; ring.
Qed.

(* C++: bounds/queries.hpp make_queries; bounds/scores.hpp latent_moves; bounds/scores.hpp make_scores. *)
Theorem absorbed_exact_error :
  near (absorbed_logit fa fx g_format q_tilde_format over_r over_dc W c q gq gk (rq * aq) (rk * ak))
    (absorbed_exact_radius + (fq * fk - 1) * Rabs exact) exact.
Proof. apply ratios_back, absorbed_with_ratios. Qed.

(** The same computed statistics in both forms: their error drops out of the difference. *)
Theorem exact_forms_difference :
  Rabs (explicit_logit fa fx k0_format k_hat_format q_hat_format over_r over_dc W c q gq gk (rq * aq) (rk * ak) -
        absorbed_logit fa fx g_format q_tilde_format over_r over_dc W c q gq gk (rq * aq) (rk * ak)) <=
  explicit_exact_radius + absorbed_exact_radius.
Proof. eapply forms_difference; [apply explicit_with_ratios|apply absorbed_with_ratios]. Qed.
End Formats.
