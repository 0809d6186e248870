(** Purpose: the factors with which src/bounds/softmax_weights.cpp covers what comes on top of the first order: exp in base 2, splits joined
      by their lse, a least sum that is itself computed.
    Main results: [exp2_product_weight]: exp2 of a product that is rounded before the reference is subtracted; [exp2_allowance]: what the
      code writes for it is enough; [split_allowance], [split_allowance_base_two]: the same for splits joined by lse; [least_sum_low]: the
      code's lower bound of the weights' sum, in binary64, is one.
    Depends on: KernelWeight, Constants. Axioms: those of Coq's real numbers and, because numbers are computed, machine integers and floats.

    u is 2^-p; t = u / (1 + u) is what a rounding errs by relatively. *)
From Interval Require Import Tactic.
From Equinorm Require Import KernelWeight Constants.
Local Open Scope R_scope.

Section Unit.
Variable u : R.
Hypothesis u_nonneg : 0 <= u.
Definition sharp : R := u / (1 + u).
Notation t := sharp.

Lemma sharp_times : t * (1 + u) = u.
Proof. unfold sharp. field. lra. Qed.

Lemma sharp_range : 0 <= t <= u.
Proof.
  assert (H : 0 <= t) by (unfold sharp, Rdiv; apply Rmult_le_pos; [assumption|left; apply Rinv_0_lt_compat; lra]).
  pose proof sharp_times. nra.
Qed.

(** One more rounding of a product costs nothing beyond u: t (1 + t)^2 <= u (1 + u). *)
Lemma sharp_twice : t * (1 + t) <= u /\ t * (1 + t) * (1 + t) <= u * (1 + u) /\ t * t * (1 + t) <= u * u.
Proof.
  pose proof sharp_range as [H0 H1]. pose proof sharp_times as H2.
  assert (A : t * (1 + t) <= u) by (rewrite <- H2; apply Rmult_le_compat_l; lra). repeat split; [exact A| |].
  - apply Rmult_le_compat; try lra. apply Rmult_le_pos; lra.
  - rewrite Rmult_assoc. apply Rmult_le_compat; lra || (apply Rmult_le_pos; lra).
Qed.

(** ** exp2(l k2 - m k2)
    d: distance of the logit from the reference, R: the largest magnitude of a logit, a: this one's. The left side is the bound of
    exp2_product_weight with every constant and operation rounded. *)
(* C++: bounds/softmax_sums.hpp largest_shift; bounds/softmax_weights.hpp make_weights. *)
Theorem exp2_allowance d R a : 0 <= d -> 0 <= a <= R ->
  t * d + t * (1 + t) * (d + 3 * t * R) + t * (1 + t) * (1 + t) * a <= ((1 + u) * (1 + u) - 1) * (d + 2 * u * R) + u * a.
Proof.
  intros Hd Ha. pose proof sharp_range as [H0 H1]. destruct sharp_twice as (A & B & C).
  assert (X1 : (t + t * (1 + t)) * d <= (u + u) * d) by (apply Rmult_le_compat_r; lra).
  assert (X2 : t * t * (1 + t) * R <= u * u * R) by (apply Rmult_le_compat_r; lra).
  assert (X3 : t * (1 + t) * (1 + t) * a <= u * (1 + u) * a) by (apply Rmult_le_compat_r; lra).
  assert (X4 : u * u * a <= u * u * R) by (apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|lra]).
  assert (X5 : 0 <= u * u * d) by (repeat apply Rmult_le_pos; lra). assert (X6 : 0 <= u * u * u * R) by (repeat apply Rmult_le_pos; lra).
  lra.
Qed.

(** ** Splits joined by lse
    L: the largest |lse|, s: ln of the longest split, e: relative error of the logarithm, x: distance of lse' from the reference, gap: that
    of the exact ones, lam: of exp. *)
(* C++: bounds/softmax_sums.hpp largest_shift; bounds/softmax_weights.hpp make_weights. *)
Theorem split_allowance L e s gap lam a x : u <= / 2 -> 0 <= L -> 0 <= e -> 0 <= s -> 0 <= gap -> 0 <= lam ->
  a <= t * (L + e * s) + e * s -> x <= gap + 2 * a -> a + t * x + lam <= (1 + 4 * u) * (u * L + e * s + u * gap + lam).
