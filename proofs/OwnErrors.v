(** Purpose: binary64's own errors in what bounds are taken of: logits known nearly, a mean computed in binary64, exp of a computed shift.
    Main results: [own_logits]: with logits known within own_t, the kernel's average is within the bound for shift_t + own_t, and that for
      own_t alone, of the exact one; [mean_distance]: |logit - largest|, averaged with the weights, is at most ln n; [mean_error],
      [mean_allowance]: a softmax average in binary64 is within (n + 64) 2^-52 max|y| and the values' own errors; [shift_evaluation]: exp
      and expm1 of a computed shift, times 1 +- 2^-30.
    Depends on: WeightedAverage, Constants. Axioms: those of Coq's real numbers and, because numbers are computed, machine integers and
      floats. *)
From Interval Require Import Tactic.
From Equinorm Require Import WeightedAverage Constants.
Local Open Scope R_scope.

(** ** Logits l known as lb *)
Section Own.
Variables (n : nat) (l lb own d E omega Omega y : nat -> R).
Hypothesis some_token : (0 < n)%nat.
Hypothesis own_near : forall t, (t < n)%nat -> Rabs (l t - lb t) <= own t.
Hypothesis logits_near : forall t, (t < n)%nat -> Rabs (d t) <= E t.
Hypothesis underflow_near : forall t, (t < n)%nat -> Rabs (omega t) <= Omega t.

Definition both (t : nat) : R := E t + own t.
Definition moved_by_both : R :=
  rsum n (fun t => (softmax n lb t * (exp (both t) - 1) + relative_underflow n lb Omega t) * Rabs (y t - centre n lb y)) /
  total_low n lb both Omega.
Definition moved_by_own : R :=
  rsum n (fun t => softmax n lb t * (exp (own t) - 1) * Rabs (y t - centre n lb y)) / rsum n (fun t => softmax n lb t * exp (- own t)).

(* C++: bounds/average.hpp average_bound; bounds/softmax_weights.hpp make_weights. *)
Theorem own_logits : 0 < total_low n lb both Omega -> near (kernel_average n l d omega y) (moved_by_both + moved_by_own) (centre n l y).
Proof.
  intros Hpos. assert (Hw : forall t, kernel_weight l d omega t = kernel_weight lb (fun s => l s - lb s + d s) omega t).
  { intros t. unfold kernel_weight. do 2 f_equal. ring. }
  assert (H1 : near (kernel_average n l d omega y) moved_by_both (centre n lb y)).
  { replace (kernel_average n l d omega y) with (kernel_average n lb (fun s => l s - lb s + d s) omega y).
    - apply weighted_average_error; auto. intros t Ht. pose proof (own_near t Ht). pose proof (logits_near t Ht). unfold both.
      eapply Rle_trans; [apply Rabs_triang|]. lra.
    - unfold kernel_average.
      rewrite (rsum_ext n (fun t => kernel_weight l d omega t * y t) (fun t => kernel_weight lb (fun s => l s - lb s + d s) omega t * y t))
        by (intros t _; now rewrite Hw).
      now rewrite (rsum_ext n (kernel_weight l d omega) (kernel_weight lb (fun s => l s - lb s + d s) omega)) by (intros t _; apply Hw). }
  assert (H2 : near (centre n l y) moved_by_own (centre n lb y)).
  { assert (Ec : kernel_average n lb (fun s => l s - lb s) (fun _ => 0) y = centre n l y).
    { pose proof (exp_sum_pos n l some_token) as Hs.
      assert (Hk : forall t, kernel_weight lb (fun s => l s - lb s) (fun _ => 0) t = exp (l t)).
      { intros t. unfold kernel_weight. rewrite Rplus_0_r. f_equal. ring. }
      unfold kernel_average, centre, softmax, Rdiv. rewrite Rmult_comm, <- rsum_scal.
      rewrite (rsum_ext n (kernel_weight lb (fun s => l s - lb s) (fun _ => 0)) (fun t => exp (l t))) by (intros; apply Hk).
      apply rsum_ext; intros t _. rewrite Hk. ring. }
    rewrite <- Ec. assert (Hz : forall t, (t < n)%nat -> Rabs 0 <= 0) by (intros; rewrite Rabs_R0; lra).
    assert (Htl : total_low n lb own (fun _ => 0) = rsum n (fun t => softmax n lb t * exp (- own t))).
    { unfold total_low, relative_underflow. rewrite (rsum_ext n (fun t => 0 / _) (fun _ => 0)) by (intros; unfold Rdiv; ring).
      rewrite rsum_zero. ring. }
    pose proof (weighted_average_error n lb (fun s => l s - lb s) own (fun _ => 0) (fun _ => 0) some_token own_near Hz) as H.
    rewrite Htl in H. specialize (H (low_pos n lb own some_token) y). eapply near_weaken; [exact H|]. right. unfold moved_by_own. f_equal.
    apply rsum_ext; intros t _. f_equal. unfold relative_underflow, Rdiv. ring. }
  unfold near in *. replace (kernel_average n l d omega y - centre n l y) with ((kernel_average n l d omega y - centre n lb y) -
    (centre n l y - centre n lb y)) by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra.
