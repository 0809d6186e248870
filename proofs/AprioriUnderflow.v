(** Purpose: what underflow adds to the closed form of an average.
    Main results: [average_share]: weights e + omega differ from e, normalised, by a share of no more than Omega / (S - Omega);
      [apriori_average_underflow]: stored weights, sums and the quotient, each with an absolute error besides its relative one.
    Depends on: AprioriOutput. Axioms: those of Coq's real numbers. *)
From Equinorm Require Import AprioriOutput.
Local Open Scope R_scope.

(** e: exp of the kernel's logits, S their sum; omega: what underflow makes of each, Omega of all. *)
(* C++: bounds/apriori.hpp apriori_average. *)
Theorem average_share n (e omega y : nat -> R) b range Omega : (forall t, (t < n)%nat -> 0 <= e t) -> 0 <= range ->
  (forall t, (t < n)%nat -> b <= y t <= b + range) -> rsum n (fun t => Rabs (omega t)) <= Omega -> let S := rsum n e in Omega < S ->
  Rabs (rsum n (fun t => (e t + omega t) * y t) / rsum n (fun t => e t + omega t) - rsum n (fun t => e t * y t) / S) <=
  Omega / (S - Omega) * range.
Proof.
  intros He Hr Hy Ho S HS. assert (HO : 0 <= Omega).
  { eapply Rle_trans; [|exact Ho]. apply rsum_nonneg; intros; apply Rabs_pos. }
  set (m := rsum n (fun t => e t * y t) / S). set (W := rsum n (fun t => e t + omega t)).
  assert (HW : S - Omega <= W).
  { unfold W. rewrite rsum_plus. fold S. pose proof (rsum_abs n omega) as H. apply Rabs_le_inv in H. lra. }
  assert (Em : rsum n (fun t => e t * (y t - m)) = 0).
  { rewrite (rsum_ext n _ (fun t => e t * y t - m * e t)) by (intros; ring). rewrite rsum_minus, rsum_scal. fold S. unfold m. field. lra. }
  assert (Hm : forall t, (t < n)%nat -> Rabs (y t - m) <= range).
  { assert (L : b * S <= rsum n (fun t => e t * y t) <= (b + range) * S).
    { unfold S. rewrite <- !rsum_scal. split; apply rsum_le; intros t Ht; rewrite (Rmult_comm _ (e t)); apply Rmult_le_compat_l; auto;
        apply Hy; assumption. }
    assert (Hmb : b <= m <= b + range).
    { unfold m. split; apply Rmult_le_reg_r with S; try lra; unfold Rdiv; rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra; lra. }
    intros t Ht. specialize (Hy t Ht). apply Rabs_le. lra. }
  replace (rsum n (fun t => (e t + omega t) * y t) / W - m) with (rsum n (fun t => omega t * (y t - m)) / W).
  - unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ W)) by (left; apply Rinv_0_lt_compat; lra).
    assert (HN : Rabs (rsum n (fun t => omega t * (y t - m))) <= Omega * range).
    { eapply Rle_trans; [apply rsum_abs|]. apply Rle_trans with (rsum n (fun t => range * Rabs (omega t))).
      - apply rsum_le; intros t Ht. rewrite Rabs_mult, Rmult_comm. apply Rmult_le_compat_r; [apply Rabs_pos|auto].
      - rewrite rsum_scal, Rmult_comm. now apply Rmult_le_compat_r. }
    replace (Omega * / (S - Omega) * range) with (Omega * range * / (S - Omega)) by ring.
    apply Rmult_le_compat; [apply Rabs_pos|left; apply Rinv_0_lt_compat; lra|exact HN|apply Rinv_le_contravar; lra].
  - assert (EW : rsum n (fun t => (e t + omega t) * y t) - m * W = rsum n (fun t => omega t * (y t - m))).
    { unfold W. rewrite <- rsum_scal, <- rsum_minus.
      rewrite (rsum_ext n _ (fun t => e t * (y t - m) + omega t * (y t - m))) by (intros; ring).
      rewrite rsum_plus, Em. ring. }
    rewrite <- EW. field. lra.
Qed.

