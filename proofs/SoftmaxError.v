(** Purpose: what errors of the logits do to softmax weights and to weighted averages. Nothing of higher order is dropped.
    Main results: [softmax_ratio_upper], [softmax_ratio_lower] (one weight); [total_variation] (all weights: tanh(D/4), attained);
      [softmax_output_centred] (an identity), [softmax_output_error] (averages err with the spread of the values, not their size);
      [rescales_telescope] (running maxima); [soft_cap_lipschitz].
    Depends on: Radius. Axioms: those of Coq's real numbers.

    l are the computed logits, l + d the true ones, |d_t| <= E_t. A sink is one more token of value 0; masked tokens are not counted. *)
From Equinorm Require Export Radius.
Local Open Scope R_scope.

Definition softmax (n : nat) (l : nat -> R) (t : nat) : R := exp (l t) / rsum n (fun s => exp (l s)).

Lemma exp_le x y : x <= y -> exp x <= exp y.
Proof. intros [H| ->]; [left; now apply exp_increasing|right; reflexivity]. Qed.

Lemma exp_sum_pos n f : (0 < n)%nat -> 0 < rsum n (fun s => exp (f s)).
Proof. intros H. apply (rsum_pos n _ 0%nat); intros; auto using exp_pos; left; apply exp_pos. Qed.

Lemma softmax_pos n l t : (0 < n)%nat -> 0 < softmax n l t.
Proof. intros. apply Rdiv_lt_0_compat; auto using exp_pos, exp_sum_pos. Qed.

Lemma softmax_sum n l : (0 < n)%nat -> rsum n (softmax n l) = 1.
Proof.
  intros H. pose proof (exp_sum_pos n l H). unfold softmax, Rdiv.
  rewrite (rsum_ext n _ (fun t => / rsum n (fun s => exp (l s)) * exp (l t))) by (intros; ring). rewrite rsum_scal. field. lra.
Qed.

(** The perturbed weights in terms of the unperturbed. *)
Lemma softmax_shifted n l d t : (0 < n)%nat ->
  softmax n (fun s => l s + d s) t = softmax n l t * exp (d t) / rsum n (fun s => softmax n l s * exp (d s)).
Proof.
  intros H. pose proof (exp_sum_pos n l H) as HZ. pose proof (exp_sum_pos n (fun s => l s + d s) H) as HW.
  assert (E : rsum n (fun s => softmax n l s * exp (d s)) = / rsum n (fun s => exp (l s)) * rsum n (fun s => exp (l s + d s))).
  { rewrite <- rsum_scal. apply rsum_ext; intros. unfold softmax. rewrite exp_plus. field. lra. }
  rewrite E. unfold softmax. rewrite exp_plus. field. lra.
Qed.

Section Perturbed.
Variables (n : nat) (l d E : nat -> R).
Hypothesis bounded : forall s, (s < n)%nat -> Rabs (d s) <= E s.
Let p := softmax n l.
Let true_p := softmax n (fun s => l s + d s).

Lemma exp_bounds s : (s < n)%nat -> exp (- E s) <= exp (d s) <= exp (E s).
Proof. intros Hs. pose proof (bounded s Hs) as H. apply Rabs_le_inv in H. split; apply exp_le; lra. Qed.

Lemma low_pos : (0 < n)%nat -> 0 < rsum n (fun s => p s * exp (- E s)).
Proof.
  intros Hn. apply (rsum_pos n _ 0%nat); try assumption; intros; [left|]; apply Rmult_lt_0_compat; auto using exp_pos;
  now apply softmax_pos.
Qed.

Lemma low_le : (0 < n)%nat -> rsum n (fun s => p s * exp (- E s)) <= rsum n (fun s => p s * exp (d s)).
Proof.
  intros Hn. apply rsum_le; intros s Hs. apply Rmult_le_compat_l; [left; now apply softmax_pos|]. now apply exp_bounds.
Qed.