Qed.
End Own.

(** ** How far a logit is from the largest, on average *)
Lemma ln_below z : 0 < z -> ln z <= z - 1.
Proof. intros H. pose proof (exp_ineq1_le (ln z)) as He. rewrite exp_ln in He by assumption. lra. Qed.

Section Mean.
Variables (n : nat) (l : nat -> R) (M : R) (top : nat).
Hypothesis top_in : (top < n)%nat.
Hypothesis top_largest : l top = M.
Hypothesis below : forall t, (t < n)%nat -> l t <= M.
Let e (t : nat) : R := exp (l t - M).
Let S := rsum n e.

Lemma S_at_least_1 : 1 <= S.
Proof.
  unfold S. apply Rle_trans with (e top); [unfold e; rewrite top_largest, Rminus_diag_eq, exp_0 by reflexivity; lra|].
  clear below. induction n as [|m IH]; [lia|]. simpl. assert (Hn : 0 <= rsum m e) by (apply rsum_nonneg; intros; left; apply exp_pos).
  pose proof (exp_pos (l m - M)) as Hp. fold (e m) in Hp. destruct (Nat.eq_dec top m) as [->|]; [lra|].
  pose proof (IH ltac:(lia)). lra.
Qed.

Lemma softmax_by_top t : softmax n l t = e t / S.
Proof.
  assert (Hs : rsum n (fun s => exp (l s)) = exp M * S).
  { unfold S. rewrite <- rsum_scal. apply rsum_ext; intros s _. unfold e. rewrite <- exp_plus. f_equal. ring. }
  pose proof S_at_least_1. pose proof (exp_pos M). unfold softmax. rewrite Hs. unfold e. replace (l t) with (l t - M + M) at 1 by ring.
  rewrite exp_plus. field. lra.
Qed.

(* C++: bounds/average.hpp average_bound. *)
Theorem mean_distance : rsum n (fun t => softmax n l t * (M - l t)) <= ln (INR n).
Proof.
  pose proof S_at_least_1 as HS. assert (Hn : 0 < INR n) by (apply lt_0_INR; lia). assert (Hn0 : (0 < n)%nat) by lia.
  assert (HlS : 0 <= ln S) by (rewrite <- ln_1; destruct (Req_dec S 1) as [->|]; [lra|left; apply ln_increasing; lra]).
  apply Rle_trans with (rsum n (fun t => / INR n - softmax n l t + (ln (INR n) - ln S) * softmax n l t)).
  - apply rsum_le; intros t Ht. pose proof (softmax_pos n l t Hn0) as Hp. set (x := softmax n l t) in *.
    assert (Hz : 0 < / (INR n * x)) by (apply Rinv_0_lt_compat; now apply Rmult_lt_0_compat).
    assert (El : ln (/ (INR n * x)) = ln S + (M - l t) - ln (INR n)).
    { rewrite ln_Rinv by now apply Rmult_lt_0_compat. rewrite ln_mult by lra. unfold x. rewrite softmax_by_top. unfold Rdiv.
      rewrite ln_mult, ln_Rinv by (try apply Rinv_0_lt_compat; try apply exp_pos; lra). unfold e. rewrite ln_exp. ring. }
    pose proof (ln_below _ Hz) as H. rewrite El in H. assert (Hx : x * / (INR n * x) = / INR n) by (field; lra).
    assert (Hm : x * (ln S + (M - l t) - ln (INR n)) <= x * (/ (INR n * x) - 1)) by (apply Rmult_le_compat_l; lra). lra.
  - rewrite rsum_plus, rsum_minus, rsum_const, rsum_scal, softmax_sum by assumption. rewrite Rinv_r by lra. lra.
