(** Purpose: what weight a token gets from an online softmax: subtraction, exp, store, every rescale, with underflow; with exp2; and from
      splits joined by their lse. Each is exp(l - m + xi) + omega: what WeightedAverage.v takes.
    Main results: [online_weight]: |xi| <= v (m - l) + lambda_0 + k lambda for k changes of the maximum, |omega| <= (eta_0 + k eta) B^k;
      [exp2_weight]: the same with exp2(fma(l, k2, - m k2)), one rounded k2 and rounded references; [lse_split_weight]: splits weighted by
      exp(lse - reference) / s; [relative_pair]: two relative errors, such as exp and store, as one lambda.
    Depends on: ValueError. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export ValueError.
Local Open Scope R_scope.

(** (1 + a)(1 + b) as an exponential. *)
Theorem relative_pair a b x y : 0 <= a < 1 -> 0 <= b < 1 -> Rabs x <= a -> Rabs y <= b ->
  exists z, (1 + x) * (1 + y) = exp z /\ Rabs z <= - ln (1 - a) + - ln (1 - b).
Proof.
  intros Ha Hb Hx Hy. destruct (log_error_bound a x Ha Hx) as (p & -> & Hp). destruct (log_error_bound b y Hb Hy) as (q & -> & Hq).
  exists (p + q). rewrite exp_plus. split; [reflexivity|]. eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

(** ** Steps down from reference to reference
    m_0 <= ... <= m_k. The first factor is exp(l - m_0 + delta_0 + y_0) + zeta_0 (y_0: exp and store), then one factor exp(m_b - m_(b+1) +
    delta_b + y_b) + zeta_b at each change. A change to the same maximum multiplies by exactly 1 and is not counted. *)
Section Online.
Variables (m delta y zeta : nat -> R) (l v delta0 y0 zeta0 lambda0 lambda eta0 eta B : R) (k : nat).
Hypothesis v_range : 0 <= v <= 1.
Hypothesis lambda_nonneg : 0 <= lambda.
Hypothesis eta_nonneg : 0 <= eta0 /\ 0 <= eta.
Hypothesis below_first : l <= m 0%nat.
Hypothesis B_large : exp lambda0 <= B /\ exp lambda + eta <= B /\ 1 <= B.
Hypothesis first_errors : Rabs delta0 <= v * Rabs (l - m 0%nat) /\ Rabs y0 <= lambda0 /\ Rabs zeta0 <= eta0.

Fixpoint online_product (j : nat) : R :=
  match j with
  | O => exp (l - m 0%nat + delta0 + y0) + zeta0
  | S i => online_product i * (exp (m i - m (S i) + delta i + y i) + zeta i)
  end.

Lemma step_down a b d yy lam : a <= b -> Rabs d <= v * Rabs (a - b) -> Rabs yy <= lam -> exp (a - b + d + yy) <= exp lam.
Proof.
  intros Hab Hd Hy. apply exp_le. rewrite (Rabs_left1 (a - b)) in Hd by lra. apply Rabs_le_inv in Hd. apply Rabs_le_inv in Hy.
  assert (v * - (a - b) <= 1 * - (a - b)) by (apply Rmult_le_compat_r; lra). lra.
Qed.

(* C++: bounds/softmax_sums.hpp largest_shift; bounds/softmax_weights.hpp make_weights. *)
Theorem online_weight : (forall b, (b < k)%nat -> m b <= m (S b)) ->
  (forall b, (b < k)%nat -> Rabs (delta b) <= v * Rabs (m b - m (S b)) /\ Rabs (y b) <= lambda /\ Rabs (zeta b) <= eta) ->
  exists xi omega, Rabs xi <= v * (m k - l) + lambda0 + INR k * lambda /\ Rabs omega <= (eta0 + INR k * eta) * B ^ k /\
    online_product k = exp (l - m k + xi) + omega.
Proof.
  destruct first_errors as (Hd0 & Hy0 & Hz0). destruct B_large as (HB0 & HB1 & HB). intros Hm Hsteps.
  assert (H : exists xi omega, Rabs xi <= v * (m k - l) + lambda0 + INR k * lambda /\ Rabs omega <= (eta0 + INR k * eta) * B ^ k /\
    online_product k = exp (l - m k + xi) + omega /\ exp (l - m k + xi) <= B ^ S k).
  { induction k as [|j IH].
    - exists (delta0 + y0), zeta0. repeat split.
      + rewrite (Rabs_left1 (l - m 0%nat)) in Hd0 by lra. eapply Rle_trans; [apply Rabs_triang|]. simpl. lra.
      + simpl. lra.
      + simpl. do 2 f_equal. ring.
      + simpl. rewrite Rmult_1_r. replace (l - m 0%nat + (delta0 + y0)) with (l - m 0%nat + delta0 + y0) by ring.
        eapply Rle_trans; [now apply step_down with (lam := lambda0)|exact HB0].
    - destruct IH as (xi & omega & Hxi & Hom & Hw & Hsize); [intros; apply Hm; lia|intros; apply Hsteps; lia|].
      pose proof (Hm j ltac:(lia)) as Hmj. destruct (Hsteps j ltac:(lia)) as (Hdj & Hyj & Hzj).
      set (A := exp (m j - m (S j) + delta j + y j)). set (w := exp (l - m j + xi)) in *.
      assert (HA : A <= exp lambda) by (now apply step_down). assert (HA0 : 0 < A) by apply exp_pos. assert (Hw0 : 0 < w) by apply exp_pos.
      assert (HBj : 0 <= B ^ j) by (apply pow_le; lra).
      assert (Eprod : exp (l - m (S j) + (xi + delta j + y j)) = w * A).
      { unfold w, A. rewrite <- exp_plus. f_equal. ring. }
      exists (xi + delta j + y j), (w * zeta j + omega * (A + zeta j)). repeat split.
      + rewrite (Rabs_left1 (m j - m (S j))) in Hdj by lra. rewrite S_INR. eapply Rle_trans; [apply Rabs_triang|].
        pose proof (Rabs_triang xi (delta j)). lra.
      + assert (H1 : Rabs (w * zeta j) <= B ^ S j * eta).
        { rewrite Rabs_mult, (Rabs_pos_eq w) by lra. apply Rmult_le_compat; try apply Rabs_pos; lra. }
        assert (H2 : Rabs (omega * (A + zeta j)) <= (eta0 + INR j * eta) * B ^ j * B).
        { rewrite Rabs_mult. apply Rmult_le_compat; try apply Rabs_pos; [exact Hom|]. eapply Rle_trans; [apply Rabs_triang|].
          rewrite (Rabs_pos_eq A) by lra. lra. }
        eapply Rle_trans; [apply Rabs_triang|]. rewrite S_INR. simpl pow in *. lra.
      + rewrite Eprod. cbn [online_product]. fold A. rewrite Hw. ring.
      + rewrite Eprod. change (B ^ S (S j)) with (B * B ^ S j). rewrite (Rmult_comm B). apply Rmult_le_compat; lra. }
  destruct H as (xi & omega & H1 & H2 & H3 & _). exists xi, omega. auto.
Qed.
End Online.

(** ** exp2(fma(l, k2, - mk)): k2 = log2 e (times whatever is folded into it) with relative error kappa, mk_b = m_b k2 with relative
  error mu
    The last reference's rounding is common to all tokens: a factor that numerator and denominator share. *)
(* C++: bounds/softmax_sums.hpp largest_shift; bounds/softmax_weights.hpp make_weights. *)
Theorem exp2_weight (m mk delta y : nat -> R) l k2 v kappa mu R0 delta0 y0 lambda0 lambda k : 0 <= v -> 0 <= kappa -> 0 <= mu -> 0 < k2 ->
  Rabs (k2 * ln 2 - 1) <= kappa -> (forall b, (b <= k)%nat -> Rabs (mk b - m b * k2) <= mu * Rabs (m b * k2) /\ Rabs (m b) <= R0) ->
  l <= m 0%nat -> m 0%nat <= m k -> (forall b, (b < k)%nat -> mk b <= mk (S b)) ->
  Rabs delta0 <= v * Rabs (l * k2 - mk 0%nat) -> Rabs y0 <= lambda0 ->
  (forall b, (b < k)%nat -> Rabs (delta b) <= v * Rabs (mk b - mk (S b)) /\ Rabs (y b) <= lambda) ->
  exists xi, Rabs xi <= kappa * (m k - l) + v * (1 + kappa) * (m k - l + 3 * mu * R0) + lambda0 + INR k * lambda /\
    exp (ln 2 * (l * k2 - mk 0%nat + delta0) + y0) * rproduct k (fun b => exp (ln 2 * (mk b - mk (S b) + delta b) + y b)) =
    exp (ln 2 * (m k * k2 - mk k)) * exp (l - m k + xi).
Proof.
  intros Hv Hkappa Hmu Hk2 Hk Hmk Hl Hmm Hmono Hd0 Hy0 Hsteps. assert (Hln : 0 < ln 2) by (rewrite <- ln_1; apply ln_increasing; lra).
  (* The product, with the roundings of the differences kept as one number. *)
  assert (H : exists d z, Rabs d <= v * (Rabs (l * k2 - mk 0%nat) + (mk k - mk 0%nat)) /\ Rabs z <= lambda0 + INR k * lambda /\
    exp (ln 2 * (l * k2 - mk 0%nat + delta0) + y0) * rproduct k (fun b => exp (ln 2 * (mk b - mk (S b) + delta b) + y b)) =
    exp (ln 2 * (l * k2 - mk k + d) + z)).
  { clear Hmm Hmk. induction k as [|j IH].
    - exists delta0, y0. repeat split; [lra|simpl; lra|]. simpl. ring.
    - destruct IH as (d & z & Hdd & Hz & Hw); [intros; apply Hmono; lia|intros; apply Hsteps; lia|].
      destruct (Hsteps j ltac:(lia)) as [Hdj Hyj]. pose proof (Hmono j ltac:(lia)) as Hmj.
      rewrite (Rabs_left1 (mk j - mk (S j))) in Hdj by lra.
      exists (d + delta j), (z + y j). repeat split.
      + eapply Rle_trans; [apply Rabs_triang|]. lra.
      + rewrite S_INR. eapply Rle_trans; [apply Rabs_triang|]. lra.
      + simpl rproduct. rewrite <- Rmult_assoc, Hw, <- exp_plus. f_equal. ring. }
  destruct H as (d & z & Hd & Hz & ->). destruct (Hmk 0%nat ltac:(lia)) as [Hm0 HR0]. destruct (Hmk k ltac:(lia)) as [Hmk' HRk].
  set (kl := k2 * ln 2) in *. apply Rabs_le_inv in Hk as Hk'. set (D := m k - l). assert (HD : 0 <= D) by (unfold D; lra).
  exists (- (kl - 1) * D + ln 2 * d + z). split.
  - assert (Hsz : forall b, Rabs (m b) <= R0 -> mu * Rabs (m b * k2) <= mu * (R0 * k2)).
    { intros b Hb. apply Rmult_le_compat_l; [assumption|]. rewrite Rabs_mult, (Rabs_pos_eq k2) by lra. apply Rmult_le_compat_r; lra. }
    pose proof (Hsz 0%nat HR0) as Hs0. pose proof (Hsz k HRk) as Hsk. apply Rabs_le_inv in Hm0. apply Rabs_le_inv in Hmk'.
    assert (Hlk : l * k2 <= m 0%nat * k2) by (apply Rmult_le_compat_r; lra).
    assert (Hway : Rabs (l * k2 - mk 0%nat) + (mk k - mk 0%nat) <= D * k2 + 3 * (mu * (R0 * k2))).
    { assert (0 <= mu * (R0 * k2)). { eapply Rle_trans; [|exact Hs0]. apply Rmult_le_pos; [assumption|apply Rabs_pos]. }
      unfold D. unfold Rabs at 1. destruct (Rcase_abs _); lra. }
    assert (H1 : Rabs (ln 2 * d) <= v * (1 + kappa) * (D + 3 * mu * R0)).
    { rewrite Rabs_mult, (Rabs_pos_eq (ln 2)) by lra.
      apply Rle_trans with (ln 2 * (v * (D * k2 + 3 * (mu * (R0 * k2))))).
      - apply Rmult_le_compat_l; [lra|]. eapply Rle_trans; [exact Hd|]. now apply Rmult_le_compat_l.
      - replace (ln 2 * (v * (D * k2 + 3 * (mu * (R0 * k2))))) with (v * (D + 3 * mu * R0) * kl) by (unfold kl; ring).
        replace (v * (1 + kappa) * (D + 3 * mu * R0)) with (v * (D + 3 * mu * R0) * (1 + kappa)) by ring.
        apply Rmult_le_compat_l; [|lra]. apply Rmult_le_pos; [assumption|]. pose proof (Rabs_pos (m k)).
        assert (0 <= mu * R0) by (apply Rmult_le_pos; lra). lra. }
    assert (H2 : Rabs (- (kl - 1) * D) <= kappa * D).
    { rewrite Rabs_mult, Rabs_Ropp, (Rabs_pos_eq D) by assumption. now apply Rmult_le_compat_r. }
    eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_triang (- (kl - 1) * D) (ln 2 * d)). lra.
  - rewrite <- exp_plus. f_equal. unfold D, kl. ring.
Qed.

(** ** Splits joined by lse
    s': the split's computed sum relative to its reference m; lse': what it returned, within a of m + ln s';
      the split's share is exp(lse' - R
    + delta)(1 + eps), and a token's weight w / s' times that: as if the split had kept its sum and been rescaled. *)
(* C++: bounds/softmax_sums.hpp largest_shift; bounds/softmax_weights.hpp make_weights. *)
Theorem lse_split_weight m s' lse' a R v delta eps e_exp w : 0 < s' -> 0 <= e_exp < 1 -> Rabs (lse' - (m + ln s')) <= a ->
  Rabs delta <= v * Rabs (lse' - R) -> Rabs eps <= e_exp ->
  exists xi, Rabs xi <= a + v * Rabs (lse' - R) + - ln (1 - e_exp) /\
    exp (lse' - R + delta) * (1 + eps) * (w / s') = exp (m - R + xi) * w.
Proof.
  intros Hs He Ha Hd Heps. destruct (log_error_bound e_exp eps He Heps) as (y & Hy & Hyb).
  exists (lse' - (m + ln s') + delta + y). split.
  - eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_triang (lse' - (m + ln s')) delta). lra.
  - rewrite Hy. replace (m - R + (lse' - (m + ln s') + delta + y)) with (lse' - R + delta + y + - ln s') by ring.
    rewrite (exp_plus _ (- ln s')), exp_Ropp, exp_ln, (exp_plus _ y) by assumption. field. lra.
Qed.
