(** Purpose: the code evaluates bounds with magnitudes of what binary64 makes of the exact vectors. Each radius is told from that centre:
      the theorems of Radius.v and HalfUlp.v hold about any centre x, so they hold about binary64's, if every stage adds what binary64 loses
      there itself; how far the last centre is from the exact value comes on top. No magnitude of an exact vector is needed.
    Main results: [centre_dot], [centre_by_term], [centre_rounded], [centre_rotation]: one stage, told from binary64's result;
      [centre_exact]: the exact computation is a kernel without roundings; [told_from_centre]: the two together; [centre_latent]: the
      latent score q_tilde c told from binary64's product of q_hat and k_hat; [centre_statistic]: alpha told from binary64's;
      [own_values], [mean_own]: values and averages.
    Depends on: HalfUlp. Axioms: those of Coq's real numbers. *)
From Equinorm Require Import HalfUlp.
Local Open Scope R_scope.

(** v: the kernel's, within e of the centre x; w and y likewise; zb: binary64's sum of x y; own: what it may lose of the absolute sum. *)
(* C++: bounds/accumulation.hpp accumulation. *)
Theorem centre_dot n (v e x w f y : nat -> R) s zb D F own : 0 <= D -> 0 <= own ->
  (forall i, (i < n)%nat -> near (v i) (e i) (x i)) -> (forall i, (i < n)%nat -> near (w i) (f i) (y i)) ->
  near s (D * rsum n (fun i => Rabs (v i * w i)) + F) (rsum n (fun i => v i * w i)) ->
  near zb (own * rsum n (fun i => Rabs (x i * y i))) (rsum n (fun i => x i * y i)) ->
  near s ((D + own) * rsum n (fun i => (Rabs (x i) + e i) * (Rabs (y i) + f i)) + F +
          rsum n (fun i => Rabs (x i) * f i + e i * Rabs (y i) + e i * f i)) zb.
Proof.
  intros HD Ho Hv Hw Hs Hz. pose proof (radius_dot_exact n v e x w f y s D F HD Hv Hw Hs) as H. unfold near in *.
  assert (Hm : rsum n (fun i => Rabs (x i * y i)) <= rsum n (fun i => (Rabs (x i) + e i) * (Rabs (y i) + f i))).
  { apply rsum_le; intros i Hi. pose proof (Hv i Hi) as Hvi. pose proof (Hw i Hi) as Hwi. rewrite Rabs_mult.
    pose proof (Rabs_pos (v i - x i)). pose proof (Rabs_pos (w i - y i)). apply Rmult_le_compat; try apply Rabs_pos; lra. }
  assert (Ho2 := Rmult_le_compat_l own _ _ Ho Hm).
  replace (s - zb) with ((s - rsum n (fun i => x i * y i)) + - (zb - rsum n (fun i => x i * y i))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra.
Qed.

(** The same where every term has its own factor. *)
(* C++: bounds/accumulation.hpp term_factors. *)
Theorem centre_by_term n (v e x w f y D : nat -> R) s zb F own : 0 <= own -> (forall i, (i < n)%nat -> 0 <= D i) ->
  (forall i, (i < n)%nat -> near (v i) (e i) (x i)) -> (forall i, (i < n)%nat -> near (w i) (f i) (y i)) ->
  near s (rsum n (fun i => D i * Rabs (v i * w i)) + F) (rsum n (fun i => v i * w i)) ->
  near zb (own * rsum n (fun i => Rabs (x i * y i))) (rsum n (fun i => x i * y i)) ->
  near s (rsum n (fun i => (D i + own) * ((Rabs (x i) + e i) * (Rabs (y i) + f i))) + F +
          rsum n (fun i => Rabs (x i) * f i + e i * Rabs (y i) + e i * f i)) zb.
Proof.
  intros Ho HD Hv Hw Hs Hz.
  assert (Hc : near (rsum n (fun i => v i * w i)) (rsum n (fun i => Rabs (x i) * f i + e i * Rabs (y i) + e i * f i))
    (rsum n (fun i => x i * y i))) by (apply radius_rsum; intros; apply radius_product_exact; auto).
  assert (Hsize : forall i, (i < n)%nat -> Rabs (v i * w i) <= (Rabs (x i) + e i) * (Rabs (y i) + f i) /\
    Rabs (x i * y i) <= (Rabs (x i) + e i) * (Rabs (y i) + f i)).
  { intros i Hi. pose proof (near_magnitude _ _ _ (Hv i Hi)). pose proof (near_magnitude _ _ _ (Hw i Hi)). rewrite !Rabs_mult.
    pose proof (Hv i Hi) as Hvi. pose proof (Hw i Hi) as Hwi. unfold near in Hvi, Hwi. pose proof (Rabs_pos (v i - x i)).
    pose proof (Rabs_pos (w i - y i)). split; apply Rmult_le_compat; try apply Rabs_pos; lra. }
  assert (H1 : rsum n (fun i => D i * Rabs (v i * w i)) <= rsum n (fun i => D i * ((Rabs (x i) + e i) * (Rabs (y i) + f i)))).
  { apply rsum_le; intros i Hi. apply Rmult_le_compat_l; [auto|apply Hsize; assumption]. }
  assert (H2 : own * rsum n (fun i => Rabs (x i * y i)) <= rsum n (fun i => own * ((Rabs (x i) + e i) * (Rabs (y i) + f i)))).
  { rewrite rsum_scal. apply Rmult_le_compat_l; [assumption|]. apply rsum_le; intros i Hi. now apply Hsize. }
  rewrite (rsum_ext n (fun i => (D i + own) * _)
    (fun i => D i * ((Rabs (x i) + e i) * (Rabs (y i) + f i)) + own * ((Rabs (x i) + e i) * (Rabs (y i) + f i)))) by (intros; ring).
  rewrite rsum_plus. unfold near in *.
  replace (s - zb) with ((s - rsum n (fun i => v i * w i)) + ((rsum n (fun i => v i * w i) - rsum n (fun i => x i * y i)) +
    - (zb - rsum n (fun i => x i * y i)))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. rewrite Rabs_Ropp. lra.
Qed.

(** One operation: f of the centres, of size m at most, is rounded by binary64 as the kernel's is: u + 2^-53. *)
(* C++: bounds/rounding.hpp Rounding::relative; bounds/rounding.hpp Rounding::unit. *)
Theorem centre_rounded s c R m u v zb : 0 <= v -> near s (R + u * m) c -> near zb (v * Rabs c) c -> Rabs c <= m ->
  near s (R + (u + v) * m) zb.
Proof.
  unfold near. intros Hv Hs Hz Hm. replace (s - zb) with ((s - c) + - (zb - c)) by ring. eapply Rle_trans; [apply Rabs_triang|].
  rewrite Rabs_Ropp. assert (v * Rabs c <= v * m) by (apply Rmult_le_compat_l; assumption). lra.
Qed.

(** A rotated number x c - y s of two products and a sum: D and own are (1 + u)^2 - 1 of either arithmetic. *)
(* C++: bounds/vectors.hpp finish_row. *)
Theorem centre_rotation v w x y e f c s z zb D F own : 0 <= D -> 0 <= own -> near v e x -> near w f y ->
  near z (D * (Rabs v * Rabs c + Rabs w * Rabs s) + F) (v * c - w * s) ->
  near zb (own * (Rabs x * Rabs c + Rabs y * Rabs s)) (x * c - y * s) ->
  near z (e * Rabs c + f * Rabs s + (D + own) * ((Rabs x + e) * Rabs c + (Rabs y + f) * Rabs s) + F) zb.
Proof.
  intros HD Ho Hv Hw Hz Hb. pose proof (near_magnitude _ _ _ Hv) as Mv. pose proof (near_magnitude _ _ _ Hw) as Mw. unfold near in *.
  pose proof (Rabs_pos c) as Hc. pose proof (Rabs_pos s) as Hs. pose proof (Rabs_pos (v - x)) as He. pose proof (Rabs_pos (w - y)) as Hf.
  assert (L : Rabs (v * c - w * s - (x * c - y * s)) <= e * Rabs c + f * Rabs s).
  { replace (v * c - w * s - (x * c - y * s)) with ((v - x) * c + - ((w - y) * s)) by ring. eapply Rle_trans; [apply Rabs_triang|].
    rewrite Rabs_Ropp, !Rabs_mult. apply Rplus_le_compat; apply Rmult_le_compat_r; assumption. }
  assert (A1 : Rabs v * Rabs c + Rabs w * Rabs s <= (Rabs x + e) * Rabs c + (Rabs y + f) * Rabs s).
  { apply Rplus_le_compat; apply Rmult_le_compat_r; assumption. }
  assert (A2 : Rabs x * Rabs c + Rabs y * Rabs s <= (Rabs x + e) * Rabs c + (Rabs y + f) * Rabs s).
  { apply Rplus_le_compat; apply Rmult_le_compat_r; lra. }
  assert (B1 := Rmult_le_compat_l D _ _ HD A1). assert (B2 := Rmult_le_compat_l own _ _ Ho A2).
  replace (z - zb) with ((z - (v * c - w * s)) + ((v * c - w * s - (x * c - y * s)) + - (zb - (x * c - y * s)))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. rewrite Rabs_Ropp. lra.
Qed.

(** The exact operands X, Y are within e, f of the centres: the exact product is a kernel's that rounds nothing. *)
(* C++: bounds/setting.hpp own_setting. *)
Theorem centre_exact n (X e x Y f y : nat -> R) zb own : 0 <= own ->
  (forall i, (i < n)%nat -> near (X i) (e i) (x i)) -> (forall i, (i < n)%nat -> near (Y i) (f i) (y i)) ->
  near zb (own * rsum n (fun i => Rabs (x i * y i))) (rsum n (fun i => x i * y i)) ->
  near (rsum n (fun i => X i * Y i)) (own * rsum n (fun i => (Rabs (x i) + e i) * (Rabs (y i) + f i)) +
    rsum n (fun i => Rabs (x i) * f i + e i * Rabs (y i) + e i * f i)) zb.
Proof.
  intros Ho HX HY Hz. eapply near_weaken; [apply (centre_dot n X e x Y f y _ zb 0 0 own); try assumption; [lra|]|lra].
  unfold near. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
Qed.

(** The kernel's number v is within r of binary64's c, which is within own of the exact x. *)
(* C++: bounds/bounds.hpp error_bounds; bounds/setting.hpp own_setting. *)
Theorem told_from_centre v r c own x : near v r c -> near x own c -> near v (r + own) x.
Proof.
  unfold near. intros Hv Hx. replace (v - x) with ((v - c) + - (x - c)) by ring. eapply Rle_trans; [apply Rabs_triang|].
  rewrite Rabs_Ropp. lra.
Qed.

(** ** The absorbed form's score is told from binary64's sum of q_hat k_hat
    g_j: the query's side, c_i: the latents, W: r x d. k0 is binary64's sum of c W, zb its sum of the products of g k0, with some relative
    roundings more. *)
(* C++: bounds/scores.hpp make_scores. *)
Theorem centre_latent r d (g k0 c : nat -> R) (W : nat -> nat -> R) zb a b :
  let A := fun j => rsum r (fun i => Rabs (c i) * Rabs (W i j)) in 0 <= a -> 0 <= b ->
  (forall j, (j < d)%nat -> near (k0 j) (a * A j) (rsum r (fun i => c i * W i j))) ->
  near zb (b * rsum d (fun j => Rabs (g j * k0 j))) (rsum d (fun j => g j * k0 j)) ->
  near zb ((a + b * (1 + a)) * rsum r (fun i => rsum d (fun j => Rabs (g j) * Rabs (W i j)) * Rabs (c i)))
    (rsum r (fun i => rsum d (fun j => g j * W i j) * c i)).
Proof.
  intros A Ha Hb Hk Hz. set (K := fun j => rsum r (fun i => c i * W i j)).
  assert (E : rsum r (fun i => rsum d (fun j => g j * W i j) * c i) = rsum d (fun j => g j * K j)).
  { rewrite (rsum_ext r _ (fun i => rsum d (fun j => g j * (c i * W i j)))).
    - rewrite rsum_swap. apply rsum_ext; intros j _. unfold K. now rewrite rsum_scal.
    - intros i _. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros; ring. }
  assert (EA : rsum r (fun i => rsum d (fun j => Rabs (g j) * Rabs (W i j)) * Rabs (c i)) = rsum d (fun j => Rabs (g j) * A j)).
  { rewrite (rsum_ext r _ (fun i => rsum d (fun j => Rabs (g j) * (Rabs (c i) * Rabs (W i j))))).
    - rewrite rsum_swap. apply rsum_ext; intros j _. unfold A. now rewrite rsum_scal.
    - intros i _. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros; ring. }
  rewrite E, EA. set (H := rsum d (fun j => Rabs (g j) * A j)).
  assert (KA : forall j, Rabs (K j) <= A j).
  { intros j. unfold K, A. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros i _. rewrite Rabs_mult. lra. }
  assert (H1 : rsum d (fun j => Rabs (g j * k0 j)) <= (1 + a) * H).
  { unfold H. rewrite <- rsum_scal. apply rsum_le; intros j Hj. rewrite Rabs_mult. pose proof (near_magnitude _ _ _ (Hk j Hj)) as Hm.
    fold (K j) in Hm. pose proof (KA j). replace ((1 + a) * (Rabs (g j) * A j)) with (Rabs (g j) * (A j + a * A j)) by ring.
    apply Rmult_le_compat_l; [apply Rabs_pos|lra]. }
  assert (H2 : Rabs (rsum d (fun j => g j * k0 j) - rsum d (fun j => g j * K j)) <= a * H).
  { rewrite <- rsum_minus. eapply Rle_trans; [apply rsum_abs|]. unfold H. rewrite <- rsum_scal. apply rsum_le; intros j Hj.
    rewrite <- Rmult_minus_distr_l, Rabs_mult. replace (a * (Rabs (g j) * A j)) with (Rabs (g j) * (a * A j)) by ring.
    apply Rmult_le_compat_l; [apply Rabs_pos|]. exact (Hk j Hj). }
  assert (H3 := Rmult_le_compat_l b _ _ Hb H1). unfold near in *.
  replace (zb - rsum d (fun j => g j * K j))
    with ((zb - rsum d (fun j => g j * k0 j)) + (rsum d (fun j => g j * k0 j) - rsum d (fun j => g j * K j))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

(** ** alpha: the kernel's is within rho of 1/S of the centre x, binary64's within own *)
(* C++: bounds/statistic.hpp statistic. *)
Theorem centre_statistic alpha s rho ab own : 0 < s -> 0 <= own <= / 4 -> 0 <= rho -> Rabs (alpha * s - 1) <= rho ->
  Rabs (ab * s - 1) <= own -> Rabs (alpha / ab - 1) <= rho * (1 + 2 * own) + 2 * own.
Proof.
  intros Hs Ho Hr Ha Hb. apply Rabs_le_inv in Hb. assert (Hp : 3 / 4 <= ab * s) by lra. assert (Hab : 0 < ab).
  { destruct (Rlt_le_dec 0 ab) as [|Hn]; [assumption|]. assert (ab * s <= 0) by nra. lra. }
  replace (alpha / ab - 1) with ((alpha * s - 1 + - (ab * s - 1)) / (ab * s)) by (field; lra). unfold Rdiv. rewrite Rabs_mult.
  rewrite (Rabs_pos_eq (/ (ab * s))) by (left; apply Rinv_0_lt_compat; lra).
  assert (Hn : Rabs (alpha * s - 1 + - (ab * s - 1)) <= rho + own).
  { eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. apply Rplus_le_compat; [assumption|]. apply Rabs_le. lra. }
  apply Rmult_le_reg_r with (ab * s); [lra|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. eapply Rle_trans; [exact Hn|].
  apply Rle_trans with ((rho * (1 + 2 * own) + 2 * own) * (1 - own)).
  - assert (H1 : 0 <= own * (1 - 2 * own)) by (apply Rmult_le_pos; lra).
    assert (H2 : 0 <= rho * (own * (1 - 2 * own))) by now apply Rmult_le_pos.
    lra.
  - apply Rmult_le_compat_l; [|lra]. assert (0 <= rho * (1 + 2 * own)) by (apply Rmult_le_pos; lra). lra.
Qed.

(** ** Values: binary64's v = c W is off by its own sum, of lengths |c| |w|, and by what it does not know of c *)
(* C++: bounds/values.hpp group_values. *)
Theorem own_values n (X x w : nat -> R) zb lost far : near zb (lost * norm n w) (rsum n (fun i => x i * w i)) ->
  norm n (fun i => X i - x i) <= far -> near (rsum n (fun i => X i * w i)) ((lost + far) * norm n w) zb.
Proof.
  intros Hz Hf. assert (Hc : Rabs (rsum n (fun i => X i * w i) - rsum n (fun i => x i * w i)) <= far * norm n w).
  { rewrite <- rsum_minus. rewrite (rsum_ext n _ (fun i => (X i - x i) * w i)) by (intros; ring).
    assert (Hn : 0 <= norm n w) by apply sqrt_pos.
    apply Rle_trans with (norm n (fun i => X i - x i) * norm n w); [|now apply Rmult_le_compat_r].
    apply Rabs_le. split; [|apply cauchy_schwarz]. pose proof (cauchy_schwarz n (fun i => - (X i - x i)) w) as H.
    rewrite (rsum_ext n _ (fun i => -1 * ((X i - x i) * w i))) in H by (intros; ring). rewrite rsum_scal in H.
    assert (E : norm n (fun i => - (X i - x i)) = norm n (fun i => X i - x i)).
    { unfold norm, norm2. f_equal. apply rsum_ext; intros; ring. }
    rewrite E in H. lra. }
  unfold near in *. replace (rsum n (fun i => X i * w i) - zb)
    with ((rsum n (fun i => X i * w i) - rsum n (fun i => x i * w i)) + - (zb - rsum n (fun i => x i * w i))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra.
Qed.

(** ** A mean that binary64 forms of weights q within a relative rho of the weights p, and of values y within own of the exact Y *)
(* C++: bounds/average.hpp average_bound. *)
Theorem mean_own n (p q Y y : nat -> R) mb rho phi own : 0 <= rho -> 0 <= phi -> (forall t, (t < n)%nat -> 0 <= p t) ->
  rsum n p = 1 -> (forall t, (t < n)%nat -> Rabs (q t - p t) <= rho * p t) -> (forall t, (t < n)%nat -> Rabs (Y t - y t) <= own) ->
  near mb (phi * rsum n (fun t => Rabs (q t * y t))) (rsum n (fun t => q t * y t)) ->
  near mb ((rho + phi * (1 + rho)) * rsum n (fun t => p t * Rabs (y t)) + own) (rsum n (fun t => p t * Y t)).
Proof.
  intros Hr Hp Hpos H1 Hq Hy Hm.
  assert (S1 : rsum n (fun t => Rabs (q t * y t)) <= (1 + rho) * rsum n (fun t => p t * Rabs (y t))).
  { rewrite <- rsum_scal. apply rsum_le; intros t Ht. rewrite Rabs_mult. rewrite <- Rmult_assoc. apply Rmult_le_compat_r; [apply Rabs_pos|].
    pose proof (Hq t Ht). pose proof (Hpos t Ht). replace (q t) with (p t + (q t - p t)) by ring. eapply Rle_trans; [apply Rabs_triang|].
    rewrite (Rabs_pos_eq (p t)) by assumption. lra. }
  assert (S2 : Rabs (rsum n (fun t => q t * y t) - rsum n (fun t => p t * y t)) <= rho * rsum n (fun t => p t * Rabs (y t))).
  { rewrite <- rsum_minus, <- rsum_scal. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros t Ht.
    rewrite <- Rmult_minus_distr_r, Rabs_mult, <- Rmult_assoc. apply Rmult_le_compat_r; [apply Rabs_pos|auto]. }
  assert (S3 : Rabs (rsum n (fun t => p t * y t) - rsum n (fun t => p t * Y t)) <= own).
  { rewrite <- rsum_minus. eapply Rle_trans; [apply rsum_abs|]. apply Rle_trans with (rsum n (fun t => own * p t)).
    - apply rsum_le; intros t Ht. rewrite <- Rmult_minus_distr_l, Rabs_mult, (Rabs_pos_eq (p t)) by auto. rewrite Rmult_comm.
      rewrite Rabs_minus_sym. apply Rmult_le_compat_r; auto.
    - rewrite rsum_scal, H1. lra. }
  assert (S4 := Rmult_le_compat_l phi _ _ Hp S1). unfold near in *.
  replace (mb - rsum n (fun t => p t * Y t)) with ((mb - rsum n (fun t => q t * y t)) +
    ((rsum n (fun t => q t * y t) - rsum n (fun t => p t * y t)) + (rsum n (fun t => p t * y t) - rsum n (fun t => p t * Y t)))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. lra.
Qed.
