(** Purpose: a bound is a sum, product, quotient, maximum and minimum of numbers that are not negative; the code evaluates it in binary64,
      multiplies by 1 + 2^-30 and adds 2^-460. What it then has is at least the bound.
    Main results: [positive_evaluation]: with h roundings on the longest way, value (1 - v)^h <= computed + what underflow took;
      [underflow_taken]: that is at most products (3 H)^depth tiny, H the largest number on the way; [bound_evaluated],
      [bound_evaluated_sizes]: h <= 2^22 - 1, 2^40 products, nested 4 deep, of numbers up to 2^128.
    Depends on: Constants. Axioms: those of Coq's real numbers and, because numbers are computed, machine integers and floats. *)
From Coq Require Import Reals Lra Lia.
From Interval Require Import Tactic.
From Equinorm Require Import Constants.
Local Open Scope R_scope.

(** A leaf is a number that is known from below within k roundings. Sums are binary: a sum of n terms in any order has at most n roundings.
    The divisor of a quotient is known from above within k roundings. *)
Inductive expression :=
  | Known (x : R) (k : nat)
  | Plus (a b : expression)
  | Times (a b : expression)
  | Over (a : expression) (x : R) (k : nat)
  | Larger (a b : expression)
  | Smaller (a b : expression).

Fixpoint value (e : expression) : R :=
  match e with
  | Known x _ => x
  | Plus a b => value a + value b
  | Times a b => value a * value b
  | Over a x _ => value a / x
  | Larger a b => Rmax (value a) (value b)
  | Smaller a b => Rmin (value a) (value b)
  end.

(** Roundings on the longest way to a result. *)
Fixpoint roundings (e : expression) : nat :=
  match e with
  | Known _ k => k
  | Plus a b => S (max (roundings a) (roundings b))
  | Times a b => S (roundings a + roundings b)
  | Over a _ k => S (roundings a + k)
  | Larger a b | Smaller a b => max (roundings a) (roundings b)
  end.

Fixpoint products (e : expression) : nat :=
  match e with
  | Known _ _ => 0
  | Plus a b | Larger a b | Smaller a b => products a + products b
  | Times a b => S (products a + products b)
  | Over a _ _ => S (products a)
  end.

Fixpoint depth (e : expression) : nat :=
  match e with
  | Known _ _ => 0
  | Plus a b | Larger a b | Smaller a b => max (depth a) (depth b)
  | Times a b => S (max (depth a) (depth b))
  | Over a _ _ => S (depth a)
  end.

Section Evaluation.
(** v: of one rounding, tiny: what a product or quotient may lose by underflow (a sum loses nothing), H: the largest number on the way. *)
Variables (v tiny H : R).
Hypothesis v_range : 0 <= v < 1.
Hypothesis tiny_nonneg : 0 <= tiny.
Hypothesis H_large : 1 <= H.

(** evaluates e c D: c may be what comes out; D is what underflow took at most. *)
Inductive evaluates : expression -> R -> R -> Prop :=
  | known x k c : 0 <= x -> x * (1 - v) ^ k <= c -> c <= H -> evaluates (Known x k) c 0
  | plus a b ca cb Da Db c : evaluates a ca Da -> evaluates b cb Db -> (ca + cb) * (1 - v) <= c -> c <= H ->
      evaluates (Plus a b) c (Da + Db)
  | times a b ca cb Da Db c : evaluates a ca Da -> evaluates b cb Db -> 0 <= c -> ca * cb * (1 - v) - tiny <= c -> c <= H ->
      evaluates (Times a b) c (Da * (cb + Db) + ca * Db + tiny)
  | over a x k ca cx Da c : evaluates a ca Da -> 0 < x -> / H <= cx -> cx * (1 - v) ^ k <= x -> 0 <= c -> ca / cx * (1 - v) - tiny <= c ->
      c <= H -> evaluates (Over a x k) c (Da / cx + tiny)
  | larger a b ca cb Da Db : evaluates a ca Da -> evaluates b cb Db -> evaluates (Larger a b) (Rmax ca cb) (Rmax Da Db)
  | smaller a b ca cb Da Db : evaluates a ca Da -> evaluates b cb Db -> evaluates (Smaller a b) (Rmin ca cb) (Rmax Da Db).

Lemma power_range k : 0 < (1 - v) ^ k <= 1.
Proof. split; [apply pow_lt; lra|]. apply Rle_trans with (1 ^ k); [apply pow_incr; lra|rewrite pow1; lra]. Qed.

Lemma power_less i k : (i <= k)%nat -> (1 - v) ^ k <= (1 - v) ^ i.
Proof.
  intros Hik. replace k with (i + (k - i))%nat by lia. rewrite pow_add. pose proof (power_range i). pose proof (power_range (k - i)).
  rewrite <- (Rmult_1_r ((1 - v) ^ i)) at 2. apply Rmult_le_compat_l; lra.
Qed.

Lemma below_power x i k y : 0 <= x -> (i <= k)%nat -> x * (1 - v) ^ i <= y -> x * (1 - v) ^ k <= y.
Proof. intros Hx Hik Hy. eapply Rle_trans; [|exact Hy]. apply Rmult_le_compat_l; [assumption|now apply power_less]. Qed.

Lemma evaluates_signs e c D : evaluates e c D -> 0 <= value e /\ 0 <= c <= H /\ 0 <= D.
Proof.
  assert (HH : 0 < / H) by (apply Rinv_0_lt_compat; lra).
  induction 1 as [x k c Hx Hc HcH|a b ca cb Da Db c Ha IHa Hb IHb Hc HcH|a b ca cb Da Db c Ha IHa Hb IHb Hc0 Hc HcH|
    a x k ca cx Da c Ha IHa Hx Hcx Hd Hc0 Hc HcH|a b ca cb Da Db Ha IHa Hb IHb|a b ca cb Da Db Ha IHa Hb IHb]; simpl.
  - pose proof (power_range k). assert (0 <= x * (1 - v) ^ k) by (apply Rmult_le_pos; lra). lra.
  - assert (0 <= (ca + cb) * (1 - v)) by (apply Rmult_le_pos; lra). lra.
  - assert (0 <= value a * value b) by (apply Rmult_le_pos; lra). assert (0 <= Da * (cb + Db)) by (apply Rmult_le_pos; lra).
    assert (0 <= ca * Db) by (apply Rmult_le_pos; lra). lra.
  - assert (0 < / x) by now apply Rinv_0_lt_compat. assert (0 < / cx) by (apply Rinv_0_lt_compat; lra).
    assert (0 <= value a / x) by (apply Rmult_le_pos; lra). assert (0 <= Da / cx) by (apply Rmult_le_pos; lra). lra.
  - unfold Rmax. destruct (Rle_dec (value a) (value b)), (Rle_dec ca cb), (Rle_dec Da Db); lra.
  - unfold Rmax, Rmin. destruct (Rle_dec (value a) (value b)), (Rle_dec ca cb), (Rle_dec Da Db); lra.
Qed.

(* C++: bounds/bounds.hpp error_bounds. *)
Theorem positive_evaluation e c D : evaluates e c D -> value e * (1 - v) ^ roundings e <= c + D.
Proof.
  assert (HH : 0 < / H) by (apply Rinv_0_lt_compat; lra).
  induction 1 as [x k c Hx Hc HcH|a b ca cb Da Db c Ha IHa Hb IHb Hc HcH|a b ca cb Da Db c Ha IHa Hb IHb Hc0 Hc HcH|
    a x k ca cx Da c Ha IHa Hx Hcx Hd Hc0 Hc HcH|a b ca cb Da Db Ha IHa Hb IHb|a b ca cb Da Db Ha IHa Hb IHb]; cbn [value roundings].
  - lra.
  - destruct (evaluates_signs _ _ _ Ha) as (A1 & A2 & A3). destruct (evaluates_signs _ _ _ Hb) as (B1 & B2 & B3).
    pose proof (below_power _ (roundings a) (max (roundings a) (roundings b)) _ A1 ltac:(lia) IHa) as H1.
    pose proof (below_power _ (roundings b) (max (roundings a) (roundings b)) _ B1 ltac:(lia) IHb) as H2.
    set (P := (1 - v) ^ max (roundings a) (roundings b)) in *. simpl pow. fold P.
    assert ((1 - v) * (value a * P + value b * P) <= (1 - v) * (ca + Da + (cb + Db))) by (apply Rmult_le_compat_l; lra).
    assert ((1 - v) * (Da + Db) <= 1 * (Da + Db)) by (apply Rmult_le_compat_r; lra). lra.
  - destruct (evaluates_signs _ _ _ Ha) as (A1 & A2 & A3). destruct (evaluates_signs _ _ _ Hb) as (B1 & B2 & B3).
    pose proof (power_range (roundings a)) as PA. pose proof (power_range (roundings b)) as PB.
    assert (Hm : value a * (1 - v) ^ roundings a * (value b * (1 - v) ^ roundings b) <= (ca + Da) * (cb + Db)).
    { apply Rmult_le_compat; try assumption; apply Rmult_le_pos; lra. }
    simpl pow. rewrite pow_add.
    replace (value a * value b * ((1 - v) * ((1 - v) ^ roundings a * (1 - v) ^ roundings b)))
      with ((1 - v) * (value a * (1 - v) ^ roundings a * (value b * (1 - v) ^ roundings b))) by ring.
    eapply Rle_trans; [apply Rmult_le_compat_l; [lra|exact Hm]|].
    assert (Hr : 0 <= Da * (cb + Db) + ca * Db).
    { assert (0 <= Da * (cb + Db)) by (apply Rmult_le_pos; lra). assert (0 <= ca * Db) by (apply Rmult_le_pos; lra). lra. }
    assert ((1 - v) * (Da * (cb + Db) + ca * Db) <= 1 * (Da * (cb + Db) + ca * Db)) by (apply Rmult_le_compat_r; lra). lra.
  - destruct (evaluates_signs _ _ _ Ha) as (A1 & A2 & A3). pose proof (power_range k) as Pk.
    assert (Hix : 0 < / x) by now apply Rinv_0_lt_compat. assert (Hic : 0 < / cx) by (apply Rinv_0_lt_compat; lra).
    assert (Hk : (1 - v) ^ k * / x <= / cx).
    { apply Rmult_le_reg_l with cx; [lra|]. rewrite Rinv_r by lra. apply Rmult_le_reg_r with x; [assumption|].
      rewrite Rmult_assoc, Rmult_assoc, Rinv_l by lra. lra. }
    simpl pow. rewrite pow_add. unfold Rdiv in *.
    replace (value a * / x * ((1 - v) * ((1 - v) ^ roundings a * (1 - v) ^ k)))
      with ((1 - v) * (value a * (1 - v) ^ roundings a * ((1 - v) ^ k * / x))) by ring.
    pose proof (power_range (roundings a)) as PA.
    assert (Hm : value a * (1 - v) ^ roundings a * ((1 - v) ^ k * / x) <= (ca + Da) * / cx).
    { apply Rmult_le_compat; try assumption; apply Rmult_le_pos; lra. }
    eapply Rle_trans; [apply Rmult_le_compat_l; [lra|exact Hm]|]. assert (0 <= Da * / cx) by (apply Rmult_le_pos; lra).
    assert ((1 - v) * (Da * / cx) <= 1 * (Da * / cx)) by (apply Rmult_le_compat_r; lra). lra.
  - destruct (evaluates_signs _ _ _ Ha) as (A1 & _). destruct (evaluates_signs _ _ _ Hb) as (B1 & _).
    pose proof (below_power _ (roundings a) (max (roundings a) (roundings b)) _ A1 ltac:(lia) IHa) as H1.
    pose proof (below_power _ (roundings b) (max (roundings a) (roundings b)) _ B1 ltac:(lia) IHb) as H2.
    pose proof (Rmax_l ca cb). pose proof (Rmax_r ca cb). pose proof (Rmax_l Da Db). pose proof (Rmax_r Da Db).
    unfold Rmax at 1. destruct (Rle_dec (value a) (value b)); lra.
  - destruct (evaluates_signs _ _ _ Ha) as (A1 & _). destruct (evaluates_signs _ _ _ Hb) as (B1 & _).
    pose proof (below_power _ (roundings a) (max (roundings a) (roundings b)) _ A1 ltac:(lia) IHa) as H1.
    pose proof (below_power _ (roundings b) (max (roundings a) (roundings b)) _ B1 ltac:(lia) IHb) as H2.
    pose proof (power_range (max (roundings a) (roundings b))) as P.
    pose proof (Rmax_l Da Db). pose proof (Rmax_r Da Db).
    assert (Rmin (value a) (value b) * (1 - v) ^ max (roundings a) (roundings b) <= value a * (1 - v) ^ max (roundings a) (roundings b))
      by (apply Rmult_le_compat_r; [lra|apply Rmin_l]).
    assert (Rmin (value a) (value b) * (1 - v) ^ max (roundings a) (roundings b) <= value b * (1 - v) ^ max (roundings a) (roundings b))
      by (apply Rmult_le_compat_r; [lra|apply Rmin_r]).
    unfold Rmin at 2. destruct (Rle_dec ca cb); lra.
Qed.

(** ** What underflow takes *)
Definition taken (k d : nat) : R := INR k * (3 * H) ^ d * tiny.

Lemma taken_mono i k d f : (i <= k)%nat -> (d <= f)%nat -> taken i d <= taken k f.
Proof.
  intros Hik Hdf. unfold taken. apply Rmult_le_compat_r; [assumption|]. apply Rmult_le_compat; [apply pos_INR|apply pow_le; lra| |].
  - now apply le_INR.
  - apply Rle_pow; [lra|assumption].
Qed.

Lemma taken_plus i k d : taken (i + k) d = taken i d + taken k d.
Proof. unfold taken. rewrite plus_INR. ring. Qed.

Lemma taken_times i k d : H * (2 * taken i d) + H * taken k d + tiny <= taken (S (i + k)) (S d) /\
  H * taken i d + tiny <= taken (S i) (S d).
Proof.
  unfold taken. rewrite !S_INR, plus_INR. simpl pow. assert (HP : 1 <= (3 * H) ^ d) by (apply pow_R1_Rle; lra).
  set (P := (3 * H) ^ d) in *. pose proof (pos_INR i) as Hi. pose proof (pos_INR k) as Hk.
  assert (Ai : 0 <= H * (INR i * P * tiny)) by (repeat apply Rmult_le_pos; lra).
  assert (Ak : 0 <= H * (INR k * P * tiny)) by (repeat apply Rmult_le_pos; lra).
  assert (At : tiny <= 3 * H * P * tiny).
  { rewrite <- (Rmult_1_l tiny) at 1. apply Rmult_le_compat_r; [assumption|]. rewrite <- (Rmult_1_l 1). apply Rmult_le_compat; lra. }
  lra.
Qed.

(* C++: bounds/bounds.hpp error_bounds. *)
Theorem underflow_taken e c D : evaluates e c D -> taken (products e) (depth e) <= 1 -> D <= taken (products e) (depth e).
Proof.
  assert (HH : 0 < / H) by (apply Rinv_0_lt_compat; lra).
  induction 1 as [x k c Hx Hc HcH|a b ca cb Da Db c Ha IHa Hb IHb Hc HcH|a b ca cb Da Db c Ha IHa Hb IHb Hc0 Hc HcH|
    a x k ca cx Da c Ha IHa Hx Hcx Hd Hc0 Hc HcH|a b ca cb Da Db Ha IHa Hb IHb|a b ca cb Da Db Ha IHa Hb IHb]; cbn [products depth];
    intros H1.
  - unfold taken. simpl. lra.
  - rewrite taken_plus in *. pose proof (taken_mono (products a) (products a) (depth a) (max (depth a) (depth b)) ltac:(lia) ltac:(lia)).
    pose proof (taken_mono (products b) (products b) (depth b) (max (depth a) (depth b)) ltac:(lia) ltac:(lia)).
    assert (0 <= taken (products a) (max (depth a) (depth b)) /\ 0 <= taken (products b) (max (depth a) (depth b))).
    { unfold taken. split; (apply Rmult_le_pos; [apply Rmult_le_pos; [apply pos_INR|apply pow_le; lra]|assumption]). }
    assert (Da <= taken (products a) (depth a)) by (apply IHa; lra). assert (Db <= taken (products b) (depth b)) by (apply IHb; lra). lra.
  - destruct (evaluates_signs _ _ _ Ha) as (A1 & A2 & A3). destruct (evaluates_signs _ _ _ Hb) as (B1 & B2 & B3).
    set (m := max (depth a) (depth b)) in *.
    pose proof (taken_mono (products a) (products a) (depth a) m ltac:(lia) ltac:(lia)) as Ma.
    pose proof (taken_mono (products b) (products b) (depth b) m ltac:(lia) ltac:(lia)) as Mb.
    pose proof (taken_mono (products a) (S (products a + products b)) m (S m) ltac:(lia) ltac:(lia)) as Na.
    pose proof (taken_mono (products b) (S (products a + products b)) m (S m) ltac:(lia) ltac:(lia)) as Nb.
    assert (Ta : Da <= taken (products a) m) by (assert (Da <= taken (products a) (depth a)) by (apply IHa; lra); lra).
    assert (Tb : Db <= taken (products b) m) by (assert (Db <= taken (products b) (depth b)) by (apply IHb; lra); lra).
    eapply Rle_trans; [|apply (proj1 (taken_times (products a) (products b) m))].
    assert (Da * (cb + Db) <= taken (products a) m * (2 * H)) by (apply Rmult_le_compat; lra).
    assert (ca * Db <= H * taken (products b) m) by (apply Rmult_le_compat; lra). lra.
  - destruct (evaluates_signs _ _ _ Ha) as (A1 & A2 & A3).
    pose proof (taken_mono (products a) (S (products a)) (depth a) (S (depth a)) ltac:(lia) ltac:(lia)) as Na.
    eapply Rle_trans; [|apply (proj2 (taken_times (products a) 0 (depth a)))]. apply Rplus_le_compat_r. unfold Rdiv. rewrite Rmult_comm.
    apply Rmult_le_compat; [left; apply Rinv_0_lt_compat; lra|assumption| |apply IHa; lra].
    rewrite <- (Rinv_inv H). apply Rinv_le_contravar; assumption.
  - rewrite taken_plus in *. pose proof (taken_mono (products a) (products a) (depth a) (max (depth a) (depth b)) ltac:(lia) ltac:(lia)).
    pose proof (taken_mono (products b) (products b) (depth b) (max (depth a) (depth b)) ltac:(lia) ltac:(lia)).
    assert (0 <= taken (products a) (max (depth a) (depth b)) /\ 0 <= taken (products b) (max (depth a) (depth b))).
    { unfold taken. split; (apply Rmult_le_pos; [apply Rmult_le_pos; [apply pos_INR|apply pow_le; lra]|assumption]). }
    assert (Da <= taken (products a) (depth a)) by (apply IHa; lra). assert (Db <= taken (products b) (depth b)) by (apply IHb; lra).
    apply Rmax_lub; lra.
  - rewrite taken_plus in *. pose proof (taken_mono (products a) (products a) (depth a) (max (depth a) (depth b)) ltac:(lia) ltac:(lia)).
    pose proof (taken_mono (products b) (products b) (depth b) (max (depth a) (depth b)) ltac:(lia) ltac:(lia)).
    assert (0 <= taken (products a) (max (depth a) (depth b)) /\ 0 <= taken (products b) (max (depth a) (depth b))).
    { unfold taken. split; (apply Rmult_le_pos; [apply Rmult_le_pos; [apply pos_INR|apply pow_le; lra]|assumption]). }
    assert (Da <= taken (products a) (depth a)) by (apply IHa; lra). assert (Db <= taken (products b) (depth b)) by (apply IHb; lra).
    apply Rmax_lub; lra.
Qed.
End Evaluation.

(** ** The slack *)
(* C++: bounds/bounds.hpp error_bounds. *)
Theorem bound_evaluated H e c D p out : let v := powerRZ 2 (-53) in let tiny := powerRZ 2 (-1075) in 1 <= H -> evaluates v tiny H e c D ->
  INR (roundings e) <= 4194303 -> D <= powerRZ 2 (-462) ->
  c * (1 + powerRZ 2 (-30)) * (1 - v) - tiny <= p -> (p + powerRZ 2 (-460)) * (1 - v) <= out -> value e <= out.
Proof.
  intros v tiny HH He Hn HD Hp Hout. assert (Hv : 0 <= v < 1) by (unfold v; split; interval).
  assert (Ht : 0 <= tiny <= powerRZ 2 (-1000)) by (unfold tiny; split; interval).
  destruct (evaluates_signs v tiny H Hv (proj1 Ht) HH e c D He) as (H0 & Hc & HD0).
  pose proof (positive_evaluation v tiny H Hv (proj1 Ht) HH e c D He) as H1.
  assert (Hn1 : INR (S (roundings e)) <= 4194304) by (rewrite S_INR; lra).
  pose proof (slack_covers (S (roundings e)) Hn1) as H2. fold v in H2. set (f := 1 + powerRZ 2 (-30)) in *.
  assert (Hf : 1 <= f <= 2) by (unfold f; split; interval).
  assert (H3 : value e <= (c + D) * ((1 - v) * (f * (1 - v)))).
  { apply Rle_trans with (value e * ((1 - v) ^ S (roundings e) * (f * (1 - v)))).
    - rewrite <- (Rmult_1_r (value e)) at 1. apply Rmult_le_compat_l; assumption.
    - simpl pow. replace (value e * ((1 - v) * (1 - v) ^ roundings e * (f * (1 - v))))
        with (value e * (1 - v) ^ roundings e * ((1 - v) * (f * (1 - v)))) by ring.
      apply Rmult_le_compat_r; [|assumption]. apply Rmult_le_pos; [lra|]. apply Rmult_le_pos; lra. }
  assert (H4 : (c * f * (1 - v) - tiny + powerRZ 2 (-460)) * (1 - v) <= out).
  { eapply Rle_trans; [|exact Hout]. apply Rmult_le_compat_r; lra. }
  assert (H5 : D * ((1 - v) * (f * (1 - v))) <= D * 2).
  { apply Rmult_le_compat_l; [assumption|]. rewrite <- (Rmult_1_l 2). apply Rmult_le_compat; try lra; [apply Rmult_le_pos; lra|].
    rewrite <- (Rmult_1_r 2). apply Rmult_le_compat; lra. }
  assert (H6 : 2 * powerRZ 2 (-462) <= (powerRZ 2 (-460) - powerRZ 2 (-1000)) * (1 - v)) by (unfold v; interval).
  assert (H7 : (powerRZ 2 (-460) - powerRZ 2 (-1000)) * (1 - v) <= (powerRZ 2 (-460) - tiny) * (1 - v)) by (apply Rmult_le_compat_r; lra).
  lra.
Qed.

(* C++: bounds/bounds.hpp error_bounds. *)
Theorem bound_evaluated_sizes e c D : evaluates (powerRZ 2 (-53)) (powerRZ 2 (-1075)) (powerRZ 2 128) e c D ->
  INR (products e) <= powerRZ 2 40 -> (depth e <= 4)%nat -> D <= powerRZ 2 (-462).
Proof.
  intros He Hk Hd. assert (Hv : 0 <= powerRZ 2 (-53) < 1) by (split; interval). assert (Ht : 0 <= powerRZ 2 (-1075)) by interval.
  assert (HH : 1 <= powerRZ 2 128) by interval.
  assert (B : taken (powerRZ 2 (-1075)) (powerRZ 2 128) (products e) (depth e) <= powerRZ 2 (-462)).
  { unfold taken. apply Rle_trans with (powerRZ 2 40 * (3 * powerRZ 2 128) ^ 4 * powerRZ 2 (-1075)); [|interval].
    apply Rmult_le_compat_r; [assumption|]. apply Rmult_le_compat; [apply pos_INR|apply pow_le; lra|assumption|].
    apply Rle_pow; [lra|assumption]. }
  eapply Rle_trans; [apply (underflow_taken _ _ _ Hv Ht HH e c D He)|exact B]. eapply Rle_trans; [exact B|]. interval.
Qed.
