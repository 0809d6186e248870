(** Purpose: the error of rounding a number that is known well: it goes to one of two neighbours.
    Main results: [rounded_between]: all numbers within d of a value are rounded between the roundings of its two ends;
      [neighbour_arguments]: the ends as binary64 forms them.
    Depends on: HalfUlp. Axioms: those of Coq's real numbers and, because numbers are computed, machine integers and floats. *)
From Interval Require Import Tactic.
From Equinorm Require Import HalfUlp.
Local Open Scope R_scope.

(* C++: bounds/rounding.hpp Rounding::error_near; bounds/setting.hpp Setting::store_near. *)
Theorem rounded_between emin prec choice {prec_pos : Prec_gt_0 prec} value low high d z : near z d value -> low <= value - d ->
  value + d <= high ->
  let fl := rnd emin prec choice in near (fl z) (Rmax (Rabs (fl low - value)) (Rabs (fl high - value)) + d) z.
Proof.
  intros Hz Hl Hh fl. unfold near in *. assert (Hd := Rabs_le_inv _ _ Hz).
  assert (H1 : fl low <= fl z) by (apply round_le; try typeclasses eauto; lra).
  assert (H2 : fl z <= fl high) by (apply round_le; try typeclasses eauto; lra).
  assert (H3 : Rabs (fl z - value) <= Rmax (Rabs (fl low - value)) (Rabs (fl high - value))).
  { pose proof (Rmax_l (Rabs (fl low - value)) (Rabs (fl high - value))).
    pose proof (Rmax_r (Rabs (fl low - value)) (Rabs (fl high - value))).
    pose proof (Rle_abs (fl high - value)). pose proof (Rle_abs (- (fl low - value))) as H4. rewrite Rabs_Ropp in H4.
    apply Rabs_le. lra. }
  replace (fl z - z) with ((fl z - value) + - (z - value)) by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra.
Qed.

(** d = 2 spread; t: d (1 + 2^-50) + 2^-52 |value|, two of its operations rounded; low: value - t, rounded. *)
(* C++: bounds/rounding.hpp Rounding::error_near. *)
Theorem neighbour_arguments value d t low high : let v := powerRZ 2 (-53) in 0 <= d ->
  (d * (1 + powerRZ 2 (-50)) * (1 - v) + powerRZ 2 (-52) * Rabs value) * (1 - v) <= t ->
  Rabs (low - (value - t)) <= v * Rabs (value - t) -> Rabs (high - (value + t)) <= v * Rabs (value + t) ->
  low <= value - d /\ value + d <= high.
Proof.
  intros v Hd Ht Hl Hh. assert (Hv : 0 < v <= 1.2e-16) by (unfold v; split; interval). pose proof (Rabs_pos value) as Ha.
  assert (H1 : d + 1.5 * v * Rabs value <= (1 - v) * ((d * (1 + powerRZ 2 (-50)) * (1 - v) + powerRZ 2 (-52) * Rabs value) * (1 - v))).
  { assert (A : 1 <= (1 - v) * (1 - v) * (1 - v) * (1 + powerRZ 2 (-50))) by (unfold v; interval with (i_prec 120)).
    assert (B : 1.5 * v <= (1 - v) * (1 - v) * powerRZ 2 (-52)) by (unfold v; interval with (i_prec 120)).
    assert (A' : 1 * d <= (1 - v) * (1 - v) * (1 - v) * (1 + powerRZ 2 (-50)) * d) by (apply Rmult_le_compat_r; lra).
    assert (B' : 1.5 * v * Rabs value <= (1 - v) * (1 - v) * powerRZ 2 (-52) * Rabs value) by (apply Rmult_le_compat_r; lra). lra. }
  assert (H2 : d + 1.5 * v * Rabs value <= (1 - v) * t).
  { eapply Rle_trans; [exact H1|]. apply Rmult_le_compat_l; lra. }
  assert (Hva : 0 <= v * Rabs value) by (apply Rmult_le_pos; lra).
  assert (Ht0 : 0 <= t) by nra.
  assert (Hs : forall x, Rabs x <= Rabs value + t -> v * Rabs x <= v * (Rabs value + t)) by (intros x Hx; apply Rmult_le_compat_l; lra).
  assert (X1 : Rabs (value - t) <= Rabs value + t).
  { unfold Rminus. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, (Rabs_pos_eq t) by assumption. lra. }
  assert (X2 : Rabs (value + t) <= Rabs value + t).
  { eapply Rle_trans; [apply Rabs_triang|]. rewrite (Rabs_pos_eq t) by assumption. lra. }
  pose proof (Hs _ X1). pose proof (Hs _ X2). apply Rabs_le_inv in Hl. apply Rabs_le_inv in Hh. lra.
Qed.
