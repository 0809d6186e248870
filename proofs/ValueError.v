(** Purpose: errors of the weighted average: online softmax weights, accumulation, division, and the way through W_V.
    Main results: [effective_weight] (subtraction, exp and rescales are one perturbation of the logit), [quotient_error] (numerator and
      denominator), [average_error] (logit radii, weights and accumulation together), [absorbed_output_error] (o = u W_V, centred in value
      space).
    Depends on: SoftmaxError. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export SoftmaxError.
Local Open Scope R_scope.

(** ** One weight through k changes of the running maximum *)
Fixpoint rproduct (n : nat) (f : nat -> R) : R :=
  match n with
  | O => 1
  | S k => rproduct k f * f k
  end.

Lemma log_error_bound e x : 0 <= e < 1 -> Rabs x <= e -> exists y, 1 + x = exp y /\ Rabs y <= - ln (1 - e).
Proof.
  intros He Hx. apply Rabs_le_inv in Hx. exists (ln (1 + x)). split; [symmetry; apply exp_ln; lra|].
  assert (Hlow : ln (1 - e) <= ln (1 + x)).
  { destruct (Req_dec (1 - e) (1 + x)) as [->|]; [lra|]. left. apply ln_increasing; lra. }
  assert (Hup : ln (1 + x) <= - ln (1 - e)).
  { rewrite <- ln_Rinv by lra. destruct (Req_dec (1 + x) (/ (1 - e))) as [->|]; [lra|]. left. apply ln_increasing; [lra|].
    assert (1 + e <= / (1 - e)); [|lra]. apply Rmult_le_reg_r with (1 - e); [lra|]. rewrite Rinv_l by lra. nra. }
  apply Rabs_le. lra.
Qed.

(** m_0 <= ... <= m_k: the running maximum after each change; v: the unit roundoff of the subtractions; e_exp: the error of exp. The weight
    of a token of logit l, with every factor as computed, is exp(l - m_k + xi). *)
Theorem effective_weight (m : nat -> R) l k v e_exp delta0 eps0 (delta eps : nat -> R) : 0 <= v -> 0 <= e_exp < 1 ->
  (forall b, (b < k)%nat -> m b <= m (S b)) -> l <= m 0%nat ->
  Rabs delta0 <= v * Rabs (l - m 0%nat) -> Rabs eps0 <= e_exp ->
  (forall b, (b < k)%nat -> Rabs (delta b) <= v * Rabs (m b - m (S b)) /\ Rabs (eps b) <= e_exp) ->
  exists xi, Rabs xi <= v * (m k - l) + (INR k + 1) * - ln (1 - e_exp) /\
    exp (l - m 0%nat + delta0) * (1 + eps0) * rproduct k (fun b => exp (m b - m (S b) + delta b) * (1 + eps b)) = exp (l - m k + xi).
Proof.
  intros Hv He Hm Hl Hd0 He0. induction k as [|k IH]; intros Hsteps.
  - destruct (log_error_bound e_exp eps0 He He0) as (y & Hy & Hyb). exists (delta0 + y). split.
    + rewrite (Rabs_left1 (l - m 0%nat)) in Hd0 by lra. eapply Rle_trans; [apply Rabs_triang|]. simpl INR. lra.
    + simpl rproduct. rewrite Hy, <- exp_plus, Rmult_1_r. f_equal. ring.
  - destruct IH as (xi & Hxi & Hw); [intros; apply Hm; lia|intros; apply Hsteps; lia|].
    destruct (Hsteps k ltac:(lia)) as [Hdk Hek]. destruct (log_error_bound e_exp (eps k) He Hek) as (y & Hy & Hyb).
    exists (xi + delta k + y). split.
    + rewrite (Rabs_left1 (m k - m (S k))) in Hdk by (pose proof (Hm k ltac:(lia)); lra). rewrite S_INR.
      eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_triang xi (delta k)). lra.
    + simpl rproduct. rewrite <- Rmult_assoc, Hw, Hy, <- !exp_plus. f_equal. ring.
Qed.

(** ** Numerator over denominator *)
(* C++: bounds/average.hpp quotient_rounding. *)
Theorem quotient_error Nh N A F Dh D phiN phiD : 0 < D -> 0 <= phiD < 1 -> near Nh (phiN * A + F) N -> near Dh (phiD * D) D ->
  near (Nh / Dh) ((phiN * (A / D) + phiD * (Rabs N / D) + F / D) / (1 - phiD)) (N / D).
