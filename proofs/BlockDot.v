(** Purpose: dot products block by block, as matrix units do them.
    Main results: [block_chain_error]: if each block errs by at most rho (|accumulator| + sum|products|) + omega, q blocks err by ((1 +
      rho)^q - 1) sum|products| + q (1 + rho)^q omega; [block_fma_error]: one rounding a block; [aligned_block_step]: what rho is when the
      addends are aligned to the largest and cut to f fraction bits.
    Depends on: Radius. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export Radius.
Local Open Scope R_scope.

(** z k: the exact sum of block k's products; A k: the sum of their absolute values; t k: the accumulator before block k. *)
Theorem block_chain_error (z A t : nat -> R) rho omega q : 0 <= rho -> 0 <= omega -> t 0%nat = 0 ->
  (forall k, (k < q)%nat -> Rabs (z k) <= A k) ->
  (forall k, (k < q)%nat -> near (t (S k)) (rho * (Rabs (t k) + A k) + omega) (t k + z k)) ->
  near (t q) (((1 + rho) ^ q - 1) * rsum q A + INR q * (1 + rho) ^ q * omega) (rsum q z).
Proof.
  intros Hrho Hom H0. induction q as [|q IH]; intros Hz Ht.
  - unfold near. simpl. rewrite H0, Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
  - assert (IH' : near (t q) (((1 + rho) ^ q - 1) * rsum q A + INR q * (1 + rho) ^ q * omega) (rsum q z)).
    { apply IH; intros; [apply Hz|apply Ht]; lia. }
    specialize (Ht q ltac:(lia)). pose proof (Hz q ltac:(lia)) as Hzq. unfold near in *.
    set (E := ((1 + rho) ^ q - 1) * rsum q A + INR q * (1 + rho) ^ q * omega) in *.
    assert (HA : Rabs (rsum q z) <= rsum q A).
    { eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros; apply Hz; lia. }
    assert (Htq : Rabs (t q) <= rsum q A + E).
    { replace (t q) with ((t q - rsum q z) + rsum q z) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. }
    assert (Hp : 1 <= (1 + rho) ^ S q) by (apply pow_R1_Rle; lra).
    assert (Hp' : 1 + rho <= (1 + rho) ^ S q).
    { simpl. assert (1 <= (1 + rho) ^ q) by (apply pow_R1_Rle; lra). nra. }
    assert (0 <= A q) by (eapply Rle_trans; [apply Rabs_pos|exact Hzq]).
    simpl rsum. replace (t (S q) - (rsum q z + z q)) with ((t (S q) - (t q + z q)) + (t q - rsum q z)) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    assert (rho * (Rabs (t q) + A q) <= rho * (rsum q A + E + A q)) by (apply Rmult_le_compat_l; lra).
    replace (((1 + rho) ^ S q - 1) * (rsum q A + A q) + INR (S q) * (1 + rho) ^ S q * omega) with
      ((1 + rho) * E + rho * rsum q A + ((1 + rho) ^ S q - 1) * A q + (1 + rho) ^ S q * omega)
      by (unfold E; rewrite S_INR; simpl pow; ring).
    assert (rho * A q <= ((1 + rho) ^ S q - 1) * A q) by (apply Rmult_le_compat_r; lra).
    assert (omega <= (1 + rho) ^ S q * omega) by nra. lra.
Qed.

(** Exact inside a block, one rounding to nearest after it (block FMA). *)
Theorem block_fma_error emin prec choice {prec_pos : Prec_gt_0 prec} (z A t : nat -> R) q : t 0%nat = 0 ->
  (forall k, (k < q)%nat -> Rabs (z k) <= A k) -> (forall k, (k < q)%nat -> t (S k) = rnd emin prec choice (t k + z k)) ->
  near (t q) (((1 + u prec) ^ q - 1) * rsum q A + INR q * (1 + u prec) ^ q * tiny emin) (rsum q z).
Proof.
  intros H0 Hz Ht. pose proof (u_pos prec) as Hu. apply block_chain_error with (t := t); auto.
  - lra.
  - left. apply tiny_pos.
  - intros k Hk. rewrite (Ht k Hk). unfold near. eapply Rle_trans; [exact (round_error emin prec choice _)|].
    pose proof (Rabs_triang (t k) (z k)). pose proof (Hz k Hk). apply Rplus_le_compat_r. apply Rmult_le_compat_l; lra.
Qed.

(** A block of b products and the accumulator, each aligned to the largest and cut at 2^-f of it (so off by at most cut * largest), added
    exactly, the result cut with relative error v: rho = (1 + (b + 1) cut) (1 + v) - 1. *)
Theorem aligned_block_step (b : nat) (x xh : nat -> R) t th s largest cut v omega :
  0 <= cut -> 0 <= v -> (forall i, (i < b)%nat -> near (xh i) (cut * largest) (x i)) -> near th (cut * largest) t ->
  largest <= Rabs t + rsum b (fun i => Rabs (x i)) -> near s (v * Rabs (rsum b xh + th) + omega) (rsum b xh + th) ->
  near s (((1 + (INR b + 1) * cut) * (1 + v) - 1) * (Rabs t + rsum b (fun i => Rabs (x i))) + omega) (t + rsum b x).
Proof.
  intros Hcut Hv Hx Ht Hlargest Hs. set (T := Rabs t + rsum b (fun i => Rabs (x i))) in *.
  assert (Hsum : near (rsum b xh + th) ((INR b + 1) * cut * T) (t + rsum b x)).
  { rewrite (Rplus_comm t). eapply near_weaken; [apply radius_sum; [apply radius_rsum; exact Hx|exact Ht]|].
    rewrite rsum_const. pose proof (pos_INR b). assert (cut * largest <= cut * T) by (apply Rmult_le_compat_l; assumption). nra. }
  assert (Hbig : Rabs (rsum b xh + th) <= (1 + (INR b + 1) * cut) * T).
  { unfold near in Hsum. replace (rsum b xh + th) with ((rsum b xh + th - (t + rsum b x)) + (t + rsum b x)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. assert (Rabs (t + rsum b x) <= T); [|lra].
    eapply Rle_trans; [apply Rabs_triang|]. unfold T. pose proof (rsum_abs b x). lra. }
  eapply near_weaken; [eapply near_trans; [exact Hs|exact Hsum]|].
  assert (v * Rabs (rsum b xh + th) <= v * ((1 + (INR b + 1) * cut) * T)) by (apply Rmult_le_compat_l; assumption). nra.
Qed.
