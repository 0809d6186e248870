(** Purpose: how far the computed content logit of either form is from the exact one: the running bound that src/bounds evaluates.
    Main results: [explicit_logit_error], [absorbed_logit_error], [rope_logit_error], [joined_logit_error]: from radii of the parts,
      whatever made them; [forms_difference], [forms_difference_same_alpha]: how far the two forms may be apart; errors of a shared
      statistic cancel.
    Depends on: Radius. Axioms: those of Coq's real numbers.

    aq, ak are the true statistics, aq', ak' the computed ones, which the errors up to the score take as exact. *)
From Equinorm Require Export Radius.
Local Open Scope R_scope.

Section Logit.
Variables (r dc : nat) (W : nat -> nat -> R) (c q gq gk : nat -> R) (aq ak aq' ak' rhoq rhok : R).
Hypothesis aq_nonzero : aq' <> 0.
Hypothesis ak_nonzero : ak' <> 0.
Hypothesis aq_ratio : Rabs (aq / aq' - 1) <= rhoq.
Hypothesis ak_ratio : Rabs (ak / ak' - 1) <= rhok.

(** k0 = c W_K, the exact logit, and the logit with the computed statistics. *)
Definition k0 (j : nat) : R := rsum r (fun l => c l * W l j).
Definition logit_with (bq bk : R) : R := rsum dc (fun j => (q j * bq * gq j) * (k0 j * bk * gk j)).
Definition exact_logit : R := logit_with aq ak.

(** Errors with aq', ak' taken as exact become errors against the truth. *)
Definition with_statistics (v e : R) : R := e + (Rabs v + e) * ((1 + rhoq) * (1 + rhok) - 1).

Lemma statistics_back v e : near v e (logit_with aq' ak') -> near v (with_statistics v e) exact_logit.
Proof.
  intros H. replace exact_logit with (logit_with aq' ak' * (aq / aq') * (ak / ak')); [now apply common_factor|].
  unfold exact_logit, logit_with. transitivity (aq / aq' * (ak / ak') * rsum dc (fun j => (q j * aq' * gq j) * (k0 j * ak' * gk j)));
  [ring|].
  rewrite <- rsum_scal. apply rsum_ext; intros. field. auto.
Qed.

(** ** Explicit: stored q_hat and k_hat with radii, one dot product *)
Section Explicit.
Variables (qh kh Eq Ek : nat -> R) (L D F : R).
Hypothesis q_hat_near : forall j, (j < dc)%nat -> near (qh j) (Eq j) (q j * aq' * gq j).
Hypothesis k_hat_near : forall j, (j < dc)%nat -> near (kh j) (Ek j) (k0 j * ak' * gk j).
Hypothesis dot_near : near L (D * rsum dc (fun j => Rabs (qh j * kh j)) + F) (rsum dc (fun j => qh j * kh j)).

Definition explicit_radius : R :=
  D * rsum dc (fun j => Rabs (qh j * kh j)) + F + rsum dc (fun j => Rabs (qh j) * Ek j + Eq j * Rabs (kh j) + Eq j * Ek j).

Lemma explicit_near : near L explicit_radius (logit_with aq' ak').
Proof. unfold explicit_radius, logit_with. now apply radius_dot. Qed.

Theorem explicit_logit_error : near L (with_statistics L explicit_radius) exact_logit.
Proof. apply statistics_back, explicit_near. Qed.
End Explicit.

(** ** Absorbed: g = q gamma gamma, q_tilde = W_K g, z = q_tilde . c, then the two alphas *)
Section Absorbed.
Variables (g Eg qt e : nat -> R) (z L D F h : R).
Hypothesis g_near : forall j, (j < dc)%nat -> near (g j) (Eg j) (q j * gq j * gk j).
(** The local error of q_tilde: against the computed g. *)
Hypothesis q_tilde_near : forall l, (l < r)%nat -> near (qt l) (e l) (rsum dc (fun j => W l j * g j)).
Hypothesis z_near : near z (D * rsum r (fun l => Rabs (qt l * c l)) + F) (rsum r (fun l => qt l * c l)).
Hypothesis L_near : near L h (z * aq' * ak').

(** The error of g meets the key itself, k0 = c W_K, not |c| |W_K|: what cancels in the key cancels in the error. *)
Definition score_radius : R :=
  D * rsum r (fun l => Rabs (qt l * c l)) + F + rsum r (fun l => e l * Rabs (c l)) + rsum dc (fun j => Eg j * Rabs (k0 j)).
Definition absorbed_radius : R := score_radius * Rabs aq' * Rabs ak' + h.

Lemma score_near : near z score_radius (rsum dc (fun j => q j * gq j * gk j * k0 j)).
Proof.
  unfold score_radius.
  assert (H1 : near (rsum r (fun l => qt l * c l)) (rsum r (fun l => e l * Rabs (c l)))
    (rsum r (fun l => rsum dc (fun j => W l j * g j) * c l))).
  { apply radius_rsum. intros l Hl. apply radius_scale_r. auto. }
  assert (H2 : near (rsum dc (fun j => g j * k0 j)) (rsum dc (fun j => Eg j * Rabs (k0 j))) (rsum dc (fun j => q j * gq j * gk j * k0 j))).
  { apply radius_rsum. intros j Hj. apply radius_scale_r. auto. }
  replace (rsum r (fun l => rsum dc (fun j => W l j * g j) * c l)) with (rsum dc (fun j => g j * k0 j)) in H1.
  - eapply near_trans; [|exact H2]. eapply near_trans; [exact z_near|exact H1].
  - unfold k0. transitivity (rsum dc (fun j => rsum r (fun l => W l j * g j * c l))).
    + apply rsum_ext; intros. rewrite <- rsum_scal. apply rsum_ext; intros; ring.
    + rewrite rsum_swap. apply rsum_ext; intros. rewrite (Rmult_comm _ (c i)), <- rsum_scal. apply rsum_ext; intros; ring.
Qed.

Lemma absorbed_near : near L absorbed_radius (logit_with aq' ak').
Proof.
  unfold absorbed_radius. eapply radius_round; [exact L_near|].
  replace (logit_with aq' ak') with (rsum dc (fun j => q j * gq j * gk j * k0 j) * aq' * ak').
  - apply radius_scale_r, radius_scale_r, score_near.
  - unfold logit_with. transitivity (aq' * ak' * rsum dc (fun j => q j * gq j * gk j * k0 j)); [ring|].
    rewrite <- rsum_scal. apply rsum_ext; intros; ring.
Qed.

Theorem absorbed_logit_error : near L (with_statistics L absorbed_radius) exact_logit.
Proof. apply statistics_back, absorbed_near. Qed.
End Absorbed.
End Logit.

(** ** The RoPE part, the sum of both and the scale
    a, b: query and key, weighted and rotated but not normalised; RoPE is linear, so alpha is a factor of it too. *)
Theorem rope_logit_error n (a b qh kh Eq Ek : nat -> R) (aq ak aq' ak' rhoq rhok L D F : R) : aq' <> 0 -> ak' <> 0 ->
  Rabs (aq / aq' - 1) <= rhoq -> Rabs (ak / ak' - 1) <= rhok ->
  (forall j, (j < n)%nat -> near (qh j) (Eq j) (aq' * a j)) -> (forall j, (j < n)%nat -> near (kh j) (Ek j) (ak' * b j)) ->
  near L (D * rsum n (fun j => Rabs (qh j * kh j)) + F) (rsum n (fun j => qh j * kh j)) ->
  near L (with_statistics rhoq rhok L (explicit_radius n qh kh Eq Ek D F)) (rsum n (fun j => (aq * a j) * (ak * b j))).
Proof.
  intros Hq0 Hk0 Hq Hk Hqh Hkh HL.
  replace (rsum n (fun j => (aq * a j) * (ak * b j))) with (rsum n (fun j => (aq' * a j) * (ak' * b j)) * (aq / aq') * (ak / ak')).
  - apply common_factor; try assumption. now apply radius_dot.
  - transitivity (aq / aq' * (ak / ak') * rsum n (fun j => (aq' * a j) * (ak' * b j))); [ring|].
    rewrite <- rsum_scal. apply rsum_ext; intros. field. auto.
Qed.

(** l = scale (content + rope): h1 rounds the sum, hs the scale itself, h2 the product. *)
Theorem joined_logit_error Lc ec lc Lr er lr s h1 scale' hs scale out h2 : near Lc ec lc -> near Lr er lr -> near s h1 (Lc + Lr) ->
  near scale' hs scale -> near out h2 (scale' * s) ->
  near out (Rabs scale' * (ec + er + h1) + hs * Rabs s + hs * (ec + er + h1) + h2) (scale * (lc + lr)).
Proof.
  intros Hc Hr Hs Hscale Hout. eapply radius_round; [exact Hout|]. apply radius_product; [assumption|].
  eapply radius_round; [exact Hs|]. now apply radius_sum.
Qed.

(** Two results near one truth are near each other. *)
Theorem forms_difference L1 e1 L2 e2 x : near L1 e1 x -> near L2 e2 x -> Rabs (L1 - L2) <= e1 + e2.
Proof.
  unfold near. intros. replace (L1 - L2) with ((L1 - x) + - (L2 - x)) by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp.
  lra.
Qed.

(** With the same computed statistics in both forms their error drops out of the difference, whatever it is. *)
Theorem forms_difference_same_alpha r dc W c q gq gk aq' ak' qh kh Eq Ek L1 D1 F1 g Eg qt e z L2 D2 F2 h :
  (forall j, (j < dc)%nat -> near (qh j) (Eq j) (q j * aq' * gq j)) ->
  (forall j, (j < dc)%nat -> near (kh j) (Ek j) (k0 r W c j * ak' * gk j)) ->
  near L1 (D1 * rsum dc (fun j => Rabs (qh j * kh j)) + F1) (rsum dc (fun j => qh j * kh j)) ->
  (forall j, (j < dc)%nat -> near (g j) (Eg j) (q j * gq j * gk j)) ->
  (forall l, (l < r)%nat -> near (qt l) (e l) (rsum dc (fun j => W l j * g j))) ->
  near z (D2 * rsum r (fun l => Rabs (qt l * c l)) + F2) (rsum r (fun l => qt l * c l)) -> near L2 h (z * aq' * ak') ->
  Rabs (L1 - L2) <= explicit_radius dc qh kh Eq Ek D1 F1 + absorbed_radius r dc W c aq' ak' Eg qt e D2 F2 h.
Proof.
  intros Hq Hk H1 Hg Hqt Hz H2. apply forms_difference with (x := logit_with r dc W c q gq gk aq' ak').
  - now apply explicit_near.
  - now apply absorbed_near with (g := g) (z := z).
Qed.