Theorem softmax_ratio_upper t : (t < n)%nat -> true_p t <= p t * exp (E t) / rsum n (fun s => p s * exp (- E s)).
Proof.
  intros Ht. assert (Hn : (0 < n)%nat) by lia. unfold true_p. rewrite softmax_shifted by assumption. fold p.
  pose proof (low_pos Hn). pose proof (low_le Hn). pose proof (softmax_pos n l t Hn) as Hp. fold p in Hp.
  unfold Rdiv. apply Rmult_le_compat.
  - left. apply Rmult_lt_0_compat; auto using exp_pos.
  - left. apply Rinv_0_lt_compat. lra.
  - apply Rmult_le_compat_l; [lra|]. now apply exp_bounds.
  - apply Rinv_le_contravar; assumption.
Qed.

Theorem softmax_ratio_lower t : (t < n)%nat -> p t * exp (- E t) / rsum n (fun s => p s * exp (E s)) <= true_p t.
Proof.
  intros Ht. assert (Hn : (0 < n)%nat) by lia. unfold true_p. rewrite softmax_shifted by assumption. fold p.
  pose proof (low_pos Hn). pose proof (low_le Hn). pose proof (softmax_pos n l t Hn) as Hp. fold p in Hp.
  assert (rsum n (fun s => p s * exp (d s)) <= rsum n (fun s => p s * exp (E s))).
  { apply rsum_le; intros s Hs. apply Rmult_le_compat_l; [left; now apply softmax_pos|]. now apply exp_bounds. }
  unfold Rdiv. apply Rmult_le_compat.
  - left. apply Rmult_lt_0_compat; auto using exp_pos.
  - left. apply Rinv_0_lt_compat. lra.
  - apply Rmult_le_compat_l; [lra|]. now apply exp_bounds.
  - apply Rinv_le_contravar; lra.
Qed.

(** Exact: the error of an average is a sum of centred values. *)
Theorem softmax_output_centred v : (0 < n)%nat -> let m := rsum n (fun t => p t * v t) in
  rsum n (fun t => true_p t * v t) - m = rsum n (fun t => p t * (exp (d t) - 1) * (v t - m)) / rsum n (fun t => p t * exp (d t)).
Proof.
  intros Hn m. pose proof (low_pos Hn) as H0. pose proof (low_le Hn) as H1. set (W := rsum n (fun t => p t * exp (d t))) in *.
  assert (E1 : rsum n (fun t => true_p t * v t) = / W * rsum n (fun t => p t * exp (d t) * v t)).
  { rewrite <- rsum_scal. apply rsum_ext; intros t _. unfold true_p. rewrite softmax_shifted by assumption. fold p W. field. lra. }
  assert (E2 : rsum n (fun t => p t * (exp (d t) - 1) * (v t - m)) = rsum n (fun t => p t * exp (d t) * v t) - m * W).
  { transitivity (rsum n (fun t => p t * exp (d t) * v t) + - m * W + (- (1) * m + m * rsum n p)).
    - unfold W. unfold m at 3. rewrite <- !rsum_scal, <- !rsum_plus. apply rsum_ext; intros; ring.
    - unfold p. rewrite softmax_sum by assumption. ring. }
  rewrite E1, E2. field. lra.
Qed.

(** Averages: with C_t = |v_t - m|. *)
Theorem softmax_output_error v : (0 < n)%nat -> let m := rsum n (fun t => p t * v t) in
  Rabs (rsum n (fun t => true_p t * v t) - m) <=
  rsum n (fun t => p t * (exp (E t) - 1) * Rabs (v t - m)) / rsum n (fun t => p t * exp (- E t)).
Proof.
  intros Hn m. pose proof (softmax_output_centred v Hn) as Hc. cbv zeta in Hc. fold m in Hc. rewrite Hc.
  pose proof (low_pos Hn) as H0. pose proof (low_le Hn) as H1.
  unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ _)) by (left; apply Rinv_0_lt_compat; lra).
  apply Rmult_le_compat; [apply Rabs_pos|left; apply Rinv_0_lt_compat; lra| |apply Rinv_le_contravar; assumption].
  eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros t Ht. rewrite !Rabs_mult.
  pose proof (softmax_pos n l t Hn) as Hp. fold p in Hp. rewrite (Rabs_pos_eq (p t)) by lra.
  apply Rmult_le_compat_r; [apply Rabs_pos|]. apply Rmult_le_compat_l; [lra|].
  pose proof (exp_bounds t Ht) as He. pose proof (exp_ineq1_le (- E t)). pose proof (exp_ineq1_le (E t)).
  apply Rabs_le. lra.
