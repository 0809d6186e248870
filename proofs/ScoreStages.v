(** Purpose: stages cache_write, query and score, one after the other: radii of stored keys and queries in, the radius of a logit out, for
      any kernel whose stages obey their bounds; in magnitudes of the exact values alone.
    Main results: [dot_stage]: stored queries and keys, each with a ratio of its own; [latent_stage]: the absorbed form's g, q_tilde and
      latents; [outside_stage]: statistics applied to the score; [joined_stage]: content and RoPE, blockwise or under one statistic;
      [logit_stage]: scale, soft-cap, store; [score_stages]: from the dot products to the logit; [absorbed_dot]: both contractions are the
      same number.
    Depends on: ExactLogit. Axioms: those of Coq's real numbers.

    A kernel's row is [ratio * (exact + error)]: the ratio is what its statistic is off by, common to the row, |ratio - 1| <= f - 1. *)
From Equinorm Require Export ExactLogit.
Local Open Scope R_scope.

(** A rounding within k |z| + w of z, known by an upper bound m of |z|. *)
Lemma relative_stage out k w z m : 0 <= k -> near out (k * Rabs z + w) z -> Rabs z <= m -> near out (k * m + w) z.
Proof. intros Hk H Hm. eapply near_weaken; [exact H|]. apply Rplus_le_compat_r. now apply Rmult_le_compat_l. Qed.

Lemma ratio_size r f x : Rabs (r - 1) <= f - 1 -> Rabs (r * x) <= f * Rabs x.
Proof. intros H. rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|]. now apply ratio_below. Qed.

Lemma ratio_at_least_1 r f : Rabs (r - 1) <= f - 1 -> 1 <= f.
Proof. intros H. pose proof (Rabs_pos (r - 1)). lra. Qed.

(** ** Stored rows: explicit content, RoPE of either form, the keys of the deferred form *)
Definition dot_radius n D U f g (x e y k : nat -> R) : R :=
  D * rsum n (fun j => (f * Rabs (x j) + e j) * (g * Rabs (y j) + k j)) + U +
  rsum n (fun j => f * Rabs (x j) * k j + e j * (g * Rabs (y j)) + e j * k j).

(* C++: bounds/scores.hpp make_scores. *)
Theorem dot_stage n (q x e key y k : nat -> R) rq rk f g s D U : 0 <= D -> Rabs (rq - 1) <= f - 1 -> Rabs (rk - 1) <= g - 1 ->
  (forall j, (j < n)%nat -> near (q j) (e j) (rq * x j)) -> (forall j, (j < n)%nat -> near (key j) (k j) (rk * y j)) ->
  near s (D * rsum n (fun j => Rabs (q j * key j)) + U) (rsum n (fun j => q j * key j)) ->
  near s (dot_radius n D U f g x e y k) (rq * rk * rsum n (fun j => x j * y j)).
Proof.
  intros HD Hrq Hrk Hq Hk Hs. pose proof (radius_dot_exact n q e _ key k _ s D U HD Hq Hk Hs) as H.
  replace (rq * rk * rsum n (fun j => x j * y j)) with (rsum n (fun j => rq * x j * (rk * y j)))
    by (rewrite <- rsum_scal; apply rsum_ext; intros; ring).
  eapply near_weaken; [exact H|]. unfold dot_radius. apply Rplus_le_compat; [apply Rplus_le_compat_r; apply Rmult_le_compat_l;
    [assumption|]|]; apply rsum_le; intros j Hj; pose proof (near_nonneg _ _ _ (Hq j Hj)); pose proof (near_nonneg _ _ _ (Hk j Hj));
    pose proof (ratio_size rq f (x j) Hrq); pose proof (ratio_size rk g (y j) Hrk); pose proof (Rabs_pos (rq * x j));
    pose proof (Rabs_pos (rk * y j)).
  - apply Rmult_le_compat; lra.
  - apply Rplus_le_compat_r. apply Rplus_le_compat; [apply Rmult_le_compat_r|apply Rmult_le_compat_l]; assumption.