Qed.

(** ** The mean in binary64: exp within a + b |l - M| and z, their sum within phi, quotients within v, the sum of products within phi2 *)
Variables (g pc y yh : nat -> R) (Sc mean a b z phi phi2 v Y oy : R).
Hypothesis signs : 0 <= a /\ 0 <= b /\ 0 <= z /\ 0 <= phi /\ 0 <= phi2 /\ 0 <= v /\ 0 <= Y.
Hypothesis exp_stage : forall t, (t < n)%nat -> Rabs (g t - e t) <= (a + b * (M - l t)) * e t + z.
Hypothesis sum_stage : Rabs (Sc - rsum n g) <= phi * rsum n (fun t => Rabs (g t)).
Hypothesis quotient_stage : forall t, (t < n)%nat -> Rabs (pc t - g t / Sc) <= v * Rabs (g t / Sc).
Hypothesis values : forall t, (t < n)%nat -> Rabs (yh t) <= Y /\ Rabs (yh t - y t) <= oy.
Hypothesis mean_stage : Rabs (mean - rsum n (fun t => pc t * yh t)) <= phi2 * rsum n (fun t => Rabs (pc t * yh t)).

Definition eta : R := a + b * ln (INR n) + INR n * z.
Definition kappa : R := phi * (1 + eta) + eta.
Hypothesis kappa_small : kappa < 1.

Lemma eta_nonneg : 0 <= eta.
Proof.
  destruct signs as (Ha & Hb & Hz & _). unfold eta. pose proof (pos_INR n). assert (0 <= ln (INR n)).
  { rewrite <- ln_1. assert (1 <= INR n) by (apply (le_INR 1); lia). destruct (Req_dec (INR n) 1) as [->|]; [lra|].
    left. apply ln_increasing; lra. }
  assert (0 <= b * ln (INR n)) by now apply Rmult_le_pos. assert (0 <= INR n * z) by now apply Rmult_le_pos. lra.
Qed.

Lemma exps_near : rsum n (fun t => Rabs (g t - e t)) <= eta * S.
Proof.
  destruct signs as (Ha & Hb & Hz & _). pose proof S_at_least_1 as HS.
  apply Rle_trans with (rsum n (fun t => a * e t + b * S * (softmax n l t * (M - l t)) + z)).
  - apply rsum_le; intros t Ht. eapply Rle_trans; [now apply exp_stage|]. right. rewrite softmax_by_top. field. lra.
  - rewrite !rsum_plus, !rsum_scal, rsum_const. fold S. unfold eta.
    assert (b * S * rsum n (fun t => softmax n l t * (M - l t)) <= b * S * ln (INR n)).
    { apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|apply mean_distance]. }
    assert (INR n * z <= INR n * z * S).
    { rewrite <- (Rmult_1_r (INR n * z)) at 1. apply Rmult_le_compat_l; [apply Rmult_le_pos; [apply pos_INR|assumption]|assumption]. }
    lra.
Qed.

Lemma g_total : rsum n (fun t => Rabs (g t)) <= (1 + eta) * S.
Proof.
  apply Rle_trans with (rsum n (fun t => e t + Rabs (g t - e t))).
  - apply rsum_le; intros t _. replace (g t) with (e t + (g t - e t)) at 1 by ring. eapply Rle_trans; [apply Rabs_triang|].
    rewrite (Rabs_pos_eq (e t)) by (left; apply exp_pos). lra.
  - rewrite rsum_plus. fold S. pose proof exps_near. lra.
Qed.