(** w: weights as the denominator sums them (phiD: what that errs by); stored: as they meet the values; FN: underflow of the numerator;
    lambda: of a stored weight; ks, omega: of the quotient. *)
(* C++: bounds/apriori.hpp apriori_average. *)
Theorem apriori_average_underflow n (w stored y : nat -> R) Y u_P lambda phiN FN phiD num den ks omega out W0 : let W := rsum n w in
  0 < W0 <= W -> 0 <= u_P -> 0 <= lambda -> 0 <= phiN -> 0 <= FN -> 0 <= phiD < 1 -> 0 <= ks -> 0 <= Y ->
  (forall t, (t < n)%nat -> 0 <= w t) -> (forall t, (t < n)%nat -> Rabs (y t) <= Y) ->
  (forall t, (t < n)%nat -> near (stored t) (u_P * w t + lambda) (w t)) ->
  near num (phiN * rsum n (fun t => Rabs (stored t * y t)) + FN) (rsum n (fun t => stored t * y t)) -> near den (phiD * W) W ->
  near out (ks * Rabs (num / den) + omega) (num / den) ->
  near out (((1 + u_P) * (1 + phiN) * ((1 + ks) / (1 - phiD)) - 1 + INR n * lambda * (1 + phiN) * ((1 + ks) / (1 - phiD)) / W0) * Y +
    FN * ((1 + ks) / (1 - phiD)) / W0 + omega) (rsum n (fun t => w t * y t) / W).
