(** Purpose: stages softmax, value and output, one after the other: radii of logits and values in, the radius of o out, for any kernel whose
      stages obey their bounds. Nothing of the kernel's own numbers is left in the result.
    Main results: [average_stages]: logits, weights, stored weights, accumulation, division, store (the explicit o, the absorbed u);
      [absorbed_stages]: u, its store, u W_V, the store of o.
    Depends on: KernelAverage, ExactLogit. Axioms: those of Coq's real numbers.

    A sink is one more token: its value is 0 and its logit exact. *)
From Equinorm Require Export KernelAverage ExactLogit.
Local Open Scope R_scope.

Section Stages.
(** l: exact logits; lh: the kernel's; w: its weights, relative to a reference M <= Rf, whatever it is; sw: the weights that meet the values
    (another rounding, or the same numbers with u_P = zeta = 0). *)
Variables (n : nat) (l lh B xi X omega Om w sw zeta : nat -> R) (M Rf u_P phiN phiD F : R).
Hypothesis some_token : (0 < n)%nat.
Hypothesis logit_stage : forall t, (t < n)%nat -> near (lh t) (B t) (l t).
Hypothesis reference_below : M <= Rf.
Hypothesis weight_stage : forall t, (t < n)%nat ->
  Rabs (xi t) <= X t /\ Rabs (omega t) <= Om t /\ w t = exp (lh t - M + xi t) + omega t.
Hypothesis u_P_nonneg : 0 <= u_P.
Hypothesis zeta_nonneg : forall t, (t < n)%nat -> 0 <= zeta t.
Hypothesis stored_weight_stage : forall t, (t < n)%nat -> near (sw t) (u_P * Rabs (w t) + zeta t) (w t).
Hypothesis phiN_nonneg : 0 <= phiN.
Hypothesis phiD_small : 0 <= phiD < 1.
Hypothesis F_nonneg : 0 <= F.

(** What the weights are off by, and relative to which least sum. *)
Definition shift (t : nat) : R := B t + X t.
Definition lost (f : nat -> R) (t : nat) : R := f t * exp Rf.
Definition least : R := rsum n (fun t => exp (l t)) * total_low n l shift (lost Om).
Hypothesis total_low_pos : 0 < total_low n l shift (lost Om).

Notation P := (weight_upper n l shift (lost Om)).
Notation stored_part := (store_radius n l shift (lost Om) (lost zeta) u_P least).
Notation stored_most := (stored_upper n l shift (lost Om) (lost zeta) u_P least).
Notation moved := (weights_radius n l shift (lost Om)).

Let d t := lh t - l t + xi t.
Let omega' t := omega t * exp M.
Let sw' t := sw t * exp M.

Lemma exp_M_le a : 0 <= a -> a * exp M <= a * exp Rf.
Proof. intros Ha. apply Rmult_le_compat_l; [assumption|]. apply exp_le. exact reference_below. Qed.

Lemma scaled_weight t : (t < n)%nat -> kernel_weight l d omega' t = exp M * w t.
Proof.
  intros Ht. destruct (weight_stage t Ht) as (_ & _ & ->). unfold kernel_weight, d, omega'.
  replace (l t + (lh t - l t + xi t)) with (M + (lh t - M + xi t)) by ring. rewrite exp_plus. ring.
Qed.

Lemma d_near t : (t < n)%nat -> Rabs (d t) <= shift t.
Proof.
  intros Ht. destruct (weight_stage t Ht) as (Hx & _ & _). pose proof (logit_stage t Ht) as Hl. unfold near in Hl. unfold d, shift.
  eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

