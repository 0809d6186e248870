(** Purpose: one attention weight with the kernel's own errors; and what softmax does not see.
    Main results: [kernel_probability_upper], [kernel_probability_lower]: the weight of one token, its own term apart, which is attained;
      [probability_sharp]: the same without underflow, as a ratio to the exact weight; [divided_probability]: with the division and an
      accumulated sum; [weights_scaled]: a factor common to all weights drops out; [shift_reduction]: so do errors of shared quantities
      (q_tilde, q_hat, g) as far as they shift all logits alike.
    Depends on: WeightedAverage. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export WeightedAverage.
Local Open Scope R_scope.

(** x / (x + rest) grows with x and falls with the rest. *)
Lemma share_le x x' rest rest' : 0 <= x <= x' -> 0 <= rest' <= rest -> 0 < x + rest -> 0 < x' + rest' -> x / (x + rest) <= x' / (x' +
  rest').
Proof.
  intros Hx Hr Hp Hp'. apply Rmult_le_reg_r with ((x + rest) * (x' + rest')); [now apply Rmult_lt_0_compat|].
  replace (x / (x + rest) * ((x + rest) * (x' + rest'))) with (x * (x' + rest')) by (field; lra).
  replace (x' / (x' + rest') * ((x + rest) * (x' + rest'))) with (x' * (x + rest)) by (field; lra).
  assert (x * rest' <= x' * rest) by (apply Rmult_le_compat; lra). lra.
Qed.

Section Probability.
Variables (n : nat) (l d E omega Omega : nat -> R).
Hypothesis some_token : (0 < n)%nat.
Hypothesis logits_near : forall t, (t < n)%nat -> Rabs (d t) <= E t.
Hypothesis underflow_near : forall t, (t < n)%nat -> Rabs (omega t) <= Omega t.
Hypothesis weights_nonneg : forall t, (t < n)%nat -> 0 <= kernel_weight l d omega t.

Let p := softmax n l.
Notation w := (kernel_weight l d omega).
Let total := rsum n (fun t => exp (l t)).
Definition high (t : nat) : R := p t * exp (E t) + relative_underflow n l Omega t.
Definition low (t : nat) : R := p t * exp (- E t) - relative_underflow n l Omega t.
(** The sum over the other tokens. *)
Definition others (f : nat -> R) (t : nat) : R := rsum n f - f t.

Lemma relative_bounds t : (t < n)%nat -> low t <= w t / total <= high t.
Proof.
  intros Ht. unfold total. rewrite (relative_weight n l d omega some_token). unfold low, high. fold p.
  pose proof (relative_omega n l omega Omega some_token underflow_near t Ht) as H. apply Rabs_le_inv in H.
  pose proof (exp_bounds n d E logits_near t Ht) as He. pose proof (softmax_pos n l t some_token) as Hp. fold p in Hp.
  assert (p t * exp (- E t) <= p t * exp (d t)) by (apply Rmult_le_compat_l; lra).
  assert (p t * exp (d t) <= p t * exp (E t)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Lemma others_le f g t : (t < n)%nat -> (forall s, (s < n)%nat -> f s <= g s) -> others f t <= others g t.
Proof.
  intros Ht H. assert (E0 : forall h, others h t = rsum n (fun s => if Nat.eq_dec s t then 0 else h s)).
  { intros h. unfold others. revert Ht. clear. induction n as [|k IH]; [lia|]. intros Ht. simpl.
    destruct (Nat.eq_dec k t) as [->|Hk].
    - rewrite (rsum_ext t (fun s => if Nat.eq_dec s t then 0 else h s) h); [ring|]. intros i Hi. destruct (Nat.eq_dec i t);
      [lia|reflexivity].
    - rewrite <- IH by lia. ring. }
  rewrite !E0. apply rsum_le; intros s Hs. destruct (Nat.eq_dec s t); [lra|auto].
Qed.

Lemma share_of_total t : (t < n)%nat -> 0 < rsum n w ->
  w t / rsum n w = w t / total / (w t / total + others (fun s => w s / total) t).
Proof.
  intros Ht HW. assert (Hs : 0 < total) by (now apply exp_sum_pos). unfold others.
  replace (rsum n (fun s => w s / total)) with (rsum n w / total).
  - field. lra.
  - unfold Rdiv. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros; ring.
Qed.

Lemma relative_nonneg t : (t < n)%nat -> 0 <= w t / total.
Proof.
  intros Ht. assert (Hs : 0 < total) by (now apply exp_sum_pos). apply Rmult_le_pos; [auto|left; now apply Rinv_0_lt_compat].
Qed.

Lemma relative_total_pos t : (t < n)%nat -> 0 < rsum n w -> 0 < w t / total + others (fun s => w s / total) t.
Proof.
  intros Ht HW. assert (Hs : 0 < total) by (now apply exp_sum_pos). unfold others.
  replace (rsum n (fun s => w s / total)) with (rsum n w / total).
  - assert (0 < rsum n w / total) by (now apply Rdiv_lt_0_compat). lra.
  - unfold Rdiv. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros; ring.
Qed.

(* C++: bounds/softmax_weights.hpp make_weights. *)
Theorem kernel_probability_upper t : (t < n)%nat -> 0 < rsum n w -> 0 <= others low t -> 0 < high t + others low t ->
  w t / rsum n w <= high t / (high t + others low t).
Proof.
  intros Ht HW Ho Hp. rewrite share_of_total by assumption. pose proof (relative_bounds t Ht) as Hb. pose proof (relative_nonneg t Ht).
  apply share_le; [lra| |now apply relative_total_pos|assumption]. split; [assumption|].
  apply others_le; [assumption|]. intros s Hs. exact (proj1 (relative_bounds s Hs)).
Qed.

(* C++: bounds/softmax_weights.hpp make_weights. *)
Theorem kernel_probability_lower t : (t < n)%nat -> 0 < rsum n w -> 0 <= low t -> 0 < low t + others high t ->
  low t / (low t + others high t) <= w t / rsum n w.
Proof.
  intros Ht HW Hl Hp. rewrite share_of_total by assumption. pose proof (relative_bounds t Ht) as Hb.
  assert (Hn : 0 <= others (fun s => w s / total) t).
  { replace 0 with (others (fun _ => 0) t) by (unfold others; rewrite rsum_zero; ring). apply others_le; [assumption|].
    intros s Hs. now apply relative_nonneg. }
  apply share_le; [lra| |assumption|now apply relative_total_pos]. split; [exact Hn|].
  apply others_le; [assumption|]. intros s Hs. exact (proj2 (relative_bounds s Hs)).
Qed.

(** Divided by an accumulated sum s' within phi of it; h: rounding and store. *)
Theorem divided_probability t s' phi h out upper : (t < n)%nat -> 0 < rsum n w -> 0 <= phi < 1 -> near s' (phi * rsum n w) (rsum n w) ->
  w t / rsum n w <= upper -> near out h (w t / s') -> near out (h + phi / (1 - phi) * upper) (w t / rsum n w).
Proof.
  intros Ht HW Hphi Hs Hu Hout. eapply near_trans; [exact Hout|]. unfold near in Hs. apply Rabs_le_inv in Hs as Hs'.
  assert (Hpos : 0 < rsum n w * (1 - phi)) by (apply Rmult_lt_0_compat; lra). assert (Hsp : 0 < s') by lra. unfold near.
  replace (w t / s' - w t / rsum n w) with ((rsum n w - s') * / s' * (w t / rsum n w)) by (field; lra).
  assert (Hw : 0 <= w t / rsum n w) by (apply Rmult_le_pos; [auto|left; now apply Rinv_0_lt_compat]).
  rewrite Rabs_mult, (Rabs_pos_eq (w t / rsum n w)) by assumption. apply Rmult_le_compat; try assumption; [apply Rabs_pos|].
  rewrite Rabs_mult, (Rabs_pos_eq (/ s')), Rabs_minus_sym by (left; now apply Rinv_0_lt_compat).
  replace (phi / (1 - phi)) with (phi * rsum n w * / (rsum n w * (1 - phi))) by (field; lra).
  apply Rmult_le_compat; [apply Rabs_pos|left; now apply Rinv_0_lt_compat|assumption|]. apply Rinv_le_contravar; lra.
Qed.
End Probability.

(** Without underflow, as in the bound on stored probabilities: between p e^-E and p e^E, the other tokens the other way. *)
Theorem probability_sharp n l d E t : (t < n)%nat -> (forall s, (s < n)%nat -> Rabs (d s) <= E s) ->
  let p := softmax n l in
  let rest f := rsum n (fun s => p s * exp (f s)) - p t * exp (f t) in
  p t * exp (- E t) / (p t * exp (- E t) + rest E) <= softmax n (fun s => l s + d s) t <=
  p t * exp (E t) / (p t * exp (E t) + rest (fun s => - E s)).
Proof.
  intros Ht HE p rest. assert (Hn : (0 < n)%nat) by lia.
  assert (Hrest : forall f, 0 <= rest f).
  { intros f. unfold rest. assert (H : p t * exp (f t) <= rsum n (fun s => p s * exp (f s))); [|lra]. clear HE rest.
    assert (Hp : forall s, 0 < p s) by (intros; now apply softmax_pos). clearbody p. clear Hn. revert Ht.
    induction n as [|k IH]; [lia|]. intros Ht. simpl. assert (0 <= rsum k (fun s => p s * exp (f s))).
    { apply rsum_nonneg; intros. pose proof (Hp i). pose proof (exp_pos (f i)). apply Rmult_le_pos; lra. }
    assert (0 < p k * exp (f k)) by (apply Rmult_lt_0_compat; auto using exp_pos).
    destruct (Nat.eq_dec t k) as [->|]; [lra|]. pose proof (IH ltac:(lia)). lra. }
  assert (Hmono : forall f g, (forall s, (s < n)%nat -> f s <= g s) -> rest f <= rest g).
  { intros f g Hfg. unfold rest. apply (others_le n (fun s => p s * exp (f s)) (fun s => p s * exp (g s)) t Ht). intros s Hs.
    apply Rmult_le_compat_l; [left; now apply softmax_pos|]. apply exp_le. auto. }
  assert (Hp : 0 < p t) by (now apply softmax_pos). rewrite softmax_shifted by assumption. fold p.
  replace (rsum n (fun s => p s * exp (d s))) with (p t * exp (d t) + rest d) by (unfold rest; ring).
  pose proof (exp_bounds n d E HE t Ht) as He. pose proof (exp_pos (d t)) as Pd. pose proof (exp_pos (- E t)) as Pm.
  pose proof (exp_pos (E t)) as Pp.
  assert (Hsum : forall f, 0 < p t * exp (f t) + rest f).
  { intros f. pose proof (Hrest f). assert (0 < p t * exp (f t)) by (apply Rmult_lt_0_compat; auto using exp_pos). lra. }
  assert (Hprod : forall x, 0 < x -> 0 < p t * x) by (intros; now apply Rmult_lt_0_compat).
  assert (Hd : forall s, (s < n)%nat -> - E s <= d s <= E s) by (intros s Hs; specialize (HE s Hs); apply Rabs_le_inv in HE; lra).
  split.
  - apply share_le.
    + split; [apply Rlt_le, Hprod; assumption|]. apply Rmult_le_compat_l; lra.
    + split; [apply Hrest|]. apply Hmono. intros; now apply Hd.
    + pose proof (Hrest E). pose proof (Hprod _ Pm). lra.
    + apply Hsum.
  - apply share_le.
    + split; [apply Rlt_le, Hprod; assumption|]. apply Rmult_le_compat_l; lra.
    + split; [apply Hrest|]. apply Hmono. intros; now apply Hd.
    + apply Hsum.
    + pose proof (Hrest (fun s => - E s)). pose proof (Hprod _ Pp). lra.
Qed.

(** ** What drops out *)
Theorem weights_scaled n a (w y : nat -> R) : a <> 0 -> rsum n w <> 0 ->
  rsum n (fun t => a * w t * y t) / rsum n (fun t => a * w t) = rsum n (fun t => w t * y t) / rsum n w.
Proof.
  intros Ha Hw. rewrite rsum_scal, (rsum_ext n _ (fun t => a * (w t * y t))) by (intros; ring). rewrite rsum_scal. field. auto.
Qed.

(** The logits err by sum_i eps_i B_ti + rest_t, the same eps_i for every token: up to the common shift sum_i eps_i b_i, for any b, token
  t errs
    by sum_i e_i |B_ti - b_i| + rest_t only; and softmax does not see the shift. *)
Theorem shift_reduction n r (l : nat -> R) (eps e b : nat -> R) (B : nat -> nat -> R) (rest E0 : nat -> R) :
  (forall i, (i < r)%nat -> Rabs (eps i) <= e i) -> (forall t, (t < n)%nat -> Rabs (rest t) <= E0 t) ->
  let shift := rsum r (fun i => eps i * b i) in
  let d t := rsum r (fun i => eps i * B t i) + rest t in
  (forall t, (t < n)%nat -> Rabs (d t - shift) <= rsum r (fun i => e i * Rabs (B t i - b i)) + E0 t) /\
  ((0 < n)%nat -> forall t, softmax n (fun s => l s + d s) t = softmax n (fun s => l s + (d s - shift)) t).
Proof.
  intros He Hr shift d. split.
  - intros t Ht. replace (d t - shift) with (rsum r (fun i => eps i * (B t i - b i)) + rest t).
    + eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat; [|auto]. eapply Rle_trans; [apply rsum_abs|].
      apply rsum_le; intros i Hi. rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|auto].
    + unfold d, shift. rewrite (rsum_ext r (fun i => eps i * (B t i - b i)) (fun i => eps i * B t i - eps i * b i)) by (intros; ring).
      rewrite rsum_minus. ring.
  - intros Hn t. unfold softmax. pose proof (exp_sum_pos n (fun s => l s + (d s - shift)) Hn) as H1. pose proof (exp_pos shift) as H2.
    assert (Es : forall s, exp (l s + d s) = exp shift * exp (l s + (d s - shift))) by (intros; rewrite <- exp_plus; f_equal; ring).
    rewrite Es, (rsum_ext n (fun s => exp (l s + d s)) _ (fun s _ => Es s)), rsum_scal. field. split; lra.
Qed.