Qed.
End Perturbed.

(** ** All weights together: half the sum of |p' - p| is at most tanh(D/4), D the spread of the logit errors *)
Definition positive_part (x : R) : R := Rmax x 0.

Lemma half_abs_sum n (a b : nat -> R) : rsum n a = rsum n b ->
  / 2 * rsum n (fun t => Rabs (a t - b t)) = rsum n (fun t => positive_part (a t - b t)).
Proof.
  intros H. assert (H0 : rsum n (fun t => a t - b t) = 0) by (rewrite rsum_minus; lra).
  transitivity (/ 2 * (rsum n (fun t => Rabs (a t - b t)) + rsum n (fun t => a t - b t))); [rewrite H0; ring|].
  rewrite <- rsum_plus, <- rsum_scal. apply rsum_ext; intros t _. unfold positive_part, Rmax.
  destruct (Rle_dec (a t - b t) 0) as [Hle|Hgt]; [rewrite Rabs_left1 by assumption; lra|rewrite Rabs_right by lra; lra].
Qed.

Lemma tanh_exp D : tanh (D / 4) = (exp (D / 2) - 1) / (exp (D / 2) + 1).
Proof.
  unfold tanh, sinh, cosh. pose proof (exp_pos (D / 4)). pose proof (exp_pos (- (D / 4))).
  assert (E : exp (D / 2) = exp (D / 4) * exp (D / 4)) by (rewrite <- exp_plus; f_equal; field).
  assert (I : exp (D / 4) * exp (- (D / 4)) = 1) by (rewrite <- exp_plus, Rplus_opp_r; apply exp_0).
  rewrite E. set (a := exp (D / 4)) in *. set (b := exp (- (D / 4))) in *. replace b with (/ a) by (field_simplify_eq; lra).
  field. split; nra.
Qed.

Theorem total_variation n l d a D : (0 < n)%nat -> (forall s, (s < n)%nat -> a <= d s <= a + D) ->
  / 2 * rsum n (fun t => Rabs (softmax n l t - softmax n (fun s => l s + d s) t)) <= tanh (D / 4).
Proof.
  intros Hn Hd. rewrite half_abs_sum by (rewrite !softmax_sum; auto). rewrite tanh_exp.
  set (p := softmax n l). set (q := softmax n (fun s => l s + d s)).
  assert (Hp : forall t, 0 < p t) by (intros; now apply softmax_pos).
  assert (HD : 0 <= D) by (pose proof (Hd 0%nat Hn); lra).
  set (W := rsum n (fun t => p t * exp (d t))).
  (* A: the tokens that lose weight; x their old weight, y their new one times W. *)
  set (loses := fun t => if Rle_dec (p t - q t) 0 then 0 else 1).
  set (x := rsum n (fun t => p t * loses t)). set (gain := rsum n (fun t => p t * (1 - loses t))).
  set (Y := rsum n (fun t => p t * exp (d t) * loses t)). set (G := rsum n (fun t => p t * exp (d t) * (1 - loses t))).
  assert (Hl : forall t, 0 <= loses t <= 1) by (intros t; unfold loses; destruct (Rle_dec _ _); lra).
  assert (Hx : 0 <= x) by (apply rsum_nonneg; intros; specialize (Hp i); specialize (Hl i); nra).
  assert (Hg : 0 <= gain) by (apply rsum_nonneg; intros; specialize (Hp i); specialize (Hl i); nra).
  assert (Hone : x + gain = 1).
  { transitivity (rsum n p); [|now apply softmax_sum]. unfold x, gain. rewrite <- rsum_plus. apply rsum_ext; intros; ring. }
  assert (HW : Y + G = W) by (unfold Y, G, W; rewrite <- rsum_plus; apply rsum_ext; intros; ring).
  pose proof (exp_pos a) as Ha. pose proof (exp_pos (a + D)) as HaD.
  assert (HY : exp a * x <= Y).
  { unfold x, Y. rewrite <- rsum_scal. apply rsum_le; intros t Ht. pose proof (exp_le _ _ (proj1 (Hd t Ht))). specialize (Hp t).
    specialize (Hl t).
    assert (0 <= p t * loses t) by nra. nra. }
  assert (HG : G <= exp (a + D) * gain).
  { unfold gain, G. rewrite <- rsum_scal. apply rsum_le; intros t Ht. pose proof (exp_le _ _ (proj2 (Hd t Ht))). specialize (Hp t).
    specialize (Hl t).
    assert (0 <= p t * (1 - loses t)) by nra. nra. }
  assert (HWpos : 0 < W).
  { unfold W. apply (rsum_pos n _ 0%nat); try assumption; intros; [left|]; apply Rmult_lt_0_compat; auto using exp_pos. }
  assert (Esum : rsum n (fun t => positive_part (p t - q t)) = x - Y / W).
  { unfold x, Y, Rdiv. rewrite (Rmult_comm _ (/ W)), <- rsum_scal, <- rsum_minus. apply rsum_ext; intros t _.
    assert (Eq : q t = p t * exp (d t) / W) by (unfold q; now rewrite softmax_shifted by assumption).
    unfold positive_part, Rmax, loses. destruct (Rle_dec (p t - q t) 0) as [H|H]; [ring|]. rewrite Eq. field. lra. }
  rewrite Esum. set (s := exp (D / 2)) in *.
  assert (Es : exp (a + D) = exp a * (s * s)).
  { unfold s. rewrite <- exp_plus, <- exp_plus. f_equal. field. }
  assert (Hs : 1 <= s) by (unfold s; rewrite <- exp_0; apply exp_le; lra).
  assert (Egain : gain = 1 - x) by lra. rewrite Egain in Hg. rewrite Egain, Es in HG. clear Egain Hone Esum Es HaD.
  (* Y/W >= x / (x + (1-x) s^2), and the rest is a square. *)
  assert (Hss : 1 <= s * s) by nra.
  assert (Hden : 0 < x + (1 - x) * (s * s)).
  { assert ((1 - x) * 1 <= (1 - x) * (s * s)) by (apply Rmult_le_compat_l; assumption). lra. }
  assert (Hlow : x / (x + (1 - x) * (s * s)) <= Y / W).
  { apply Rmult_le_reg_r with (W * (x + (1 - x) * (s * s))); [apply Rmult_lt_0_compat; assumption|].
    replace (x / (x + (1 - x) * (s * s)) * (W * (x + (1 - x) * (s * s)))) with (x * W) by (field; lra).
    replace (Y / W * (W * (x + (1 - x) * (s * s)))) with (Y * (x + (1 - x) * (s * s))) by (field; lra).
    rewrite <- HW. assert (x * G <= x * (exp a * (s * s) * (1 - x))) by (apply Rmult_le_compat_l; assumption).
    assert (exp a * x * ((1 - x) * (s * s)) <= Y * ((1 - x) * (s * s))) by (apply Rmult_le_compat_r; [nra|assumption]). lra. }
  apply Rle_trans with (x - x / (x + (1 - x) * (s * s))); [lra|].
  apply Rmult_le_reg_r with ((s + 1) * (x + (1 - x) * (s * s))); [apply Rmult_lt_0_compat; lra|].
  replace ((x - x / (x + (1 - x) * (s * s))) * ((s + 1) * (x + (1 - x) * (s * s)))) with
    ((s - 1) * (x * (1 - x) * ((s + 1) * (s + 1)))) by (field; lra).
  replace ((s - 1) / (s + 1) * ((s + 1) * (x + (1 - x) * (s * s)))) with ((s - 1) * (x + (1 - x) * (s * s))) by (field; lra).
  apply Rmult_le_compat_l; [lra|]. pose proof (Rle_0_sqr (x - (1 - x) * s)) as Hsq. unfold Rsqr in Hsq. lra.
Qed.

(** ** Running maxima: subtraction errors proportional to the steps add up to the whole way, however often the maximum changes *)
(* C++: bounds/softmax_sums.hpp largest_shift; bounds/softmax_weights.hpp make_weights. *)
Theorem rescales_telescope (m : nat -> R) (l : R) k : (forall b, (b < k)%nat -> m b <= m (S b)) -> l <= m 0%nat ->
  rsum k (fun b => Rabs (m b - m (S b))) + Rabs (l - m 0%nat) = m k - l.
Proof.
  intros Hm Hl. rewrite (Rabs_left1 (l - m 0%nat)) by lra. induction k as [|k IH]; simpl; [ring|].
  rewrite (Rabs_left1 (m k - m (S k))) by (pose proof (Hm k ltac:(lia)); lra).
  assert (rsum k (fun b => Rabs (m b - m (S b))) + - (l - m 0%nat) = m k - l) by (apply IH; intros; apply Hm; lia). lra.
Qed.

(** ** Soft-cap *)
Lemma tanh_derivative x : derivable_pt_lim tanh x (1 - tanh x * tanh x).
Proof.
  assert (Hc : forall z, 0 < cosh z) by (intros z; unfold cosh; pose proof (exp_pos z); pose proof (exp_pos (- z)); lra).
  pose proof (derivable_pt_lim_div sinh cosh x (cosh x) (sinh x) (derivable_pt_lim_sinh x) (derivable_pt_lim_cosh x)) as H.
  replace (1 - tanh x * tanh x) with ((cosh x * cosh x - sinh x * sinh x) / Rsqr (cosh x)).
  - apply H. pose proof (Hc x). lra.
  - unfold tanh, Rsqr. field. pose proof (Hc x). lra.
Qed.

Lemma tanh_lipschitz x y : Rabs (tanh x - tanh y) <= Rabs (x - y).
Proof.
  assert (Hle : forall a b, a < b -> Rabs (tanh b - tanh a) <= Rabs (b - a)).
  { intros a b Hab. destruct (MVT_cor2 tanh (fun z => 1 - tanh z * tanh z) a b Hab) as (z & Hz & _); [intros; apply tanh_derivative|].
    rewrite Hz, Rabs_mult. rewrite <- (Rmult_1_l (Rabs (b - a))) at 2. apply Rmult_le_compat_r; [apply Rabs_pos|].
    assert (Hsq : tanh z * tanh z <= 1).
    { unfold tanh, sinh, cosh. set (f := exp z). set (g := exp (- z)).
      assert (Hf : 0 < f) by apply exp_pos. assert (Hg : 0 < g) by apply exp_pos.
      replace ((f - g) / 2 / ((f + g) / 2) * ((f - g) / 2 / ((f + g) / 2))) with ((f - g) * (f - g) / ((f + g) * (f + g))) by (field; lra).
      apply Rmult_le_reg_r with ((f + g) * (f + g)); [nra|].
      replace ((f - g) * (f - g) / ((f + g) * (f + g)) * ((f + g) * (f + g))) with ((f - g) * (f - g)) by (field; lra). nra. }
    apply Rabs_le. pose proof (Rle_0_sqr (tanh z)). unfold Rsqr in *. lra. }
  destruct (Rtotal_order x y) as [H|[->|H]].
  - rewrite (Rabs_minus_sym (tanh x)), (Rabs_minus_sym x). now apply Hle.
  - rewrite !Rminus_diag_eq by reflexivity. lra.
  - now apply Hle.
Qed.

(** cap tanh(z / cap) carries a radius on unchanged. *)
Theorem soft_cap_lipschitz cap v e x : 0 < cap -> near v e x -> near (cap * tanh (v / cap)) e (cap * tanh (x / cap)).
Proof.
  intros Hc H. unfold near in *. replace (cap * tanh (v / cap) - cap * tanh (x / cap)) with (cap * (tanh (v / cap) - tanh (x / cap)))
    by ring.
  rewrite Rabs_mult, (Rabs_pos_eq cap) by lra. eapply Rle_trans; [apply Rmult_le_compat_l; [lra|apply tanh_lipschitz]|].
  replace (v / cap - x / cap) with ((v - x) * / cap) by (field; lra).
  rewrite Rabs_mult, (Rabs_pos_eq (/ cap)) by (left; now apply Rinv_0_lt_compat).
  replace (cap * (Rabs (v - x) * / cap)) with (Rabs (v - x)) by (field; lra). assumption.
Qed.