Lemma omega_near t : (t < n)%nat -> Rabs (omega' t) <= lost Om t.
Proof.
  intros Ht. destruct (weight_stage t Ht) as (_ & Ho & _). unfold omega', lost. pose proof (exp_pos M). pose proof (Rabs_pos (omega t)).
  rewrite Rabs_mult, (Rabs_pos_eq (exp M)) by lra. eapply Rle_trans; [|apply exp_M_le; lra]. apply Rmult_le_compat_r; lra.
Qed.

Lemma lost_zeta_nonneg t : (t < n)%nat -> 0 <= lost zeta t.
Proof. intros Ht. apply Rmult_le_pos; [auto|left; apply exp_pos]. Qed.

Lemma stored_near t : (t < n)%nat -> Rabs (sw' t - kernel_weight l d omega' t) <= u_P * Rabs (kernel_weight l d omega' t) + lost zeta t.
Proof.
  intros Ht. rewrite scaled_weight by assumption. unfold sw', lost. pose proof (stored_weight_stage t Ht) as H. unfold near in H.
  pose proof (exp_pos M) as He. replace (sw t * exp M - exp M * w t) with (exp M * (sw t - w t)) by ring.
  rewrite !Rabs_mult, (Rabs_pos_eq (exp M)) by lra. pose proof (exp_M_le (zeta t) (zeta_nonneg t Ht)).
  assert (exp M * Rabs (sw t - w t) <= exp M * (u_P * Rabs (w t) + zeta t)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Lemma scaled_total : rsum n (kernel_weight l d omega') = exp M * rsum n w.
Proof. rewrite <- rsum_scal. apply rsum_ext. exact scaled_weight. Qed.

Lemma least_pos : 0 < least <= rsum n (kernel_weight l d omega').
Proof.
  assert (Ht : 0 < rsum n (fun t => exp (l t))) by now apply exp_sum_pos. split; [now apply Rmult_lt_0_compat|].
  pose proof (weights_total_low n l d shift omega' (lost Om) some_token d_near omega_near) as H.
  apply Rmult_le_reg_r with (/ rsum n (fun t => exp (l t))); [now apply Rinv_0_lt_compat|]. unfold least.
  rewrite (Rmult_comm (rsum n (fun t => exp (l t)))), Rmult_assoc, Rinv_r, Rmult_1_r by lra. exact H.
Qed.

Lemma weights_pos : 0 < rsum n w.
Proof.
  pose proof least_pos as [H0 H1]. rewrite scaled_total in H1. pose proof (exp_pos M).
  apply Rmult_lt_reg_l with (exp M); [assumption|]. rewrite Rmult_0_r. lra.
Qed.

Lemma upper_nonneg t : (t < n)%nat -> 0 <= P t.
Proof.
  intros Ht. unfold weight_upper, Rdiv. apply Rmult_le_pos; [|left; now apply Rinv_0_lt_compat].
  pose proof (softmax_pos n l t some_token). pose proof (exp_pos (shift t)).
  pose proof (relative_omega n l omega' (lost Om) some_token omega_near t Ht) as Hr.
  pose proof (Rabs_pos (omega' t / rsum n (fun t => exp (l t)))).
  assert (0 < softmax n l t * exp (shift t)) by now apply Rmult_lt_0_compat. lra.
Qed.

Lemma stored_part_mono f g : (forall t, (t < n)%nat -> f t <= g t) -> stored_part f <= stored_part g.
Proof.
  intros H. unfold store_radius. pose proof least_pos as [Hl _]. apply Rplus_le_compat.
  - apply Rmult_le_compat_l; [assumption|]. apply rsum_le; intros t Ht. apply Rmult_le_compat_l; [now apply upper_nonneg|auto].
  - unfold Rdiv. apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|]. apply rsum_le; intros t Ht.
    apply Rmult_le_compat_l; [now apply lost_zeta_nonneg|auto].
Qed.

Lemma stored_most_mono f g : (forall t, (t < n)%nat -> f t <= g t) -> stored_most f <= stored_most g.
Proof.
  intros H. unfold stored_upper. apply Rplus_le_compat; [|now apply stored_part_mono]. apply rsum_le; intros t Ht.
  apply Rmult_le_compat_l; [now apply upper_nonneg|auto].
Qed.

(** ** One average: y the kernel's values, Ey their radii, yt the exact ones *)
Definition accumulated (m : nat -> R) : R := ((phiN + phiD) * stored_most m + F * exp Rf / least) / (1 - phiD).
Definition average_radius (yt Ey : nat -> R) : R :=
  let m t := Rabs (yt t) + Ey t in
  accumulated m + stored_part m + rsum n (fun t => P t * Ey t) + moved yt.

Section Average.
Variables (y Ey yt : nat -> R) (num den : R).
Hypothesis value_stage : forall t, (t < n)%nat -> near (y t) (Ey t) (yt t).
Hypothesis numerator_stage : near num (phiN * rsum n (fun t => Rabs (sw t * y t)) + F) (rsum n (fun t => sw t * y t)).
Hypothesis denominator_stage : near den (phiD * rsum n w) (rsum n w).

Let m t := Rabs (yt t) + Ey t.

Lemma value_size t : (t < n)%nat -> Rabs (y t) <= m t.
Proof. intros Ht. apply near_magnitude. auto. Qed.

Lemma scaled_numerator :
  near (num * exp M) (phiN * rsum n (fun t => Rabs (sw' t * y t)) + F * exp Rf) (rsum n (fun t => sw' t * y t)).
Proof.
  assert (He := exp_pos M). assert (E1 : rsum n (fun t => sw' t * y t) = rsum n (fun t => sw t * y t) * exp M).
  { rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros. unfold sw'. ring. }
  assert (E2 : rsum n (fun t => Rabs (sw' t * y t)) = rsum n (fun t => Rabs (sw t * y t)) * exp M).
  { rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros. unfold sw'. rewrite !Rabs_mult, (Rabs_pos_eq (exp M)) by lra. ring. }
  rewrite E1, E2. eapply near_weaken; [apply radius_scale_r; exact numerator_stage|]. rewrite (Rabs_pos_eq (exp M)) by lra.
  pose proof (exp_M_le F F_nonneg). lra.
Qed.

Lemma scaled_denominator : near (den * exp M) (phiD * rsum n (kernel_weight l d omega')) (rsum n (kernel_weight l d omega')).
Proof.
  rewrite scaled_total. assert (He := exp_pos M). rewrite (Rmult_comm (exp M)). eapply near_weaken; [apply radius_scale_r;
    exact denominator_stage|]. rewrite (Rabs_pos_eq (exp M)) by lra. lra.
Qed.

Lemma den_pos : 0 < den.
Proof.
  pose proof weights_pos. unfold near in denominator_stage. apply Rabs_le_inv in denominator_stage.
  assert (phiD * rsum n w < 1 * rsum n w) by (apply Rmult_lt_compat_r; lra). lra.
Qed.

Lemma scaled_quotient : num * exp M / (den * exp M) = num / den.
Proof. pose proof den_pos. pose proof (exp_pos M). field. lra. Qed.

(** Sums and division, against the kernel's own weights and values. *)
Lemma accumulation_stage : near (num / den) (accumulated m) (rsum n (fun t => sw' t * y t) / rsum n (kernel_weight l d omega')).
Proof.
  rewrite <- scaled_quotient. pose proof least_pos as [Hl _]. assert (HF : 0 <= F * exp Rf) by (apply Rmult_le_pos; [|left; apply exp_pos];
    assumption).
  eapply near_weaken; [exact (accumulated_average_error n l d shift omega' (lost Om) some_token d_near omega_near total_low_pos sw'
    (lost zeta) u_P least phiN phiD u_P_nonneg lost_zeta_nonneg stored_near least_pos phiN_nonneg phiD_small y _ _ _ HF scaled_numerator
    scaled_denominator)|].
  unfold accumulation, accumulated. unfold Rdiv at 1 3. apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat; lra|].
  apply Rplus_le_compat_r. apply Rmult_le_compat_l; [lra|]. apply stored_most_mono. exact value_size.
Qed.

(* C++: bounds/average.hpp AverageBound::total; bounds/average.hpp average_bound. *)
Theorem average_stages : near (num / den) (average_radius yt Ey) (centre n l yt).
Proof.
  eapply near_trans; [eapply near_trans; [eapply near_trans; [exact accumulation_stage|]|]|].
  - eapply near_weaken; [exact (stored_average_near n l d shift omega' (lost Om) some_token d_near omega_near total_low_pos sw' (lost zeta)
      u_P least u_P_nonneg lost_zeta_nonneg stored_near least_pos y)|]. apply stored_part_mono. exact value_size.
  - exact (values_near n l d shift omega' (lost Om) some_token d_near omega_near total_low_pos least least_pos y Ey yt value_stage).
  - exact (weights_near n l d shift omega' (lost Om) some_token d_near omega_near total_low_pos yt).
Qed.
End Average.

(** ** The last rounding of the quotient (kq, wq), and a store *)
Variables (kq wq : R).
Hypothesis kq_nonneg : 0 <= kq.

Definition divided (e x : R) : R := kq * (Rabs x + e) + wq.
Definition finished (f : option Format) (e x : R) : R := let e2 := e + divided e x in e2 + storing_at f (Rabs x + e2).

Lemma division_stage v e x out : near v e x -> near out (kq * Rabs v + wq) v -> near out (divided e x) v.
Proof.
  intros Hv Ho. eapply near_weaken; [exact Ho|]. unfold divided. apply Rplus_le_compat_r, Rmult_le_compat_l; [assumption|].
  now apply near_magnitude.
Qed.

Lemma finishing_stage f v e x out : near v e x -> near out (kq * Rabs v + wq) v -> near (store f out) (finished f e x) x.
Proof.
  intros Hv Ho. pose proof (near_trans _ _ _ _ _ (division_stage v e x out Hv Ho) Hv) as H. unfold finished. cbv zeta.
  eapply radius_round; [apply store_upper|].
  - rewrite (Rplus_comm e). apply near_magnitude. exact H.
  - rewrite (Rplus_comm e). exact H.
Qed.

(** ** Absorbed: latents c (radii Ec), averaged to u, divided, stored, multiplied into W_V with dot error D, Fo, stored *)
Variables (r : nat) (c ch Ec : nat -> nat -> R) (WV num uq : nat -> R) (den out D Fo : R) (u_format o_format : option Format).
Hypothesis D_nonneg : 0 <= D.
Hypothesis latent_stage : forall i t, (i < r)%nat -> (t < n)%nat -> near (ch t i) (Ec t i) (c t i).
Hypothesis numerators_stage : forall i, (i < r)%nat ->
  near (num i) (phiN * rsum n (fun t => Rabs (sw t * ch t i)) + F) (rsum n (fun t => sw t * ch t i)).
Hypothesis denominators_stage : near den (phiD * rsum n w) (rsum n w).
Hypothesis quotient_stage : forall i, (i < r)%nat -> near (uq i) (kq * Rabs (num i / den) + wq) (num i / den).
Let u i := store u_format (uq i).
Hypothesis output_stage : near out (D * rsum r (fun i => Rabs (u i * WV i)) + Fo) (rsum r (fun i => u i * WV i)).

Definition v (t : nat) : R := rsum r (fun i => c t i * WV i).
Definition mean (i : nat) : R := centre n l (fun t => c t i).
Definition mean_radius (i : nat) : R := average_radius (fun t => c t i) (fun t => Ec t i).
(** What goes through |W_V|: sums, the latents' own radii, the quotient, the store of u. *)
Definition through (i : nat) : R :=
  let e := mean_radius i in
  accumulated (fun t => Rabs (c t i) + Ec t i) + stored_most (fun t => Ec t i) + divided e (mean i) +
  storing_at u_format (Rabs (mean i) + (e + divided e (mean i))).
Definition absorbed_radius_o : R :=
  D * rsum r (fun i => (Rabs (mean i) + finished u_format (mean_radius i) (mean i)) * Rabs (WV i)) + Fo +
  rsum r (fun i => through i * Rabs (WV i)) + stored_part (fun t => Rabs (v t)) + moved v.

Lemma u_stage i : (i < r)%nat -> near (u i) (through i) (rsum n (fun t => sw' t * c t i) / rsum n (kernel_weight l d omega')).
Proof.
  intros Hi. assert (Hc : forall t, (t < n)%nat -> near (ch t i) (Ec t i) (c t i)) by auto.
  pose proof (average_stages _ _ _ _ _ Hc (numerators_stage i Hi) denominators_stage) as Hm.
  pose proof (division_stage _ _ _ _ Hm (quotient_stage i Hi)) as Hq.
  pose proof (near_trans _ _ _ _ _ Hq Hm) as Hqm. fold (mean i) in Hq, Hm, Hqm. fold (mean_radius i) in Hq, Hm, Hqm.
  assert (Hs : near (u i) (storing_at u_format (Rabs (mean i) + (mean_radius i + divided (mean_radius i) (mean i)))) (uq i)).
  { apply store_upper. rewrite (Rplus_comm (mean_radius i)). now apply near_magnitude. }
  pose proof (accumulation_stage _ _ _ _ _ Hc (numerators_stage i Hi) denominators_stage) as Ha.
  assert (Hl : near (rsum n (fun t => sw' t * ch t i) / rsum n (kernel_weight l d omega')) (stored_most (fun t => Ec t i))
                    (rsum n (fun t => sw' t * c t i) / rsum n (kernel_weight l d omega'))).
  { assert (HE : forall t, (t < n)%nat -> 0 <= Ec t i) by (intros t Ht; eapply near_nonneg; exact (Hc t Ht)).
    eapply near_weaken; [|exact (stored_upper_bound n l d shift omega' (lost Om) some_token d_near omega_near total_low_pos sw' (lost zeta)
      u_P least u_P_nonneg lost_zeta_nonneg stored_near least_pos _ HE)].
    pose proof least_pos as [H0 H1]. assert (Hi0 : 0 < / rsum n (kernel_weight l d omega')) by (apply Rinv_0_lt_compat; lra).
    unfold near, Rdiv. rewrite <- Rmult_minus_distr_r, <- rsum_minus, Rabs_mult, (Rabs_pos_eq (/ _)) by lra.
    apply Rmult_le_compat_r; [lra|]. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros t Ht.
    rewrite <- Rmult_minus_distr_l, Rabs_mult. apply Rmult_le_compat_l; [apply Rabs_pos|]. exact (Hc t Ht). }
  eapply near_weaken; [eapply near_trans; [exact Hs|]; eapply near_trans; [exact Hq|]; eapply near_trans; [exact Ha|exact Hl]|].
  unfold through. cbv zeta. lra.
Qed.

Lemma u_size i : (i < r)%nat -> Rabs (u i) <= Rabs (mean i) + finished u_format (mean_radius i) (mean i).
Proof.
  intros Hi. apply near_magnitude. assert (Hc : forall t, (t < n)%nat -> near (ch t i) (Ec t i) (c t i)) by auto.
  apply finishing_stage with (v := num i / den); [|auto]. apply (average_stages _ _ _ _ _ Hc (numerators_stage i Hi) denominators_stage).
Qed.

(* C++: bounds/bounds.hpp error_bounds. *)
Theorem absorbed_stages : near (store o_format out) (absorbed_radius_o + storing_at o_format (Rabs (centre n l v) + absorbed_radius_o))
  (centre n l v).
Proof.
  assert (H : near out absorbed_radius_o (centre n l v)).
  { eapply near_weaken; [exact (kernel_output_error n l d shift omega' (lost Om) some_token d_near omega_near total_low_pos sw' (lost zeta)
      u_P least u_P_nonneg lost_zeta_nonneg stored_near least_pos r c WV u through out D Fo u_stage output_stage)|].
    unfold absorbed_radius_o. fold v. do 4 apply Rplus_le_compat_r. apply Rmult_le_compat_l; [assumption|]. apply rsum_le; intros i Hi.
    rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|now apply u_size]. }
  eapply radius_round; [|exact H]. apply store_upper. now apply near_magnitude.
Qed.
End Stages.
