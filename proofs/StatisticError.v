(** Purpose: alpha of a computed vector against alpha of the true one: section by section the running bound that src/bounds evaluates.
    Main results: [statistic_error]: sum of squares in any order, division, + eps, rsqrt, store, and the radii of the components, all
      together; [store_near]: a stored tensor errs by half an ulp of what is stored.
    Depends on: DotOrders, RoundedNorm. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export DotOrders RoundedNorm.
Local Open Scope R_scope.

(** A binary format: smallest subnormal 2^emin, prec bits, any tie rule. *)
Record Format := { emin : Z; prec : Z; ties : Z -> bool; prec_positive : Prec_gt_0 prec }.
#[export] Existing Instance prec_positive.

Definition fl (f : Format) (x : R) : R := rnd (emin f) (prec f) (ties f) x.
Definition half_ulp (f : Format) (v : R) : R := / 2 * ulp radix2 (FLT_exp (emin f) (prec f)) v.
Definition rounding_unit (f : Format) : R := u (prec f).
Definition underflow (f : Format) : R := tiny (emin f).

(** A tensor that may be rounded when it is stored. *)
Definition store (f : option Format) (x : R) : R :=
  match f with
  | Some f => fl f x
  | None => x
  end.
Definition store_error (f : option Format) (v : R) : R :=
  match f with
  | Some f => half_ulp f v
  | None => 0
  end.

Lemma fl_near f x : near (fl f x) (half_ulp f (fl f x)) x.
Proof. exact (round_half_ulp (emin f) (prec f) (ties f) x). Qed.

Theorem store_near f x : near (store f x) (store_error f (store f x)) x.
Proof. destruct f as [f|]; [apply fl_near|apply near_refl]. Qed.

(** The accumulation error of n products in an order of height at most h: D sum|x y| + F. *)
Definition dot_factor (f : Format) (h : nat) : R := (1 + rounding_unit f) ^ h - 1.
Definition dot_underflow (f : Format) (h n : nat) : R := INR n * (1 + rounding_unit f) ^ h * underflow f.
Definition dot_in (f : Format) (s : order) (x y : nat -> R) : R := computed (emin f) (prec f) (ties f) x y s.

Lemma dot_in_near f s x y n h : sums s 0 n -> (height s <= h)%nat ->
  near (dot_in f s x y) (dot_factor f h * rsum n (fun i => Rabs (x i * y i)) + dot_underflow f h n) (rsum n (fun i => x i * y i)).
Proof. intros Hs Hh. exact (dot_of_sums (emin f) (prec f) (ties f) x y s n h Hs Hh). Qed.

Lemma dot_factor_nonneg f h : 0 <= dot_factor f h.
Proof.
  unfold dot_factor, rounding_unit. pose proof (u_pos (prec f)). assert (1 <= (1 + u (prec f)) ^ h) by (apply pow_R1_Rle; lra). lra.
Qed.

Lemma dot_underflow_nonneg f h n : 0 <= dot_underflow f h n.
Proof.
  unfold dot_underflow. pose proof (dot_factor_nonneg f h) as H. unfold dot_factor in H. pose proof (tiny_pos (emin f)). unfold underflow.
  pose proof (pos_INR n). apply Rmult_le_pos; [apply Rmult_le_pos; lra|lra].
Qed.

Section Statistic.
(** fx: statistics; width: n for RMS, 1 for L2; er: error of rsqrt; stored: the format of alpha. *)
Variables (fx : Format) (stored : option Format) (n h : nat) (s : order) (width eps e er : R) (x xh E : nat -> R).
Hypothesis order_sums : sums s 0 n.
Hypothesis order_height : (height s <= h)%nat.
Hypothesis width_pos : 0 < width.
Hypothesis eps_pos : 0 < eps.
Hypothesis rsqrt_error_small : Rabs e <= er.
Hypothesis er_lt_1 : er < 1.
Hypothesis components_near : forall j, (j < n)%nat -> near (xh j) (E j) (x j).

(** What is computed. *)
Definition mean_square : R := fl fx (fl fx (dot_in fx s xh xh / width) + fl fx eps).
Definition computed_alpha : R := store stored ((1 + e) / sqrt mean_square).

(** S of the computed components, and of the true ones. *)
Definition S_star : R := sqrt (S2 (/ width) eps n xh).
Definition S_true : R := sqrt (S2 (/ width) eps n x).

(** tau: relative error of the mean square; r1: of its rsqrt; d: how far S_star may be from S_true. *)
Definition tau : R :=
  ((1 + dot_factor fx h) * (1 + rounding_unit fx) ^ 2 - 1) +
  (dot_underflow fx h n / width * (1 + rounding_unit fx) ^ 2 + 2 * underflow fx * (1 + rounding_unit fx)) / S2 (/ width) eps n xh.
Definition r1 : R := (1 + er) / sqrt (1 - tau) - 1.
Definition d : R := / width * rsum n (fun j => 2 * Rabs (xh j) * E j + E j * E j) / (S_star + S_true).
Definition S_low : R := Rmax (S_star - d) (sqrt eps).
Definition statistic_radius : R :=
  store_error stored computed_alpha + r1 / S_star + Rmax (/ S_low - / S_star) (/ S_star - / (S_star + d)).

Theorem statistic_error : tau < 1 -> near computed_alpha statistic_radius (/ S_true).
Proof.
  intros Ht. assert (Hw : 0 < / width) by (now apply Rinv_0_lt_compat).
  pose proof (S2_ge_eps (/ width) eps n xh ltac:(lra)) as Hm. pose proof (S2_ge_eps (/ width) eps n x ltac:(lra)) as Hmx.
  set (m := S2 (/ width) eps n xh) in *.
  assert (Hsq : near (dot_in fx s xh xh) (dot_factor fx h * rsum n (fun j => xh j * xh j) + dot_underflow fx h n)
    (rsum n (fun j => xh j * xh j))).
  { pose proof (dot_in_near fx s xh xh n h order_sums order_height) as H.
    rewrite (rsum_ext n (fun i => Rabs (xh i * xh i)) (fun j => xh j * xh j)) in H; [exact H|].
    intros. apply Rabs_pos_eq. nra. }
  assert (H1 : near mean_square (tau * m) m).
  { pose proof (mean_square_error (emin fx) (prec fx) (ties fx) (rsum n (fun j => xh j * xh j)) (dot_in fx s xh xh) width eps
      (dot_factor fx h) (dot_underflow fx h n)) as H.
    cbv zeta in H. unfold mean_square, fl.
    replace m with (rsum n (fun j => xh j * xh j) / width + eps) at 2 by (unfold m, S2; field; lra).
    eapply near_weaken; [apply H|]; auto using dot_factor_nonneg; try lra.
    - apply rsum_nonneg; intros; nra.
    - replace (rsum n (fun j => xh j * xh j) / width + eps) with m by (unfold m, S2; field; lra).
      right. unfold tau. fold m. unfold rounding_unit, underflow. field. lra. }
  pose proof (alpha_error m mean_square e tau er ltac:(lra) H1 Ht rsqrt_error_small er_lt_1) as H2.
  assert (HS : 0 < S_star) by (apply sqrt_lt_R0; fold m; lra). assert (He : 0 < sqrt eps) by (now apply sqrt_lt_R0).
  assert (HSt : sqrt eps <= S_true) by (apply sqrt_le_1; lra).
  assert (Hd : near S_star d S_true) by (apply rms_perturb; auto; lra).
  pose proof (near_nonneg _ _ _ Hd) as Hd0.
  assert (Hlow : 0 < S_low <= S_true).
  { unfold S_low. split; [eapply Rlt_le_trans; [exact He|apply Rmax_r]|]. apply Rmax_lub; [|assumption].
    unfold near in Hd. apply Rabs_le_inv in Hd. lra. }
  pose proof (alpha_perturb S_star S_true d S_low HS (proj1 Hlow) (proj2 Hlow) Hd) as H3.
  unfold statistic_radius. eapply near_weaken; [eapply near_trans; [apply store_near|eapply near_trans; [exact H2|exact H3]]|].
  fold computed_alpha. unfold r1, S_star. fold m. lra.
Qed.
End Statistic.