Proof.
  intros Hu HL He Hs Hg Hl Ha Hx. pose proof sharp_range as [H0 H1]. assert (Hes : 0 <= e * s) by now apply Rmult_le_pos.
  assert (X1 : t * x <= t * (gap + 2 * a)) by (apply Rmult_le_compat_l; lra).
  assert (X2 : (1 + 2 * t) * a <= (1 + 2 * t) * (t * (L + e * s) + e * s)) by (apply Rmult_le_compat_l; lra).
  assert (X3 : t * gap <= u * gap) by (apply Rmult_le_compat_r; lra).
  assert (T2 : t * t <= u * / 2) by (apply Rmult_le_compat; lra).
  assert (X4 : (1 + 2 * t) * t * L <= (1 + 4 * u) * u * L).
  { apply Rmult_le_compat_r; [assumption|]. apply Rmult_le_compat; lra. }
  assert (X5 : (1 + 2 * t) * (1 + t) * (e * s) <= (1 + 4 * u) * (e * s)) by (apply Rmult_le_compat_r; lra).
  assert (X6 : 0 <= u * (u * gap)) by (repeat apply Rmult_le_pos; lra). assert (X7 : 0 <= u * lam) by (apply Rmult_le_pos; lra). lra.
Qed.

(** In base 2, whatever the kernel keeps (lse or its base-2 fellow): k2 and ln 2 are held rounded, the reference m k2 (|m| <= M) is rounded
    but m itself enters lse, ln s' is a product (E: its error), lse' k2 is a product (p) before it is subtracted. *)
(* C++: bounds/softmax_sums.hpp largest_shift; bounds/softmax_weights.hpp make_weights. *)
Theorem split_allowance_base_two M e s gap lam E a p x : u <= / 256 -> 0 <= M -> 0 <= e <= / 8 -> 0 <= s -> 0 <= gap -> 0 <= lam ->
  let L := M + s in 0 <= a -> 0 <= p ->
  E <= e * s + (1 + e) * ((1 + t) * (1 + t) - 1) * s -> a <= t * (L + E) + E + t * (1 + t) * M -> p <= t * (1 + t) * (L + a) ->
  x <= (1 + t) * (gap + 2 * (a + p)) ->
  a + p + t * gap + t * x + lam <= (1 + 4 * u) * (5 * u * L + e * s + 2 * u * gap + lam).