Proof.
  intros W HW Hu Hl HN HF HD Hks HY Hw Hy Hs Hnum Hden Hout. set (m := rsum n (fun t => w t * y t) / W).
  assert (HiW : 0 < / W) by (apply Rinv_0_lt_compat; lra). assert (HiW0 : / W <= / W0) by (apply Rinv_le_contravar; lra).
  assert (Hi1 : 0 < / (1 - phiD)) by (apply Rinv_0_lt_compat; lra). assert (HWY : 0 <= W * Y) by (apply Rmult_le_pos; lra).
  assert (Hn0 : 0 <= INR n * lambda) by (apply Rmult_le_pos; [apply pos_INR|assumption]).
  assert (EWY : W * Y = rsum n (fun t => w t * Y)) by (unfold W; rewrite Rmult_comm, <- rsum_scal; apply rsum_ext; intros; ring).
  assert (HmY : Rabs m <= Y).
  { unfold m, Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ W)) by lra. apply Rmult_le_reg_r with W; [lra|].
    rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. rewrite (Rmult_comm Y), EWY. eapply Rle_trans; [apply rsum_abs|].
    apply rsum_le; intros t Ht. rewrite Rabs_mult, (Rabs_pos_eq (w t)) by auto. apply Rmult_le_compat_l; auto. }
  assert (S1 : Rabs (rsum n (fun t => stored t * y t) - rsum n (fun t => w t * y t)) <= (u_P * W + INR n * lambda) * Y).
  { rewrite <- rsum_minus. eapply Rle_trans; [apply rsum_abs|]. apply Rle_trans with (rsum n (fun t => u_P * (w t * Y) + lambda * Y)).
    - apply rsum_le; intros t Ht. rewrite <- Rmult_minus_distr_r, Rabs_mult.
      replace (u_P * (w t * Y) + lambda * Y) with ((u_P * w t + lambda) * Y) by ring.
      apply Rmult_le_compat; try apply Rabs_pos; [exact (Hs t Ht)|auto].
    - right. rewrite rsum_plus, rsum_scal, rsum_const, <- EWY. ring. }
  assert (S2 : rsum n (fun t => Rabs (stored t * y t)) <= ((1 + u_P) * W + INR n * lambda) * Y).
  { apply Rle_trans with (rsum n (fun t => (1 + u_P) * (w t * Y) + lambda * Y)).
    - apply rsum_le; intros t Ht. rewrite Rabs_mult. pose proof (near_magnitude _ _ _ (Hs t Ht)) as H.
      rewrite (Rabs_pos_eq (w t)) in H by auto.
      replace ((1 + u_P) * (w t * Y) + lambda * Y) with ((w t + (u_P * w t + lambda)) * Y) by ring.
      apply Rmult_le_compat; try apply Rabs_pos; auto.
    - right. rewrite rsum_plus, rsum_scal, rsum_const, <- EWY. ring. }
  assert (S3 := Rmult_le_compat_l phiN _ _ HN S2).
  set (A := ((1 + u_P) * (1 + phiN) - 1 + INR n * lambda * (1 + phiN) / W0) * Y + FN / W0).
  assert (HA : Rabs (num / W - m) <= A).
  { replace (num / W - m) with ((num - rsum n (fun t => w t * y t)) * / W) by (unfold m; field; lra).
    rewrite Rabs_mult, (Rabs_pos_eq (/ W)) by lra.
    assert (X : Rabs (num - rsum n (fun t => w t * y t)) <=
      ((1 + u_P) * (1 + phiN) - 1) * (W * Y) + (INR n * lambda * (1 + phiN) * Y + FN)).
    { unfold near in Hnum. replace (num - rsum n (fun t => w t * y t)) with ((num - rsum n (fun t => stored t * y t)) +
        (rsum n (fun t => stored t * y t) - rsum n (fun t => w t * y t))) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. }
    eapply Rle_trans; [apply Rmult_le_compat_r; [lra|exact X]|]. unfold A, Rdiv.
    assert (Z : (INR n * lambda * (1 + phiN) * Y + FN) * / W <= (INR n * lambda * (1 + phiN) * Y + FN) * / W0).
    { apply Rmult_le_compat_l; [|assumption]. assert (0 <= INR n * lambda * (1 + phiN) * Y)
        by (repeat apply Rmult_le_pos; lra || apply pos_INR).
      lra. }
    replace ((((1 + u_P) * (1 + phiN) - 1) * (W * Y) + (INR n * lambda * (1 + phiN) * Y + FN)) * / W)
      with (((1 + u_P) * (1 + phiN) - 1) * Y + (INR n * lambda * (1 + phiN) * Y + FN) * / W) by (field; lra). lra. }
  apply Rabs_le_inv in Hden as Hd. assert (Hlow : 0 < W * (1 - phiD) <= den) by (split; [apply Rmult_lt_0_compat; lra|lra]).
  assert (HWd : Rabs (W / den - 1) <= / (1 - phiD) - 1).
  { replace (W / den - 1) with ((W - den) * / den) by (field; lra). rewrite Rabs_mult, Rabs_minus_sym.
    rewrite (Rabs_pos_eq (/ den)) by (left; apply Rinv_0_lt_compat; lra).
    replace (/ (1 - phiD) - 1) with (phiD * W * / (W * (1 - phiD))) by (field; lra).
    apply Rmult_le_compat; [apply Rabs_pos|left; apply Rinv_0_lt_compat; lra|exact Hden|apply Rinv_le_contravar; lra]. }
  assert (HQ : Rabs (num / den - m) <= A * / (1 - phiD) + Y * (/ (1 - phiD) - 1)).
  { replace (num / den - m) with ((num / W - m) * (W / den) + m * (W / den - 1)) by (field; lra).
    eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult.
    apply Rplus_le_compat; apply Rmult_le_compat; try apply Rabs_pos; try assumption.
    replace (W / den) with (1 + (W / den - 1)) by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_R1. lra. }
  assert (HQ2 : Rabs (num / den) <= Y + (A * / (1 - phiD) + Y * (/ (1 - phiD) - 1))).
  { replace (num / den) with (m + (num / den - m)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. }
  assert (HQ3 := Rmult_le_compat_l ks _ _ Hks HQ2). unfold near in *.
  replace (out - m) with ((out - num / den) + (num / den - m)) by ring. eapply Rle_trans; [apply Rabs_triang|].
  assert (E : ((1 + u_P) * (1 + phiN) * ((1 + ks) / (1 - phiD)) - 1 + INR n * lambda * (1 + phiN) * ((1 + ks) / (1 - phiD)) / W0) * Y +
    FN * ((1 + ks) / (1 - phiD)) / W0 + omega =
    ks * (Y + (A * / (1 - phiD) + Y * (/ (1 - phiD) - 1))) + omega + (A * / (1 - phiD) + Y * (/ (1 - phiD) - 1))).
  { unfold A. field. split; lra. }
  rewrite E. lra.
Qed.