Lemma Sc_near : Rabs (Sc - S) <= kappa * S.
Proof.
  replace (Sc - S) with ((Sc - rsum n g) + (rsum n g - S)) by ring. eapply Rle_trans; [apply Rabs_triang|].
  assert (H : Rabs (rsum n g - S) <= eta * S).
  { unfold S. rewrite <- rsum_minus. eapply Rle_trans; [apply rsum_abs|exact exps_near]. }
  destruct signs as (_ & _ & _ & Hphi & _). assert (phi * rsum n (fun t => Rabs (g t)) <= phi * ((1 + eta) * S))
    by (apply Rmult_le_compat_l; [assumption|exact g_total]). unfold kappa. lra.
Qed.

Lemma Sc_low : 0 < (1 - kappa) * S <= Sc.
Proof.
  pose proof S_at_least_1 as HS. pose proof Sc_near as H. apply Rabs_le_inv in H. split; [apply Rmult_lt_0_compat; lra|lra].
Qed.

Lemma over_Sc x k : 0 <= x <= k * S -> x / Sc <= k / (1 - kappa).
Proof.
  intros [Hx Hk]. pose proof Sc_low as [H0 H1]. pose proof S_at_least_1.
  apply Rle_trans with (x / ((1 - kappa) * S)).
  - unfold Rdiv. apply Rmult_le_compat_l; [assumption|]. apply Rinv_le_contravar; assumption.
  - replace (k / (1 - kappa)) with (k * S / ((1 - kappa) * S)) by (field; lra). unfold Rdiv.
    apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|assumption].
Qed.

Definition mean_relative : R := (eta + kappa + (v + phi2 * (1 + v)) * (1 + eta)) / (1 - kappa).

