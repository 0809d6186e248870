(** Purpose: closed forms of the logit error in magnitudes of the exact data, without sight of any computed value; no underflow.
    Main results: [apriori_explicit], [apriori_absorbed]: the content score, still with the computed statistics; [with_ratio],
      [apriori_absorbed_true]: against the truth; [relative_step]: one more rounding of such a bound.
    Depends on: ExactMagnitudes, LogitError. Axioms: those of Coq's real numbers.

    Every rounding is a relative error here. s: the store of a tensor (0 if it is not stored); Dr, Dc: dot products over the latents and
    over the components; a, ag: the elementwise products of k_hat, q_hat and g with their store; xq, xk: ratios of computed to true
    statistics, rho a bound of their product. *)
From Equinorm Require Export ExactMagnitudes LogitError.
Local Open Scope R_scope.

(** v' is v but for a relative error k. *)
Definition relative (k v' v : R) : Prop := near v' (k * Rabs v) v.

Lemma relative_magnitude k v' v : relative k v' v -> Rabs v' <= (1 + k) * Rabs v.
Proof. intros H. apply near_magnitude in H. lra. Qed.

Lemma relative_product a b x' x y' y : 0 <= a -> relative a x' x -> relative b y' y -> relative ((1 + a) * (1 + b) - 1) (x' * y') (x * y).
Proof.
  intros Ha Hx Hy. unfold relative in *. eapply near_weaken; [apply radius_product_exact; eassumption|]. rewrite Rabs_mult. lra.
Qed.

(** A relative step after a radius: factors multiply. *)
Theorem relative_step k v' v f E x : 0 <= k -> relative k v' v -> near v (f * E + (f - 1) * Rabs x) x ->
  near v' ((1 + k) * f * E + ((1 + k) * f - 1) * Rabs x) x.
Proof.
  intros Hk Hr Hv. eapply near_weaken; [eapply near_trans; [exact Hr|exact Hv]|]. pose proof (near_magnitude _ _ _ Hv) as Hm.
  assert (k * Rabs v <= k * (Rabs x + (f * E + (f - 1) * Rabs x))) by (apply Rmult_le_compat_l; assumption). lra.
Qed.

(** Aimed at kappa x instead of x. *)
Theorem with_ratio v e kappa x rho : Rabs (kappa - 1) <= rho - 1 -> near v (rho * e) (kappa * x) -> near v (rho * e + (rho - 1) * Rabs x) x.
Proof. intros Hk Hv. rewrite (Rmult_comm rho e) in *. now apply factor_elementwise with (r := kappa). Qed.

(** A dot product of stored operands x', y', each a relative s from x, y: P - 1 is its relative error. *)
Lemma stored_dot n s D (x' x y' y : nat -> R) L : 0 <= s -> 0 <= D ->
  (forall j, (j < n)%nat -> relative s (x' j) (x j)) -> (forall j, (j < n)%nat -> relative s (y' j) (y j)) ->
  near L (D * rsum n (fun j => Rabs (x' j * y' j))) (rsum n (fun j => x' j * y' j)) ->
  near L (((1 + s) * (1 + s) * (1 + D) - 1) * rsum n (fun j => Rabs (x j * y j))) (rsum n (fun j => x j * y j)).
Proof.
  intros Hs HD Hx Hy HL. set (P2 := (1 + s) * (1 + s)).
  assert (Hp : forall j, (j < n)%nat -> relative (P2 - 1) (x' j * y' j) (x j * y j)) by (intros; apply relative_product; auto).
  assert (H1 : near (rsum n (fun j => x' j * y' j)) ((P2 - 1) * rsum n (fun j => Rabs (x j * y j))) (rsum n (fun j => x j * y j))).
  { rewrite <- rsum_scal. apply radius_rsum. exact Hp. }
  assert (H2 : rsum n (fun j => Rabs (x' j * y' j)) <= P2 * rsum n (fun j => Rabs (x j * y j))).
  { rewrite <- rsum_scal. apply rsum_le; intros j Hj. pose proof (relative_magnitude _ _ _ (Hp j Hj)). lra. }
  eapply near_weaken; [eapply near_trans; [exact HL|exact H1]|].
  assert (D * rsum n (fun j => Rabs (x' j * y' j)) <= D * (P2 * rsum n (fun j => Rabs (x j * y j)))) by (apply Rmult_le_compat_l;
    assumption).
  lra.
Qed.

(** Products T_j near kappa t_j: |T_j - kappa t_j| <= |kappa| X_j; and L near their sum with relative error P - 1. *)
Lemma perturbed_sum n P kappa rho (T t X : nat -> R) L : 1 <= P -> Rabs kappa <= rho ->
  (forall j, (j < n)%nat -> near (T j) (Rabs kappa * X j) (kappa * t j)) -> (forall j, (j < n)%nat -> 0 <= X j) ->
  near L ((P - 1) * rsum n (fun j => Rabs (T j))) (rsum n T) ->
  near L (rho * ((P - 1) * rsum n (fun j => Rabs (t j)) + P * rsum n X)) (kappa * rsum n t).
Proof.
  intros HP Hk HT HX HL. assert (H1 : near (rsum n T) (Rabs kappa * rsum n X) (kappa * rsum n t)).
  { rewrite <- !rsum_scal. now apply radius_rsum. }
  assert (H2 : rsum n (fun j => Rabs (T j)) <= Rabs kappa * (rsum n (fun j => Rabs (t j)) + rsum n X)).
  { rewrite <- rsum_plus, <- rsum_scal. apply rsum_le; intros j Hj. pose proof (near_magnitude _ _ _ (HT j Hj)) as H.
    rewrite Rabs_mult in H. lra. }
  assert (H3 : 0 <= rsum n (fun j => Rabs (t j))) by (apply rsum_nonneg; intros; apply Rabs_pos).
  assert (H4 : 0 <= rsum n X) by (now apply rsum_nonneg).
  eapply near_weaken; [eapply near_trans; [exact HL|exact H1]|].
  apply Rle_trans with (Rabs kappa * ((P - 1) * rsum n (fun j => Rabs (t j)) + P * rsum n X)).
  - assert ((P - 1) * rsum n (fun j => Rabs (T j)) <= (P - 1) * (Rabs kappa * (rsum n (fun j => Rabs (t j)) + rsum n X)))
      by (apply Rmult_le_compat_l; lra). lra.
  - apply Rmult_le_compat_r; [|exact Hk]. apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
Qed.

Section Content.
Variables (r dc : nat) (W : nat -> nat -> R) (c q gq gk : nat -> R) (aq ak xq xk rho : R).
Hypothesis ratio : Rabs (xq * xk - 1) <= rho - 1.
Let kappa := xq * xk.
Let k0 := k0 r W c.
Let l := exact_logit r dc W c q gq gk aq ak.

(** A_j = (|c| |W|)_j; N_e = sum|q_hat k_hat|; H = sum|q_hat alpha_k gamma_k| A; N_a = |alpha alpha| sum|q_tilde c|. *)
Definition A_abs (j : nat) : R := rsum r (fun i => Rabs (c i * W i j)).
Definition q_hat_exact (j : nat) : R := q j * aq * gq j.
Definition weighted_g (j : nat) : R := q j * gq j * gk j.
Definition q_tilde_exact (i : nat) : R := rsum dc (fun j => W i j * weighted_g j).
Definition N_e : R := rsum dc (fun j => Rabs (q_hat_exact j * (k0 j * ak * gk j))).
Definition H_e : R := rsum dc (fun j => Rabs (q_hat_exact j * (ak * gk j)) * A_abs j).
Definition N_a : R := Rabs (aq * ak) * rsum r (fun i => Rabs (q_tilde_exact i * c i)).

Lemma kappa_below : Rabs kappa <= rho.
Proof. apply ratio_below. exact ratio. Qed.

Lemma A_nonneg j : 0 <= A_abs j.
Proof. apply rsum_nonneg; intros; apply Rabs_pos. Qed.

(** ** Explicit *)
Definition I_explicit (s a Dr Dc : R) : R :=
  ((1 + a) * (1 + a) * (1 + Dc) - 1) * N_e + (1 + a) * (1 + a) * (1 + Dc) * (s * N_e + Dr * (1 + s) * H_e).

(* C++: bounds/apriori.hpp apriori_bounds; bounds/apriori.hpp apriori_logit. *)
Theorem apriori_explicit s a Dr Dc (k0h kh qh : nat -> R) L : 0 <= s -> 0 <= a -> 0 <= Dr -> 0 <= Dc ->
  (forall j, (j < dc)%nat -> near (k0h j) (s * Rabs (k0 j) + Dr * (1 + s) * A_abs j) (k0 j)) ->
  (forall j, (j < dc)%nat -> relative a (kh j) (k0h j * (xk * ak) * gk j)) ->
  (forall j, (j < dc)%nat -> relative a (qh j) (q j * (xq * aq) * gq j)) ->
  near L (Dc * rsum dc (fun j => Rabs (qh j * kh j))) (rsum dc (fun j => qh j * kh j)) ->
  near L (rho * I_explicit s a Dr Dc) (kappa * l).
Proof.
  intros Hs Ha HDr HDc Hk0 Hkh Hqh HL.
  pose proof (stored_dot dc a Dc qh (fun j => q j * (xq * aq) * gq j) kh (fun j => k0h j * (xk * ak) * gk j) L Ha HDc Hqh Hkh HL) as H1.
  set (P := (1 + a) * (1 + a) * (1 + Dc)) in *.
  assert (HP : 1 <= P). { unfold P. assert (1 <= (1 + a) * (1 + a)) by nra. nra. }
  set (X j := Rabs (q_hat_exact j * (ak * gk j)) * (s * Rabs (k0 j) + Dr * (1 + s) * A_abs j)).
  pose proof (perturbed_sum dc P kappa rho (fun j => q j * (xq * aq) * gq j * (k0h j * (xk * ak) * gk j))
    (fun j => q_hat_exact j * (k0 j * ak * gk j)) X L HP kappa_below) as H2.
  assert (HX : rsum dc X = s * N_e + Dr * (1 + s) * H_e).
  { unfold X, N_e, H_e. rewrite <- !rsum_scal, <- rsum_plus. apply rsum_ext; intros. rewrite !Rabs_mult. ring. }
  unfold I_explicit. fold P. rewrite <- HX. apply H2.
  - intros j Hj. replace (q j * (xq * aq) * gq j * (k0h j * (xk * ak) * gk j)) with (kappa * (q_hat_exact j * (ak * gk j)) * k0h j)
      by (unfold kappa, q_hat_exact; ring).
    replace (kappa * (q_hat_exact j * (k0 j * ak * gk j))) with (kappa * (q_hat_exact j * (ak * gk j)) * k0 j) by ring.
    eapply near_weaken; [apply radius_scale; apply Hk0; exact Hj|]. rewrite (Rabs_mult kappa). unfold X. lra.
  - intros j _. unfold X. pose proof (A_nonneg j). pose proof (Rabs_pos (k0 j)). apply Rmult_le_pos; [apply Rabs_pos|].
    apply Rplus_le_le_0_compat; [apply Rmult_le_pos; lra|]. apply Rmult_le_pos; [|lra]. apply Rmult_le_pos; lra.
  - exact H1.
Qed.

(** ** Absorbed
    phi: what is folded into g (1, or the computed alpha_q); psi: what multiplies the score (both computed alphas, or alpha_k alone). *)
Definition I_absorbed (s ag Dr Dc : R) : R :=
  let G := (1 + ag) * (1 + Dc) - 1 in
  ((1 + s) * (1 + Dr) - 1) * N_a + ag * N_e + ((1 + s) * (1 + Dr) * G - ag) * H_e.

Section Absorbed.
Variables (s ag Dr Dc phi psi : R) (g dot qt : nat -> R) (z : R).
Hypothesis nonneg : 0 <= s /\ 0 <= ag /\ 0 <= Dr /\ 0 <= Dc.
Hypothesis folded : phi * psi = kappa * (aq * ak).
Hypothesis g_near : forall j, (j < dc)%nat -> relative ag (g j) (phi * weighted_g j).
Hypothesis dot_near : forall i, (i < r)%nat -> near (dot i) (Dc * rsum dc (fun j => Rabs (W i j * g j))) (rsum dc (fun j => W i j * g j)).
Hypothesis stored : forall i, (i < r)%nat -> relative s (qt i) (dot i).
Hypothesis z_near : near z (Dr * rsum r (fun i => Rabs (qt i * c i))) (rsum r (fun i => qt i * c i)).

Let G := (1 + ag) * (1 + Dc) - 1.
(** (|W| |g|)_i *)
Let M (i : nat) : R := rsum dc (fun j => Rabs (W i j * weighted_g j)).
Let S1 := rsum r (fun i => Rabs (q_tilde_exact i * c i)).
Let K := rsum dc (fun j => Rabs (weighted_g j * k0 j)).
Let Hc := rsum dc (fun j => Rabs (weighted_g j) * A_abs j).

Lemma M_sum : rsum r (fun i => M i * Rabs (c i)) = Hc.
Proof.
  unfold M, Hc, A_abs. transitivity (rsum r (fun i => rsum dc (fun j => Rabs (weighted_g j) * Rabs (c i * W i j)))).
  - apply rsum_ext; intros. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros. rewrite !Rabs_mult. ring.
  - rewrite rsum_swap. apply rsum_ext; intros. apply rsum_scal.
Qed.

Lemma g_size j : (j < dc)%nat -> Rabs (g j) <= (1 + ag) * (Rabs phi * Rabs (weighted_g j)).
Proof. intros Hj. rewrite <- Rabs_mult. apply relative_magnitude. auto. Qed.

(** The dot over the components: first its own error, then that of g. *)
Lemma dot_local i : (i < r)%nat -> near (dot i) (Rabs phi * ((G - ag) * M i)) (rsum dc (fun j => W i j * g j)).
Proof.
  intros Hi. eapply near_weaken; [apply dot_near; exact Hi|].
  assert (H : rsum dc (fun j => Rabs (W i j * g j)) <= (1 + ag) * Rabs phi * M i).
  { unfold M. rewrite <- rsum_scal. apply rsum_le; intros j Hj. rewrite !Rabs_mult. pose proof (g_size j Hj). pose proof (Rabs_pos (W i j)).
    replace ((1 + ag) * Rabs phi * (Rabs (W i j) * Rabs (weighted_g j))) with (Rabs (W i j) * ((1 + ag) * (Rabs phi * Rabs (weighted_g j))))
      by ring. now apply Rmult_le_compat_l. }
  assert (Dc * rsum dc (fun j => Rabs (W i j * g j)) <= Dc * ((1 + ag) * Rabs phi * M i)) by (apply Rmult_le_compat_l; tauto).
  unfold G. lra.
Qed.

Lemma dot_total i : (i < r)%nat -> near (dot i) (Rabs phi * (G * M i)) (phi * q_tilde_exact i).
Proof.
  intros Hi. eapply near_weaken; [eapply near_trans; [apply dot_local; exact Hi|]|].
  - unfold q_tilde_exact. rewrite <- rsum_scal. apply radius_rsum with (e := fun j => Rabs (W i j) * (ag * Rabs (phi * weighted_g j))).
    intros j Hj. replace (phi * (W i j * weighted_g j)) with (W i j * (phi * weighted_g j)) by ring. apply radius_scale. now apply g_near.
  - rewrite (rsum_ext dc _ (fun j => ag * Rabs phi * Rabs (W i j * weighted_g j))) by (intros; rewrite !Rabs_mult; ring).
    rewrite rsum_scal. fold (M i). lra.
Qed.

Lemma dot_size : rsum r (fun i => Rabs (dot i) * Rabs (c i)) <= Rabs phi * (S1 + G * Hc).
Proof.
  rewrite <- M_sum. unfold S1. rewrite <- !rsum_scal, <- rsum_plus, <- rsum_scal. apply rsum_le; intros i Hi.
  pose proof (near_magnitude _ _ _ (dot_total i Hi)) as H. rewrite Rabs_mult in H. rewrite Rabs_mult.
  apply (Rmult_le_compat_r (Rabs (c i))) in H; [|apply Rabs_pos]. lra.
Qed.

Lemma absorbed_score : near z (Rabs phi * (((1 + s) * (1 + Dr) - 1) * S1 + ag * K + ((1 + s) * (1 + Dr) * G - ag) * Hc))
  (phi * rsum r (fun i => q_tilde_exact i * c i)).
Proof.
  destruct nonneg as (Hs & Hag & HDr & HDc).
  set (Sd := rsum r (fun i => Rabs (dot i) * Rabs (c i))).
  assert (H1 : rsum r (fun i => Rabs (qt i * c i)) <= (1 + s) * Sd).
  { unfold Sd. rewrite <- rsum_scal. apply rsum_le; intros i Hi. rewrite Rabs_mult, <- Rmult_assoc.
    apply Rmult_le_compat_r; [apply Rabs_pos|]. apply relative_magnitude. auto. }
  assert (H2 : near (rsum r (fun i => qt i * c i)) (s * Sd) (rsum r (fun i => dot i * c i))).
  { unfold Sd. rewrite <- rsum_scal. apply radius_rsum. intros i Hi. rewrite <- Rmult_assoc. apply radius_scale_r. now apply stored. }
  assert (H3 : near (rsum r (fun i => dot i * c i)) (Rabs phi * ((G - ag) * Hc)) (rsum r (fun i => rsum dc (fun j => W i j * g j) * c i))).
  { rewrite <- M_sum, <- !rsum_scal. apply radius_rsum. intros i Hi. rewrite <- !Rmult_assoc. apply radius_scale_r.
    rewrite Rmult_assoc. now apply dot_local. }
  assert (Hswap : forall f, rsum r (fun i => rsum dc (fun j => W i j * f j) * c i) = rsum dc (fun j => f j * k0 j)).
  { intros f. unfold k0, LogitError.k0. transitivity (rsum r (fun i => rsum dc (fun j => W i j * f j * c i))).
    - apply rsum_ext; intros. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros; ring.
    - rewrite rsum_swap. apply rsum_ext; intros. rewrite <- rsum_scal. apply rsum_ext; intros; ring. }
  assert (H4 : near (rsum dc (fun j => g j * k0 j)) (Rabs phi * (ag * K)) (phi * rsum r (fun i => q_tilde_exact i * c i))).
  { unfold q_tilde_exact. rewrite Hswap. unfold K. rewrite <- !rsum_scal. apply radius_rsum. intros j Hj.
    replace (phi * (weighted_g j * k0 j)) with (phi * weighted_g j * k0 j) by ring.
    eapply near_weaken; [apply radius_scale_r, g_near, Hj|]. rewrite !Rabs_mult. lra. }
  rewrite Hswap in H3.
  eapply near_weaken; [eapply near_trans; [exact z_near|eapply near_trans; [exact H2|eapply near_trans; [exact H3|exact H4]]]|].
  assert (H5 : Dr * rsum r (fun i => Rabs (qt i * c i)) <= Dr * ((1 + s) * Sd)) by (apply Rmult_le_compat_l; assumption).
  assert (H6 : ((1 + s) * (1 + Dr) - 1) * Sd <= ((1 + s) * (1 + Dr) - 1) * (Rabs phi * (S1 + G * Hc))).
  { apply Rmult_le_compat_l; [nra|exact dot_size]. }
  lra.
Qed.

(** px: the products with the alphas, (1 + u)^(1 or 2) - 1. *)
Theorem apriori_absorbed px L : 0 <= px -> relative px L (z * psi) ->
  near L (rho * (1 + px) * I_absorbed s ag Dr Dc + px * (rho * Rabs l)) (kappa * l).
Proof.
  intros Hpx HL. set (I0 := ((1 + s) * (1 + Dr) - 1) * S1 + ag * K + ((1 + s) * (1 + Dr) * G - ag) * Hc).
  assert (El : kappa * l = phi * rsum r (fun i => q_tilde_exact i * c i) * psi).
  { replace (phi * rsum r (fun i => q_tilde_exact i * c i) * psi) with (phi * psi * rsum r (fun i => q_tilde_exact i * c i)) by ring.
    rewrite folded. unfold l, exact_logit, logit_with. rewrite Rmult_assoc. f_equal. unfold q_tilde_exact.
    transitivity (aq * ak * rsum dc (fun j => weighted_g j * k0 j)).
    - rewrite <- rsum_scal. apply rsum_ext; intros. unfold weighted_g, k0. ring.
    - f_equal. unfold k0, LogitError.k0. transitivity (rsum dc (fun j => rsum r (fun i => W i j * weighted_g j * c i))).
      + apply rsum_ext; intros. rewrite <- rsum_scal. apply rsum_ext; intros; ring.
      + rewrite rsum_swap. apply rsum_ext; intros. rewrite (Rmult_comm _ (c i)), <- rsum_scal. apply rsum_ext; intros; ring. }
  assert (EI : I_absorbed s ag Dr Dc = Rabs (aq * ak) * I0).
  { unfold I_absorbed, I0, N_a. fold G S1.
    assert (E1 : N_e = Rabs (aq * ak) * K).
    { unfold N_e, K. rewrite <- rsum_scal. apply rsum_ext; intros. unfold q_hat_exact, weighted_g. rewrite !Rabs_mult. ring. }
    assert (E2 : H_e = Rabs (aq * ak) * Hc).
    { unfold H_e, Hc. rewrite <- rsum_scal. apply rsum_ext; intros. unfold q_hat_exact, weighted_g. rewrite !Rabs_mult. ring. }
    rewrite E1, E2. ring. }
  assert (Hz : near (z * psi) (rho * I_absorbed s ag Dr Dc) (kappa * l)).
  { rewrite El. eapply near_weaken; [apply radius_scale_r; exact absorbed_score|]. fold I0. rewrite EI.
    replace (Rabs phi * I0 * Rabs psi) with (Rabs (phi * psi) * I0) by (rewrite Rabs_mult; ring). rewrite folded, Rabs_mult, Rmult_assoc.
    pose proof (near_nonneg _ _ _ absorbed_score) as H0. fold I0 in H0. apply Rmult_le_compat_r; [|exact kappa_below].
    apply Rmult_le_pos; [apply Rabs_pos|]. destruct (Req_dec phi 0) as [->|Hphi].
    - destruct nonneg as (Hs & Hag & HDr & HDc). unfold I0.
      assert (0 <= S1) by (apply rsum_nonneg; intros; apply Rabs_pos). assert (0 <= K) by (apply rsum_nonneg; intros; apply Rabs_pos).
      assert (0 <= Hc). { apply rsum_nonneg; intros. apply Rmult_le_pos; [apply Rabs_pos|apply A_nonneg]. }
      assert (Hg1 : 1 <= (1 + s) * (1 + Dr)) by nra. assert (Hg2 : ag <= G) by (unfold G; nra).
      assert (0 <= (1 + s) * (1 + Dr) * G - ag) by nra.
      apply Rplus_le_le_0_compat; [apply Rplus_le_le_0_compat|]; apply Rmult_le_pos; lra.
    - apply Rmult_le_reg_l with (Rabs phi); [now apply Rabs_pos_lt|]. lra. }
  eapply near_weaken; [eapply near_trans; [exact HL|exact Hz]|]. pose proof (near_magnitude _ _ _ Hz) as Hm.
  rewrite (Rabs_mult kappa) in Hm.
  assert (Rabs kappa * Rabs l <= rho * Rabs l) by (apply Rmult_le_compat_r; [apply Rabs_pos|exact kappa_below]).
  assert (px * Rabs (z * psi) <= px * (rho * Rabs l + rho * I_absorbed s ag Dr Dc)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** Against the truth: rho (1 + px) I + (rho (1 + px) - 1)|l|. *)
(* C++: bounds/apriori.hpp apriori_bounds; bounds/apriori.hpp apriori_logit. *)
Theorem apriori_absorbed_true px L : 0 <= px -> relative px L (z * psi) ->
  near L (rho * (1 + px) * I_absorbed s ag Dr Dc + (rho * (1 + px) - 1) * Rabs l) l.
Proof.
  intros Hpx HL. eapply near_weaken; [eapply near_trans; [now apply (apriori_absorbed px)|]|].
  - assert (H : near (kappa * l) ((rho - 1) * Rabs l) l); [|exact H]. unfold near.
    replace (kappa * l - l) with ((kappa - 1) * l) by ring. rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|exact ratio].
  - lra.
Qed.
End Absorbed.
End Content.