Qed.

(** ** Absorbed: g with radii and a ratio (alpha_q inside or not), q_tilde with its local error, latents with radii *)
Section Latent.
Variables (r dc : nat) (W : nat -> nat -> R) (c ch Ec qt local g x Eg : nat -> R) (rg f s D U : R).
Hypothesis D_nonneg : 0 <= D.
Hypothesis g_ratio : Rabs (rg - 1) <= f - 1.
Hypothesis g_stage : forall j, (j < dc)%nat -> near (g j) (Eg j) (rg * x j).
Hypothesis q_tilde_stage : forall l, (l < r)%nat -> near (qt l) (local l) (rsum dc (fun j => W l j * g j)).
Hypothesis latent_stage_c : forall l, (l < r)%nat -> near (ch l) (Ec l) (c l).
Hypothesis dot_stage_z : near s (D * rsum r (fun l => Rabs (qt l * ch l)) + U) (rsum r (fun l => qt l * ch l)).

(** The most that the kernel's q_tilde can be. *)
Definition q_tilde_upper (l : nat) : R :=
  f * Rabs (rsum dc (fun j => W l j * x j)) + rsum dc (fun j => Rabs (W l j) * Eg j) + local l.
(** The error of g meets the key itself, k0 = c W_K. *)
Definition latent_radius : R :=
  D * rsum r (fun l => q_tilde_upper l * (Rabs (c l) + Ec l)) + U + rsum r (fun l => q_tilde_upper l * Ec l) +
  rsum r (fun l => local l * Rabs (c l)) + rsum dc (fun j => Eg j * Rabs (k0 r W c j)).

Lemma q_tilde_size l : (l < r)%nat -> Rabs (qt l) <= q_tilde_upper l.
Proof.
  intros Hl. assert (H : near (rsum dc (fun j => W l j * g j)) (rsum dc (fun j => Rabs (W l j) * Eg j))
    (rsum dc (fun j => W l j * (rg * x j)))) by (apply radius_rsum; intros j Hj; apply radius_scale; auto).
  pose proof (near_magnitude _ _ _ (near_trans _ _ _ _ _ (q_tilde_stage l Hl) H)) as Hm. unfold q_tilde_upper.
  replace (rsum dc (fun j => W l j * (rg * x j))) with (rg * rsum dc (fun j => W l j * x j)) in Hm
    by (rewrite <- rsum_scal; apply rsum_ext; intros; ring).
  pose proof (ratio_size rg f (rsum dc (fun j => W l j * x j)) g_ratio). lra.
Qed.

(* C++: bounds/queries.hpp make_queries; bounds/scores.hpp make_scores. *)
Theorem latent_stage : near s latent_radius (rg * rsum dc (fun j => x j * k0 r W c j)).
Proof.
  assert (H1 : near (rsum r (fun l => qt l * ch l)) (rsum r (fun l => q_tilde_upper l * Ec l)) (rsum r (fun l => qt l * c l))).
  { eapply near_weaken; [apply radius_rsum; intros l Hl; apply radius_scale; exact (latent_stage_c l Hl)|]. apply rsum_le; intros l Hl.
    apply Rmult_le_compat_r; [exact (near_nonneg _ _ _ (latent_stage_c l Hl))|now apply q_tilde_size]. }
  assert (H2 : near (rsum r (fun l => qt l * c l)) (rsum r (fun l => local l * Rabs (c l)))
    (rsum r (fun l => rsum dc (fun j => W l j * g j) * c l))).
  { apply radius_rsum; intros l Hl. apply radius_scale_r. auto. }
  assert (E : rsum r (fun l => rsum dc (fun j => W l j * g j) * c l) = rsum dc (fun j => g j * k0 r W c j)).
  { unfold k0. transitivity (rsum r (fun l => rsum dc (fun j => W l j * g j * c l))).
    - apply rsum_ext; intros l _. rewrite (Rmult_comm _ (c l)), <- rsum_scal. apply rsum_ext; intros; ring.
    - rewrite rsum_swap. apply rsum_ext; intros j _. rewrite <- rsum_scal. apply rsum_ext; intros; ring. }
  assert (H3 : near (rsum dc (fun j => g j * k0 r W c j)) (rsum dc (fun j => Eg j * Rabs (k0 r W c j)))
    (rg * rsum dc (fun j => x j * k0 r W c j))).
  { replace (rg * rsum dc (fun j => x j * k0 r W c j)) with (rsum dc (fun j => rg * x j * k0 r W c j))
      by (rewrite <- rsum_scal; apply rsum_ext; intros; ring).
    apply radius_rsum; intros j Hj. apply radius_scale_r. auto. }
  rewrite E in H2. eapply near_weaken; [eapply near_trans; [exact dot_stage_z|]; eapply near_trans; [exact H1|]; eapply near_trans;
    [exact H2|exact H3]|].
  assert (Hs : D * rsum r (fun l => Rabs (qt l * ch l)) <= D * rsum r (fun l => q_tilde_upper l * (Rabs (c l) + Ec l))).
  { apply Rmult_le_compat_l; [assumption|]. apply rsum_le; intros l Hl. rewrite Rabs_mult.
    apply Rmult_le_compat; try apply Rabs_pos; [now apply q_tilde_size|]. apply near_magnitude. auto. }
  unfold latent_radius. lra.
Qed.
End Latent.

(** Both forms contract to the same number: (9) and (10) of the model. *)
Theorem absorbed_dot r dc W c q gq gk aq ak :
  aq * ak * rsum dc (fun j => q j * gq j * gk j * k0 r W c j) = rsum dc (fun j => (q j * aq * gq j) * (k0 r W c j * ak * gk j)).
Proof. rewrite <- rsum_scal. apply rsum_ext; intros; ring. Qed.

(** ** Statistics applied to the score: times o, near ro ox; k = w = 0 and o = 1 where nothing is applied *)
Definition outside_radius k w fo ox e f x : R := fo * Rabs ox * e + (k * (fo * Rabs ox * (f * Rabs x + e)) + w).

(* C++: bounds/scores.hpp make_scores. *)
Theorem outside_stage s e f r x ro fo ox o k w out : 0 <= k -> Rabs (r - 1) <= f - 1 -> Rabs (ro - 1) <= fo - 1 -> o = ro * ox ->
  near s e (r * x) -> near out (k * Rabs (s * o) + w) (s * o) -> near out (outside_radius k w fo ox e f x) (r * ro * (ox * x)).
Proof.
  intros Hk Hr Hro -> Hs Hout. pose proof (near_nonneg _ _ _ Hs) as He. pose proof (ratio_size ro fo ox Hro) as Ho.
  assert (Hso : Rabs (s * (ro * ox)) <= fo * Rabs ox * (f * Rabs x + e)).
  { rewrite Rabs_mult, Rmult_comm. apply Rmult_le_compat; try apply Rabs_pos; [exact Ho|].
    pose proof (near_magnitude _ _ _ Hs). pose proof (ratio_size r f x Hr). lra. }
  pose proof (relative_stage _ _ _ _ _ Hk Hout Hso) as H1. pose proof (radius_scale_r (ro * ox) _ _ _ Hs) as H2.
  replace (r * x * (ro * ox)) with (r * ro * (ox * x)) in H2 by ring. eapply near_weaken; [exact (near_trans _ _ _ _ _ H1 H2)|].
  unfold outside_radius. assert (e * Rabs (ro * ox) <= e * (fo * Rabs ox)) by (apply Rmult_le_compat_l; assumption). lra.
Qed.

(** ** Content and RoPE: a statistic for each block, put right before the addition, or one for both, put right at the end *)
Definition joined_ratio (unified : bool) (f : R) : R := if unified then f else 1.
Definition joined_radius (unified : bool) us ws ec fc xc er fr xr : R :=
  let e := if unified then ec + er else (ec + (fc - 1) * Rabs xc) + (er + (fr - 1) * Rabs xr) in
  e + (us * (joined_ratio unified fc * Rabs (xc + xr) + e) + ws).

(* C++: bounds/scores.hpp make_scores. *)
Theorem joined_stage (unified : bool) sc ec fc rc xc sr er fr rr xr us ws s : 0 <= us -> Rabs (rc - 1) <= fc - 1 ->
  Rabs (rr - 1) <= fr - 1 -> (unified = true -> rr = rc) -> near sc ec (rc * xc) -> near sr er (rr * xr) ->
  near s (us * Rabs (sc + sr) + ws) (sc + sr) ->
  near s (joined_radius unified us ws ec fc xc er fr xr) ((if unified then rc else 1) * (xc + xr)).
Proof.
  intros Hu Hc Hr Hsame Hsc Hsr Hs. unfold joined_radius, joined_ratio. cbv zeta. destruct unified.
  - rewrite (Hsame eq_refl) in Hsr. pose proof (radius_sum _ _ _ _ _ _ Hsc Hsr) as H.
    replace (rc * xc + rc * xr) with (rc * (xc + xr)) in H by ring.
    eapply radius_round; [|exact H]. apply relative_stage with (1 := Hu) (2 := Hs).
    pose proof (near_magnitude _ _ _ H). pose proof (ratio_size rc fc (xc + xr) Hc). lra.
  - assert (Back : forall v e rho f x, Rabs (rho - 1) <= f - 1 -> near v e (rho * x) -> near v (e + (f - 1) * Rabs x) x).
    { intros v e rho f x Hf H. eapply near_trans; [exact H|]. unfold near. replace (rho * x - x) with ((rho - 1) * x) by ring.
      rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|assumption]. }
    pose proof (radius_sum _ _ _ _ _ _ (Back _ _ _ _ _ Hc Hsc) (Back _ _ _ _ _ Hr Hsr)) as H. rewrite !Rmult_1_l.
    eapply radius_round; [|exact H]. apply relative_stage with (1 := Hu) (2 := Hs). now apply near_magnitude.
