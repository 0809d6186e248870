(** Purpose: the truncation errors and constants that the oracle's elementary functions claim in src/oracle.
    Main results: [ln2_parts], [series_coefficients]: what the split constants miss; [expm1_series]: nine terms of exp(t) - 1;
      [exponential_doubling], [exponential_radius]; [inverse_sqrt_series]; [log1p_series]; [tanh_of_expm1], [sigmoid_of_expm1];
      [pair_error_covers], [radius_round_up].
    Depends on: CapGate. Axioms: those of Coq's real numbers and, for the numbers, machine integers and floats.

    Not here: the errors of the pair operations themselves (taken from Joldes, Muller and Popescu). OracleTail.v has the binary64 tail. *)
From Coq Require Import Reals Lra Lia.
From Coquelicot Require Import Coquelicot.
From Interval Require Import Tactic.
From Equinorm Require Import CapGate.
Local Open Scope R_scope.

(** ** Constants *)
Definition ln2_a : R := 1453635 * powerRZ 2 (-21).
Definition ln2_b : R := - 1072225 * powerRZ 2 (-49).
Definition ln2_c : R := - 445360310000127 * powerRZ 2 (-102).
Definition ln2_d : R := - 7338834209110451 * powerRZ 2 (-161).

(* C++: oracle/functions.hpp multiple_of_ln2. *)
Theorem ln2_parts : Rabs (ln 2 - (ln2_a + ln2_b + ln2_c + ln2_d)) <= powerRZ 2 (-160).
Proof. unfold ln2_a, ln2_b, ln2_c, ln2_d. interval with (i_prec 240). Qed.

(** 1/120, 1/24, 1/6 and 1/3 as pairs. *)
(* C++: oracle/functions.hpp expm1_small. *)
Theorem series_coefficients :
  Rabs (/ 120 - (4803839602528529 * powerRZ 2 (-59) + 4803839602528529 * powerRZ 2 (-115))) <= powerRZ 2 (-118) /\
  Rabs (/ 24 - (6004799503160661 * powerRZ 2 (-57) + 6004799503160661 * powerRZ 2 (-111))) <= powerRZ 2 (-112) /\
  Rabs (/ 6 - (6004799503160661 * powerRZ 2 (-55) + 6004799503160661 * powerRZ 2 (-109))) <= powerRZ 2 (-110) /\
  Rabs (/ 3 - (6004799503160661 * powerRZ 2 (-54) + 6004799503160661 * powerRZ 2 (-108))) <= powerRZ 2 (-109).
Proof. repeat split; interval with (i_prec 240). Qed.

(** ** exp *)
Lemma derive_n_exp n x : Derive_n exp n x = exp x.
Proof. apply is_derive_n_unique, is_derive_n_exp. Qed.

Lemma ex_derive_n_exp n x : ex_derive_n exp n x.
Proof. destruct n as [|n]; [exact I|]. exists (exp x). exact (is_derive_n_exp (S n) x). Qed.

Lemma exp_taylor n t : exists z, Rabs z <= Rabs t /\ exp t = sum_f_R0 (fun m => t ^ m / INR (fact m)) n + t ^ S n / INR (fact (S n)) *
  exp z.
Proof.
  destruct (Rtotal_order t 0) as [Ht|[->|Ht]].
  - destruct (Taylor_Lagrange (fun y => exp (- y)) n 0 (- t) ltac:(lra)) as (z & Hz & H).
    + intros s _ k _. apply ex_derive_n_comp_opp. exists (mkposreal 1 Rlt_0_1). intros y _ j _. apply ex_derive_n_exp.
    + assert (D : forall k x, Derive_n (fun y => exp (- y)) k x = (-1) ^ k * exp (- x)).
      { intros k x. rewrite Derive_n_comp_opp; [now rewrite derive_n_exp|]. exists (mkposreal 1 Rlt_0_1). intros; apply ex_derive_n_exp. }
      assert (P : forall k, (- t - 0) ^ k * (-1) ^ k = t ^ k) by (intros; rewrite <- Rpow_mult_distr; f_equal; ring).
      exists (- z). split; [rewrite Rabs_Ropp, (Rabs_pos_eq z), (Rabs_left1 t) by lra; lra|]. rewrite Ropp_involutive in H. rewrite H.
      f_equal.
      * apply sum_eq; intros k _. rewrite D, Ropp_0, exp_0, <- P. generalize ((- t - 0) ^ k), ((-1) ^ k). intros; unfold Rdiv; ring.
      * rewrite D, <- P. generalize ((- t - 0) ^ S n), ((-1) ^ S n). intros; unfold Rdiv; ring.
  - exists 0. split; [lra|]. rewrite exp_0, pow_i by lia. rewrite (sum_eq _ (fun m => if (m =? 0)%nat then 1 else 0)).
    + clear. induction n as [|n IH]; simpl; [field; apply INR_fact_neq_0|]. simpl in IH. lra.
    + intros [|m] _; simpl; [field|]. unfold Rdiv. rewrite Rmult_0_l. ring.
  - destruct (Taylor_Lagrange exp n 0 t Ht) as (z & Hz & H); [intros; apply ex_derive_n_exp|]. exists z.
    split; [rewrite !Rabs_pos_eq by lra; lra|]. rewrite H. f_equal.
    + apply sum_eq; intros k _. rewrite derive_n_exp, exp_0, Rmult_1_r. now rewrite Rminus_0_r.
    + now rewrite derive_n_exp, Rminus_0_r.