(* C++: bounds/average.hpp average_bound. *)
Theorem mean_error : Rabs (mean - centre n l y) <= mean_relative * Y + oy.
Proof.
  destruct signs as (Ha & Hb & Hz & Hphi & Hphi2 & Hv & HY). pose proof Sc_low as [H0 H1]. assert (HSc : 0 < Sc) by lra.
  pose proof S_at_least_1 as HS. assert (Hn0 : (0 < n)%nat) by lia. assert (HiS : 0 < / Sc) by now apply Rinv_0_lt_compat.
  assert (Q : rsum n (fun t => Rabs (g t / Sc)) <= (1 + eta) / (1 - kappa)).
  { rewrite (rsum_ext n _ (fun t => / Sc * Rabs (g t))).
    - rewrite rsum_scal, Rmult_comm. apply over_Sc. split; [apply rsum_nonneg; intros; apply Rabs_pos|exact g_total].
    - intros t _. unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ Sc)) by lra. ring. }
  assert (P : rsum n (fun t => Rabs (pc t)) <= (1 + v) * ((1 + eta) / (1 - kappa))).
  { apply Rle_trans with ((1 + v) * rsum n (fun t => Rabs (g t / Sc))); [|apply Rmult_le_compat_l; lra]. rewrite <- rsum_scal.
    apply rsum_le; intros t Ht. pose proof (quotient_stage t Ht) as Hq. replace (pc t) with ((pc t - g t / Sc) + g t / Sc) at 1 by ring.
    eapply Rle_trans; [apply Rabs_triang|]. lra. }
  assert (D : rsum n (fun t => Rabs (pc t - softmax n l t)) <= (eta + kappa + v * (1 + eta)) / (1 - kappa)).
  { apply Rle_trans with (v * rsum n (fun t => Rabs (g t / Sc)) + (/ Sc * rsum n (fun t => Rabs (g t - e t)) + Rabs (Sc - S) / Sc)).
    - apply Rle_trans with (rsum n (fun t => v * Rabs (g t / Sc) + (/ Sc * Rabs (g t - e t) + Rabs (Sc - S) / Sc * softmax n l t))).
      + apply rsum_le; intros t Ht. pose proof (softmax_pos n l t Hn0) as Hp.
        replace (pc t - softmax n l t) with ((pc t - g t / Sc) + (/ Sc * (g t - e t) + - ((Sc - S) / Sc * softmax n l t)))
          by (rewrite softmax_by_top; field; lra).
        eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat; [now apply quotient_stage|].
        eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. unfold Rdiv. rewrite !Rabs_mult, (Rabs_pos_eq (/ Sc)) by lra.
        rewrite (Rabs_pos_eq (softmax n l t)) by lra. lra.
      + right. rewrite !rsum_plus, !rsum_scal, softmax_sum by assumption. ring.
    - assert (X1 : / Sc * rsum n (fun t => Rabs (g t - e t)) <= eta / (1 - kappa)).
      { rewrite Rmult_comm. apply over_Sc. split; [apply rsum_nonneg; intros; apply Rabs_pos|exact exps_near]. }
      assert (X2 : Rabs (Sc - S) / Sc <= kappa / (1 - kappa)) by (apply over_Sc; split; [apply Rabs_pos|exact Sc_near]).
      assert (X3 : v * rsum n (fun t => Rabs (g t / Sc)) <= v * ((1 + eta) / (1 - kappa))) by (apply Rmult_le_compat_l; lra).
      unfold Rdiv in *. lra. }
  assert (V1 : Rabs (rsum n (fun t => pc t * yh t) - rsum n (fun t => softmax n l t * yh t)) <=
    (eta + kappa + v * (1 + eta)) / (1 - kappa) * Y).
  { rewrite <- rsum_minus. eapply Rle_trans; [apply rsum_abs|].
    apply Rle_trans with (rsum n (fun t => Y * Rabs (pc t - softmax n l t))).
    - apply rsum_le; intros t Ht. rewrite <- Rmult_minus_distr_r, Rabs_mult, Rmult_comm. apply Rmult_le_compat_r; [apply Rabs_pos|].
      now apply values.
    - rewrite rsum_scal, Rmult_comm. now apply Rmult_le_compat_r. }
  assert (V2 : Rabs (rsum n (fun t => softmax n l t * yh t) - centre n l y) <= oy).
  { unfold centre. rewrite <- rsum_minus. eapply Rle_trans; [apply rsum_abs|].
    apply Rle_trans with (rsum n (fun t => oy * softmax n l t)).
    - apply rsum_le; intros t Ht. pose proof (softmax_pos n l t Hn0) as Hp.
      rewrite <- Rmult_minus_distr_l, Rabs_mult, (Rabs_pos_eq (softmax n l t)), Rmult_comm by lra.
      apply Rmult_le_compat_r; [lra|now apply values].
    - rewrite rsum_scal, softmax_sum by assumption. lra. }
  assert (V3 : phi2 * rsum n (fun t => Rabs (pc t * yh t)) <= phi2 * (1 + v) * ((1 + eta) / (1 - kappa)) * Y).
  { rewrite !Rmult_assoc. apply Rmult_le_compat_l; [assumption|]. apply Rle_trans with (rsum n (fun t => Y * Rabs (pc t))).
    - apply rsum_le; intros t Ht. rewrite Rabs_mult, Rmult_comm. apply Rmult_le_compat_r; [apply Rabs_pos|now apply values].
    - rewrite rsum_scal, (Rmult_comm Y), <- Rmult_assoc. now apply Rmult_le_compat_r. }
  replace (mean - centre n l y) with ((mean - rsum n (fun t => pc t * yh t)) +
    (rsum n (fun t => pc t * yh t) - rsum n (fun t => softmax n l t * yh t)) + (rsum n (fun t => softmax n l t * yh t) - centre n l y))
    by ring.
  eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_triang (mean - rsum n (fun t => pc t * yh t))
    (rsum n (fun t => pc t * yh t) - rsum n (fun t => softmax n l t * yh t))).
  replace (mean_relative * Y) with (phi2 * (1 + v) * ((1 + eta) / (1 - kappa)) * Y + (eta + kappa + v * (1 + eta)) / (1 - kappa) * Y)
    by (unfold mean_relative; field; lra). lra.
Qed.
End Mean.

