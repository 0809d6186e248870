(** Purpose: the numbers that bounds and the code rest on: formats, accumulation factors at the sizes of the presets, the slack of a bound's
      own evaluation.
    Main results: [format_constants]; [phi_as_exp]: how the factor (1 + u)^h - 1 is evaluated; [fp32_phi], [fp64_phi]: its size at the
      presets; [slack_up], [slack_down]: 2^22 roundings of binary64 are within 2^-30; [bf16_stored_logit]: what QK-norm buys in bf16.
    Depends on: NoOverflow, HalfUlp. Axioms: those of Coq's real numbers and, because they are computed, machine integers and floats. *)
From Coq Require Import Reals Lra Lia.
From Interval Require Import Tactic.
From Equinorm Require Import NoOverflow HalfUlp.
Local Open Scope R_scope.

(** ** Formats: fp16, bf16, fp32, fp64 by bits and exponent range *)
Theorem format_exponents : emin_of 11 16 = (-24)%Z /\ emin_of 8 128 = (-133)%Z /\ emin_of 24 128 = (-149)%Z /\ emin_of 53 1024 = (-1074)%Z.
Proof. repeat split. Qed.

Theorem format_constants :
  largest_finite 11 16 = 65504 /\ unit_roundoff 11 = / 2048 /\ unit_roundoff 8 = / 256 /\ unit_roundoff 24 = / 16777216 /\
  x_min (-24) 11 = / 16384 /\ x_min (-133) 8 = x_min (-149) 24 /\ u 11 = / 2049 /\ u 8 = / 257 /\ u 24 = / 16777217.
Proof.
  unfold largest_finite, too_large, u, unit_roundoff, u_ro, x_min.
  repeat split; try reflexivity; cbn; lra.
Qed.

(** ** Accumulation factors *)
Definition phi (h : nat) (v : R) : R := (1 + v) ^ h - 1.

(** The code evaluates expm1(h log1p(v)). *)
(* C++: bounds/rounding.hpp phi. *)
Theorem phi_as_exp h v : 0 <= v -> phi h v = exp (INR h * ln (1 + v)) - 1.
Proof. intros Hv. unfold phi. rewrite <- Rpower_pow by lra. reflexivity. Qed.

Theorem phi_at_most h v H : 0 <= v -> INR h <= H -> phi h v <= exp (H * v) - 1.
Proof.
  intros Hv Hh. unfold phi. assert (Hp : (1 + v) ^ h <= exp (INR h * v)).
  { clear Hh. induction h as [|h IH]; [simpl; rewrite Rmult_0_l, exp_0; lra|]. rewrite S_INR. simpl pow.
    replace ((INR h + 1) * v) with (v + INR h * v) by ring. rewrite exp_plus.
    apply Rmult_le_compat; [lra|apply pow_le; lra|apply exp_ineq1_le|exact IH]. }
  assert (exp (INR h * v) <= exp (H * v)); [|lra].
  destruct (Req_dec (INR h * v) (H * v)) as [->|]; [lra|]. left. apply exp_increasing. assert (INR h * v <= H * v) by nra. lra.
Qed.

Ltac at_most H := intros; eapply Rle_trans; [apply (phi_at_most _ _ H); [interval|assumption]|interval with (i_prec 90)].

(** fp32, h roundings: head and RoPE dimensions, latents, hidden sizes, full-width norms, contexts. *)
Theorem fp32_phi h :
  (INR h <= 64 -> phi h (powerRZ 2 (-24)) <= 3.815e-6) /\
  (INR h <= 128 -> phi h (powerRZ 2 (-24)) <= 7.630e-6) /\
  (INR h <= 192 -> phi h (powerRZ 2 (-24)) <= 1.145e-5) /\
  (INR h <= 512 -> phi h (powerRZ 2 (-24)) <= 3.052e-5) /\
  (INR h <= 1536 -> phi h (powerRZ 2 (-24)) <= 9.156e-5) /\
  (INR h <= 7168 -> phi h (powerRZ 2 (-24)) <= 4.274e-4) /\
  (INR h <= 16384 -> phi h (powerRZ 2 (-24)) <= 9.771e-4) /\
  (INR h <= 131072 -> phi h (powerRZ 2 (-24)) <= 7.844e-3) /\
  (INR h <= 262144 -> phi h (powerRZ 2 (-24)) <= 1.575e-2).
Proof. repeat split; [ at_most 64 | at_most 128 | at_most 192 | at_most 512 | at_most 1536 | at_most 7168 | at_most 16384 | at_most
  131072 | at_most 262144 ]. Qed.

(** The same for the oracle's and the reference's binary64. *)
Theorem fp64_phi h :
  (INR h <= 512 -> phi h (powerRZ 2 (-53)) <= 5.685e-14) /\
  (INR h <= 7168 -> phi h (powerRZ 2 (-53)) <= 7.959e-13) /\
  (INR h <= 262144 -> phi h (powerRZ 2 (-53)) <= 2.911e-11).
Proof. repeat split; [ at_most 512 | at_most 7168 | at_most 262144 ]. Qed.

(** fp32, pairwise over 512 products (height 10): below 6e-7. *)
Theorem fp32_height_10 : (1 + powerRZ 2 (-24)) ^ 10 - 1 <= 6e-7.
Proof. interval with (i_prec 80). Qed.

(** bf16, two roundings: below 7.83e-3. *)
Theorem bf16_height_2 : (1 + powerRZ 2 (-8)) ^ 2 - 1 <= 7.83e-3.
Proof. interval. Qed.

(** The most that logits of size 13.86 = 192 / sqrt 192 can move when q_hat and k_hat are stored in bf16, gamma = 1: 0.11. *)
Theorem bf16_stored_logit : 192 / sqrt 192 * ((1 + powerRZ 2 (-8) / (1 + powerRZ 2 (-8))) ^ 2 - 1) <= 0.1085.
Proof. interval with (i_prec 60). Qed.

(** ** Evaluating a bound in binary64: n roundings of positive terms, n <= 2^22, are covered by one factor 1 + 2^-30 ... *)
Theorem slack_up n : INR n <= 4194304 -> (1 + powerRZ 2 (-53)) ^ n <= 1 + powerRZ 2 (-30).
Proof.
  intros Hn. pose proof (phi_at_most n (powerRZ 2 (-53)) 4194304 ltac:(interval) Hn) as H. unfold phi in H.
  assert (exp (4194304 * powerRZ 2 (-53)) - 1 <= powerRZ 2 (-30)) by interval with (i_prec 120). lra.
Qed.

(** Bernoulli's inequality. *)
Lemma bernoulli v n : 0 <= v <= 1 -> 1 - INR n * v <= (1 - v) ^ n.
Proof.
  intros Hv. induction n as [|n IH]; [simpl; lra|]. rewrite S_INR. simpl pow. pose proof (pos_INR n).
  assert (0 <= INR n * v * v) by (apply Rmult_le_pos; [apply Rmult_le_pos|]; lra).
  assert ((1 - v) * (1 - INR n * v) <= (1 - v) * (1 - v) ^ n) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** ... and a computed positive value times 1 - 2^-30 is a lower bound; times 1 + 2^-30, even rounded, an upper one. *)
Theorem slack_down n : INR n <= 4194304 -> 1 - powerRZ 2 (-30) <= (1 - powerRZ 2 (-53)) ^ n.
Proof.
  intros Hn. set (v := powerRZ 2 (-53)). assert (Hv : 0 <= v <= 1) by (unfold v; split; interval).
  pose proof (bernoulli v n Hv) as H.
  assert (INR n * v <= 4194304 * v) by (apply Rmult_le_compat_r; lra).
  assert (4194304 * v <= powerRZ 2 (-30)) by (unfold v; interval with (i_prec 80)). lra.
Qed.

(* C++: bounds/bounds.hpp error_bounds. *)
Theorem slack_covers n : INR n <= 4194304 -> 1 <= (1 - powerRZ 2 (-53)) ^ n * ((1 + powerRZ 2 (-30)) * (1 - powerRZ 2 (-53))).
Proof.
  intros Hn. set (v := powerRZ 2 (-53)). assert (Hv : 0 <= v <= 1) by (unfold v; split; interval).
  pose proof (bernoulli v n Hv) as H.
  assert (INR n * v <= 4194304 * v) by (apply Rmult_le_compat_r; lra).
  assert (Hw : 0 <= (1 + powerRZ 2 (-30)) * (1 - v)) by (unfold v; interval).
  apply Rle_trans with ((1 - 4194304 * v) * ((1 + powerRZ 2 (-30)) * (1 - v))); [unfold v; interval with (i_prec 120)|].
  apply Rmult_le_compat_r; [exact Hw|lra].
Qed.
