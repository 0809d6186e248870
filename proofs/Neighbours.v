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
(* C++: bounds/rounding.hpp Rounding::error_near; bounds/rounding.hpp Rounding::held_near. *)
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

(** ** What is known of a stored number by itself
    z: what is stored, within d of value; low, high: beyond value - d and value + d; middle: halfway between their roundings, as binary64
    has it (t: the same distance as the code has it, which covers that one rounding). z may be within d / 2 of a number that value is
    within d / 2 of: binary64's own error may be as large as all the rest. *)
(* C++: bounds/rounding.hpp Rounding::held_near; bounds/setting.hpp Setting::held_near. *)
Theorem held_between emin prec choice {prec_pos : Prec_gt_0 prec} value low high d t z middle : near z d value -> low <= value - d ->
  value + d <= high -> let fl := rnd emin prec choice in Rabs (middle - (fl low + fl high) / 2) <= t ->
  near (fl z) ((fl high - fl low) / 2 + t) middle.
Proof.
  intros Hz Hl Hh fl Hm. unfold near in *. assert (Hd := Rabs_le_inv _ _ Hz).
  assert (H1 : fl low <= fl z) by (apply round_le; try typeclasses eauto; lra).
  assert (H2 : fl z <= fl high) by (apply round_le; try typeclasses eauto; lra).
  assert (Hm' := Rabs_le_inv _ _ Hm). apply Rabs_le. lra.
Qed.

(** A rounding to nearest at most doubles a number: 0 is one of the format. *)
Lemma at_most_doubled emin prec choice {prec_pos : Prec_gt_0 prec} x : Rabs (rnd emin prec choice x) <= 2 * Rabs x.
Proof.
  assert (H : Rabs (rnd emin prec choice x - x) <= Rabs (0 - x)).
  { apply (round_N_pt radix2 (FLT_exp emin prec) choice x). apply generic_format_0. }
  rewrite Rminus_0_l, Rabs_Ropp in H. replace (rnd emin prec choice x) with (x + (rnd emin prec choice x - x)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

(** The one rounding of halfway: t holds it. Where nothing is spread out, low = high and there is none. *)
(* C++: bounds/rounding.hpp Rounding::held_near. *)
Theorem held_middle emin prec choice {prec_pos : Prec_gt_0 prec} value low high t middle : let v := powerRZ 2 (-53) in
  let fl := rnd emin prec choice in powerRZ 2 (-51) * Rabs value * (1 - v) * (1 - v) <= t ->
  Rabs low <= (Rabs value + t) * (1 + v) -> Rabs high <= (Rabs value + t) * (1 + v) ->
  Rabs (middle - (fl low + fl high) / 2) <= v * Rabs ((fl low + fl high) / 2) -> Rabs (middle - (fl low + fl high) / 2) <= t.
Proof.
  intros v fl Ht Hl Hh Hm. assert (Hv : 0 < v <= 1.2e-16) by (unfold v; split; interval). pose proof (Rabs_pos value) as Ha.
  assert (H51 : 3.99 * v <= powerRZ 2 (-51) * (1 - v) * (1 - v)) by (unfold v; interval with (i_prec 120)).
  assert (Ht2 : 3.99 * v * Rabs value <= t).
  { eapply Rle_trans; [|exact Ht]. replace (powerRZ 2 (-51) * Rabs value * (1 - v) * (1 - v))
      with (powerRZ 2 (-51) * (1 - v) * (1 - v) * Rabs value) by ring. apply Rmult_le_compat_r; assumption. }
  assert (Hva : 0 <= v * Rabs value) by (apply Rmult_le_pos; lra). assert (Ht0 : 0 <= t) by lra.
  pose proof (at_most_doubled emin prec choice low) as Dl. pose proof (at_most_doubled emin prec choice high) as Dh. fold fl in Dl, Dh.
  assert (Hmid : Rabs ((fl low + fl high) / 2) <= 2 * (Rabs value + t) * (1 + v)).
  { unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ 2)) by lra. pose proof (Rabs_triang (fl low) (fl high)). lra. }
  eapply Rle_trans; [exact Hm|]. eapply Rle_trans; [apply Rmult_le_compat_l; [lra|exact Hmid]|].
  assert (v * t <= 1.2e-16 * t) by (apply Rmult_le_compat_r; lra).
  assert (v * (v * Rabs value) <= 1.2e-16 * (v * Rabs value)) by (apply Rmult_le_compat_r; lra).
  assert (v * (v * t) <= 1.2e-16 * t).
  { apply Rle_trans with (1 * (v * t)); [apply Rmult_le_compat_r; [apply Rmult_le_pos; lra|lra]|lra]. }
  lra.
Qed.

(** Else: the spread, and half an ulp where z may be. *)
(* C++: bounds/rounding.hpp Rounding::held_near; bounds/setting.hpp Setting::held_near. *)
Theorem held_widest emin prec choice {prec_pos : Prec_gt_0 prec} value spread m z : near z spread value -> Rabs value + spread <= m ->
  near (rnd emin prec choice z) (spread + half_ulp_at emin prec m) value.
Proof.
  intros Hz Hm. pose proof (near_magnitude _ _ _ Hz) as Hs.
  assert (H := half_ulp_of_upper emin prec choice z m ltac:(lra)). unfold near in *.
  replace (rnd emin prec choice z - value) with ((rnd emin prec choice z - z) + (z - value)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.
