(** Purpose: the statistic alpha = 1 / sqrt(nu sum x^2 + eps) in floating point.
    Main results: [mean_square_error] (sum of squares in any order, division, + eps), [rsqrt_error] (a perturbed positive number under
      rsqrt), [alpha_error] (the two together), [rms_perturb], [rms_lipschitz], [alpha_perturb] (perturbed components).
    Depends on: Dot, Radius. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export Dot Radius.
Local Open Scope R_scope.

(** S^2 = nu sum x^2 + eps: nu = 1/n for RMS, 1 for L2. *)
Definition S2 (nu eps : R) (n : nat) (x : nat -> R) : R := nu * rsum n (fun j => x j * x j) + eps.

Lemma S2_ge_eps nu eps n x : 0 <= nu -> eps <= S2 nu eps n x.
Proof. intros. unfold S2. assert (0 <= rsum n (fun j => x j * x j)) by (apply rsum_nonneg; intros; nra). nra. Qed.

Section Computed.
Variables (emin prec : Z) (choice : Z -> bool).
Context {prec_pos : Prec_gt_0 prec}.
Notation rnd := (rnd emin prec choice).
Notation u := (u prec).
Notation tiny := (tiny emin).

(** sum: a computed sum of squares; width: n for RMS, 1 for L2 (dividing by 1 is exact, and covered).
    m' = rnd(rnd(sum / width) + rnd(eps)). *)
Theorem mean_square_error (exact_sum sum width eps D F : R) : 0 <= exact_sum -> 0 < width -> 0 <= eps -> 0 <= D ->
  near sum (D * exact_sum + F) exact_sum ->
  let m := exact_sum / width + eps in
  near (rnd (rnd (sum / width) + rnd eps)) (((1 + D) * (1 + u) ^ 2 - 1) * m + (F / width * (1 + u) ^ 2 + 2 * tiny * (1 + u))) m.
Proof.
  intros Hs Hw He HD Hsum m.
  pose proof (near_nonneg _ _ _ Hsum) as HDF. unfold near in *. pose proof (u_nonneg prec) as Hu. pose proof (tiny_pos emin) as Ht.
  assert (Hq : Rabs (sum / width - exact_sum / width) <= D * (exact_sum / width) + F / width).
  { replace (sum / width - exact_sum / width) with ((sum - exact_sum) * / width) by (field; lra).
    rewrite Rabs_mult, (Rabs_pos_eq (/ width)) by (left; now apply Rinv_0_lt_compat).
    replace (D * (exact_sum / width) + F / width) with ((D * exact_sum + F) * / width) by (field; lra).
    apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|assumption]. }
  pose proof (round_error emin prec choice (sum / width)) as R1. pose proof (round_error emin prec choice eps) as R2.
  pose proof (round_sum_error emin prec choice (rnd (sum / width)) (rnd eps)
    (rnd_format _ _ _ _) (rnd_format _ _ _ _)) as R3.
  assert (Hy0 : 0 <= exact_sum / width) by (apply Rmult_le_pos; [assumption|left; now apply Rinv_0_lt_compat]).
  unfold m. set (y := exact_sum / width) in *. set (f := F / width) in *. set (q := sum / width) in *.
  rewrite (Rabs_pos_eq eps) in R2 by assumption.
  assert (Hqa : Rabs q <= y + (D * y + f)).
  { replace q with (y + (q - y)) by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite (Rabs_pos_eq y) by assumption. lra. }
  assert (H1 : Rabs (rnd q - y) <= D * y + f + (u * (y + (D * y + f)) + tiny)).
  { replace (rnd q - y) with ((rnd q - q) + (q - y)) by ring. eapply Rle_trans; [apply Rabs_triang|].
    assert (u * Rabs q <= u * (y + (D * y + f))) by (apply Rmult_le_compat_l; assumption). lra. }
  assert (H2 : Rabs (rnd q + rnd eps - (y + eps)) <= D * y + f + (u * (y + (D * y + f)) + tiny) + (u * eps + tiny)).
  { replace (rnd q + rnd eps - (y + eps)) with ((rnd q - y) + (rnd eps - eps)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. }
  set (E := D * y + f + (u * (y + (D * y + f)) + tiny) + (u * eps + tiny)) in *.
  assert (H3 : Rabs (rnd q + rnd eps) <= y + eps + E).
  { replace (rnd q + rnd eps) with ((y + eps) + (rnd q + rnd eps - (y + eps))) by ring. eapply Rle_trans; [apply Rabs_triang|].
    rewrite (Rabs_pos_eq (y + eps)) by lra. lra. }
  replace (rnd (rnd q + rnd eps) - (y + eps)) with
    ((rnd (rnd q + rnd eps) - (rnd q + rnd eps)) + (rnd q + rnd eps - (y + eps))) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  assert (u * Rabs (rnd q + rnd eps) <= u * (y + eps + E)) by (apply Rmult_le_compat_l; assumption).
  apply Rle_trans with (u * (y + eps + E) + E); [lra|].
  assert (Hd : ((1 + D) * (1 + u) ^ 2 - 1) * (y + eps) + (f * (1 + u) ^ 2 + 2 * tiny * (1 + u)) - (u * (y + eps + E) + E) =
               D * (1 + u) ^ 2 * eps) by (unfold E; ring).
  assert (0 <= D * (1 + u) ^ 2 * eps). { apply Rmult_le_pos; [|assumption]. apply Rmult_le_pos; [assumption|]. nra. }
  lra.
Qed.
End Computed.

Lemma inv_sqrt_mean t : 0 <= t < 1 -> 2 <= / sqrt (1 - t) + / sqrt (1 + t).
Proof.
  intros Ht. assert (S2' : 0 < sqrt (1 - t)) by (apply sqrt_lt_R0; lra). assert (S3 : 0 < sqrt (1 + t)) by (apply sqrt_lt_R0; lra).
  set (A := / sqrt (1 - t)). set (B := / sqrt (1 + t)).
  assert (HA : A * sqrt (1 - t) = 1) by (unfold A; field; lra). assert (HB : B * sqrt (1 + t) = 1) by (unfold B; field; lra).
  assert (QA : sqrt (1 - t) * sqrt (1 - t) = 1 - t) by (apply sqrt_sqrt; lra).
  assert (QB : sqrt (1 + t) * sqrt (1 + t) = 1 + t) by (apply sqrt_sqrt; lra).
  assert (A0 : 0 < A) by (apply Rinv_0_lt_compat; lra). assert (B0 : 0 < B) by (apply Rinv_0_lt_compat; lra).
  assert (U1 : sqrt (1 - t) <= 1 - t / 2) by nra. assert (U2 : sqrt (1 + t) <= 1 + t / 2) by nra.
  assert (A1 : 1 + t / 2 <= A) by nra. assert (B1 : 1 - t / 2 <= B) by nra. lra.
Qed.

(** rsqrt with relative error er of a number that is off by a relative t. *)
Theorem rsqrt_error m mh e t er : 0 < m -> near mh (t * m) m -> t < 1 -> Rabs e <= er -> er < 1 ->
  Rabs ((1 + e) / sqrt mh * sqrt m - 1) <= (1 + er) / sqrt (1 - t) - 1.
Proof.
  intros Hm Hmh Ht He Her. set (th := mh / m - 1). assert (Emh : mh = m * (1 + th)) by (unfold th; field; lra).
  assert (Hth : Rabs th <= t).
  { unfold near in Hmh. unfold th. replace (mh / m - 1) with ((mh - m) * / m) by (field; lra).
    rewrite Rabs_mult, (Rabs_pos_eq (/ m)) by (left; now apply Rinv_0_lt_compat).
    apply Rmult_le_reg_r with m; [assumption|]. replace (Rabs (mh - m) * / m * m) with (Rabs (mh - m)) by (field; lra). assumption. }
  rewrite Emh. clear Emh Hmh. clearbody th.
  assert (Ht0 : 0 <= t) by (eapply Rle_trans; [apply Rabs_pos|exact Hth]).
  assert (He0 : 0 <= er) by (eapply Rle_trans; [apply Rabs_pos|exact He]).
  apply Rabs_le_inv in Hth. apply Rabs_le_inv in He.
  assert (Sm : 0 < sqrt m) by (apply sqrt_lt_R0; lra).
  assert (S1 : 0 < sqrt (1 + th)) by (apply sqrt_lt_R0; lra).
  assert (S2' : 0 < sqrt (1 - t)) by (apply sqrt_lt_R0; lra).
  assert (S3 : 0 < sqrt (1 + t)) by (apply sqrt_lt_R0; lra).
  rewrite sqrt_mult by lra.
  replace ((1 + e) / (sqrt m * sqrt (1 + th)) * sqrt m) with ((1 + e) * / sqrt (1 + th)) by (field; lra).
  assert (I2 : / sqrt (1 + th) <= / sqrt (1 - t)) by (apply Rinv_le_contravar; [exact S2'|]; apply sqrt_le_1; lra).
  assert (I1 : / sqrt (1 + t) <= / sqrt (1 + th)) by (apply Rinv_le_contravar; [exact S1|]; apply sqrt_le_1; lra).
  assert (P1 : 0 < / sqrt (1 + t)) by (apply Rinv_0_lt_compat; lra).
  pose proof (inv_sqrt_mean t ltac:(lra)) as AM.
  unfold Rdiv. apply Rabs_le. split; [|nra].
  assert (Lw : (1 - er) * / sqrt (1 + t) <= (1 + e) * / sqrt (1 + th)) by (apply Rmult_le_compat; lra).
  assert (B1 : / sqrt (1 + t) <= 1). { rewrite <- Rinv_1. apply Rinv_le_contravar; [lra|]. rewrite <- sqrt_1 at 1. apply sqrt_le_1; lra. }
  nra.
Qed.

(** alpha' = rsqrt(m') within r1 / S of alpha = 1 / S. *)
Theorem alpha_error m mh e t er : 0 < m -> near mh (t * m) m -> t < 1 -> Rabs e <= er -> er < 1 ->
  near ((1 + e) / sqrt mh) (((1 + er) / sqrt (1 - t) - 1) / sqrt m) (/ sqrt m).
Proof.
  intros Hm Hmh Ht He Her. pose proof (rsqrt_error m mh e t er Hm Hmh Ht He Her) as H.
  assert (Sm : 0 < sqrt m) by (apply sqrt_lt_R0; lra). unfold near.
  replace ((1 + e) / sqrt mh - / sqrt m) with (((1 + e) / sqrt mh * sqrt m - 1) * / sqrt m).
  - rewrite Rabs_mult, (Rabs_pos_eq (/ sqrt m)) by (left; now apply Rinv_0_lt_compat).
    apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|assumption].
  - unfold Rdiv. rewrite Rmult_minus_distr_r, Rmult_assoc, Rinv_r by lra. ring.
Qed.

(** Perturbed components: |S(x') - S(x)| from componentwise radii. *)
Theorem rms_perturb nu eps n (x xh E : nat -> R) : 0 <= nu -> 0 < eps -> (forall j, (j < n)%nat -> near (xh j) (E j) (x j)) ->
  near (sqrt (S2 nu eps n xh))
    (nu * rsum n (fun j => 2 * Rabs (xh j) * E j + E j * E j) / (sqrt (S2 nu eps n xh) + sqrt (S2 nu eps n x))) (sqrt (S2 nu eps n x)).
Proof.
  intros Hnu Heps HE. pose proof (S2_ge_eps nu eps n x Hnu) as Px. pose proof (S2_ge_eps nu eps n xh Hnu) as Pxh.
  assert (A : 0 < sqrt (S2 nu eps n xh)) by (apply sqrt_lt_R0; lra). assert (B : 0 < sqrt (S2 nu eps n x)) by (apply sqrt_lt_R0; lra).
  set (a := sqrt (S2 nu eps n xh)) in *. set (b := sqrt (S2 nu eps n x)) in *. unfold near.
  assert (Qa : a * a = S2 nu eps n xh) by (apply sqrt_sqrt; lra). assert (Qb : b * b = S2 nu eps n x) by (apply sqrt_sqrt; lra).
  set (T := nu * rsum n (fun j => 2 * Rabs (xh j) * E j + E j * E j)).
  apply Rmult_le_reg_r with (a + b); [lra|]. replace (T / (a + b) * (a + b)) with T by (field; lra).
  rewrite <- (Rabs_pos_eq (a + b)) at 1 by lra. rewrite <- Rabs_mult. replace ((a - b) * (a + b)) with (a * a - b * b) by ring.
  rewrite Qa, Qb. unfold S2, T.
  replace (nu * rsum n (fun j => xh j * xh j) + eps - (nu * rsum n (fun j => x j * x j) + eps))
    with (nu * (rsum n (fun j => xh j * xh j) - rsum n (fun j => x j * x j))) by ring.
  rewrite <- rsum_minus, Rabs_mult, (Rabs_pos_eq nu) by lra.
  apply Rmult_le_compat_l; [lra|]. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros j Hj. specialize (HE j Hj). unfold near in HE.
  replace (xh j * xh j - x j * x j) with (2 * xh j * (xh j - x j) - (xh j - x j) * (xh j - x j)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, !Rabs_mult, (Rabs_pos_eq 2) by lra.
  pose proof (Rabs_pos (xh j)). pose proof (Rabs_pos (xh j - x j)). nra.
Qed.

(** S is 1-Lipschitz: |S(x) - S(y)| <= sqrt(nu) |x - y|. *)
(* C++: bounds/statistic.hpp statistic. *)
Theorem rms_lipschitz nu eps n x y : 0 <= nu -> 0 <= eps ->
  Rabs (sqrt (S2 nu eps n x) - sqrt (S2 nu eps n y)) <= sqrt nu * norm n (fun j => x j - y j).
Proof.
  intros Hnu Heps.
  (* S is the norm of the vector sqrt(nu) x with sqrt(eps) put at its end. *)
  set (aug := fun z j => if (j <? n)%nat then sqrt nu * z j else sqrt eps).
  assert (Haug : forall z, sqrt (S2 nu eps n z) = norm (S n) (aug z)).
  { intros z. unfold norm, norm2, S2. f_equal. simpl. unfold aug at 3 4. rewrite Nat.ltb_irrefl, sqrt_sqrt by assumption. f_equal.
    rewrite <- rsum_scal. apply rsum_ext; intros j Hj. unfold aug. apply Nat.ltb_lt in Hj. rewrite Hj.
    rewrite <- (sqrt_sqrt nu) at 1 by assumption. ring. }
  assert (Hdiff : forall w z, norm (S n) (fun j => aug w j - aug z j) = sqrt nu * norm n (fun j => w j - z j)).
  { intros w z. unfold norm. rewrite <- sqrt_mult by (auto using norm2_nonneg). f_equal. unfold norm2.
    change (rsum n (fun j => (aug w j - aug z j) * (aug w j - aug z j)) + (aug w n - aug z n) * (aug w n - aug z n) =
            nu * rsum n (fun j => (w j - z j) * (w j - z j))).
    replace (aug w n - aug z n) with 0 by (unfold aug; rewrite Nat.ltb_irrefl; ring).
    rewrite Rmult_0_l, Rplus_0_r, <- rsum_scal. apply rsum_ext; intros j Hj. unfold aug. apply Nat.ltb_lt in Hj. rewrite Hj.
    rewrite <- (sqrt_sqrt nu) at 5 by assumption. ring. }
  assert (Hone : forall w z, sqrt (S2 nu eps n w) - sqrt (S2 nu eps n z) <= sqrt nu * norm n (fun j => w j - z j)).
  { intros w z. rewrite !Haug. pose proof (triangle_norm (S n) (fun j => aug w j - aug z j) (aug z)) as H. rewrite Hdiff in H.
    replace (norm (S n) (fun j => aug w j - aug z j + aug z j)) with (norm (S n) (aug w)) in H; [lra|].
    unfold norm, norm2. f_equal. apply rsum_ext; intros; ring. }
  apply Rabs_le. split; [|apply Hone]. pose proof (Hone y x) as H.
  replace (norm n (fun j => y j - x j)) with (norm n (fun j => x j - y j)) in H; [lra|].
  unfold norm, norm2. f_equal. apply rsum_ext; intros; ring.
Qed.

(** From S to alpha = 1 / S when S is off by d; S0 is any positive lower bound of the true S, such as max(S' - d, sqrt eps). *)
Theorem alpha_perturb S' S d S0 : 0 < S' -> 0 < S0 -> S0 <= S -> near S' d S -> near (/ S') (Rmax (/ S0 - / S') (/ S' - / (S' + d))) (/ S).
Proof.
  intros HS' HS0 Hlow Hd. pose proof (near_nonneg _ _ _ Hd) as Hd0. unfold near in *. apply Rabs_le_inv in Hd.
  assert (HS : 0 < S) by lra.
  assert (/ S <= / S0) by (apply Rinv_le_contravar; lra). assert (/ (S' + d) <= / S) by (apply Rinv_le_contravar; lra).
  pose proof (Rmax_l (/ S0 - / S') (/ S' - / (S' + d))). pose proof (Rmax_r (/ S0 - / S') (/ S' - / (S' + d))).
  apply Rabs_le. lra.
Qed.
