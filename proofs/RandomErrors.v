(** Purpose: rounding errors as independent random numbers: how likely a sum of them is to be large. A model of rounding, for predictions;
      no bound that gives a verdict rests on it.
    Main results: [hoeffding]: independent errors of mean 0, the i-th at most c_i: |sum| >= lambda has probability at most
      2 exp(- lambda^2 / (2 sum c_i^2)); [hoeffding_level]: below u sqrt(2 ln(2 / q) sum a_i^2) but with probability q.
    Depends on: RealSums, SoftmaxError. Axioms: those of Coq's real numbers. *)
From Coquelicot Require Import Coquelicot.
From Equinorm Require Import RealSums SoftmaxError.
Local Open Scope R_scope.

(** The i-th error takes value [x i j] with probability [p i j], j < m i. *)
Section Errors.
Variables (m : nat -> nat) (p x : nat -> nat -> R) (c : nat -> R).
Hypothesis p_nonneg : forall i j, 0 <= p i j.
Hypothesis p_total : forall i, rsum (m i) (p i) = 1.
Hypothesis mean_zero : forall i, rsum (m i) (fun j => p i j * x i j) = 0.
Hypothesis x_small : forall i j, (j < m i)%nat -> Rabs (x i j) <= c i.
Hypothesis c_pos : forall i, 0 < c i.

Definition mean (i : nat) (f : R -> R) : R := rsum (m i) (fun j => p i j * f (x i j)).
(** Mean of F(sum of the first n errors), the errors independent: a product of distributions, one error after the other. *)
Fixpoint expect (n : nat) (F : R -> R) : R :=
  match n with
  | O => F 0
  | S k => expect k (fun s => mean k (fun e => F (s + e)))
  end.

Lemma mean_le i f g : (forall e, f e <= g e) -> mean i f <= mean i g.
Proof. intros H. apply rsum_le; intros j _. apply Rmult_le_compat_l; [apply p_nonneg|apply H]. Qed.

Lemma expect_le n : forall F G, (forall s, F s <= G s) -> expect n F <= expect n G.
Proof. induction n as [|n IH]; intros F G H; simpl; [apply H|]. apply IH. intros s. apply mean_le. intros e. apply H. Qed.

Lemma expect_ext n : forall F G, (forall s, F s = G s) -> expect n F = expect n G.
Proof. intros F G H. apply Rle_antisym; apply expect_le; intros s; rewrite H; lra. Qed.

Lemma expect_scal n a : forall F, expect n (fun s => a * F s) = a * expect n F.
Proof.
  induction n as [|n IH]; intros F; simpl; [reflexivity|]. rewrite <- IH. apply expect_ext. intros s. unfold mean.
  rewrite <- rsum_scal. apply rsum_ext; intros; ring.
Qed.

Lemma expect_plus n : forall F G, expect n (fun s => F s + G s) = expect n F + expect n G.
Proof.
  induction n as [|n IH]; intros F G; simpl; [reflexivity|]. rewrite <- IH. apply expect_ext. intros s. unfold mean.
  rewrite <- rsum_plus. apply rsum_ext; intros; ring.
Qed.

(** ** One error: exp on [-a, a] lies below its chord, and cosh a <= exp(a^2 / 2) *)
Lemma tangent y z : exp y * (1 + (z - y)) <= exp z.
Proof.
  replace (exp z) with (exp y * exp (z - y)) by (rewrite <- exp_plus; f_equal; ring). apply Rmult_le_compat_l; [left; apply exp_pos|].
  apply exp_ineq1_le.
Qed.

Lemma chord a y : 0 < a -> Rabs y <= a -> exp y <= (exp a + exp (- a)) / 2 + y / a * ((exp a - exp (- a)) / 2).
Proof.
  intros Ha Hy. apply Rabs_le_inv in Hy. pose proof (tangent y a) as H1. pose proof (tangent y (- a)) as H2.
  apply Rmult_le_reg_r with (2 * a); [lra|].
  replace (((exp a + exp (- a)) / 2 + y / a * ((exp a - exp (- a)) / 2)) * (2 * a)) with ((a + y) * exp a + (a - y) * exp (- a)) by (field;
    lra).
  assert ((a + y) * (exp y * (1 + (a - y))) <= (a + y) * exp a) by (apply Rmult_le_compat_l; lra).
  assert ((a - y) * (exp y * (1 + (- a - y))) <= (a - y) * exp (- a)) by (apply Rmult_le_compat_l; lra).
  replace (exp y * (2 * a)) with ((a + y) * (exp y * (1 + (a - y))) + (a - y) * (exp y * (1 + (- a - y)))) by ring. lra.
Qed.

Lemma cosh_below a : 0 <= a -> (exp a + exp (- a)) / 2 <= exp (a * a / 2).
Proof.
  intros Ha. set (f := fun z => z * z / 2 - ln ((exp z + exp (- z)) / 2)).
  set (df := fun z => z - tanh z). assert (Hpos : forall z, 0 < (exp z + exp (- z)) / 2).
  { intros z. pose proof (exp_pos z). pose proof (exp_pos (- z)). lra. }
  assert (Hf : forall z, is_derive f z (df z)).
  { intros z. pose proof (exp_pos z). pose proof (exp_pos (- z)). unfold f, df, tanh, sinh, cosh. auto_derive; [lra|]. field. lra. }
  destruct (MVT_gen f 0 a df) as (z & Hz & H).
  - intros z _. apply Hf.
  - intros z _. apply continuity_pt_filterlim, (ex_derive_continuous (V := R_NormedModule)). exists (df z). apply Hf.
  - rewrite Rmin_left, Rmax_right in Hz by assumption. assert (H0 : f 0 = 0).
    { unfold f. rewrite Ropp_0, exp_0. replace ((1 + 1) / 2) with 1 by field. rewrite ln_1. field. }
    assert (Ht : tanh z <= z).
    { pose proof (tanh_lipschitz z 0) as L. assert (T0 : tanh 0 = 0) by (unfold tanh, sinh, cosh; rewrite Ropp_0, exp_0; field).
      rewrite T0, !Rminus_0_r, (Rabs_pos_eq z) in L by lra. pose proof (Rle_abs (tanh z)). lra. }
    assert (Hfa : 0 <= f a) by (rewrite H0, !Rminus_0_r in H; rewrite H; unfold df; apply Rmult_le_pos; lra).
    rewrite <- (exp_ln ((exp a + exp (- a)) / 2)) by apply Hpos. unfold f in Hfa.
    destruct (Req_dec (ln ((exp a + exp (- a)) / 2)) (a * a / 2)) as [->|Hne]; [lra|]. left. apply exp_increasing. lra.
Qed.

Lemma one_error i theta : theta <> 0 -> mean i (fun e => exp (theta * e)) <= exp (theta * theta * (c i * c i) / 2).
Proof.
  intros Ht. set (a := Rabs theta * c i). pose proof (c_pos i) as Hc. assert (Ha : 0 < a) by (apply Rmult_lt_0_compat; [now apply
    Rabs_pos_lt|assumption]).
  apply Rle_trans with ((exp a + exp (- a)) / 2).
  - apply Rle_trans with (rsum (m i) (fun j => (exp a + exp (- a)) / 2 * p i j + theta / a * ((exp a - exp (- a)) / 2) * (p i j * x i j))).
    + apply rsum_le; intros j Hj. assert (Hy : Rabs (theta * x i j) <= a).
      { unfold a. rewrite Rabs_mult. apply Rmult_le_compat_l; [apply Rabs_pos|now apply x_small]. }
      pose proof (chord a _ Ha Hy) as H. pose proof (p_nonneg i j).
      apply Rle_trans with (p i j * ((exp a + exp (- a)) / 2 + theta * x i j / a * ((exp a - exp (- a)) / 2)));
        [now apply Rmult_le_compat_l|]. right. field. lra.
    + rewrite rsum_plus, !rsum_scal, p_total, mean_zero. lra.
  - replace (theta * theta * (c i * c i) / 2) with (a * a / 2); [apply cosh_below; lra|]. unfold a.
    replace (Rabs theta * c i * (Rabs theta * c i)) with (Rabs theta * Rabs theta * (c i * c i)) by ring.
    now rewrite <- Rabs_mult, (Rabs_pos_eq (theta * theta)) by apply Rle_0_sqr.
Qed.

(** ** All of them *)
Definition variation (n : nat) : R := rsum n (fun i => c i * c i).

Lemma expect_exp n theta : theta <> 0 -> expect n (fun s => exp (theta * s)) <= exp (theta * theta * variation n / 2).
Proof.
  intros Ht. unfold variation. induction n as [|n IH]; simpl; [rewrite !Rmult_0_r; unfold Rdiv; rewrite Rmult_0_l; lra|].
  rewrite (expect_ext n _ (fun s => mean n (fun e => exp (theta * e)) * exp (theta * s))).
  - rewrite expect_scal. set (V := rsum n (fun i => c i * c i)) in *.
    replace (theta * theta * (V + c n * c n) / 2) with (theta * theta * (c n * c n) / 2 + theta * theta * V / 2) by field.
    rewrite exp_plus. apply Rmult_le_compat.
    + apply rsum_nonneg; intros j _. apply Rmult_le_pos; [apply p_nonneg|left; apply exp_pos].
    + rewrite <- (Rmult_0_l (expect n (fun _ => 1))), <- expect_scal. apply expect_le. intros s. pose proof (exp_pos (theta * s)). lra.
    + now apply one_error.
    + exact IH.
  - intros s. unfold mean. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros j _. rewrite Rmult_plus_distr_l, exp_plus. ring.
Qed.

(** The probability that |sum| >= lambda. *)
Definition tail (n : nat) (lambda : R) : R := expect n (fun s => if Rle_dec lambda (Rabs s) then 1 else 0).

Theorem hoeffding n lambda : (0 < n)%nat -> 0 < lambda -> tail n lambda <= 2 * exp (- (lambda * lambda / (2 * variation n))).
Proof.
  intros Hn Hl. assert (HV : 0 < variation n).
  { apply rsum_pos with (t := 0%nat); [intros i _; apply Rle_0_sqr|assumption|apply Rmult_lt_0_compat; apply c_pos]. }
  set (V := variation n) in *. set (theta := lambda / V). assert (Ht : 0 < theta) by (now apply Rdiv_lt_0_compat).
  apply Rle_trans with (expect n (fun s => exp (- (theta * lambda)) * exp (theta * s) + exp (- (theta * lambda)) * exp (- theta * s))).
  - apply expect_le. intros s. rewrite <- !exp_plus. pose proof (exp_pos (- (theta * lambda) + theta * s)) as H1.
    pose proof (exp_pos (- (theta * lambda) + - theta * s)) as H2. destruct (Rle_dec lambda (Rabs s)) as [H|H]; [|lra].
    unfold Rabs in H. destruct (Rcase_abs s).
    + pose proof (exp_ineq1_le (- (theta * lambda) + - theta * s)). assert (theta * lambda <= theta * - s) by
        (apply Rmult_le_compat_l; lra). lra.
    + pose proof (exp_ineq1_le (- (theta * lambda) + theta * s)). assert (theta * lambda <= theta * s) by
        (apply Rmult_le_compat_l; lra). lra.
  - rewrite expect_plus, !expect_scal. pose proof (expect_exp n theta ltac:(lra)) as H1.
    pose proof (expect_exp n (- theta) ltac:(lra)) as H2.
    fold V in H1, H2. replace (- theta * - theta) with (theta * theta) in H2 by ring.
    assert (E : exp (- (lambda * lambda / (2 * V))) = exp (- (theta * lambda)) * exp (theta * theta * V / 2)).
    { rewrite <- exp_plus. f_equal. unfold theta. field. lra. }
    rewrite E. pose proof (exp_pos (- (theta * lambda))) as H0.
    assert (exp (- (theta * lambda)) * expect n (fun s => exp (theta * s)) <= exp (- (theta * lambda)) * exp (theta * theta * V / 2))
      by (apply Rmult_le_compat_l; lra).
    assert (exp (- (theta * lambda)) * expect n (fun s => exp (- theta * s)) <= exp (- (theta * lambda)) * exp (theta * theta * V / 2))
      by (apply Rmult_le_compat_l; lra).
    lra.
Qed.

(** With c_i = u |a_i|, as for errors u a_i delta_i: the size that is exceeded with probability at most q. *)
Theorem hoeffding_level n q : (0 < n)%nat -> 0 < q < 2 -> tail n (sqrt (2 * ln (2 / q) * variation n)) <= q.
Proof.
  intros Hn Hq. assert (HV : 0 < variation n).
  { apply rsum_pos with (t := 0%nat); [intros i _; apply Rle_0_sqr|assumption|apply Rmult_lt_0_compat; apply c_pos]. }
  assert (H2 : 1 < 2 / q) by (apply Rmult_lt_reg_r with q; [lra|]; unfold Rdiv; rewrite Rmult_assoc, Rinv_l; lra).
  assert (Hln : 0 < ln (2 / q)) by (rewrite <- ln_1; apply ln_increasing; lra).
  assert (Hp : 0 < 2 * ln (2 / q) * variation n) by (apply Rmult_lt_0_compat; lra).
  eapply Rle_trans; [apply hoeffding; [assumption|now apply sqrt_lt_R0]|]. rewrite sqrt_sqrt by lra.
  replace (2 * ln (2 / q) * variation n / (2 * variation n)) with (ln (2 / q)) by (field; lra).
  rewrite exp_Ropp, exp_ln by lra. right. field. lra.
Qed.
End Errors.