(** With a library's exp, up to 2^22 tokens: what the code allows. *)
(* C++: bounds/average.hpp average_bound. *)
Theorem mean_allowance n a b z phi phi2 v : let w := powerRZ 2 (-52) in (0 < n)%nat -> INR n <= 4194304 -> 0 <= a <= 2 * w ->
  0 <= b <= 0.51 * w -> 0 <= z <= powerRZ 2 (-1000) -> 0 <= phi <= 0.5000005 * (INR n * w) -> 0 <= phi2 <= 0.5000005 * (INR n * w) ->
  0 <= v <= 0.5 * w -> kappa n a b z phi < 1 /\ mean_relative n a b z phi phi2 v <= (INR n + 64) * w.
Proof.
  intros w Hn HN Ha Hb Hz Hphi Hphi2 Hv. assert (Hw : 0 < w <= 2.3e-16) by (unfold w; split; interval).
  assert (H1 : 1 <= INR n) by (apply (le_INR 1); lia). assert (Hln : 0 <= ln (INR n) <= 15.25).
  { split.
    - rewrite <- ln_1. destruct (Req_dec (INR n) 1) as [->|]; [lra|left; apply ln_increasing; lra].
    - apply Rle_trans with (ln 4194304); [|interval]. destruct (Req_dec (INR n) 4194304) as [->|]; [lra|left; apply ln_increasing; lra]. }
  assert (Hbl : 0 <= b * ln (INR n) <= 0.51 * w * 15.25) by (split; [apply Rmult_le_pos|apply Rmult_le_compat]; lra).
  assert (Hnz : 0 <= INR n * z <= 0.1 * w).
  { split; [apply Rmult_le_pos; lra|]. apply Rle_trans with (4194304 * powerRZ 2 (-1000)); [apply Rmult_le_compat; lra|].
    unfold w. interval. }
  assert (He : 0 <= eta n a b z <= 10 * w) by (unfold eta; lra). set (et := eta n a b z) in *.
  assert (HNw : w <= INR n * w <= 4194304 * w) by (split; [rewrite <- (Rmult_1_l w) at 1|]; apply Rmult_le_compat_r; lra).
  assert (Hsmall : forall p, 0 <= p <= 0.5000005 * (INR n * w) -> 0 <= p * et <= 1e-14 * p).
  { intros p Hp. split; [apply Rmult_le_pos; lra|]. rewrite Rmult_comm. apply Rmult_le_compat_r; lra. }
  pose proof (Hsmall phi Hphi) as P1.
  assert (Hk : 0 <= kappa n a b z phi <= 0.5000006 * (INR n * w) + 10 * w) by (unfold kappa; fold et; lra).
  set (k := kappa n a b z phi) in *. split; [lra|]. unfold mean_relative. fold et k. pose proof (Hsmall phi2 Hphi2) as P2.
  assert (V : 0 <= v * phi2 <= 1e-14 * phi2) by (split; [apply Rmult_le_pos; lra|apply Rmult_le_compat_r; lra]).
  assert (V2 : 0 <= v * et <= 1e-14 * w) by (split; [apply Rmult_le_pos; lra|]; apply Rle_trans with (0.5 * w * 1e-14);
    [apply Rmult_le_compat; lra|lra]).
  assert (V3 : 0 <= v * phi2 * et <= 1e-14 * (1e-14 * phi2)).
  { split; [apply Rmult_le_pos; lra|]. rewrite Rmult_comm. apply Rmult_le_compat; lra. }
  assert (X : et + k + (v + phi2 * (1 + v)) * (1 + et) <= (1.0000013 * INR n + 21) * w) by lra.
  apply Rmult_le_reg_r with (1 - k); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
  eapply Rle_trans; [exact X|]. assert (Hk2 : (INR n + 64) * w * k <= (INR n + 64) * w * 5e-10).
  { apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|lra]. }
  lra.
Qed.