Qed.

(** ** From the joined score to the logit: the ratio put right, scale (k2, w2), soft-cap (any function cap with a bound of its own stage,
    such as CapGate.v's), store *)
Definition scaled_radius k w scale f e x : R :=
  let back := e + (f - 1) * Rabs x in Rabs scale * back + (k * (Rabs scale * (Rabs x + back)) + w).

(* C++: bounds/scores.hpp make_scores. *)
Theorem logit_stage s e f r x k w scale z (cap : R -> R) (cap_radius : R -> R -> R) lc format : 0 <= k -> Rabs (r - 1) <= f - 1 ->
  near s e (r * x) -> near z (k * Rabs (scale * s) + w) (scale * s) ->
  (forall E X, near z E X -> near lc (cap_radius E X) (cap X)) ->
  let e2 := cap_radius (scaled_radius k w scale f e x) (scale * x) in
  near (store format lc) (e2 + storing_at format (Rabs (cap (scale * x)) + e2)) (cap (scale * x)).
Proof.
  intros Hk Hr Hs Hz Hcap e2. assert (H1 : near s (e + (f - 1) * Rabs x) x).
  { eapply near_trans; [exact Hs|]. unfold near. replace (r * x - x) with ((r - 1) * x) by ring. rewrite Rabs_mult.
    apply Rmult_le_compat_r; [apply Rabs_pos|assumption]. }
  assert (H2 : near z (scaled_radius k w scale f e x) (scale * x)).
  { unfold scaled_radius. cbv zeta. eapply radius_round; [|apply radius_scale; exact H1]. apply relative_stage with (1 := Hk) (2 := Hz).
    rewrite Rabs_mult. apply Rmult_le_compat_l; [apply Rabs_pos|]. now apply near_magnitude. }
  pose proof (Hcap _ _ H2) as H3. fold e2 in H3. eapply radius_round; [|exact H3]. apply store_upper. now apply near_magnitude.
Qed.

(** ** All of it, for one token. Content dot product sc near rc xc, statistics o1 on it, RoPE sr, the sum, statistics o2 on both. Blockwise
    has o2 = 1. *)
Section Score.
Variables (unified : bool) (sc ec fc rc xc ro1 fo1 ox1 o1 k1 w1 s1 : R) (sr er fr rr xr us ws s : R) (ro2 fo2 ox2 o2 k2 w2 s2 : R).
Variables (k w scale z lc : R) (cap : R -> R) (cap_radius : R -> R -> R) (format : option Format).
Hypothesis factors : 0 <= k1 /\ 0 <= us /\ 0 <= k2 /\ 0 <= k.
Hypothesis content_ratio : Rabs (rc - 1) <= fc - 1.
Hypothesis first_ratio : Rabs (ro1 - 1) <= fo1 - 1 /\ o1 = ro1 * ox1.
Hypothesis rope_ratio : Rabs (rr - 1) <= fr - 1.
Hypothesis second_ratio : Rabs (ro2 - 1) <= fo2 - 1 /\ o2 = ro2 * ox2.
Hypothesis same_ratio : unified = true -> rr = rc * ro1.
Hypothesis content_near : near sc ec (rc * xc).
Hypothesis rope_near : near sr er (rr * xr).
Hypothesis first_stage : near s1 (k1 * Rabs (sc * o1) + w1) (sc * o1).
Hypothesis sum_stage : near s (us * Rabs (s1 + sr) + ws) (s1 + sr).
Hypothesis second_stage : near s2 (k2 * Rabs (s * o2) + w2) (s * o2).
Hypothesis scale_stage : near z (k * Rabs (scale * s2) + w) (scale * s2).
Hypothesis cap_stage : forall E X, near z E X -> near lc (cap_radius E X) (cap X).

Definition score_radius_stages : R :=
  let e1 := outside_radius k1 w1 fo1 ox1 ec fc xc in
  let ej := joined_radius unified us ws e1 (fc * fo1) (ox1 * xc) er fr xr in
  let fj := joined_ratio unified (fc * fo1) in
  let x := ox1 * xc + xr in
  let e2 := cap_radius (scaled_radius k w scale (fj * fo2) (outside_radius k2 w2 fo2 ox2 ej fj x) (ox2 * x)) (scale * (ox2 * x)) in
  e2 + storing_at format (Rabs (cap (scale * (ox2 * x))) + e2).

(* C++: bounds/scores.hpp make_scores. *)
Theorem score_stages : near (store format lc) score_radius_stages (cap (scale * (ox2 * (ox1 * xc + xr)))).
Proof.
  destruct factors as (Hk1 & Hus & Hk2 & Hk). destruct first_ratio as [Hro1 Ho1]. destruct second_ratio as [Hro2 Ho2].
  pose proof (outside_stage sc ec fc rc xc ro1 fo1 ox1 o1 k1 w1 s1 Hk1 content_ratio Hro1 Ho1 content_near first_stage) as H1.
  pose proof (factor_product _ _ _ _ content_ratio Hro1) as Hf.
  pose proof (joined_stage unified _ _ _ _ _ _ _ _ _ _ us ws s Hus Hf rope_ratio same_ratio H1 rope_near sum_stage) as H2.
  assert (Hfj : Rabs ((if unified then rc * ro1 else 1) - 1) <= joined_ratio unified (fc * fo1) - 1).
  { unfold joined_ratio. destruct unified; [exact Hf|]. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. lra. }
  pose proof (outside_stage s _ _ _ _ ro2 fo2 ox2 o2 k2 w2 s2 Hk2 Hfj Hro2 Ho2 H2 second_stage) as H3.
  pose proof (factor_product _ _ _ _ Hfj Hro2) as Hf2.
  exact (logit_stage s2 _ _ _ _ k w scale z cap cap_radius lc format Hk Hf2 H3 scale_stage cap_stage).
Qed.
End Score.
