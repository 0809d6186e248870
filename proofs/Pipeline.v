(** Purpose: a kernel from end to end. Whatever it computes: if each stage obeys its own bound, the output is within the bound that
      src/bounds hands from stage to stage, in magnitudes of the exact values alone. A row is its live tokens and, if there is one, a sink.
    Main results: [explicit_kernel_error]: stored keys and queries (explicit form; the deferred form of gqa, whose alpha_k meets the score),
      values with radii; [absorbed_kernel_error]: g, q_tilde, latents, u W_V; [projected_output_error]: gate and output projection of
      such outputs; [stored_ratio]: storing a statistic; [given_radius], [given_ratio]: tensors that a kernel is handed instead of
      computing them, as such stages.
    Depends on: AttentionStages, ScoreStages, CapGate, LiveTokens. Axioms: those of Coq's real numbers.

    The stages' own bounds are theorems for the roundings declared: a dot product's D and U are Dot.v's, DotModel.v's or AlignedBlock.v's,
    a component's radius is ExactLogit.v's, a statistic's factor ExactMagnitudes.v's, xi and omega are KernelWeight.v's, the soft-cap is
    CapGate.v's. A stage that a kernel is spared (given) is a stage too: its radius is [given_radius], its ratio 1. *)
From Equinorm Require Export AttentionStages ScoreStages CapGate LiveTokens.
Local Open Scope R_scope.

(** alpha (ratio within rho), stored: half an ulp at the most that it can be, relative to the true alpha. *)
(* C++: bounds/keys.hpp make_group_keys; bounds/statistic.hpp stored_rho. *)
Theorem stored_ratio f a r rho m : 0 < a -> Rabs (r - 1) <= rho -> a * (1 + rho) <= m ->
  Rabs (fl f (r * a) / a - 1) <= rho + rounding_at f m / a.
Proof.
  intros Ha Hr Hm. assert (H : near (fl f (r * a)) (rounding_at f m) (r * a)).
  { apply fl_upper. rewrite Rabs_mult, (Rabs_pos_eq a) by lra. pose proof (ratio_below r (1 + rho) ltac:(lra)) as Hb.
    assert (Rabs r * a <= (1 + rho) * a) by (apply Rmult_le_compat_r; lra). lra. }
  unfold near in H. replace (fl f (r * a) / a - 1) with ((r - 1) + (fl f (r * a) - r * a) * / a) by (field; lra).
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult, (Rabs_pos_eq (/ a)) by (left; now apply Rinv_0_lt_compat).
  unfold Rdiv. apply Rplus_le_compat; [assumption|]. apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|assumption].
Qed.

(** x: the exact number; v: what binary64 knows of it here, b: what was rounded and handed over, both within E of x. *)
(* C++: bounds/given.hpp HandedOver; bounds/given.hpp HandedOver::radius; bounds/given.hpp HandedOver::replace. *)
Theorem given_radius f x v b E : near v E x -> near b E x -> near (fl f b) (2 * E + rounding_at f (Rabs v + 2 * E)) v.
Proof.
  intros Hv Hb. assert (H : near b (2 * E) v).
  { unfold near in *. replace (b - v) with ((b - x) + - (v - x)) by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  eapply radius_round; [|exact H]. apply fl_upper. now apply near_magnitude.
Qed.

(** The same for a statistic: a ratio near 1. *)
(* C++: bounds/given.hpp HandedOver; bounds/given.hpp HandedOver::replace. *)
Theorem given_ratio h e v : 0 < v -> near h e v -> Rabs (h / v - 1) <= e / v.
Proof.
  intros Hv H. unfold near in H. replace (h / v - 1) with ((h - v) * / v) by (field; lra).
  rewrite Rabs_mult, (Rabs_pos_eq (/ v)) by (left; now apply Rinv_0_lt_compat). unfold Rdiv.
  apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|assumption].
Qed.

(** Stage output after o, all heads in one row of n numbers: o within e of x, a gate that is an exact input (s: its sigmoid as computed),
    y = (gated o) W_o. *)
