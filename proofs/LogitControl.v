(** Purpose: what QK-norm buys: normalised vectors, and so logits, are bounded whatever the weights and tokens are.
    Main results: [normalised_length] (at most sqrt n for RMS, 1 for L2), [logit_control] (the paper's appendix D), [logit_bound] (n times
      the largest product of gammas).
    Depends on: RoundedNorm (for S2), RealSums. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export RoundedNorm.
Local Open Scope R_scope.

(** x / S(x). *)
Definition normalised (nu eps : R) (n : nat) (x : nat -> R) (j : nat) : R := x j / sqrt (S2 nu eps n x).

Theorem normalised_length nu eps n x : 0 < nu -> 0 < eps -> norm2 n (normalised nu eps n x) <= / nu.
Proof.
  intros Hnu Heps. pose proof (S2_ge_eps nu eps n x ltac:(lra)) as Hm. assert (HS : 0 < sqrt (S2 nu eps n x)) by (apply sqrt_lt_R0; lra).
  assert (E : norm2 n (normalised nu eps n x) = norm2 n x / S2 nu eps n x).
  { unfold norm2, Rdiv. rewrite (Rmult_comm (rsum n _)), <- rsum_scal. apply rsum_ext; intros. unfold normalised.
    rewrite <- (sqrt_sqrt (S2 nu eps n x)) at 3 by lra. field. lra. }
  rewrite E. apply Rmult_le_reg_r with (nu * S2 nu eps n x); [apply Rmult_lt_0_compat; lra|].
  replace (norm2 n x / S2 nu eps n x * (nu * S2 nu eps n x)) with (nu * norm2 n x) by (field; lra).
  replace (/ nu * (nu * S2 nu eps n x)) with (S2 nu eps n x) by (field; lra). unfold S2, norm2. lra.
Qed.

(** |logit| <= sum |u_q u_k| |gamma_q gamma_k| with u the normalised vectors. *)
Theorem logit_control n (uq uk gq gk : nat -> R) :
  Rabs (rsum n (fun j => (uq j * gq j) * (uk j * gk j))) <= rsum n (fun j => Rabs (uq j * uk j) * Rabs (gq j * gk j)).
Proof.
  eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros j _. rewrite <- Rabs_mult. right. f_equal. ring.
Qed.

(** With |gamma_q gamma_k| <= G everywhere: at most G / nu, that is G n for RMS and G for L2. *)
Theorem logit_bound nu eps n q k gq gk G : 0 < nu -> 0 < eps -> 0 <= G -> (forall j, (j < n)%nat -> Rabs (gq j * gk j) <= G) ->
  Rabs (rsum n (fun j => (normalised nu eps n q j * gq j) * (normalised nu eps n k j * gk j))) <= G * / nu.
Proof.
  intros Hnu Heps HG0 HG.
  eapply Rle_trans; [apply logit_control|].
  set (uq := normalised nu eps n q). set (uk := normalised nu eps n k).
  apply Rle_trans with (rsum n (fun j => G * (Rabs (uq j) * Rabs (uk j)))).
  { apply rsum_le; intros j Hj. rewrite (Rmult_comm G), (Rabs_mult (uq j)). apply Rmult_le_compat_l; [|now apply HG].
    apply Rmult_le_pos; apply Rabs_pos. }
  rewrite rsum_scal. apply Rmult_le_compat_l; [assumption|].
  eapply Rle_trans; [apply (cauchy_schwarz n (fun j => Rabs (uq j)) (fun j => Rabs (uk j)))|].
  assert (Habs : forall z, norm n (fun j => Rabs (z j)) = norm n z).
  { intros z. unfold norm, norm2. f_equal. apply rsum_ext; intros. rewrite <- Rabs_mult. apply Rabs_pos_eq. nra. }
  rewrite !Habs. assert (Hlen : forall z, norm n (normalised nu eps n z) <= sqrt (/ nu)).
  { intros z. apply sqrt_le_1; [apply norm2_nonneg|left; now apply Rinv_0_lt_compat|]. now apply normalised_length. }
  rewrite <- (sqrt_sqrt (/ nu)) by (left; now apply Rinv_0_lt_compat).
  apply Rmult_le_compat; try apply sqrt_pos; apply Hlen.
Qed.