Proof.
  intros HD Hphi HN HDh. pose proof (near_nonneg _ _ _ HN) as HN0. unfold near in *. apply Rabs_le_inv in HDh as HDh'.
  assert (Hlow : D * (1 - phiD) <= Dh) by lra. assert (Hpos : 0 < D * (1 - phiD)) by (apply Rmult_lt_0_compat; lra).
  replace (Nh / Dh - N / D) with (((Nh - N) + N * ((D - Dh) / D)) / Dh) by (field; lra).
  unfold Rdiv at 1. rewrite Rabs_mult, (Rabs_pos_eq (/ Dh)) by (left; apply Rinv_0_lt_compat; lra).
  replace ((phiN * (A / D) + phiD * (Rabs N / D) + F / D) / (1 - phiD)) with
    ((phiN * A + F + Rabs N * phiD) * / (D * (1 - phiD))) by (field; lra).
  apply Rmult_le_compat; [apply Rabs_pos|left; apply Rinv_0_lt_compat; lra| |apply Rinv_le_contravar; assumption].
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
  assert (Rabs ((D - Dh) / D) <= phiD).
  { unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ D)) by (left; now apply Rinv_0_lt_compat). rewrite Rabs_minus_sym.
    apply Rmult_le_reg_r with D; [assumption|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. assumption. }
  pose proof (Rabs_pos N). assert (Rabs N * Rabs ((D - Dh) / D) <= Rabs N * phiD) by (apply Rmult_le_compat_l; assumption). lra.
Qed.

(** ** The average: L computed logits, E their radii, xi the kernel's own perturbation of the weights, y values with radii *)
Section Average.
Variables (n : nat) (L E X xi true_l : nat -> R).
Hypothesis some_token : (0 < n)%nat.
Hypothesis logits_near : forall t, (t < n)%nat -> near (L t) (E t) (true_l t).
Hypothesis weights_near : forall t, (t < n)%nat -> Rabs (xi t) <= X t.

Let star := softmax n L.
Let used := softmax n (fun t => L t + xi t).
Definition average_of (p v : nat -> R) : R := rsum n (fun t => p t * v t).

(** The centred term of section 5: what logit errors of size B do to an average of v. *)
Definition centred (B v : nat -> R) : R :=
  rsum n (fun t => star t * (exp (B t) - 1) * Rabs (v t - average_of star v)) / rsum n (fun t => star t * exp (- B t)).

Lemma used_near_star v : near (average_of used v) (centred X v) (average_of star v).
Proof. exact (softmax_output_error n L xi X weights_near v some_token). Qed.

Lemma true_near_star v : near (average_of (softmax n true_l) v) (centred E v) (average_of star v).
Proof.
  pose proof (softmax_output_error n L (fun t => true_l t - L t) E) as H. unfold near, centred, average_of, star.
  rewrite (rsum_ext n (fun t => softmax n true_l t * v t) (fun t => softmax n (fun s => L s + (true_l s - L s)) t * v t)).
  - apply H; [|assumption]. intros t Ht. specialize (logits_near t Ht). unfold near in logits_near. now rewrite Rabs_minus_sym.
  - intros t _. f_equal. unfold softmax. replace (L t + (true_l t - L t)) with (true_l t) by ring. f_equal.
    apply rsum_ext; intros s _. f_equal. ring.
Qed.

Lemma used_near_true v : near (average_of used v) (centred X v + centred E v) (average_of (softmax n true_l) v).
Proof.
  eapply near_trans; [apply used_near_star|]. pose proof (true_near_star v) as H. unfold near in *. now rewrite Rabs_minus_sym.
Qed.

(** Accumulation of numerator and denominator in any order: phiN, phiD, F; the last rounding(s): h. M: the final running maximum. *)
Variables (phiN phiD M : R).
Hypothesis phiD_small : 0 <= phiD < 1.
Let w (t : nat) : R := exp (L t - M + xi t).
Let W : R := rsum n w.

Lemma W_pos : 0 < W.
Proof. apply (exp_sum_pos n (fun t => L t - M + xi t)). assumption. Qed.

Lemma used_is_w t : used t = w t / W.
Proof.
  assert (E1 : forall s, exp (L s + xi s) = exp M * w s) by (intros; unfold w; rewrite <- exp_plus; f_equal; ring).
  unfold used, softmax. rewrite E1, (rsum_ext n _ (fun s => exp M * w s)) by (intros; apply E1). rewrite rsum_scal. fold W.
  field. split; [pose proof W_pos; lra|]. pose proof (exp_pos M). lra.
Qed.

Definition accumulation_radius (F : R) (v : nat -> R) : R :=
  (phiN * average_of used (fun t => Rabs (v t)) + phiD * Rabs (average_of used v) + F / W) / (1 - phiD).

Lemma accumulated_near v num den F :
  near num (phiN * rsum n (fun t => w t * Rabs (v t)) + F) (rsum n (fun t => w t * v t)) -> near den (phiD * W) W ->
  near (num / den) (accumulation_radius F v) (average_of used v).
Proof.
  intros Hnum Hden. pose proof W_pos as HW.
  assert (Hused : forall z, average_of used z = rsum n (fun t => w t * z t) / W).
  { intros z. unfold average_of, Rdiv. rewrite (Rmult_comm _ (/ W)), <- rsum_scal. apply rsum_ext; intros.
    rewrite used_is_w. field. lra. }
  pose proof (quotient_error num (rsum n (fun t => w t * v t)) (rsum n (fun t => w t * Rabs (v t))) F den W phiN phiD HW phiD_small
    Hnum Hden) as H.
  unfold accumulation_radius. rewrite !Hused. eapply near_weaken; [exact H|]. right. do 3 f_equal.
  unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ W)) by (left; now apply Rinv_0_lt_compat). reflexivity.