(* C++: bounds/bounds.hpp error_bounds. *)
Theorem projected_output_error n (x e o gate s og wo : nat -> R) es as_ ko wg y D U : 0 <= es -> 0 <= ko -> 0 <= D ->
  (forall j, (j < n)%nat -> near (o j) (e j) (x j)) ->
  (forall j, (j < n)%nat -> near (s j) (es * sigmoid (gate j) + as_) (sigmoid (gate j))) ->
  (forall j, (j < n)%nat -> near (og j) (ko * Rabs (s j * o j) + wg) (s j * o j)) ->
  near y (D * rsum n (fun j => Rabs (og j * wo j)) + U) (rsum n (fun j => og j * wo j)) ->
  let eg j := es * Rmin 1 (sigmoid (gate j)) + as_ in
  let product j := sigmoid (gate j) * e j + eg j * Rabs (x j) + eg j * e j in
  let gated j := ko * (sigmoid (gate j) * Rabs (x j) + product j) + wg + product j in
  (forall j, (j < n)%nat -> near (og j) (gated j) (sigmoid (gate j) * x j)) /\
  near y (D * rsum n (fun j => (Rabs (sigmoid (gate j) * x j) + gated j) * Rabs (wo j)) + U + rsum n (fun j => gated j * Rabs (wo j)))
    (rsum n (fun j => sigmoid (gate j) * x j * wo j)).
Proof.
  intros Hes Hko HD Ho Hs Hog Hy eg product gated. assert (Hg : forall j, (j < n)%nat -> near (og j) (gated j) (sigmoid (gate j) * x j)).
  { intros j Hj. pose proof (gate_error _ _ _ _ _ _ _ es as_ _ ko wg Hes Hko (near_refl (gate j)) (Ho j Hj) (Hs j Hj) (Hog j Hj)) as H.
    cbv zeta in H. replace (0 / 4 + es * Rmin 1 (sigmoid (gate j) + 0 / 4) + as_) with (eg j) in H; [exact H|].
    unfold eg. replace (0 / 4) with 0 by field. rewrite Rplus_0_r. ring. }
  split; [exact Hg|].
  assert (H1 : near (rsum n (fun j => og j * wo j)) (rsum n (fun j => gated j * Rabs (wo j)))
    (rsum n (fun j => sigmoid (gate j) * x j * wo j))) by (apply radius_rsum; intros j Hj; apply radius_scale_r; auto).
  eapply near_weaken; [exact (near_trans _ _ _ _ _ Hy H1)|]. do 2 apply Rplus_le_compat_r. apply Rmult_le_compat_l; [assumption|].
  apply rsum_le; intros j Hj. rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|]. apply near_magnitude. auto.
Qed.

Section Kernel.
(** Exact: per token t the content contraction xc and the RoPE one, query qr and key kr, all before the statistics that meet the score
    (ox1 on the content, ox2 on both). The logit: *)
Variables (n dr : nat) (unified : bool) (xc ox1 ox2 : nat -> R) (qr : nat -> R) (kr : nat -> nat -> R) (scale : R) (cap : R -> R).
Definition exact_score (t : nat) : R := cap (scale * (ox2 t * (ox1 t * xc t + rsum dr (fun j => qr j * kr t j)))).

(** cache_write and query, RoPE part: rows with radii and ratios. *)
Variables (qrh eqr : nat -> R) (krh ekr : nat -> nat -> R) (rqr fqr Dr Ur : R) (rkr fkr : nat -> R).
Hypothesis rope_query_stage : Rabs (rqr - 1) <= fqr - 1 /\ forall j, (j < dr)%nat -> near (qrh j) (eqr j) (rqr * qr j).
Hypothesis rope_key_stage : forall t, (t < n)%nat ->
  Rabs (rkr t - 1) <= fkr t - 1 /\ forall j, (j < dr)%nat -> near (krh t j) (ekr t j) (rkr t * kr t j).