Proof.
  intros Hu HM He Hs Hg Hl L Ha0 Hp0 HE Ha Hp Hx. pose proof sharp_range as [H0 H1]. assert (HL : 0 <= L) by (unfold L; lra).
  assert (T2 : t * t <= / 256 * t) by (apply Rmult_le_compat_r; lra).
  assert (TM : 0 <= t * M) by now apply Rmult_le_pos. assert (Ts : 0 <= t * s) by now apply Rmult_le_pos.
  assert (ETs : e * (t * s) <= / 8 * (t * s)) by (apply Rmult_le_compat_r; lra).
  assert (es : 0 <= e * s) by (apply Rmult_le_pos; lra). assert (es8 : e * s <= / 8 * s) by (apply Rmult_le_compat_r; lra).
  assert (T2s : t * t * s <= / 256 * t * s) by (apply Rmult_le_compat_r; lra).
  assert (eT2s : e * (t * t * s) <= / 8 * (/ 256 * t * s)).
  { apply Rmult_le_compat; try lra. apply Rmult_le_pos; [apply Rmult_le_pos|]; lra. }
  assert (HE' : E <= e * s + 2.27 * (t * s)) by lra.
  assert (tE : t * E <= t * (e * s) + 2.27 * (t * t * s)).
  { assert (t * E <= t * (e * s + 2.27 * (t * s))) by (apply Rmult_le_compat_l; lra). lra. }
  assert (T2M : t * t * M <= / 256 * t * M) by (apply Rmult_le_compat_r; lra).
  assert (Ha' : a <= (1 + t) * (e * s) + 3.3 * (t * L)) by (unfold L in *; lra).
  assert (TL : 0 <= t * L) by now apply Rmult_le_pos. assert (TLu : t * L <= u * L) by (apply Rmult_le_compat_r; lra).
  assert (tes : t * (e * s) <= / 256 * (e * s)) by (apply Rmult_le_compat_r; lra).
  assert (tL : t * L <= / 256 * L) by (apply Rmult_le_compat_r; lra).
  assert (Ha2 : a <= 0.15 * L) by (unfold L in *; lra).
  assert (Tt : 0 <= t * (1 + t) <= 1.004 * t) by (split; [apply Rmult_le_pos|]; lra).
  assert (Hp' : p <= 1.16 * (t * L)).
  { apply Rle_trans with (1.004 * t * (1.15 * L)); [|lra]. eapply Rle_trans; [exact Hp|]. apply Rmult_le_compat; lra. }
  assert (Hs2 : a + p <= (1 + t) * (e * s) + 4.46 * (t * L)) by lra. assert (Hpos : 0 <= a + p) by lra.
  assert (Hx' : t * x <= t * (1 + t) * (gap + 2 * (a + p))).
  { rewrite Rmult_assoc. apply Rmult_le_compat_l; lra. }
  assert (Hx2 : t * (1 + t) * (gap + 2 * (a + p)) <= t * (1 + t) * gap + 2.01 * t * (a + p)).
  { assert (t * (1 + t) * (a + p) <= 1.004 * t * (a + p)) by (apply Rmult_le_compat_r; lra).
    assert (0 <= t * (a + p)) by now apply Rmult_le_pos. lra. }
  assert (Hgap : (t + t * (1 + t)) * gap <= 2 * u * gap).
  { apply Rmult_le_compat_r; [assumption|]. destruct sharp_twice as (A & _). lra. }
  assert (Hmain : (1 + 2.01 * t) * (a + p) <= (1 + 4 * u) * (e * s) + 4.6 * (t * L)).
  { eapply Rle_trans; [apply Rmult_le_compat_l; [lra|exact Hs2]|].
    assert (t * t * (e * s) <= / 256 * t * (e * s)) by (apply Rmult_le_compat_r; lra).
    assert (t * (t * L) <= / 256 * (t * L)) by (apply Rmult_le_compat_r; lra).
    assert (t * (e * s) <= u * (e * s)) by (apply Rmult_le_compat_r; lra).
    assert (0 <= u * (e * s)) by (apply Rmult_le_pos; lra). lra. }
  assert (0 <= u * (u * L)) by (repeat apply Rmult_le_pos; lra). assert (0 <= u * (u * gap)) by (repeat apply Rmult_le_pos; lra).
  assert (0 <= u * lam) by (apply Rmult_le_pos; lra). assert (0 <= u * L) by (apply Rmult_le_pos; lra). lra.
Qed.
End Unit.

(** exp2 of a product that is rounded by itself (d1), then subtracted (delta0): exp2_weight with a little more. *)
(* C++: bounds/softmax_weights.hpp make_weights. *)
Theorem exp2_product_weight (m mk delta y : nat -> R) l k2 v kappa mu R0 d1 q delta0 y0 lambda0 lambda k :
  0 <= v -> 0 <= kappa -> 0 <= mu -> 0 <= q -> 0 < k2 ->
  Rabs (k2 * ln 2 - 1) <= kappa -> (forall b, (b <= k)%nat -> Rabs (mk b - m b * k2) <= mu * Rabs (m b * k2) /\ Rabs (m b) <= R0) ->
  l <= m 0%nat -> m 0%nat <= m k -> (forall b, (b < k)%nat -> mk b <= mk (S b)) ->
  Rabs d1 <= q * Rabs (l * k2) -> Rabs delta0 <= v * Rabs (l * k2 - mk 0%nat) -> Rabs y0 <= lambda0 ->
  (forall b, (b < k)%nat -> Rabs (delta b) <= v * Rabs (mk b - mk (S b)) /\ Rabs (y b) <= lambda) ->
  exists xi,
    Rabs xi <= kappa * (m k - l) + v * (1 + kappa) * (m k - l + 3 * mu * R0) + q * (1 + kappa) * Rabs l + lambda0 + INR k * lambda /\
    exp (ln 2 * (l * k2 + d1 - mk 0%nat + delta0) + y0) * rproduct k (fun b => exp (ln 2 * (mk b - mk (S b) + delta b) + y b)) =
    exp (ln 2 * (m k * k2 - mk k)) * exp (l - m k + xi).
Proof.
  intros Hv Hk Hmu Hq Hk2 Hkap Hmk Hl Hm Hmono Hd1 Hd0 Hy0 Hsteps.
  assert (Hln : 0 < ln 2) by (rewrite <- ln_1; apply ln_increasing; lra).
  assert (Hex : Rabs (ln 2 * d1) <= q * (1 + kappa) * Rabs l).
  { rewrite Rabs_mult, (Rabs_pos_eq (ln 2)) by lra. rewrite Rabs_mult, (Rabs_pos_eq k2) in Hd1 by lra.
    apply Rle_trans with (ln 2 * (q * (Rabs l * k2))); [apply Rmult_le_compat_l; lra|].
    replace (ln 2 * (q * (Rabs l * k2))) with (q * (k2 * ln 2) * Rabs l) by ring. apply Rmult_le_compat_r; [apply Rabs_pos|].
    apply Rmult_le_compat_l; [assumption|]. apply Rabs_le_inv in Hkap. lra. }
  assert (Hy : Rabs (y0 + ln 2 * d1) <= lambda0 + q * (1 + kappa) * Rabs l) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
  destruct (exp2_weight m mk delta y l k2 v kappa mu R0 delta0 (y0 + ln 2 * d1) (lambda0 + q * (1 + kappa) * Rabs l) lambda k Hv Hk Hmu Hk2
    Hkap Hmk Hl Hm Hmono Hd0 Hy Hsteps) as (xi & Hxi & He).
  exists xi. split; [lra|]. rewrite <- He. f_equal. f_equal. ring.
Qed.

(** ** The least sum: z = least (1 - 2^-30) - slack, in binary64, each of the two with up to 2^21 roundings *)
(* C++: bounds/apriori.hpp apriori_average; bounds/softmax_weights.hpp make_weights. *)
Theorem least_sum_low n least slack least_c slack_c x z : let v := powerRZ 2 (-53) in INR n <= 2097152 -> 0 <= least -> 0 <= slack ->
  least_c <= least * (1 + v) ^ n -> slack * (1 - v) ^ n <= slack_c ->
  x <= least_c * (1 - powerRZ 2 (-30)) * (1 + v) -> z <= (x - slack_c) * (1 + v) -> 0 < z -> z <= least - slack.
Proof.
  intros v Hn Hl Hs Hlc Hsc Hx Hz Hpos. assert (Hv : 0 < v <= 1e-15) by (unfold v; split; interval).
  assert (Hup : (1 + v) ^ n <= 1 + 2.5e-10).
  { pose proof (phi_at_most n v 2097152 ltac:(lra) Hn) as H. unfold phi in H.
    assert (exp (2097152 * v) - 1 <= 2.5e-10) by (unfold v; interval with (i_prec 90)). lra. }
  assert (Hdown : 1 - 2.5e-10 <= (1 - v) ^ n).
  { pose proof (bernoulli v n ltac:(lra)). assert (INR n * v <= 2097152 * v) by (apply Rmult_le_compat_r; lra).
    assert (2097152 * v <= 2.5e-10) by (unfold v; interval). lra. }
  assert (Hc : powerRZ 2 (-30) >= 9.3e-10) by (apply Rle_ge; interval).
  assert (A : least_c <= least * (1 + 2.5e-10)).
  { eapply Rle_trans; [exact Hlc|]. apply Rmult_le_compat_l; lra. }
  assert (B : slack * (1 - 2.5e-10) <= slack_c).
  { eapply Rle_trans; [|exact Hsc]. apply Rmult_le_compat_l; lra. }
  assert (Hk : 0 < 1 - powerRZ 2 (-30)) by interval.
  assert (C : x <= least * (1 - 6.7e-10)).
  { eapply Rle_trans; [exact Hx|]. apply Rle_trans with (least * (1 + 2.5e-10) * (1 - 9.3e-10) * (1 + 1e-15)); [|lra].
    apply Rle_trans with (least * (1 + 2.5e-10) * (1 - powerRZ 2 (-30)) * (1 + v)).
    - apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; lra.
    - apply Rmult_le_compat; try lra; [apply Rmult_le_pos; [apply Rmult_le_pos|]; lra|].
      apply Rmult_le_compat_l; [apply Rmult_le_pos|]; lra. }
  assert (D : 0 < x - slack_c) by nra. assert (H : z <= (x - slack_c) * (1 + 1e-15)) by nra. lra.
Qed.
