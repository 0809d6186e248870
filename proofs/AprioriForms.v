(** Purpose: the rest of the closed forms: RoPE, the logit from its parts, the statistics, lengths of vectors, and what logit errors do to
      averages.
    Main results: [apriori_rope], [rope_pair], [pair_size]; [apriori_blockwise], [apriori_unified]: the logit; [apriori_statistic]: rho of
      a computed alpha; [lengths_explicit], [lengths_absorbed]: N_e, H and N_a by lengths; [average_range]: an average errs by at most
      tanh(D / 4) times the range of the values.
    Depends on: AprioriLogit, SoftmaxError. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export AprioriLogit SoftmaxError.
Local Open Scope R_scope.

(** ** RoPE
    qr, kr: the rotated, normalised vectors; Bq, Bk: lengths of the pairs that their components come from; q1, k1: computed;
      q2, k2: stored. *)
(* C++: bounds/apriori.hpp apriori_logit. *)
Theorem apriori_rope n (qr kr Bq Bk q1 k1 q2 k2 : nat -> R) xq xk rho ax s D L : 0 <= ax -> 0 <= s -> 0 <= D ->
  Rabs (xq * xk - 1) <= rho - 1 ->
  (forall j, (j < n)%nat -> Rabs (qr j) <= Bq j /\ Rabs (kr j) <= Bk j) ->
  (forall j, (j < n)%nat -> near (q1 j) (Rabs xq * (ax * Bq j)) (xq * qr j)) ->
  (forall j, (j < n)%nat -> near (k1 j) (Rabs xk * (ax * Bk j)) (xk * kr j)) ->
  (forall j, (j < n)%nat -> relative s (q2 j) (q1 j)) -> (forall j, (j < n)%nat -> relative s (k2 j) (k1 j)) ->
  near L (D * rsum n (fun j => Rabs (q2 j * k2 j))) (rsum n (fun j => q2 j * k2 j)) ->
  let P := (1 + s) * (1 + s) * (1 + D) in
  near L (rho * ((P - 1) * rsum n (fun j => Rabs (qr j * kr j)) + P * rsum n (fun j => ((1 + ax) * (1 + ax) - 1) * (Bq j * Bk j))))
    (xq * xk * rsum n (fun j => qr j * kr j)).
Proof.
  intros Hax Hs HD Hr HB Hq1 Hk1 Hq2 Hk2 HL P. assert (HP : 1 <= P). { unfold P. assert (1 <= (1 + s) * (1 + s)) by nra. nra. }
  apply perturbed_sum with (T := fun j => q1 j * k1 j); try assumption.
  - now apply ratio_below.
  - intros j Hj. replace (xq * xk * (qr j * kr j)) with (xq * qr j * (xk * kr j)) by ring. destruct (HB j Hj) as [HBq HBk].
    pose proof (Rabs_pos (qr j)). pose proof (Rabs_pos (kr j)). pose proof (Rabs_pos xq). pose proof (Rabs_pos xk).
    eapply near_weaken; [apply radius_product_exact; [now apply Hq1|now apply Hk1]|]. rewrite !Rabs_mult.
    replace (Rabs xq * Rabs (qr j) * (Rabs xk * (ax * Bk j)) + Rabs xq * (ax * Bq j) * (Rabs xk * Rabs (kr j)) +
             Rabs xq * (ax * Bq j) * (Rabs xk * (ax * Bk j))) with
      (Rabs xq * Rabs xk * (ax * (Rabs (qr j) * Bk j) + ax * (Bq j * Rabs (kr j)) + ax * ax * (Bq j * Bk j))) by ring.
    apply Rmult_le_compat_l; [now apply Rmult_le_pos|].
    assert (Rabs (qr j) * Bk j <= Bq j * Bk j) by (apply Rmult_le_compat_r; lra).
    assert (Bq j * Rabs (kr j) <= Bq j * Bk j) by (apply Rmult_le_compat_l; lra).
    assert (ax * (Rabs (qr j) * Bk j) <= ax * (Bq j * Bk j)) by (apply Rmult_le_compat_l; assumption).
    assert (ax * (Bq j * Rabs (kr j)) <= ax * (Bq j * Bk j)) by (apply Rmult_le_compat_l; assumption). lra.
  - intros j Hj. destruct (HB j Hj) as [HBq HBk]. pose proof (Rabs_pos (qr j)). pose proof (Rabs_pos (kr j)).
    apply Rmult_le_pos; [nra|]. apply Rmult_le_pos; lra.
  - now apply stored_dot with (x' := q2) (y' := k2).
Qed.

(** One rotated component: x, y already carry a relative error a, then two products and a sum of relative error v each. *)
Theorem rope_pair a v x x' y y' c s p q out : 0 <= a -> 0 <= v -> relative a x' x -> relative a y' y ->
  relative v p (x' * c) -> relative v q (y' * s) -> relative v out (p - q) ->
  near out (((1 + a) * (1 + v) * (1 + v) - 1) * (Rabs (x * c) + Rabs (y * s))) (x * c - y * s).
Proof.
  intros Ha Hv Hx Hy Hp Hq Ho.
  assert (Hone : forall z z' t w, relative a z' z -> relative v w (z' * t) -> relative ((1 + a) * (1 + v) - 1) w (z * t)).
  { intros z z' t w Hz Hw. assert (H1 : relative a (z' * t) (z * t)).
    { unfold relative in *. rewrite Rabs_mult, <- Rmult_assoc. now apply radius_scale_r. }
    unfold relative in *. eapply near_weaken; [eapply near_trans; [exact Hw|exact H1]|].
    pose proof (relative_magnitude _ _ _ H1). assert (v * Rabs (z' * t) <= v * ((1 + a) * Rabs (z * t))) by (apply Rmult_le_compat_l; lra).
    lra. }
  pose proof (Hone _ _ _ _ Hx Hp) as H1. pose proof (Hone _ _ _ _ Hy Hq) as H2. unfold relative in *.
  set (A := Rabs (x * c)) in *. set (B := Rabs (y * s)) in *.
  assert (H3 : near (p - q) (((1 + a) * (1 + v) - 1) * (A + B)) (x * c - y * s)).
  { unfold near in *. replace (p - q - (x * c - y * s)) with ((p - x * c) + - (q - y * s)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  eapply near_weaken; [eapply near_trans; [exact Ho|exact H3]|].
  assert (H4 : Rabs (p - q) <= (1 + a) * (1 + v) * (A + B)).
  { eapply Rle_trans; [apply near_magnitude; exact H3|]. assert (Rabs (x * c - y * s) <= A + B); [|lra].
    unfold Rminus. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. unfold A, B. lra. }
  assert (v * Rabs (p - q) <= v * ((1 + a) * (1 + v) * (A + B))) by (apply Rmult_le_compat_l; assumption). lra.
Qed.

(** |x c| + |y s| is at most the length of the pair, times that of the table entry. *)
Theorem pair_size x y c s : Rabs (x * c) + Rabs (y * s) <= sqrt (x * x + y * y) * sqrt (c * c + s * s).
Proof.
  rewrite <- sqrt_mult by nra. rewrite <- (sqrt_square (Rabs (x * c) + Rabs (y * s))) by (pose proof (Rabs_pos (x * c));
    pose proof (Rabs_pos (y * s)); lra).
  rewrite !Rabs_mult. assert (Hsq : forall z, z * z = Rabs z * Rabs z) by (intros; rewrite <- Rabs_mult; symmetry; apply Rabs_pos_eq; nra).
  rewrite (Hsq x), (Hsq y), (Hsq c), (Hsq s). set (X := Rabs x). set (Y := Rabs y). set (C := Rabs c). set (S := Rabs s).
  apply sqrt_le_1_alt. pose proof (Rle_0_sqr (X * S - Y * C)) as H. unfold Rsqr in H. lra.
Qed.

(** ** The logit: sum, scale (held rounded, and a product: ks), store *)
(* C++: bounds/apriori.hpp apriori_logit. *)
Theorem apriori_blockwise Lc Ec lc Lr Er lr scale v0 v1 out ua ks us : 0 <= ua -> 0 <= ks -> 0 <= us -> near Lc Ec lc -> near Lr Er lr ->
  relative ua v0 (Lc + Lr) -> relative ks v1 (scale * v0) -> relative us out v1 ->
  let f := (1 + us) * (1 + ks) * (1 + ua) in near out (Rabs scale * (f * (Ec + Er) + (f - 1) * Rabs (lc + lr))) (scale * (lc + lr)).
Proof.
  intros Hua Hks Hus Hc Hr H0 H1 H2 f. set (l := lc + lr).
  assert (Hs : near (Lc + Lr) (1 * (Ec + Er) + (1 - 1) * Rabs l) l) by (eapply near_weaken; [exact (radius_sum _ _ _ _ _ _ Hc Hr)|lra]).
  pose proof (relative_step ua v0 _ _ _ _ Hua H0 Hs) as H3.
  assert (H4 : near (scale * v0) ((1 + ua) * (Rabs scale * (Ec + Er)) + ((1 + ua) - 1) * Rabs (scale * l)) (scale * l)).
  { eapply near_weaken; [apply radius_scale; exact H3|]. rewrite Rabs_mult. lra. }
  pose proof (relative_step ks v1 _ _ _ _ Hks H1 H4) as H5. pose proof (relative_step us out v1 _ _ _ Hus H2 H5) as H6.
  eapply near_weaken; [exact H6|]. rewrite Rabs_mult. unfold f. lra.
Qed.

(** One alpha for content and RoPE: the common factor once. *)
(* C++: bounds/apriori.hpp apriori_logit. *)
Theorem apriori_unified Lc Ic lc Lr Ir lr kappa rho scale v0 v1 out ua ks us : 0 <= ua -> 0 <= ks -> 0 <= us ->
  Rabs (kappa - 1) <= rho - 1 -> near Lc (rho * Ic) (kappa * lc) -> near Lr (rho * Ir) (kappa * lr) ->
  relative ua v0 (Lc + Lr) -> relative ks v1 (scale * v0) -> relative us out v1 ->
  let f := (1 + us) * (1 + ks) * (1 + ua) in
  near out (Rabs scale * (f * rho * (Ic + Ir) + (f * rho - 1) * Rabs (lc + lr))) (scale * (lc + lr)).
Proof.
  intros Hua Hks Hus Hk Hc Hr H0 H1 H2 f. set (l := lc + lr).
  assert (Hs : near (Lc + Lr) (rho * (Ic + Ir) + (rho - 1) * Rabs l) l).
  { apply with_ratio with (kappa := kappa); [exact Hk|]. unfold l. rewrite !Rmult_plus_distr_l. now apply radius_sum. }
  pose proof (relative_step ua v0 _ _ _ _ Hua H0 Hs) as H3.
  assert (H4 : near (scale * v0) ((1 + ua) * rho * (Rabs scale * (Ic + Ir)) + ((1 + ua) * rho - 1) * Rabs (scale * l)) (scale * l)).
  { eapply near_weaken; [apply radius_scale; exact H3|]. rewrite Rabs_mult. lra. }
  pose proof (relative_step ks v1 _ _ _ _ Hks H1 H4) as H5. pose proof (relative_step us out v1 _ _ _ Hus H2 H5) as H6.
  eapply near_weaken; [exact H6|]. rewrite Rabs_mult. unfold f. lra.
Qed.

(** ** The statistic: omega, how far S may be off relative to itself; w = max(1 - omega, sqrt(eps) / S)
    The ratio alpha' / alpha is within rho of 1. With the floor the lower side can be the larger: hence the maximum. *)
Section Statistic.
Variables (nu eps : R) (n : nat) (x xh e : nat -> R).
Hypothesis nu_nonneg : 0 <= nu.
Hypothesis eps_pos : 0 < eps.
Hypothesis components_near : forall j, (j < n)%nat -> near (xh j) (e j) (x j).
Let S := S_known nu eps n x.
Definition omega_rel : R := sqrt nu * norm n e / S.
Definition w_floor : R := Rmax (1 - omega_rel) (sqrt eps / S).
Definition rho_vector : R := 1 + Rmax (/ w_floor - 1) (omega_rel / (1 + omega_rel)).

Lemma omega_nonneg : 0 <= omega_rel.
Proof.
  pose proof (S_known_pos nu eps n x nu_nonneg eps_pos). unfold omega_rel. apply Rmult_le_pos; [|left; now apply Rinv_0_lt_compat].
  apply Rmult_le_pos; apply sqrt_pos.
Qed.

Lemma vector_ratio : Rabs (S / S_other nu eps n xh - 1) <= rho_vector - 1.
Proof.
  pose proof (S_known_pos nu eps n x nu_nonneg eps_pos) as HS. fold S in HS. pose proof omega_nonneg as Ho.
  pose proof (distance_norm nu eps n x xh e nu_nonneg eps_pos components_near) as Hd. fold S in Hd. apply Rabs_le_inv in Hd.
  assert (Ed : d_norm nu n e = omega_rel * S) by (unfold d_norm, omega_rel; field; lra). rewrite Ed in Hd.
  pose proof (S_pos nu eps n nu_nonneg eps_pos xh) as He. fold (S_other nu eps n xh) in He. set (S' := S_other nu eps n xh) in *.
  assert (Hse : 0 < sqrt eps) by (now apply sqrt_lt_R0). assert (HS' : 0 < S') by lra.
  assert (Hw : 0 < w_floor). { eapply Rlt_le_trans; [|apply Rmax_r]. now apply Rdiv_lt_0_compat. }
  assert (Hlow : w_floor * S <= S').
  { unfold w_floor. rewrite (Rmult_comm _ S), <- RmaxRmult by lra. apply Rmax_lub; [lra|]. replace (S * (sqrt eps / S)) with (sqrt eps)
      by (field; lra). assumption. }
  assert (Hup : S / S' <= / w_floor).
  { apply Rmult_le_reg_r with (w_floor * S'); [now apply Rmult_lt_0_compat|].
    replace (S / S' * (w_floor * S')) with (w_floor * S) by (field; lra). replace (/ w_floor * (w_floor * S')) with S' by (field; lra).
    lra. }
  assert (Hdown : / (1 + omega_rel) <= S / S').
  { apply Rmult_le_reg_r with ((1 + omega_rel) * S'); [apply Rmult_lt_0_compat; lra|].
    replace (S / S' * ((1 + omega_rel) * S')) with ((1 + omega_rel) * S) by (field; lra).
    replace (/ (1 + omega_rel) * ((1 + omega_rel) * S')) with S' by (field; lra). lra. }
  assert (E : / (1 + omega_rel) - 1 = - (omega_rel / (1 + omega_rel))) by (field; lra).
  unfold rho_vector. pose proof (Rmax_l (/ w_floor - 1) (omega_rel / (1 + omega_rel))).
  pose proof (Rmax_r (/ w_floor - 1) (omega_rel / (1 + omega_rel))). apply Rabs_le. lra.
Qed.

(** tau: the mean square's relative error; er: rsqrt's; ua: the store's. *)
(* C++: bounds/apriori.hpp apriori_rho. *)
Theorem apriori_statistic m' err tau er ua alpha' : near m' (tau * S2 nu eps n xh) (S2 nu eps n xh) -> tau < 1 -> Rabs err <= er -> er <
  1 ->
  relative ua alpha' ((1 + err) / sqrt m') ->
  Rabs (alpha' * S - 1) <= (1 + ua) * ((1 + er) / sqrt (1 - tau)) * rho_vector - 1.
Proof.
  intros Hm Ht He Her Hs. pose proof (S_known_pos nu eps n x nu_nonneg eps_pos) as HS. fold S in HS.
  pose proof (S2_ge_eps nu eps n xh nu_nonneg) as H0. assert (HS' : 0 < S_other nu eps n xh) by (apply sqrt_lt_R0; lra).
  assert (Hua : 0 <= ua * Rabs ((1 + err) / sqrt m')) by (eapply near_nonneg; exact Hs).
  pose proof (rsqrt_error (S2 nu eps n xh) m' err tau er ltac:(lra) Hm Ht He Her) as H1.
  fold (S_other nu eps n xh) in H1. set (S' := S_other nu eps n xh) in *. set (b := (1 + err) / sqrt m') in *.
  assert (Hb0 : b <> 0).
  { intros Hb. unfold b in Hb. apply Rabs_le_inv in He.
    assert (Hm' : near m' (tau * S2 nu eps n xh) (S2 nu eps n xh)) by exact Hm. unfold near in Hm'. apply Rabs_le_inv in Hm'.
    assert (0 < m'). { assert (tau * S2 nu eps n xh < 1 * S2 nu eps n xh) by (apply Rmult_lt_compat_r; lra). lra. }
    assert (0 < (1 + err) / sqrt m'); [|lra]. apply Rdiv_lt_0_compat; [lra|now apply sqrt_lt_R0]. }
  replace (alpha' * S) with (alpha' / b * (b * S') * (S / S')) by (field; lra).
  apply factor_product; [apply factor_product|exact vector_ratio].
  - replace (alpha' / b - 1) with ((alpha' - b) * / b) by (field; assumption). rewrite Rabs_mult, Rabs_inv.
    apply Rmult_le_reg_r with (Rabs b); [now apply Rabs_pos_lt|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by (now apply Rabs_no_R0).
    unfold relative, near in Hs. lra.
  - exact H1.
Qed.
End Statistic.

(** ** Lengths *)
Lemma abs_product_lengths n x y : rsum n (fun j => Rabs (x j * y j)) <= norm n x * norm n y.
Proof.
  assert (Habs : forall z, norm n (fun j => Rabs (z j)) = norm n z).
  { intros z. unfold norm, norm2. f_equal. apply rsum_ext; intros. rewrite <- Rabs_mult. apply Rabs_pos_eq. nra. }
  rewrite <- (Habs x), <- (Habs y). eapply Rle_trans; [|apply cauchy_schwarz]. apply rsum_le; intros. rewrite Rabs_mult. lra.
Qed.

(* C++: bounds/apriori.hpp apriori_bounds. *)
Theorem lengths_explicit r dc W c q gq gk aq ak :
  N_e r dc W c q gq gk aq ak <= norm dc (q_hat_exact q gq aq) * norm dc (fun j => k0 r W c j * ak * gk j) /\
  H_e r dc W c q gq gk aq ak <= norm dc (fun j => q_hat_exact q gq aq j * (ak * gk j)) * norm dc (A_abs r W c).
Proof.
  split; [apply abs_product_lengths|]. unfold H_e. eapply Rle_trans; [|apply abs_product_lengths]. apply rsum_le; intros j _.
  rewrite (Rabs_mult _ (A_abs r W c j)), (Rabs_pos_eq (A_abs r W c j)) by apply A_nonneg. lra.
Qed.

(* C++: bounds/apriori.hpp apriori_bounds. *)
Theorem lengths_absorbed r dc W c q gq gk aq ak :
  N_a r dc W c q gq gk aq ak <= Rabs (aq * ak) * (norm r (q_tilde_exact dc W q gq gk) * norm r c).
Proof. unfold N_a. apply Rmult_le_compat_l; [apply Rabs_pos|apply abs_product_lengths]. Qed.

(** ** Averages: d within [a, a + D], values within [b, b + range] *)
(* C++: bounds/apriori.hpp apriori_average. *)
Theorem average_range n l d a D v b range : (0 < n)%nat -> (forall s, (s < n)%nat -> a <= d s <= a + D) ->
  (forall s, (s < n)%nat -> b <= v s <= b + range) ->
  Rabs (rsum n (fun t => softmax n l t * v t) - rsum n (fun t => softmax n (fun s => l s + d s) t * v t)) <= tanh (D / 4) * range.
Proof.
  intros Hn Hd Hv. pose proof (total_variation n l d a D Hn Hd) as Ht. set (p := softmax n l) in *.
  set (p' := softmax n (fun s => l s + d s)) in *.
  assert (Hr : 0 <= range) by (pose proof (Hv 0%nat Hn); lra).
  assert (E0 : rsum n (fun t => p t - p' t) = 0) by (rewrite rsum_minus; unfold p, p'; rewrite !softmax_sum by assumption; ring).
  replace (rsum n (fun t => p t * v t) - rsum n (fun t => p' t * v t)) with (rsum n (fun t => (p t - p' t) * (v t - (b + range / 2)))).
  - eapply Rle_trans; [apply rsum_abs|]. apply Rle_trans with (/ 2 * rsum n (fun t => Rabs (p t - p' t)) * range).
    + rewrite (Rmult_comm _ range), <- Rmult_assoc, <- rsum_scal. apply rsum_le; intros t Htn. rewrite Rabs_mult, Rmult_comm.
      apply Rmult_le_compat_r; [apply Rabs_pos|]. specialize (Hv t Htn). apply Rabs_le. lra.
    + now apply Rmult_le_compat_r.
  - transitivity (rsum n (fun t => p t * v t - p' t * v t) - (b + range / 2) * rsum n (fun t => p t - p' t)).
    + rewrite <- rsum_scal, <- rsum_minus. apply rsum_ext; intros; ring.
    + rewrite E0, rsum_minus. ring.
Qed.