Qed.

(** 1 / n!, kept out of the natural numbers. *)
Fixpoint inverse_factorial (n : nat) : R :=
  match n with
  | O => 1
  | S k => inverse_factorial k / INR (S k)
  end.

Lemma inverse_factorial_eq n : / INR (fact n) = inverse_factorial n.
Proof.
  induction n as [|n IH]; [simpl; field|]. rewrite fact_simpl, mult_INR, Rinv_mult.
  rewrite IH. cbn [inverse_factorial]. unfold Rdiv. ring.
Qed.

Lemma exp_series n t : exists z, Rabs z <= Rabs t /\
  exp t = sum_f_R0 (fun m => t ^ m * inverse_factorial m) n + t ^ S n * inverse_factorial (S n) * exp z.
Proof.
  destruct (exp_taylor n t) as (z & Hz & H). exists z. split; [exact Hz|]. rewrite H. unfold Rdiv. rewrite inverse_factorial_eq. f_equal.
  apply sum_eq; intros. now rewrite inverse_factorial_eq.
Qed.

(** What follows t^9 / 9!. *)
Definition expm1_polynomial (t : R) : R :=
  t * (1 + t * (/ 2 + t * (/ 6 + t * (/ 24 + t * (/ 120 + t * (/ 720 * (1 + t * (/ 7 + t * (/ 56 + t * / 504))))))))).

(* C++: oracle/functions.hpp expm1_small. *)
Theorem expm1_series t : Rabs t <= 0.36 / 512 ->
  Rabs (exp t - 1 - expm1_polynomial t) <= 2 * Rabs t ^ 10 / 3628800 /\ 2 * Rabs t ^ 10 / 3628800 <= powerRZ 2 (-115) * Rabs t.
Proof.
  intros Ht. split.
  - destruct (exp_series 9 t) as (z & Hz & H).
    assert (E : exp t - 1 - expm1_polynomial t = t ^ 10 / 3628800 * exp z).
    { rewrite H. unfold expm1_polynomial. cbn [sum_f_R0 inverse_factorial INR]. field. }
    rewrite E. unfold Rdiv. rewrite !Rabs_mult, (Rabs_pos_eq (exp z)), (Rabs_pos_eq (/ 3628800)), <- RPow_abs by (try lra; left;
      apply exp_pos).
    assert (Hexp : exp z <= 2). { assert (Hb : Rabs z <= 0.001) by lra. apply Rabs_le_between in Hb. interval. }
    assert (0 <= Rabs t ^ 10) by (apply pow_le, Rabs_pos). nra.
  - pose proof (Rabs_pos t) as H0. set (a := Rabs t) in *. replace (2 * a ^ 10 / 3628800) with (2 / 3628800 * a ^ 9 * a) by field.
    apply Rmult_le_compat_r; [exact H0|]. interval with (i_prec 60).
Qed.

(** p <- 2 p + p^2 doubles the argument. *)
(* C++: oracle/functions.hpp exponential. *)
Theorem exponential_doubling t : exp (2 * t) - 1 = 2 * (exp t - 1) + (exp t - 1) * (exp t - 1).
Proof. replace (2 * t) with (t + t) by ring. rewrite exp_plus. ring. Qed.

(** A radius r <= 1 of the argument multiplies exp by at most 1 + 2 r. *)
(* C++: oracle/functions.hpp exponential. *)
Theorem exponential_radius r : 0 <= r <= 1 -> exp r - 1 <= 2 * r.
Proof.
  intros Hr. destruct (exp_series 2 r) as (z & Hz & H). rewrite H. cbn [sum_f_R0 inverse_factorial INR].
  rewrite (Rabs_pos_eq r) in Hz by lra. assert (Hb : -1 <= z <= 1) by (apply Rabs_le_between; lra).
  assert (Hexp : exp z <= 2.72) by interval.
  pose proof (exp_pos z). assert (Hrr : 0 <= r * r <= r) by nra. assert (Hrrr : 0 <= r * r * r <= r) by nra.
  assert (r * r * r * exp z <= r * 2.72) by (apply Rmult_le_compat; lra).
  apply Rle_trans with (r + / 2 * (r * r) + / 6 * (r * r * r * exp z)); [right; field|lra].