(** ** exp and expm1 of a shift x that was computed with relative error d: 2^8 roundings; the last factor is the code's *)
(* C++: bounds/softmax_weights.hpp make_weights. *)
Theorem shift_evaluation x d : 0 <= x <= 710 -> 0 <= d <= powerRZ 2 (-45) ->
  exp x - 1 <= (exp (x * (1 - d)) - 1) * (1 - d) * ((1 + powerRZ 2 (-30)) * (1 - powerRZ 2 (-53)) ^ 8) /\
  exp x <= exp (x * (1 - d)) * (1 - d) * ((1 + powerRZ 2 (-30)) * (1 - powerRZ 2 (-53)) ^ 8) /\
  exp (- (x * (1 - d))) * (1 + d) * ((1 - powerRZ 2 (-30)) * (1 + powerRZ 2 (-53)) ^ 8) <= exp (- x).
Proof.
  intros Hx Hd. assert (Hp : powerRZ 2 (-45) <= 3e-14) by interval. set (y := x * (1 - d)).
  assert (Hxd : 0 <= x * d <= 2.13e-11).
  { split; [apply Rmult_le_pos; lra|]. apply Rle_trans with (710 * 3e-14); [apply Rmult_le_compat; lra|lra]. }
  assert (Hy : 0 <= y <= 710).
  { unfold y. split; [apply Rmult_le_pos; lra|]. assert (x * (1 - d) <= x * 1) by (apply Rmult_le_compat_l; lra). lra. }
  pose proof (exp_pos y) as He. assert (Hy1 : 1 + y <= exp y) by apply exp_ineq1_le.
  assert (Ex : exp x = exp y * exp (x * d)) by (rewrite <- exp_plus; f_equal; unfold y; ring).
  assert (Hs : 1 <= exp (x * d) /\ exp (x * d) - 1 <= 1.001 * (x * d)).
  { pose proof (exp_ineq1_le (x * d)) as H0. pose proof (exp_ineq1_le (- (x * d))) as H. rewrite exp_Ropp in H.
    pose proof (exp_pos (x * d)) as H1. assert (exp (x * d) * (1 - x * d) <= 1).
    { apply Rle_trans with (exp (x * d) * / exp (x * d)); [apply Rmult_le_compat_l; lra|]. rewrite Rinv_r; lra. }
    assert (exp (x * d) <= 1.0001) by nra. split; [lra|nra]. }
  destruct Hs as [Hs0 Hs].
  assert (F : 1 + 3e-11 <= (1 - 3e-14) * ((1 + powerRZ 2 (-30)) * (1 - powerRZ 2 (-53)) ^ 8)) by interval with (i_prec 90).
  assert (Fp : 0 <= (1 + powerRZ 2 (-30)) * (1 - powerRZ 2 (-53)) ^ 8) by interval.
  assert (Up : forall r, 0 <= r -> (1 + 3e-11) * r <= r * (1 - d) * ((1 + powerRZ 2 (-30)) * (1 - powerRZ 2 (-53)) ^ 8)).
  { intros r Hr. rewrite Rmult_assoc, (Rmult_comm r). apply Rmult_le_compat_r; [assumption|]. eapply Rle_trans; [exact F|].
    apply Rmult_le_compat_r; lra. }
  split; [|split].
  - eapply Rle_trans; [|apply Up; lra]. assert (Hxy : x * (1 - 3e-14) <= y) by (unfold y; apply Rmult_le_compat_l; lra).
    assert (H1 : exp y * (x * d) <= 3.01e-14 * (exp y * y)).
    { assert (x * d <= 3.01e-14 * y).
      { assert (x * d <= x * 3e-14) by (apply Rmult_le_compat_l; lra). lra. }
      assert (exp y * (x * d) <= exp y * (3.01e-14 * y)) by (apply Rmult_le_compat_l; lra). lra. }
    assert (H2 : exp y * y <= (exp y - 1) * (1 + y)) by lra.
    assert (H3 : (exp y - 1) * (1 + y) <= (exp y - 1) * 711) by (apply Rmult_le_compat_l; lra).
    assert (H4 : exp y * (exp (x * d) - 1) <= exp y * (1.001 * (x * d))) by (apply Rmult_le_compat_l; lra). rewrite Ex. lra.
  - eapply Rle_trans; [|apply Up; lra]. rewrite Ex, Rmult_comm. apply Rmult_le_compat_r; lra.
  - assert (G : (1 + 3e-14) * ((1 - powerRZ 2 (-30)) * (1 + powerRZ 2 (-53)) ^ 8) * (1 + 3e-11) <= 1) by interval with (i_prec 90).
    assert (Gp : 0 <= (1 - powerRZ 2 (-30)) * (1 + powerRZ 2 (-53)) ^ 8) by interval.
    rewrite !exp_Ropp, Ex, Rinv_mult. rewrite Rmult_assoc. apply Rmult_le_compat_l; [left; now apply Rinv_0_lt_compat|].
    apply Rmult_le_reg_r with (exp (x * d)); [lra|]. rewrite Rinv_l by lra. eapply Rle_trans; [|exact G].
    apply Rmult_le_compat; [apply Rmult_le_pos; lra|lra|apply Rmult_le_compat_r; lra|lra].
Qed.

(** ** What binary64 loses in a dot product, from lengths of the vectors as it computes them, and from a kernel's radius *)
(* C++: bounds/values.hpp group_values. *)
Theorem own_by_lengths n (x y : nat -> R) s lx ly : let w := powerRZ 2 (-52) in INR n <= 4194304 ->
  near s (0.5000005 * (INR n * w) * rsum n (fun i => Rabs (x i * y i))) (rsum n (fun i => x i * y i)) ->
  norm n x * (1 - 1e-9) <= lx -> norm n y * (1 - 1e-9) <= ly -> near s (w * (INR n + 8) * lx * ly) (rsum n (fun i => x i * y i)).
Proof.
  intros w HN Hs Hx Hy. assert (Hw : 0 < w) by (unfold w; interval). pose proof (pos_INR n) as Hn.
  assert (N0 : forall z, 0 <= norm n z) by (intros; apply sqrt_pos). pose proof (N0 x) as Nx. pose proof (N0 y) as Ny.
  assert (Habs : forall z, norm n (fun i => Rabs (z i)) = norm n z).
  { intros z. unfold norm, norm2. f_equal. apply rsum_ext; intros i _. rewrite <- Rabs_mult. apply Rabs_pos_eq. nra. }
  assert (Hc : rsum n (fun i => Rabs (x i * y i)) <= norm n x * norm n y).
  { rewrite <- (Habs x), <- (Habs y). eapply Rle_trans; [|apply cauchy_schwarz]. right. apply rsum_ext; intros. apply Rabs_mult. }
  assert (Hl : norm n x * norm n y * (1 - 1e-9) * (1 - 1e-9) <= lx * ly).
  { replace (norm n x * norm n y * (1 - 1e-9) * (1 - 1e-9)) with (norm n x * (1 - 1e-9) * (norm n y * (1 - 1e-9))) by ring.
    apply Rmult_le_compat; try assumption; apply Rmult_le_pos; lra. }
  assert (Hp : 0 <= norm n x * norm n y) by now apply Rmult_le_pos. set (p := norm n x * norm n y) in *.
  assert (Hll : 0.99 * p <= lx * ly) by lra. eapply near_weaken; [exact Hs|].
  assert (Hnw : 0 <= INR n * w) by (apply Rmult_le_pos; lra).
  apply Rle_trans with (0.5000005 * (INR n * w) * p); [apply Rmult_le_compat_l; lra|].
  replace (w * (INR n + 8) * lx * ly) with ((INR n * w + 8 * w) * (lx * ly)) by ring.
  apply Rle_trans with ((INR n * w + 8 * w) * (0.99 * p)); [|apply Rmult_le_compat_l; lra].
  assert (0 <= INR n * w * p) by now apply Rmult_le_pos. assert (0 <= w * p) by (apply Rmult_le_pos; lra). lra.
Qed.

(** A kernel's radius holds its accumulation factor times the absolute sum, of which binary64's error is a part. *)
(* C++: bounds/scores.hpp make_scores. *)
Theorem own_of_radius k kb x absolute_sum own factor radius : 0 < factor -> 0 <= own -> near kb (own * absolute_sum) k ->
  factor * absolute_sum <= radius -> x = own / factor * radius -> Rabs k <= Rabs kb + x.
Proof.
  intros Hf Ho Hk Hr ->. unfold near in Hk. replace k with (kb + - (kb - k)) by ring. eapply Rle_trans; [apply Rabs_triang|].
  apply Rplus_le_compat_l. rewrite Rabs_Ropp. eapply Rle_trans; [exact Hk|]. unfold Rdiv.
  replace (own * absolute_sum) with (own * / factor * (factor * absolute_sum)) by (field; lra).
  apply Rmult_le_compat_l; [|assumption]. apply Rmult_le_pos; [assumption|left; now apply Rinv_0_lt_compat].
Qed.
