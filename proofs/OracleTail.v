(** Purpose: the part of the oracle's exp series that is computed in plain binary64.
    Main results: [series_tail]: 1/720 (1 + t/7 + t^2/56 + t^3/504), every constant and every operation rounded, from the leading part x of
      t: relative error below 2^-48.
    Depends on: Rounding. Axioms: those of Coq's real numbers and, for the numbers, machine integers and floats. *)
From Coq Require Import Reals Lra.
From Interval Require Import Tactic.
From Equinorm Require Import Rounding.
Local Open Scope R_scope.

Section Tail.
Variable choice : Z -> bool.
Notation fl := (@rnd (-1074) 53 choice).
#[local] Instance prec_pos_53 : Prec_gt_0 53 := eq_refl.

Lemma binary64_error z M : Rabs z <= M -> Rabs (fl z - z) <= powerRZ 2 (-53) * M + powerRZ 2 (-1000).
Proof.
  intros Hz. pose proof (round_error (-1074) 53 choice z) as H. pose proof (u_lt_unit_roundoff 53) as Hu. pose proof (u_pos 53) as Hu0.
  assert (E : unit_roundoff 53 = powerRZ 2 (-53)) by (unfold unit_roundoff, u_ro; simpl bpow; simpl powerRZ; lra).
  assert (Ht : tiny (-1074) <= powerRZ 2 (-1000)).
  { unfold tiny. rewrite bpow_powerRZ. simpl (IZR radix2). apply Rle_trans with (powerRZ 2 (-1074)).
    - assert (0 < powerRZ 2 (-1074)) by (apply powerRZ_lt; lra). lra.
    - interval. }
  rewrite E in Hu. assert (u 53 * Rabs z <= powerRZ 2 (-53) * M) by (apply Rmult_le_compat; try lra; apply Rabs_pos). lra.
Qed.

(** What the code computes. *)
Definition tail_inner (x : R) : R := fl (1 + fl (x * fl (fl (/ 7) + fl (x * fl (fl (/ 56) + fl (x * fl (/ 504))))))).
Definition tail_computed (x : R) : R := fl (tail_inner x * fl (/ 720)).
Definition tail_exact (t : R) : R := / 720 * (1 + t * (/ 7 + t * (/ 56 + t * / 504))).

(** Names the error of one rounding; M bounds what is rounded. *)
Ltac round_off z M e He := pose proof (binary64_error z M ltac:(interval)) as He;
  set (e := fl z - z) in *; assert (fl z = z + e) as -> by (unfold e; ring); clearbody e;
  assert (Rabs e <= 1.12e-16 * M) by (eapply Rle_trans; [exact He|interval]); clear He.

(* C++: oracle/functions.hpp expm1_small. *)
Theorem series_tail x t : Rabs x <= 0.0008 -> Rabs (t - x) <= powerRZ 2 (-52) * 0.0008 ->
  Rabs (tail_computed x - tail_exact t) <= powerRZ 2 (-48) * Rabs (tail_computed x).
Proof.
  intros Hx Ht. assert (Hxb : -0.0008 <= x <= 0.0008) by (apply Rabs_le_inv in Hx; lra).
  unfold tail_computed, tail_inner, tail_exact.
  round_off (/ 504) (0.002) d504 He. round_off (/ 56) (0.018) d56 He. round_off (/ 7) (0.143) d7 He. round_off (/ 720) (0.0014) d720 He.
  round_off (x * (/ 504 + d504)) (0.000002) e1 He. round_off (/ 56 + d56 + (x * (/ 504 + d504) + e1)) (0.018) e2 He.
  round_off (x * (/ 56 + d56 + (x * (/ 504 + d504) + e1) + e2)) (0.000015) e3 He.
  round_off (/ 7 + d7 + (x * (/ 56 + d56 + (x * (/ 504 + d504) + e1) + e2) + e3)) (0.143) e4 He.
  set (inner := x * (/ 56 + d56 + (x * (/ 504 + d504) + e1) + e2)).
  round_off (x * (/ 7 + d7 + (inner + e3) + e4)) (0.000115) e5 He.
  round_off (1 + (x * (/ 7 + d7 + (inner + e3) + e4) + e5)) (1.0002) e6 He.
  round_off ((1 + (x * (/ 7 + d7 + (inner + e3) + e4) + e5) + e6) * (/ 720 + d720)) (0.0014) e7 He.
  unfold inner. set (h := t - x) in *. replace t with (x + h) by (unfold h; ring). clearbody h. clear inner t.
  (* The rounding errors, then the step from x to t. *)
  set (a := x * (d7 + x * (d56 + x * d504 + e1 + e2) + e3 + e4) + e5 + e6).
  set (b := (1 + x * (/ 7 + x * (/ 56 + x * / 504)) + a) * d720 + e7).
  set (c := h * (/ 7 + (2 * x + h) * / 56 + (3 * x * x + 3 * x * h + h * h) * / 504)).
  assert (Ha : Rabs a <= 1.2e-16) by (unfold a; interval).
  assert (Hb : Rabs b <= 3.2e-19) by (unfold b; interval).
  assert (Hc : Rabs c <= 1e-19) by (unfold c; interval).
  match goal with |- Rabs (?v - ?w) <= _ =>
    replace (v - w) with (/ 720 * a + b - / 720 * c) by (unfold b, a, c; field);
    assert (Hv : 0.00138 <= v) by interval; set (z := v) in *; clearbody z end.
  clearbody a b c. apply Rle_trans with (1e-18); [interval|]. rewrite Rabs_pos_eq by lra. interval.
Qed.
End Tail.