Qed.

(** ** 1 / sqrt *)
(* C++: oracle/functions.hpp inverse_sqrt. *)
Theorem inverse_sqrt_series e : Rabs e <= powerRZ 2 (-10) -> Rabs (/ sqrt (1 - e) - (1 + e / 2 + 3 * (e * e) / 8)) <= Rabs e ^ 3.
Proof.
  intros He. assert (Hp : powerRZ 2 (-10) <= 0.001) by interval.
  assert (Hb : -0.001 <= e <= 0.001) by (pose proof (proj1 (Rabs_le_between e 0.001) ltac:(lra)); lra).
  set (s := / sqrt (1 - e)). set (f := 1 + e / 2 + 3 * (e * e) / 8).
  assert (Hs : 0.999 <= s) by (unfold s; interval). assert (Hf : 0.999 <= f) by (unfold f; interval).
  assert (Hsq : s * s * (1 - e) = 1).
  { unfold s. rewrite <- (sqrt_sqrt (1 - e)) at 3 by lra. field. apply Rgt_not_eq, sqrt_lt_R0. lra. }
  assert (Hd : (s - f) * ((s + f) * (1 - e)) = e ^ 3 * (5 / 8 + 15 / 64 * e + 9 / 64 * (e * e))).
  { replace ((s - f) * ((s + f) * (1 - e))) with (s * s * (1 - e) - f * f * (1 - e)) by ring. rewrite Hsq. unfold f. field. }
  assert (Hden : 1.99 <= (s + f) * (1 - e)) by nra.
  assert (Hnum : Rabs (5 / 8 + 15 / 64 * e + 9 / 64 * (e * e)) <= 1) by (apply Rabs_le; split; interval).
  apply Rmult_le_reg_r with ((s + f) * (1 - e)); [lra|]. rewrite <- (Rabs_pos_eq ((s + f) * (1 - e))) at 1 by lra.
  rewrite <- Rabs_mult, Hd, Rabs_mult, <- RPow_abs. assert (0 <= Rabs e ^ 3) by (apply pow_le, Rabs_pos).
  apply Rmult_le_compat; try apply Rabs_pos; lra.
Qed.

(** ** ln(1 + z) *)
Lemma monotone_sign (f df : R -> R) z : (forall x, Rabs x <= Rabs z -> is_derive f x (df x)) -> (forall x, Rabs x <= Rabs z -> 0 <= df x) ->
  f 0 = 0 -> 0 <= z * f z.
Proof.
  intros Hf Hd H0. destruct (MVT_gen f 0 z df) as (c & Hc & H).
  - intros x Hx. apply Hf. revert Hx. unfold Rmin, Rmax. destruct (Rle_dec 0 z); intros; [rewrite !Rabs_pos_eq by lra|
      rewrite !Rabs_left1 by lra]; lra.
  - intros x Hx. apply continuity_pt_filterlim, (ex_derive_continuous (V := R_NormedModule)). exists (df x). apply Hf. revert Hx.
    unfold Rmin, Rmax. destruct (Rle_dec 0 z); intros; [rewrite !Rabs_pos_eq by lra|rewrite !Rabs_left1 by lra]; lra.
  - rewrite H0, !Rminus_0_r in H. rewrite H. assert (0 <= df c).
    { apply Hd. revert Hc. unfold Rmin, Rmax. destruct (Rle_dec 0 z); intros; [rewrite !Rabs_pos_eq by lra|rewrite !Rabs_left1 by lra];
      lra. }
    nra.
Qed.

Definition log1p_polynomial (z : R) : R := z * (1 - z * (/ 2 - z * (/ 3 - z / 4))).

