(** Purpose: the numbers with which the code covers what binary64 loses in the centres that radii are told from (Centre.v).
    Main results: [sum_own]: a sum of n terms, n 2^-53 (1 + 2^-8); [own_covers], [latent_own_covers]: what Setting adds to a sum's factor;
      [low_evaluated], [statistic_slack]: alpha; [weights_own], [mean_own_covers], [others_evaluated]: weights, means, sums less one term;
      [argument_above]: the place at which half an ulp is taken; [sigmoid_own]: 2^-51 for a sigmoid;
      [radius_less_part], [normal_weight], [least_weight]. At the end: every number of src/bounds and what it rests on.
    Depends on: Constants. Axioms: those of Coq's real numbers and, because numbers are computed, machine integers and floats. *)
From Coq Require Import Reals Lra Lia Psatz.
From Interval Require Import Tactic.
From Equinorm Require Import Constants.
Local Open Scope R_scope.

Notation v := (powerRZ 2 (-53)).

Lemma v_range : 0 < v <= 1.2e-16.
Proof. split; interval. Qed.

Lemma abs_between x a : Rabs x <= a -> - a <= x <= a.
Proof. unfold Rabs. destruct (Rcase_abs x); lra. Qed.

(** (1 + 2^-53)^n - 1: any order of a sum of n products in binary64. *)
(* C++: bounds/setting.hpp own_setting. *)
Theorem sum_own n : INR n <= 4194304 -> 0 <= phi n v <= 1.0000005 * (INR n * v).
Proof.
  intros Hn. pose proof v_range as Hv. pose proof (pos_INR n) as Hn0. split.
  - unfold phi. assert (1 <= (1 + v) ^ n) by (apply pow_R1_Rle; lra). lra.
  - pose proof (phi_at_most n v (INR n) ltac:(lra) ltac:(lra)) as H. eapply Rle_trans; [exact H|].
    set (x := INR n * v). assert (Hx : 0 <= x <= 4.7e-10).
    { unfold x. split; [apply Rmult_le_pos; lra|]. apply Rle_trans with (4194304 * v); [apply Rmult_le_compat_r; lra|interval]. }
    pose proof (exp_ineq1_le (- x)) as H0. rewrite exp_Ropp in H0. pose proof (exp_pos x) as He.
    assert (H1 : exp x * (1 - x) <= 1).
    { apply Rle_trans with (exp x * / exp x); [apply Rmult_le_compat_l; lra|]. rewrite Rinv_r; lra. }
    nra.
Qed.

(** L: the longest sum of the problem. One sum of n <= L terms and 8 relative roundings more (1.003 = 1 + 2^-8 - ...). *)
(* C++: bounds/setting.hpp own_error. *)
Theorem own_covers n L : INR n <= L -> L <= 1048576 -> phi (n + 8) v <= v * (1 + / 256) * (L + 16).
Proof.
  intros Hn HL. pose proof v_range as Hv. pose proof (pos_INR n). assert (HI : INR (n + 8) = INR n + 8) by (rewrite plus_INR; simpl; lra).
  destruct (sum_own (n + 8) ltac:(rewrite HI; lra)) as [_ H1]. rewrite HI in H1. eapply Rle_trans; [exact H1|].
  replace (v * (1 + / 256) * (L + 16)) with ((1 + / 256) * (L + 16) * v) by ring. rewrite <- Rmult_assoc.
  apply Rmult_le_compat_r; lra.
Qed.

(** The absorbed form's: k0 (r terms), the sum of g k0 (d terms and 12 roundings more), what storing g does (d), what stores move (r). *)
(* C++: bounds/setting.hpp own_error. *)
Theorem latent_own_covers r d L : INR r <= L -> INR d <= L -> L <= 524288 ->
  let a := phi r v in let b := phi (d + 12) v in a + b * (1 + a) + phi d v + phi r v <= v * (1 + / 256) * (4 * L + 64).
Proof.
  intros Hr Hd HL a b. pose proof v_range as Hv. pose proof (pos_INR r). pose proof (pos_INR d).
  assert (HI : INR (d + 12) = INR d + 12) by (rewrite plus_INR; simpl; lra).
  destruct (sum_own r ltac:(lra)) as [A0 A1]. destruct (sum_own d ltac:(lra)) as [_ D1].
  destruct (sum_own (d + 12) ltac:(rewrite HI; lra)) as [B0 B1]. rewrite HI in B1. fold a in A0, A1. fold b in B0, B1. fold a.
  assert (Hrv : 0 <= INR r * v <= L * v) by (split; [apply Rmult_le_pos|apply Rmult_le_compat_r]; lra).
  assert (Hdv : 0 <= INR d * v <= L * v) by (split; [apply Rmult_le_pos|apply Rmult_le_compat_r]; lra).
  assert (HLv : L * v <= 1e-10) by (apply Rle_trans with (524288 * v); [apply Rmult_le_compat_r; lra|interval]).
  assert (Hba : b * a <= b * 1e-9) by (apply Rmult_le_compat_l; lra).
  replace (v * (1 + / 256) * (4 * L + 64)) with ((1 + / 256) * (4 * (L * v) + 64 * v)) by ring. lra.
Qed.

(** ** alpha
    s: S of the centre, d: how far the kernel's may be from it, r: sqrt eps; sb, db, rb, lowb: as binary64 has them. *)
(* C++: bounds/statistic.hpp statistic. *)
Theorem low_evaluated s d r sb db rb lowb w : 0 <= w <= powerRZ 2 (-34) -> 0 < s -> 0 <= d -> 0 <= r ->
  s * (1 - w) <= sb <= s * (1 + w) -> d * (1 + powerRZ 2 (-31)) <= db -> rb <= r * (1 + w) -> 0 < lowb ->
  lowb <= Rmax rb ((sb - db) * (1 + v)) * (1 - powerRZ 2 (-50)) * (1 + v) -> 0 < Rmax r (s - d) ->
  s / Rmax r (s - d) <= sb / lowb * (1 + 4 * w) /\ d / s <= db / sb.
Proof.
  intros Hw Hs Hd Hr Hsb Hdb Hrb Hl Hlow Hpos. pose proof v_range as Hv. assert (Hw33 : powerRZ 2 (-34) <= 1.17e-10) by interval.
  assert (H31 : powerRZ 2 (-31) >= 4.65e-10) by (apply Rle_ge; interval). assert (W31 : 4 * powerRZ 2 (-34) <= powerRZ 2 (-31)) by interval.
  assert (Hsb0 : 0 < sb) by (assert (0 < s * (1 - w)) by (apply Rmult_lt_0_compat; lra); lra).
  set (low := Rmax r (s - d)) in *. pose proof (Rmax_l r (s - d)) as M1. pose proof (Rmax_r r (s - d)) as M2. fold low in M1, M2.
  assert (F : (1 - powerRZ 2 (-50)) * (1 + v) * (1 + v) <= 1) by (interval with (i_prec 120)).
  assert (F1 : 0 <= (1 - powerRZ 2 (-50)) * (1 + v)) by interval.
  assert (B : lowb <= low * (1 + 2 * w)).
  { assert (P : forall x, 0 <= x -> x * (1 - powerRZ 2 (-50)) * (1 + v) <= x /\ x * (1 + v) * (1 - powerRZ 2 (-50)) * (1 + v) <= x).
    { intros x Hx. split; [apply Rle_trans with (x * ((1 - powerRZ 2 (-50)) * (1 + v) * (1 + v)))|
        apply Rle_trans with (x * ((1 - powerRZ 2 (-50)) * (1 + v) * (1 + v)))]; try nra.
      replace (x * (1 - powerRZ 2 (-50)) * (1 + v)) with (x * ((1 - powerRZ 2 (-50)) * (1 + v) * 1)) by ring.
      apply Rmult_le_compat_l; [assumption|]. apply Rmult_le_compat_l; lra. }
    assert (Hwl : 0 <= low * w) by (apply Rmult_le_pos; lra).
    unfold Rmax in Hlow at 1. destruct (Rle_dec rb ((sb - db) * (1 + v))) as [Hc|Hc].
    - destruct (Rle_lt_dec (sb - db) 0) as [Hn|Hp].
      + assert ((sb - db) * (1 + v) <= 0) by nra. assert ((sb - db) * (1 + v) * ((1 - powerRZ 2 (-50)) * (1 + v)) <= 0) by nra.
        rewrite Rmult_assoc in Hlow. lra.
      + assert (X : lowb <= sb - db) by (eapply Rle_trans; [exact Hlow|]; apply P; lra).
        assert (Hsw : 0 <= s * w) by (apply Rmult_le_pos; lra).
        destruct (Rle_lt_dec (s / 2) d) as [Hbig|Hsmall].
        * assert (s * w <= d * powerRZ 2 (-31)); [|lra].
          apply Rle_trans with (s * powerRZ 2 (-34)); [apply Rmult_le_compat_l; lra|].
          apply Rle_trans with (s / 2 * powerRZ 2 (-31)); [|apply Rmult_le_compat_r; lra].
          unfold Rdiv. rewrite Rmult_assoc. apply Rmult_le_compat_l; lra.
        * assert (0 <= d * powerRZ 2 (-31)) by (apply Rmult_le_pos; lra).
          assert ((s - d) * w >= s / 2 * w) by (apply Rle_ge, Rmult_le_compat_r; lra).
          assert ((s - d) * w <= low * w) by (apply Rmult_le_compat_r; lra). lra.
    - destruct (Rle_lt_dec rb 0) as [Hn|Hp];
        [assert (rb * ((1 - powerRZ 2 (-50)) * (1 + v)) <= 0) by nra; rewrite Rmult_assoc in Hlow; lra|].
      assert (X : lowb <= rb) by (eapply Rle_trans; [exact Hlow|]; apply P; lra).
      assert (r * w <= low * w) by (apply Rmult_le_compat_r; lra). lra. }
  split.
  - apply Rmult_le_reg_r with low; [lra|]. unfold Rdiv at 1. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    apply Rmult_le_reg_r with lowb; [assumption|].
    replace (sb / lowb * (1 + 4 * w) * low * lowb) with (sb * ((1 + 4 * w) * low)) by (field; lra).
    apply Rle_trans with (s * (low * (1 + 2 * w))); [apply Rmult_le_compat_l; lra|].
    apply Rle_trans with (s * (1 - w) * ((1 + 4 * w) * low)).
    + replace (s * (low * (1 + 2 * w))) with (s * low * (1 + 2 * w)) by ring.
      replace (s * (1 - w) * ((1 + 4 * w) * low)) with (s * low * ((1 - w) * (1 + 4 * w))) by ring.
      apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|nra].
    + apply Rmult_le_compat_r; [apply Rmult_le_pos; lra|lra].
  - apply Rmult_le_reg_r with sb; [assumption|]. unfold Rdiv at 2. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    eapply Rle_trans; [|exact Hdb]. unfold Rdiv. rewrite Rmult_assoc. apply Rmult_le_compat_l; [assumption|].
    apply Rmult_le_reg_l with s; [assumption|]. rewrite <- Rmult_assoc, Rinv_r, Rmult_1_l by lra.
    eapply Rle_trans; [apply Hsb|]. apply Rmult_le_compat_l; lra.
Qed.

(** rb: rho as binary64 has it of these; 4 w and own: what low_evaluated and centre_statistic leave; the right side is the code's. *)
(* C++: bounds/statistic.hpp statistic. *)
Theorem statistic_slack n rb : 0 <= rb -> INR n <= 524288 -> let w := (INR n / 2 + 4) * v in let own := (INR n / 2 + 6) * v in
  ((1 + rb) * (1 + 4 * w) - 1) * (1 + 2 * own) + 2 * own <=
  (rb * (1 + powerRZ 2 (-30)) * (1 - v) * (1 - v) + (2 * INR n + 64) * powerRZ 2 (-52) * (1 - v) * (1 - v)) * (1 - v).
Proof.
  intros Hr Hn w own. pose proof v_range as Hv. pose proof (pos_INR n) as Hn0. set (m := INR n * v) in *.
  assert (Hm : 0 <= m <= 6e-11).
  { unfold m. split; [apply Rmult_le_pos; lra|]. apply Rle_trans with (524288 * v); [apply Rmult_le_compat_r; lra|interval]. }
  assert (Ew : w = m / 2 + 4 * v) by (unfold w, m; field). assert (Eo : own = m / 2 + 6 * v) by (unfold own, m; field).
  assert (E52 : powerRZ 2 (-52) >= 1.999999 * v) by (apply Rle_ge; interval with (i_prec 120)).
  assert (H30 : powerRZ 2 (-30) >= 9.3e-10) by (apply Rle_ge; interval).
  assert (Hw : 0 <= w <= 3.1e-11) by lra. assert (Ho : 0 <= own <= 3.1e-11) by lra.
  assert (A : ((1 + rb) * (1 + 4 * w) - 1) * (1 + 2 * own) + 2 * own <= rb * (1 + 2e-10) + 4.001 * w + 2 * own).
  { assert (P : 0 <= w * own <= w * 3.1e-11) by (split; [apply Rmult_le_pos|apply Rmult_le_compat_l]; lra).
    assert (X : (1 + 4 * w) * (1 + 2 * own) <= 1 + 2e-10) by lra. assert (Y : rb * ((1 + 4 * w) * (1 + 2 * own)) <= rb * (1 + 2e-10))
      by (apply Rmult_le_compat_l; assumption). lra. }
  assert (K : (1 - v) * (1 - v) * (1 - v) >= 1 - 1e-15) by (apply Rle_ge; interval with (i_prec 90)).
  assert (B : rb * (1 + 2e-10) <= rb * ((1 + powerRZ 2 (-30)) * ((1 - v) * (1 - v) * (1 - v)))).
  { apply Rmult_le_compat_l; [assumption|]. apply Rle_trans with ((1 + 9.3e-10) * (1 - 1e-15)); [lra|]. apply Rmult_le_compat; lra. }
  assert (C : 3.99 * m + 120 * v <= (2 * INR n + 64) * powerRZ 2 (-52) * ((1 - v) * (1 - v) * (1 - v))).
  { apply Rle_trans with ((2 * INR n + 64) * (1.999999 * v) * (1 - 1e-15)).
    - replace ((2 * INR n + 64) * (1.999999 * v) * (1 - 1e-15)) with ((2 * m + 64 * v) * (1.999999 * (1 - 1e-15))) by (unfold m; ring). lra.
    - apply Rmult_le_compat; try lra; [apply Rmult_le_pos; lra|]. apply Rmult_le_compat_l; lra. }
  lra.
Qed.

(** ** Weights e / S
    a: relative error of each exp of a rounded difference above -746; the sum has n terms; the quotient is rounded. *)
(* C++: bounds/average.hpp average_bound; bounds/softmax_weights.hpp make_weights. *)
Theorem weights_own n a : INR n <= 2097152 -> 0 <= a -> 1 + a <= exp (746 * v) * (1 + 4 * v) ->
  let b := phi n v in
  (1 + a) * (1 + v) <= (1 - a) * (1 - b) * (1 + (INR n + 1550) * v) /\ (1 - a) * (1 - v) >= (1 + a) * (1 + b) * (1 - (INR n + 1550) * v).
Proof.
  intros Hn Ha0 Ha b. pose proof v_range as Hv. pose proof (pos_INR n) as Hn0. destruct (sum_own n ltac:(lra)) as [B0 B1]. fold b in B0, B1.
  assert (Ha1 : a <= 751 * v).
  { assert (exp (746 * v) * (1 + 4 * v) - 1 <= 751 * v) by (interval with (i_prec 120)). lra. }
  set (m := INR n * v) in *. assert (Hm : 0 <= m <= 2.4e-10).
  { unfold m. split; [apply Rmult_le_pos; lra|]. apply Rle_trans with (2097152 * v); [apply Rmult_le_compat_r; lra|interval]. }
  assert (Hm2 : m <= 2097152 * v) by (unfold m; apply Rmult_le_compat_r; lra).
  replace ((INR n + 1550) * v) with (m + 1550 * v) by (unfold m; ring). set (z := m + 1550 * v).
  assert (Hz : 0 <= z <= 2.5e-10) by (unfold z; lra).
  assert (P1 : 0 <= z * a <= 2.5e-10 * a) by (split; [apply Rmult_le_pos|apply Rmult_le_compat_r]; lra).
  assert (P2 : 0 <= z * b <= 2.5e-10 * b) by (split; [apply Rmult_le_pos|apply Rmult_le_compat_r]; lra).
  assert (P3 : 0 <= a * b <= 2.5e-10 * a) by (split; [apply Rmult_le_pos|rewrite (Rmult_comm a); apply Rmult_le_compat_r]; lra).
  assert (P4 : 0 <= z * (a * b) <= a * b) by (split; [apply Rmult_le_pos; lra|]; rewrite <- (Rmult_1_l (a * b)) at 2;
    apply Rmult_le_compat_r; lra).
  assert (P5 : 0 <= a * v <= 1.2e-16 * a) by (split; [apply Rmult_le_pos|rewrite (Rmult_comm a); apply Rmult_le_compat_r]; lra).
  unfold z in *. split; lra.
Qed.

(** The mean of values with such weights: rho + phi (1 + rho) of mean_own. *)
(* C++: bounds/average.hpp average_bound. *)
Theorem mean_own_covers n : INR n <= 2097152 -> let rho := (INR n + 1550) * v in
  rho + phi n v * (1 + rho) <= (INR n + 1024) * powerRZ 2 (-52) * (1 - v) * (1 - v) * (1 - v).
Proof.
  intros Hn rho. pose proof v_range as Hv. pose proof (pos_INR n) as Hn0. destruct (sum_own n ltac:(lra)) as [B0 B1].
  set (m := INR n * v) in *. assert (Hm : 0 <= m <= 2.4e-10).
  { unfold m. split; [apply Rmult_le_pos; lra|]. apply Rle_trans with (2097152 * v); [apply Rmult_le_compat_r; lra|interval]. }
  assert (Er : rho = m + 1550 * v) by (unfold rho, m; ring). assert (E52 : powerRZ 2 (-52) = 2 * v) by (simpl; lra).
  rewrite E52. replace ((INR n + 1024) * (2 * v) * (1 - v) * (1 - v) * (1 - v)) with ((2 * m + 2048 * v) * ((1 - v) * (1 - v) * (1 - v)))
    by (unfold m; ring).
  assert (K : (1 - v) * (1 - v) * (1 - v) >= 1 - 1e-15) by (apply Rle_ge; interval with (i_prec 90)).
  assert (P : phi n v * (1 + rho) <= 1.0000005 * m * (1 + 3e-10)) by (apply Rmult_le_compat; lra).
  assert (Hm2 : m <= 2097152 * v) by (unfold m; apply Rmult_le_compat_r; lra).
  apply Rle_trans with ((2 * m + 2048 * v) * (1 - 1e-15)); [|apply Rmult_le_compat_l; lra]. lra.
Qed.

(** ** A sum less one of its terms, x = above - own term, both known within a relative a *)
(* C++: bounds/softmax_weights.hpp make_weights. *)
Theorem others_evaluated n above term above_c term_c x : let a := (INR n + 760) * v in let lost := (INR n + 1024) * powerRZ 2 (-52) in
  INR n <= 2097152 -> 0 <= term <= above -> Rabs (above_c - above) <= a * above -> Rabs (term_c - term) <= a * term ->
  Rabs (x - (above_c - term_c)) <= v * Rabs (above_c - term_c) ->
  above - term <= Rabs x * (1 + powerRZ 2 (-31)) + lost * (1 - 1e-9) * above_c /\ x - lost * (1 - 1e-9) * above_c <= above - term.
Proof.
  intros a lost Hn Ht Ha Hc Hx. pose proof v_range as Hv. pose proof (pos_INR n) as Hn0. set (m := INR n * v) in *.
  assert (Hm : 0 <= m <= 2.4e-10).
  { unfold m. split; [apply Rmult_le_pos; lra|]. apply Rle_trans with (2097152 * v); [apply Rmult_le_compat_r; lra|interval]. }
  assert (Ea : a = m + 760 * v) by (unfold a, m; ring). assert (El : lost = 2 * m + 2048 * v).
  { unfold lost, m. assert (E52 : powerRZ 2 (-52) = 2 * v) by (simpl; lra). rewrite E52. ring. }
  assert (Ha0 : 0 <= a <= 2.5e-10) by lra. assert (H31 : 4.65e-10 <= powerRZ 2 (-31)) by interval.
  assert (Hat : a * term <= a * above) by (apply Rmult_le_compat_l; lra). assert (Haa : 0 <= a * above) by (apply Rmult_le_pos; lra).
  assert (Hm2 : m <= 2097152 * v) by (unfold m; apply Rmult_le_compat_r; lra).
  apply abs_between in Ha. apply abs_between in Hc. assert (Has : a * above <= 2.5e-10 * above) by (apply Rmult_le_compat_r; lra).
  assert (Hab : above <= above_c * (1 + 1e-9)) by lra. assert (Hac0 : 0 <= above_c) by lra.
  assert (Hp : a * above <= a * (above_c * (1 + 1e-9))) by (apply Rmult_le_compat_l; lra).
  assert (HM : 0 <= m * above_c) by (apply Rmult_le_pos; lra). assert (HV : 0 <= v * above_c) by (apply Rmult_le_pos; lra).
  assert (HMV : m * above_c <= 2097152 * v * above_c) by (apply Rmult_le_compat_r; lra).
  assert (Hla : 2 * (a * above) + 3 * v * above_c <= lost * (1 - 1e-9) * above_c) by (rewrite Ea in Hp at 2; rewrite El; lra).
  assert (Hd : Rabs (above_c - term_c) <= 2 * above_c) by (apply Rabs_le; lra).
  assert (Hvd : v * Rabs (above_c - term_c) <= v * (2 * above_c)) by (apply Rmult_le_compat_l; lra).
  apply abs_between in Hx. pose proof (Rle_abs x) as Hxa. pose proof (Rabs_pos x) as Hx0.
  assert (0 <= Rabs x * powerRZ 2 (-31)) by (apply Rmult_le_pos; lra). split; lra.
Qed.

(** ** Where half an ulp is taken: m + s <= (m + 2 sb)(1 + 2^-50), s known within 2^-30 *)
(* C++: bounds/queries.hpp make_queries; bounds/rounding.hpp Rounding::error_near; bounds/rounding.hpp Rounding::held_near;
   bounds/softmax_weights.hpp make_weights. *)
Theorem argument_above m s sb z : 0 <= m -> 0 <= s -> s * (1 - powerRZ 2 (-30)) <= sb ->
  (m + 2 * sb) * (1 - v) * (1 + powerRZ 2 (-50)) * (1 - v) <= z -> m + s <= z.
Proof.
  intros Hm Hs Hb Hz. assert (H1 : 1 <= (1 - v) * ((1 + powerRZ 2 (-50)) * (1 - v))) by (interval with (i_prec 120)).
  assert (H2 : powerRZ 2 (-30) <= 1e-9) by interval.
  assert (s * powerRZ 2 (-30) <= s * 1e-9) by (apply Rmult_le_compat_l; lra).
  eapply Rle_trans; [|exact Hz]. apply Rle_trans with ((m + 2 * sb) * 1); [lra|].
  replace ((m + 2 * sb) * (1 - v) * (1 + powerRZ 2 (-50)) * (1 - v))
    with ((m + 2 * sb) * ((1 - v) * ((1 + powerRZ 2 (-50)) * (1 - v)))) by ring.
  apply Rmult_le_compat_l; lra.
Qed.

(** ** 1 / (1 + e) with e within 2^-51 of exp, two roundings more: 2^-50 *)
(* C++: bounds/bounds.hpp error_bounds. *)
Theorem sigmoid_own e ec s : 0 < e -> Rabs (ec - e) <= powerRZ 2 (-51) * e -> s = 1 + ec ->
  Rabs (/ s - / (1 + e)) <= powerRZ 2 (-51) * / (1 + e) * (1 + 1e-15).
Proof.
  intros He Hc ->. assert (Hp : 0 < powerRZ 2 (-51) <= 4.5e-16) by (split; interval). assert (Hce := abs_between _ _ Hc).
  assert (Hpos : 0 < 1 + ec) by nra. replace (/ (1 + ec) - / (1 + e)) with (- ((ec - e) * / (1 + ec) * / (1 + e))) by (field; lra).
  rewrite Rabs_Ropp, !Rabs_mult. rewrite (Rabs_pos_eq (/ (1 + ec))), (Rabs_pos_eq (/ (1 + e))) by (left; apply Rinv_0_lt_compat; lra).
  replace (powerRZ 2 (-51) * / (1 + e) * (1 + 1e-15)) with (powerRZ 2 (-51) * (1 + 1e-15) * / (1 + e)) by ring.
  apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat; lra|]. apply Rmult_le_reg_r with (1 + ec); [assumption|].
  rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. eapply Rle_trans; [exact Hc|].
  rewrite (Rmult_assoc (powerRZ 2 (-51)) (1 + 1e-15)). apply Rmult_le_compat_l; [lra|]. nra.
Qed.

(** ** A radius r less the part c of it that is charged elsewhere *)
(* C++: bounds/vectors.hpp finish_row. *)
Theorem radius_less_part r c x : 0 <= c <= r -> (r * (1 + powerRZ 2 (-50)) * (1 - v) - c) * (1 - v) <= x -> r - c <= x.
Proof.
  intros Hr Hx. eapply Rle_trans; [|exact Hx]. pose proof v_range as Hv.
  assert (F : 1 + v <= (1 + powerRZ 2 (-50)) * (1 - v) * (1 - v)) by (interval with (i_prec 120)).
  assert (A : r * (1 + v) <= r * ((1 + powerRZ 2 (-50)) * (1 - v) * (1 - v))) by (apply Rmult_le_compat_l; lra).
  assert (0 <= c * v) by (apply Rmult_le_pos; lra). assert (0 <= r * v) by (apply Rmult_le_pos; lra). lra.
Qed.

(** ** Stored weights above 2^24 half subnormals are normal, in any format of at most 24 bits: only their relative error counts *)
(* C++: bounds/softmax_weights.hpp make_weights. *)
Theorem normal_weight (bits : nat) subnormal : (1 <= bits <= 24)%nat -> 0 < subnormal ->
  subnormal * 2 ^ (bits - 1) <= subnormal / 2 * 2 ^ 24.
Proof.
  intros Hb Hs. assert (H : 2 ^ (bits - 1) <= 2 ^ 23) by (apply Rle_pow; [lra|lia]).
  replace (subnormal / 2 * 2 ^ 24) with (subnormal * 2 ^ 23) by (simpl; field). apply Rmult_le_compat_l; lra.
Qed.

(** ** The largest weight in base 2 is at least 1 - 2 lambda - 4 u R: exp2_allowance at distance 0, lambda: of exp and of a rescale *)
(* C++: bounds/softmax_sums.hpp average_sums. *)
Theorem least_weight u R lambda x : 0 <= u <= / 128 -> 0 <= R -> 0 <= lambda ->
  Rabs x <= ((1 + u) * (1 + u) - 1) * (0 + 2 * u * R) + u * R + 2 * lambda -> 1 - 2 * lambda - 4 * u * R <= exp x.
Proof.
  intros Hu HR Hl Hx. apply abs_between in Hx. pose proof (exp_ineq1_le x) as He.
  assert (0 <= u * R) by (apply Rmult_le_pos; lra). assert (A : u * (u * R) <= / 128 * (u * R)) by (apply Rmult_le_compat_r; lra).
  assert (0 <= u * (u * R)) by (apply Rmult_le_pos; lra).
  assert (B : u * (u * (u * R)) <= / 128 * (u * (u * R))) by (apply Rmult_le_compat_r; lra).
  lra.
Qed.

(** ** Numbers of src/bounds, by file, and what each rests on
    rounding.hpp     1 + 2^-50, 2^-52, 2^-51: neighbour_arguments, argument_above, held_middle; phi's 1 + 2^-40: phi_evaluation
    setting.cpp      (L + 16), (4 L + 64), times 2^-53 (1 + 2^-8): own_covers, latent_own_covers
    statistic.cpp    1 + 2^-30 and 1 - 2^-50 on distance and low: low_evaluated; the last 1 + 2^-30 and (2 n + 64) 2^-52: statistic_slack;
                     1 + 8 u: squares_guard; eps (1 + 2^-50): argument_above
    vectors.cpp      1 + 2^-50 under half an ulp: argument_above; 2^-52 |1 + gamma|: one rounding; 1 + 2^-50 on a radius: radius_less_part
    followed.cpp     1 + 2^-30: slack_covers; own + 2^-50: own_covers
    scores.cpp       latent + 4, times 2^-53 (1 + 2^-8): sum_own; 2^-50: a library's tanh, taken to be within 2^-51
    softmax_weights  1 +- 2^-30: least_sum_low, shift_evaluation; (T + 1024) 2^-52: weights_own, others_evaluated; 2^24: normal_weight;
                     700: exp_in_range; 2^-50 (largest + span): the last sum and the library's log; 1 + 4 u, 4 u, 2 u:
                     split_allowance_base_two, exp2_allowance
    softmax_sums     4 u largest: least_weight; the splits: split_allowance, split_allowance_base_two
    average.cpp      (T + 64) 2^-52: mean_allowance; (T + 1024) 2^-52: mean_own_covers; 1 + 2^-30: slack_covers
    values.cpp       (r + 8) 2^-52: own_by_lengths; 1 + 2^-30: slack_covers
    bounds.cpp       1 + 2^-30, 2^-460: bound_evaluated; 2^-75: raises bounds, and need cover nothing; 2^-50: sigmoid_own
    apriori*.cpp     1 + 2^-30, 1 - 2^-30: slack_covers, least_sum_low; 1 + 2^-40: a library's tanh
    probable*.cpp, amplification.*: 1.02, 0.42466 (rms_rounding): models of random errors, no bounds *)
