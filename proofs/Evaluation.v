(** Purpose: numbers that the C++ text writes down where it evaluates bounds and enclosures: factors that cover library functions and a few
      roundings, cut-offs of exp, the rms of one rounding.
    Main results: [phi_evaluation]: expm1(h log1p(u)) by a library with relative errors 2^-51, times 1 + 2^-40; [few_roundings]:
      1 + 2^-45; [decidable_below]: 2^-460; [exp_cut_off], [exp_in_range]: exp(-699) and exp(700); [divisor_low]: 1 - 2^-48;
      [rms_rounding]: 0.42466.
    Depends on: Constants. Axioms: those of Coq's real numbers and, because they are computed, machine integers and floats. *)
From Coq Require Import Reals Lra Lia.
From Interval Require Import Tactic.
From Equinorm Require Import Constants.
Local Open Scope R_scope.

(** ** phi: z = h log1p(u) with relative error d, expm1 of it with relative error d, both and the last product below the true value *)
(* C++: bounds/rounding.hpp phi. *)
Theorem phi_evaluation z d : 0 <= z <= 100 -> 0 <= d <= powerRZ 2 (-50) ->
  exp z - 1 <= (exp (z * (1 - d)) - 1) * (1 - d) * ((1 + powerRZ 2 (-40)) * (1 - powerRZ 2 (-53))).
Proof.
  intros Hz Hd. assert (Hp : powerRZ 2 (-50) <= 1e-15) by interval. set (y := z * (1 - d)).
  assert (Hzd : 0 <= z * d <= 1e-13).
  { split; [apply Rmult_le_pos; lra|]. apply Rle_trans with (100 * 1e-15); [apply Rmult_le_compat; lra|lra]. }
  assert (Hy : 0 <= y) by (unfold y; apply Rmult_le_pos; lra). pose proof (exp_pos y) as He.
  (* e^z = e^y e^(z d) and z d is small against e^y - 1 >= y. *)
  assert (Hy1 : 1 + y <= exp y) by apply exp_ineq1_le.
  assert (Hs : exp (z * d) - 1 <= 1.001 * (z * d)).
  { assert (H : exp (- (z * d)) >= 1 - z * d) by (pose proof (exp_ineq1_le (- (z * d))); lra). rewrite exp_Ropp in H.
    pose proof (exp_pos (z * d)) as H0. assert (exp (z * d) * (1 - z * d) <= 1).
    { apply Rle_trans with (exp (z * d) * / exp (z * d)); [apply Rmult_le_compat_l; lra|]. rewrite Rinv_r; lra. }
    assert (exp (z * d) <= 1.0001) by nra. nra. }
  assert (Ez : exp z = exp y * exp (z * d)) by (rewrite <- exp_plus; f_equal; unfold y; ring).
  (* exp y y <= (exp y - 1)(1 + y) *)
  assert (Hconv : exp y * y <= (exp y - 1) * (1 + y)) by lra.
  assert (Hyz : z * (1 - 1e-15) <= y) by (unfold y; apply Rmult_le_compat_l; lra).
  assert (Hex : exp y * (exp (z * d) - 1) <= 1.1e-13 * (exp y - 1)).
  { assert (Hd2 : exp (z * d) - 1 <= 1.01e-15 * y).
    { assert (z * d <= z * 1e-15) by (apply Rmult_le_compat_l; lra). lra. }
    assert (H1 : exp y * (exp (z * d) - 1) <= 1.01e-15 * (exp y * y)).
    { replace (1.01e-15 * (exp y * y)) with (exp y * (1.01e-15 * y)) by ring. apply Rmult_le_compat_l; lra. }
    assert (Hy100 : 1 + y <= 101) by (unfold y; assert (z * (1 - d) <= z * 1) by (apply Rmult_le_compat_l; lra); lra).
    assert ((exp y - 1) * (1 + y) <= (exp y - 1) * 101) by (apply Rmult_le_compat_l; lra). lra. }
  assert (Hup : exp z - 1 <= (1 + 1.1e-13) * (exp y - 1)) by (rewrite Ez; lra).
  eapply Rle_trans; [exact Hup|]. rewrite Rmult_assoc, Rmult_comm. apply Rmult_le_compat_l; [lra|].
  apply Rle_trans with ((1 - 1e-15) * ((1 + powerRZ 2 (-40)) * (1 - powerRZ 2 (-53)))); [interval with (i_prec 90)|].
  apply Rmult_le_compat_r; [interval|lra].
Qed.

(** ** Up to 200 roundings of binary64 *)
(* C++: scalar/tensor_core.hpp tensor_core_error_factor. *)
Theorem few_roundings : (1 + powerRZ 2 (-53)) ^ 200 <= 1 + powerRZ 2 (-45) /\
  1 <= (1 - powerRZ 2 (-53)) ^ 200 * ((1 + powerRZ 2 (-45)) * (1 - powerRZ 2 (-53))).
Proof. split; interval with (i_prec 120). Qed.

(** ** What is added to every bound that is not 0: below 2^-200 of the smallest subnormal number of fp16, bf16 and fp32 *)
(* C++: bounds/bounds.hpp error_bounds. *)
Theorem decidable_below : powerRZ 2 (-460) <= powerRZ 2 (-200) * powerRZ 2 (-149) /\ powerRZ 2 (-149) <= powerRZ 2 (-133) /\
  powerRZ 2 (-133) <= powerRZ 2 (-24).
Proof. repeat split; interval. Qed.

(** ** Cut-offs of exp: of -700 with a radius below 1, and of 700 *)
(* C++: oracle/functions.hpp expm1_negative. *)
Theorem exp_cut_off x : x <= -699 -> 0 < exp x <= powerRZ 2 (-1000).
Proof.
  intros Hx. split; [apply exp_pos|]. apply Rle_trans with (exp (-699)); [|interval].
  destruct (Req_dec x (-699)) as [->|]; [lra|]. left. apply exp_increasing. lra.
Qed.

Theorem exp_in_range : exp 700 < powerRZ 2 1023 /\ powerRZ 2 (-1022) < exp (-700).
Proof. split; interval. Qed.

(** ** The divisor of div(): |b| >= |hi| (1 - 2^-53), and three more roundings *)
(* C++: oracle/double_double.hpp div. *)
Theorem divisor_low : (1 - powerRZ 2 (-48)) * (1 + powerRZ 2 (-53)) ^ 3 <= 1 - powerRZ 2 (-53).
Proof. interval with (i_prec 120). Qed.

(** ** rms of one rounding, in u: sqrt(1 / (8 ln 2)) *)
Theorem rms_rounding : Rabs (sqrt (/ (8 * ln 2)) - 0.42466) <= 1e-6.
Proof. interval with (i_prec 60). Qed.

(** ** Further sizes of accumulation factors: 256 products, contexts of 1024 and 4096, in fp32; one, two and three roundings in 16 bits *)
Theorem fp32_phi_more h :
  (INR h <= 256 -> phi h (powerRZ 2 (-24)) <= 1.526e-5) /\ (INR h <= 1024 -> phi h (powerRZ 2 (-24)) <= 6.104e-5) /\
  (INR h <= 4096 -> phi h (powerRZ 2 (-24)) <= 2.442e-4).
Proof. repeat split; [at_most 256|at_most 1024|at_most 4096]. Qed.

Theorem short_phi : phi 3 (powerRZ 2 (-8)) <= 1.177e-2 /\ phi 3 (powerRZ 2 (-11)) <= 1.466e-3 /\ phi 1 (powerRZ 2 (-8)) <= 3.907e-3.
Proof. unfold phi. repeat split; interval. Qed.