(** score: s1, o1: statistics on the content; s: the sum; s2, o2: statistics on both; z: scaled; lc: capped; then the store. *)
Variables (sc sr s1 s s2 z lc ro1 fo1 o1 ro2 fo2 o2 : nat -> R) (k1 w1 us ws k2 w2 kz wz : R) (cap_radius : R -> R -> R).
Variable logit_format : option Format.
Hypothesis score_factors : 0 <= Dr /\ 0 <= k1 /\ 0 <= us /\ 0 <= k2 /\ 0 <= kz.
Hypothesis rope_dot : forall t, (t < n)%nat ->
  near (sr t) (Dr * rsum dr (fun j => Rabs (qrh j * krh t j)) + Ur) (rsum dr (fun j => qrh j * krh t j)).
Hypothesis first_statistics : forall t, (t < n)%nat ->
  Rabs (ro1 t - 1) <= fo1 t - 1 /\ o1 t = ro1 t * ox1 t /\ near (s1 t) (k1 * Rabs (sc t * o1 t) + w1) (sc t * o1 t).
Hypothesis sum_of_parts : forall t, (t < n)%nat -> near (s t) (us * Rabs (s1 t + sr t) + ws) (s1 t + sr t).
Hypothesis second_statistics : forall t, (t < n)%nat ->
  Rabs (ro2 t - 1) <= fo2 t - 1 /\ o2 t = ro2 t * ox2 t /\ near (s2 t) (k2 * Rabs (s t * o2 t) + w2) (s t * o2 t).
Hypothesis scaling : forall t, (t < n)%nat -> near (z t) (kz * Rabs (scale * s2 t) + wz) (scale * s2 t).
Hypothesis capping : forall t, (t < n)%nat -> forall E X, near (z t) E X -> near (lc t) (cap_radius E X) (cap X).

Definition rope_radius (t : nat) : R := dot_radius dr Dr Ur fqr (fkr t) qr eqr (kr t) (ekr t).

(** The radius of a logit from that of its content contraction. *)
Definition logit_radius (ec fc : nat -> R) (t : nat) : R :=
  score_radius_stages unified (ec t) (fc t) (xc t) (fo1 t) (ox1 t) k1 w1 (rope_radius t) (fqr * fkr t)
    (rsum dr (fun j => qr j * kr t j)) us ws (fo2 t) (ox2 t) k2 w2 kz wz scale cap cap_radius logit_format.

Lemma logit_near ec rc fc : (forall t, (t < n)%nat -> Rabs (rc t - 1) <= fc t - 1 /\ near (sc t) (ec t) (rc t * xc t) /\
    (unified = true -> rqr * rkr t = rc t * ro1 t)) ->
  forall t, (t < n)%nat -> near (store logit_format (lc t)) (logit_radius ec fc t) (exact_score t).
Proof.
  intros Hc t Ht. destruct (Hc t Ht) as (Hrc & Hsc & Hsame). destruct score_factors as (HD & H1 & H2 & H3 & H4).
  destruct rope_query_stage as [Hq0 Hq]. destruct (rope_key_stage t Ht) as [Hk0 Hk]. destruct (first_statistics t Ht) as (A1 & A2 & A3).
  destruct (second_statistics t Ht) as (B1 & B2 & B3).
  apply score_stages with (sc := sc t) (rc := rc t) (ro1 := ro1 t) (o1 := o1 t) (s1 := s1 t) (sr := sr t) (rr := rqr * rkr t) (s := s t)
    (ro2 := ro2 t) (o2 := o2 t) (s2 := s2 t) (z := z t); auto.
  - now apply factor_product.
  - now apply dot_stage with (1 := HD) (2 := Hq0) (3 := Hk0) (4 := Hq) (5 := Hk), rope_dot.
Qed.

(** softmax: the row is the tokens and the sink, an exact logit that joins the denominator and meets no value; weights, stored weights, the
    two sums, the quotient. *)
Variable sink : option R.
Notation N := (with_sink sink n).
Definition row_logit : nat -> R := extended n exact_score (sink_logit sink).
Definition computed_logit : nat -> R := extended n (fun t => store logit_format (lc t)) (sink_logit sink).
Variables (xi X omega Om w sw zeta : nat -> R) (M Rf u_P phiN phiD F kq wq den : R) (o_format : option Format).
Hypothesis some_token : (0 < N)%nat.
Hypothesis reference_below : M <= Rf.
Hypothesis weight_stage : forall t, (t < N)%nat ->
  Rabs (xi t) <= X t /\ Rabs (omega t) <= Om t /\ w t = exp (computed_logit t - M + xi t) + omega t.