(* C++: oracle/functions.hpp log1p_small. *)
Theorem log1p_series z : Rabs z <= powerRZ 2 (-10) -> Rabs (ln (1 + z) - log1p_polynomial z) <= Rabs z ^ 5.
Proof.
  intros Hz. assert (Hp : powerRZ 2 (-10) <= 0.001) by interval.
  set (g := fun x => ln (1 + x) - log1p_polynomial x).
  assert (Hr : forall x, Rabs x <= Rabs z -> -0.001 <= x <= 0.001) by (intros x Hx;
    pose proof (proj1 (Rabs_le_between x 0.001) ltac:(lra)); lra).
  assert (Hg : forall x, Rabs x <= Rabs z -> is_derive g x (x ^ 4 * / (1 + x))).
  { intros x Hx. specialize (Hr x Hx). unfold g, log1p_polynomial. auto_derive; [lra|]. field. lra. }
  assert (H0 : g 0 = 0) by (unfold g, log1p_polynomial; rewrite Rplus_0_r, ln_1; ring).
  assert (H1 : 0 <= z * g z).
  { apply (monotone_sign g (fun x => x ^ 4 * / (1 + x))); [exact Hg| |exact H0]. intros x Hx. specialize (Hr x Hx).
    apply Rmult_le_pos; [replace (x ^ 4) with ((x * x) * (x * x)) by ring; apply Rle_0_sqr|]. left. apply Rinv_0_lt_compat. lra. }
  assert (H2 : 0 <= z * (z ^ 5 - g z)).
  { apply (monotone_sign (fun x => x ^ 5 - g x) (fun x => 5 * x ^ 4 - x ^ 4 * / (1 + x))).
    - intros x Hx. apply (is_derive_minus (K := R_AbsRing) (V := R_NormedModule)); [auto_derive; [exact I|ring]|now apply Hg].
    - intros x Hx. specialize (Hr x Hx). assert (H4 : 0 <= x ^ 4) by (replace (x ^ 4) with ((x * x) * (x * x)) by ring; apply Rle_0_sqr).
      assert (/ (1 + x) <= 5) by interval. nra.
    - rewrite H0. ring. }
  change (ln (1 + z) - log1p_polynomial z) with (g z).
  destruct (Rtotal_order z 0) as [H|[->|H]].
  - assert (z ^ 5 <= g z <= 0) by nra. rewrite Rabs_left1 by lra. rewrite (Rabs_left1 z) by lra.
  replace ((- z) ^ 5) with (- z ^ 5) by ring. lra.
  - rewrite H0, Rabs_R0. simpl. lra.
  - assert (0 <= g z <= z ^ 5) by nra. rewrite Rabs_pos_eq by lra. rewrite (Rabs_pos_eq z) by lra. lra.
Qed.

(** ** tanh and sigmoid from m = exp(..) - 1 *)
(* C++: oracle/functions.hpp tanh. *)
Theorem tanh_of_expm1 x : let m := exp (- 2 * x) - 1 in tanh x = - m / (2 + m).
Proof.
  intros m. unfold m, tanh, sinh, cosh. pose proof (exp_pos x) as Hf. pose proof (exp_pos (- x)) as Hg.
  assert (E1 : exp (- 2 * x) = exp (- x) * exp (- x)) by (rewrite <- exp_plus; f_equal; ring).
  assert (E2 : exp x * exp (- x) = 1) by (rewrite <- exp_plus, Rplus_opp_r; apply exp_0).
  rewrite E1. set (f := exp x) in *. set (g := exp (- x)) in *. replace f with (/ g) by (field_simplify_eq; lra).
  field. assert (0 < g * g) by (now apply Rmult_lt_0_compat). repeat split; lra.
Qed.

(* C++: oracle/functions.hpp sigmoid. *)
Theorem sigmoid_of_expm1 x : sigmoid x = / (2 + (exp (- x) - 1)) /\ sigmoid x = (1 + (exp x - 1)) / (2 + (exp x - 1)).
Proof.
  unfold sigmoid. pose proof (exp_pos x) as Hf. pose proof (exp_pos (- x)) as Hg.
  assert (E : exp (- x) = / exp x) by apply exp_Ropp. split; [f_equal; ring|]. rewrite E. field. repeat split; lra.
Qed.

(** ** Pairs of binary64 numbers: u = 2^-53 *)
(** The three relative errors of the literature are below the 8 u^2 |hi| that the radius adds, |x| <= |hi| (1 + u)(1 + 6 u^2) included. *)
Theorem pair_error_covers : let u := powerRZ 2 (-53) in
  3 * u ^ 2 / (1 - 4 * u) * ((1 + u) * (1 + 6 * u ^ 2)) <= 8 * u ^ 2 /\ 5 * u ^ 2 * ((1 + u) * (1 + 6 * u ^ 2)) <= 8 * u ^ 2 /\
  8 * u ^ 2 = powerRZ 2 (-103).
Proof.
  intros u. unfold u. repeat split; [interval with (i_prec 60)|interval with (i_prec 60)|]. simpl powerRZ. field.
Qed.

(** Nine roundings of positive terms are covered by the last factor 1 + 2^-48, itself rounded. *)
(* C++: oracle/double_double.hpp add; oracle/double_double.hpp mul. *)
Theorem radius_round_up : let u := powerRZ 2 (-53) in (1 + u) ^ 9 <= 1 + powerRZ 2 (-49) /\
  1 <= (1 - u) ^ 9 * ((1 + powerRZ 2 (-48)) * (1 - u)).
Proof. intros u. unfold u. split; interval with (i_prec 120). Qed.