Qed.

(** The whole: values y with radii Ey stand for the true yt. *)
Theorem average_error y Ey yt num den F out h :
  (forall t, (t < n)%nat -> near (y t) (Ey t) (yt t)) ->
  near num (phiN * rsum n (fun t => w t * Rabs (y t)) + F) (rsum n (fun t => w t * y t)) -> near den (phiD * W) W ->
  near out h (num / den) ->
  near out (h + (accumulation_radius F y + (average_of used Ey + (centred X yt + centred E yt)))) (average_of (softmax n true_l) yt).
Proof.
  intros Hy Hnum Hden Hout. eapply near_trans; [exact Hout|]. eapply near_trans; [now apply accumulated_near|].
  eapply near_trans; [|apply used_near_true].
  apply radius_rsum. intros t Ht. rewrite <- (Rabs_pos_eq (used t)) at 2 by (left; now apply softmax_pos). apply radius_scale. auto.
Qed.

(** Absorbed: u_i is averaged over latents, then multiplied into W_V. The logit errors act on the values v_t = c_t W_V, where they are
    centred; only accumulation and rounding go through |W_V|. *)
Theorem absorbed_output_error r (c : nat -> nat -> R) (WV : nat -> R) (uh Eu : nat -> R) out D F :
  (forall i, (i < r)%nat -> near (uh i) (Eu i) (average_of used (fun t => c t i))) ->
  near out (D * rsum r (fun i => Rabs (uh i * WV i)) + F) (rsum r (fun i => uh i * WV i)) ->
  let v t := rsum r (fun i => c t i * WV i) in
  near out (D * rsum r (fun i => Rabs (uh i * WV i)) + F + (rsum r (fun i => Eu i * Rabs (WV i)) + (centred X v + centred E v)))
    (average_of (softmax n true_l) v).
Proof.
  intros Hu Hout v. eapply near_trans; [exact Hout|]. eapply near_trans; [|apply used_near_true].
  replace (average_of used v) with (rsum r (fun i => average_of used (fun t => c t i) * WV i)).
  - apply radius_rsum. intros i Hi. apply radius_scale_r. auto.
  - unfold average_of, v. transitivity (rsum r (fun i => rsum n (fun t => used t * c t i * WV i))).
    + apply rsum_ext; intros. rewrite (Rmult_comm _ (WV i)), <- rsum_scal. apply rsum_ext; intros; ring.
    + rewrite rsum_swap. apply rsum_ext; intros. rewrite <- rsum_scal. apply rsum_ext; intros; ring.
Qed.
End Average.