Hypothesis softmax_factors : 0 <= u_P /\ 0 <= phiN /\ 0 <= phiD < 1 /\ 0 <= F /\ 0 <= kq.
Hypothesis zeta_nonneg : forall t, (t < n)%nat -> 0 <= zeta t.
Hypothesis stored_weight_stage : forall t, (t < n)%nat -> near (sw t) (u_P * Rabs (w t) + zeta t) (w t).
Hypothesis denominator_stage : near den (phiD * rsum N w) (rsum N w).

Lemma row_logits_near B : (forall t, (t < n)%nat -> near (store logit_format (lc t)) (B t) (exact_score t)) ->
  forall t, (t < N)%nat -> near (computed_logit t) (extended n B 0 t) (row_logit t).
Proof.
  intros H t Ht. unfold computed_logit, row_logit. destruct (token_or_sink sink n t Ht) as [Hn|[-> _]].
  - rewrite !extended_token by assumption. auto.
  - rewrite !extended_behind. apply near_refl.
Qed.

(** The sink's weight is stored nowhere. *)
Lemma row_weights_stored t : (t < N)%nat -> near (extended n sw (w n) t) (u_P * Rabs (w t) + extended n zeta 0 t) (w t).
Proof.
  intros Ht. destruct (token_or_sink sink n t Ht) as [Hn|[-> _]].
  - rewrite !extended_token by assumption. auto.
  - rewrite !extended_behind. eapply near_weaken; [apply near_refl|]. destruct softmax_factors as (HP & _). pose proof (Rabs_pos (w n)).
    assert (0 <= u_P * Rabs (w n)) by now apply Rmult_le_pos. lra.
Qed.

Lemma row_zeta_nonneg t : (t < N)%nat -> 0 <= extended n zeta 0 t.
Proof.
  intros Ht. destruct (token_or_sink sink n t Ht) as [Hn|[-> _]]; [rewrite extended_token by assumption; auto|].
  rewrite extended_behind. lra.
Qed.

(** A value of 0 behind the tokens changes no numerator. *)
Lemma row_numerator (y : nat -> R) num : near num (phiN * rsum n (fun t => Rabs (sw t * y t)) + F) (rsum n (fun t => sw t * y t)) ->
  near num (phiN * rsum N (fun t => Rabs (extended n sw (w n) t * extended n y 0 t)) + F)
    (rsum N (fun t => extended n sw (w n) t * extended n y 0 t)).
Proof.
  intros H. rewrite (rsum_row sink n (fun t => extended n sw (w n) t * extended n y 0 t) (fun t => sw t * y t));
    [rewrite (rsum_row sink n (fun t => Rabs (extended n sw (w n) t * extended n y 0 t)) (fun t => Rabs (sw t * y t)))|..];
    try (intros t Ht; now rewrite !extended_token); try assumption; rewrite !extended_behind, Rmult_0_r; auto using Rabs_R0.
Qed.

(** ** Explicit, and gqa's deferred form: stored content rows *)
Section Explicit.
Variables (dc : nat) (qx qh eq : nat -> R) (kx kh ek : nat -> nat -> R) (rq fq Dc Uc : R) (rk fk : nat -> R).
Hypothesis exact_content : forall t, (t < n)%nat -> xc t = rsum dc (fun j => qx j * kx t j).
Hypothesis content_factor : 0 <= Dc.
Hypothesis query_stage : Rabs (rq - 1) <= fq - 1 /\ forall j, (j < dc)%nat -> near (qh j) (eq j) (rq * qx j).
Hypothesis key_stage : forall t, (t < n)%nat ->
  Rabs (rk t - 1) <= fk t - 1 /\ forall j, (j < dc)%nat -> near (kh t j) (ek t j) (rk t * kx t j).
Hypothesis content_dot : forall t, (t < n)%nat ->
  near (sc t) (Dc * rsum dc (fun j => Rabs (qh j * kh t j)) + Uc) (rsum dc (fun j => qh j * kh t j)).
Hypothesis one_statistic : forall t, (t < n)%nat -> unified = true -> rqr * rkr t = rq * rk t * ro1 t.
(** One component of the values: y with radius Ey for yt. *)
Variables (y Ey yt : nat -> R) (num out : R).
Hypothesis value_stage : forall t, (t < n)%nat -> near (y t) (Ey t) (yt t).
Hypothesis numerator_stage : near num (phiN * rsum n (fun t => Rabs (sw t * y t)) + F) (rsum n (fun t => sw t * y t)).
Hypothesis division_stage : near out (kq * Rabs (num / den) + wq) (num / den).

Definition explicit_logit_radius : nat -> R :=
  logit_radius (fun t => dot_radius dc Dc Uc fq (fk t) qx eq (kx t) (ek t)) (fun t => fq * fk t).
Hypothesis weights_left : 0 < total_low N row_logit (shift (extended n explicit_logit_radius 0) X) (lost Rf Om).

Definition explicit_output_radius : R :=
  finished kq wq o_format (average_radius N row_logit (extended n explicit_logit_radius 0) X Om (extended n zeta 0) Rf u_P phiN phiD F
    (extended n yt 0) (extended n Ey 0)) (centre N row_logit (extended n yt 0)).

(* C++: bounds/bounds.hpp error_bounds. *)
Theorem explicit_kernel_error : near (store o_format out) explicit_output_radius (centre N row_logit (extended n yt 0)).
Proof.
  destruct softmax_factors as (HP & HN & HD & HF & Hkq). destruct query_stage as [Hq0 Hq].
  assert (Hl : forall t, (t < n)%nat -> near (store logit_format (lc t)) (explicit_logit_radius t) (exact_score t)).
  { apply logit_near with (rc := fun t => rq * rk t). intros t Ht. destruct (key_stage t Ht) as [Hk0 Hk]. repeat split.
    - now apply factor_product.
    - rewrite exact_content by assumption. now apply dot_stage with (1 := content_factor) (2 := Hq0) (3 := Hk0) (4 := Hq) (5 := Hk),
        content_dot.
    - now apply one_statistic. }
  unfold explicit_output_radius. apply finishing_stage with (v := num / den); [assumption| |assumption].
  apply average_stages with (lh := computed_logit) (xi := xi) (omega := omega) (w := w) (sw := extended n sw (w n)) (M := M)
    (y := extended n y 0); auto using row_logits_near, row_weights_stored, row_zeta_nonneg, row_numerator.
  intros t Ht. destruct (token_or_sink sink n t Ht) as [Hn|[-> _]]; [rewrite !extended_token by assumption; auto|].
  rewrite !extended_behind. apply near_refl.
Qed.
End Explicit.

(** ** Absorbed *)
Section Absorbed.
Variables (r dc : nat) (W c ch Ec : nat -> nat -> R) (gx g Eg qt local : nat -> R) (rg fg Dz Uz : R).
Hypothesis exact_content : forall t, (t < n)%nat -> xc t = rsum dc (fun j => gx j * k0 r W (c t) j).
Hypothesis absorbed_factors : 0 <= Dz.
Hypothesis g_stage : Rabs (rg - 1) <= fg - 1 /\ forall j, (j < dc)%nat -> near (g j) (Eg j) (rg * gx j).
Hypothesis q_tilde_stage : forall i, (i < r)%nat -> near (qt i) (local i) (rsum dc (fun j => W i j * g j)).
Hypothesis latent_stage_c : forall i t, (i < r)%nat -> (t < n)%nat -> near (ch t i) (Ec t i) (c t i).
Hypothesis latent_dot : forall t, (t < n)%nat ->
  near (sc t) (Dz * rsum r (fun i => Rabs (qt i * ch t i)) + Uz) (rsum r (fun i => qt i * ch t i)).
Hypothesis one_statistic : forall t, (t < n)%nat -> unified = true -> rqr * rkr t = rg * ro1 t.
(** u and one component of o = u W_V. *)
Variables (WV num uq : nat -> R) (out D Fo : R) (u_format : option Format).
Hypothesis output_factor : 0 <= D.
Hypothesis numerators_stage : forall i, (i < r)%nat ->
  near (num i) (phiN * rsum n (fun t => Rabs (sw t * ch t i)) + F) (rsum n (fun t => sw t * ch t i)).
Hypothesis quotient_stage : forall i, (i < r)%nat -> near (uq i) (kq * Rabs (num i / den) + wq) (num i / den).
Hypothesis output_stage : near out (D * rsum r (fun i => Rabs (store u_format (uq i) * WV i)) + Fo)
  (rsum r (fun i => store u_format (uq i) * WV i)).

Definition absorbed_logit_radius : nat -> R :=
  logit_radius (fun t => latent_radius r dc W (c t) (Ec t) local gx Eg fg Dz Uz) (fun _ => fg).
Hypothesis weights_left : 0 < total_low N row_logit (shift (extended n absorbed_logit_radius 0) X) (lost Rf Om).

(** The latent that a sink would have. *)
Definition with_zero (f : nat -> nat -> R) : nat -> nat -> R := extended n f (fun _ => 0).
Definition absorbed_output_radius : R :=
  let e := absorbed_radius_o N row_logit (extended n absorbed_logit_radius 0) X Om (extended n zeta 0) Rf u_P phiN phiD F kq wq r
    (with_zero c) (with_zero Ec) WV D Fo u_format in
  e + storing_at o_format (Rabs (centre N row_logit (v r (with_zero c) WV)) + e).

(* C++: bounds/bounds.hpp error_bounds. *)
Theorem absorbed_kernel_error : near (store o_format out) absorbed_output_radius
  (centre N row_logit (extended n (v r c WV) 0)).
Proof.
  destruct softmax_factors as (HP & HN & HD & HF & Hkq). destruct g_stage as [Hg0 Hg].
  assert (Hl : forall t, (t < n)%nat -> near (store logit_format (lc t)) (absorbed_logit_radius t) (exact_score t)).
  { apply logit_near with (rc := fun _ => rg). intros t Ht. repeat split; [assumption| |now apply one_statistic].
    rewrite exact_content by assumption.
    apply latent_stage with (ch := ch t) (qt := qt) (g := g); auto. }
  assert (Hv : centre N row_logit (extended n (v r c WV) 0) = centre N row_logit (v r (with_zero c) WV)).
  { apply rsum_ext; intros t Ht. f_equal. unfold with_zero, v. destruct (token_or_sink sink n t Ht) as [Hn|[-> _]].
    - now rewrite !extended_token.
    - rewrite !extended_behind. transitivity (rsum r (fun _ => 0)); [now rewrite rsum_zero|]. apply rsum_ext; intros; ring. }
  rewrite Hv. unfold absorbed_output_radius. cbv zeta.
  apply absorbed_stages with (lh := computed_logit) (xi := xi) (omega := omega) (w := w) (sw := extended n sw (w n)) (M := M)
    (ch := with_zero ch) (num := num) (uq := uq) (den := den); auto using row_logits_near, row_weights_stored, row_zeta_nonneg.
  - intros i t Hi Ht. unfold with_zero. destruct (token_or_sink sink n t Ht) as [Hn|[-> _]].
    + rewrite !extended_token by assumption. auto.
    + rewrite !extended_behind. apply near_refl.
  - intros i Hi. assert (E : forall t, with_zero ch t i = extended n (fun t => ch t i) 0 t).
    { intros t. unfold with_zero, extended. now destruct (t <? n)%nat. }
    assert (E1 : rsum N (fun t => extended n sw (w n) t * with_zero ch t i) =
      rsum N (fun t => extended n sw (w n) t * extended n (fun t => ch t i) 0 t)) by (apply rsum_ext; intros t _; now rewrite E).
    assert (E2 : rsum N (fun t => Rabs (extended n sw (w n) t * with_zero ch t i)) =
      rsum N (fun t => Rabs (extended n sw (w n) t * extended n (fun t => ch t i) 0 t))) by (apply rsum_ext; intros t _; now rewrite E).
    rewrite E1, E2. now apply row_numerator, numerators_stage.
Qed.
End Absorbed.
End Kernel.
