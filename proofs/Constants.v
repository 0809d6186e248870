(** Purpose: a few of the numbers that the bounds come to, so that a reader can judge their size.
    Main results: accumulation factors (1 + u)^h - 1 of fp32 and bf16, and n 2^-24, for the sizes of DeepSeek-V3 (r = 512, d_c = 128).
    Depends on: CoqInterval only. Axioms: those of Coq's real numbers and, because they are computed, machine integers and floats. *)
From Coq Require Import Reals.
From Interval Require Import Tactic.
Local Open Scope R_scope.

(** fp32, 512 roundings in a row: below 3.06e-5. *)
Theorem fp32_height_512 : (1 + powerRZ 2 (-24)) ^ 512 - 1 <= 3.06e-5.
Proof. interval with (i_prec 80). Qed.

(** fp32, pairwise over 512 products (height 10): below 6e-7. *)
Theorem fp32_height_10 : (1 + powerRZ 2 (-24)) ^ 10 - 1 <= 6e-7.
Proof. interval with (i_prec 80). Qed.

(** bf16, two roundings: below 7.83e-3. *)
Theorem bf16_height_2 : (1 + powerRZ 2 (-8)) ^ 2 - 1 <= 7.83e-3.
Proof. interval. Qed.

(** The most that logits of size 13.86 = 192 / sqrt 192 can move when q_hat and k_hat are stored in bf16, gamma = 1: 0.11. *)
Theorem bf16_stored_logit : 192 / sqrt 192 * ((1 + powerRZ 2 (-8) / (1 + powerRZ 2 (-8))) ^ 2 - 1) <= 0.1085.
Proof. interval with (i_prec 60). Qed.
