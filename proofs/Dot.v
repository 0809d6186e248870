(** Purpose: dot products in floating point, in any order of operations.
    Main results: [dot_error_height]: any tree of products, sums and FMAs of height h errs by at most ((1 + u)^h - 1) sum|x y| + n (1 +
      u)^h tiny; [dot_error_count]: without FMA also by n 2^-p sum|x y| + n (1 + n 2^-p) tiny, for any n (Jeannerod and Rump).
    Depends on: Rounding. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export Rounding.
Local Open Scope R_scope.

(** In what order sum x_i y_i is computed. Every [Product], [Plus] and [Fma] rounds once; adding to [Zero] is exact. *)
Inductive order :=
  | Zero
  | Product (i : nat)
  | Plus (a b : order)
  | Fma (a : order) (i : nat).

(** Roundings on the longest way from a product to the result. *)
Fixpoint height (s : order) : nat :=
  match s with
  | Zero => 0
  | Product _ => 1
  | Plus Zero b => height b
  | Plus a b => S (Nat.max (height a) (height b))
  | Fma a _ => S (height a)
  end.

Fixpoint count (s : order) : nat :=
  match s with
  | Zero => 0
  | Product _ => 1
  | Plus a b => count a + count b
  | Fma a _ => S (count a)
  end.

Fixpoint without_fma (s : order) : Prop :=
  match s with
  | Zero | Product _ => True
  | Plus a b => without_fma a /\ without_fma b
  | Fma _ _ => False
  end.

(** The sum of f over the products of the order. *)
Fixpoint exactly (f : nat -> R) (s : order) : R :=
  match s with
  | Zero => 0
  | Product i => f i
  | Plus a b => exactly f a + exactly f b
  | Fma a i => exactly f a + f i
  end.

Lemma exactly_abs f s : Rabs (exactly f s) <= exactly (fun i => Rabs (f i)) s.
Proof.
  induction s as [|i|a IHa b IHb|a IHa i]; simpl; try (rewrite ?Rabs_R0; lra);
    (eapply Rle_trans; [apply Rabs_triang|]); lra.
Qed.

Lemma exactly_abs_nonneg f s : 0 <= exactly (fun i => Rabs (f i)) s.
Proof. eapply Rle_trans; [apply Rabs_pos|apply exactly_abs]. Qed.

Section Dot.
Variables (emin prec : Z) (choice : Z -> bool).
Context {prec_pos : Prec_gt_0 prec}.
Notation rnd := (rnd emin prec choice).
Notation format := (format emin prec).
Notation unit_roundoff := (unit_roundoff prec).
Notation u := (u prec).
Notation tiny := (tiny emin).
Variables x y : nat -> R.

(** The computed value. *)
Fixpoint computed (s : order) : R :=
  match s with
  | Zero => 0
  | Product i => rnd (x i * y i)
  | Plus a b => rnd (computed a + computed b)
  | Fma a i => rnd (computed a + x i * y i)
  end.

Notation exact := (exactly (fun i => x i * y i)).
Notation absolute := (exactly (fun i => Rabs (x i * y i))).

Lemma computed_format s : format (computed s).
Proof. destruct s; simpl; auto using format_0, rnd_format. Qed.

Lemma plus_zero b : computed (Plus Zero b) = computed b.
Proof. simpl. rewrite Rplus_0_l. apply rnd_exact, computed_format. Qed.

Lemma u_nonneg : 0 <= u.
Proof. left. apply u_pos. Qed.

Lemma power_ge_1 n : 1 <= (1 + u) ^ n.
Proof. apply pow_R1_Rle. pose proof u_nonneg. lra. Qed.

Lemma power_mono m n : (m <= n)%nat -> (1 + u) ^ m <= (1 + u) ^ n.
Proof. intros. apply Rle_pow; [pose proof u_nonneg; lra|assumption]. Qed.

(** The bound for height h. *)
Definition height_bound (h n : nat) (total : R) : R := ((1 + u) ^ h - 1) * total + INR n * (1 + u) ^ h * tiny.

Lemma height_bound_mono h h' n total : (h <= h')%nat -> 0 <= total -> height_bound h n total <= height_bound h' n total.
Proof.
  intros Hh Ht. unfold height_bound. pose proof (power_mono h h' Hh). pose proof (tiny_pos emin). pose proof (pos_INR n).
  apply Rplus_le_compat; [apply Rmult_le_compat_r; lra|].
  apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_l; lra.
Qed.

(** One more rounded addition. *)
Lemma plus_step h m n ca cb ea eb A B : format ca -> format cb -> Rabs ea <= A -> Rabs eb <= B ->
  Rabs (ca - ea) <= height_bound h m A -> Rabs (cb - eb) <= height_bound h n B ->
  Rabs (rnd (ca + cb) - (ea + eb)) <= height_bound (S h) (m + n) (A + B).
Proof.
  intros Fa Fb Ha Hb Ea Eb. pose proof (round_sum_error emin prec choice ca cb Fa Fb) as Hr. pose proof u_nonneg as Hu.
  set (E1 := height_bound h m A) in *. set (E2 := height_bound h n B) in *.
  assert (Hc : Rabs (ca + cb) <= A + B + E1 + E2).
  { replace (ca + cb) with ((ca - ea) + (cb - eb) + (ea + eb)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat; apply Rabs_triang|]. lra. }
  replace (rnd (ca + cb) - (ea + eb)) with ((rnd (ca + cb) - (ca + cb)) + ((ca - ea) + (cb - eb))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|].
  assert (Hm : u * Rabs (ca + cb) <= u * (A + B + E1 + E2)) by (apply Rmult_le_compat_l; assumption).
  replace (height_bound (S h) (m + n) (A + B)) with ((1 + u) * (E1 + E2) + u * (A + B)); [lra|].
  unfold E1, E2, height_bound. rewrite plus_INR. simpl pow. ring.
Qed.

Lemma fma_step h n ca ea A i : Rabs ea <= A -> Rabs (ca - ea) <= height_bound h n A ->
  Rabs (rnd (ca + x i * y i) - (ea + x i * y i)) <= height_bound (S h) (S n) (A + Rabs (x i * y i)).
Proof.
  intros Ha Ea. pose proof (round_error emin prec choice (ca + x i * y i)) as Hr. pose proof u_nonneg as Hu.
  set (E := height_bound h n A) in *. set (p := x i * y i) in *.
  assert (Hc : Rabs (ca + p) <= A + Rabs p + E).
  { replace (ca + p) with ((ca - ea) + (ea + p)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_triang ea p). lra. }
  replace (rnd (ca + p) - (ea + p)) with ((rnd (ca + p) - (ca + p)) + (ca - ea)) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  assert (Hm : u * Rabs (ca + p) <= u * (A + Rabs p + E)) by (apply Rmult_le_compat_l; assumption).
  pose proof (power_ge_1 (S h)) as H1. pose proof (power_ge_1 h) as H0. pose proof (tiny_pos emin) as Ht.
  replace (height_bound (S h) (S n) (A + Rabs p)) with
    ((1 + u) * E + u * A + ((1 + u) ^ S h - 1) * Rabs p + (1 + u) ^ S h * tiny)
    by (unfold E, height_bound; rewrite S_INR; simpl pow; ring).
  assert (u * Rabs p <= ((1 + u) ^ S h - 1) * Rabs p).
  { apply Rmult_le_compat_r; [apply Rabs_pos|]. simpl. nra. }
  assert (tiny <= (1 + u) ^ S h * tiny) by nra. lra.
Qed.

(* C++: bounds/accumulation.hpp accumulation. *)
Theorem dot_error_height s : Rabs (computed s - exact s) <= height_bound (height s) (count s) (absolute s).
Proof.
  assert (Hzero : height_bound 0 0 0 = 0) by (unfold height_bound; simpl; ring).
  induction s as [|i|a IHa b IHb|a IHa i].
  - simpl. rewrite Rminus_0_r, Rabs_R0, Hzero. lra.
  - pose proof (fma_step 0 0 0 0 0 i) as H. rewrite !Rplus_0_l, Rminus_0_r, Rabs_R0, Hzero in H. apply H; lra.
  - assert (Hgeneral : Rabs (computed (Plus a b) - exact (Plus a b)) <=
      height_bound (S (Nat.max (height a) (height b))) (count (Plus a b)) (absolute (Plus a b))).
    { simpl computed. simpl exactly. simpl count. apply plus_step; auto using computed_format, exactly_abs;
        (eapply Rle_trans; [eassumption|apply height_bound_mono; [lia|apply exactly_abs_nonneg]]). }
    destruct a as [|i|a1 a2|a1 i]; try exact Hgeneral.
    rewrite plus_zero. simpl exactly. rewrite !Rplus_0_l. exact IHb.
  - simpl computed. simpl exactly. simpl count. simpl height. apply fma_step; auto using exactly_abs.
Qed.

Lemma empty_order f s : count s = 0%nat -> exactly f s = 0 /\ computed s = 0.
Proof.
  induction s as [|i|a IHa b IHb|a IHa i]; simpl; intros H; try discriminate; [auto|].
  destruct IHa as [-> ->]; [lia|]. destruct IHb as [-> ->]; [lia|].
  rewrite Rplus_0_l. split; [reflexivity|]. apply rnd_exact, format_0.
Qed.

(** The step of the next lemma: d is the error of adding ca and cb, whose own errors are M u A and N u B. *)
Lemma merge_count (v A B d ca cb M N : R) : 0 <= v <= 1 -> 0 <= A -> 0 <= B -> 0 <= M -> 0 <= N ->
  ca <= A + M * v * A -> cb <= B + N * v * B -> d <= v * (ca + cb) -> d <= ca -> d <= cb ->
  d + M * v * A + N * v * B <= (M + N + 1) * v * (A + B).
Proof.
  intros Hv HA HB HM HN Hca Hcb H1 H2 H3.
  assert (0 <= M * v) by nra. assert (0 <= N * v) by nra.
  destruct (Rle_lt_dec A (v * B)) as [HAB|HAB]; [|destruct (Rle_lt_dec B (v * A)) as [HBA|HBA]].
  - assert (A <= B) by nra. assert (M * v * A <= M * v * B) by (apply Rmult_le_compat_l; assumption).
    assert (0 <= M * v * A) by nra. assert (0 <= N * v * A) by nra. assert (0 <= v * A) by nra. lra.
  - assert (B <= A) by nra. assert (N * v * B <= N * v * A) by (apply Rmult_le_compat_l; assumption).
    assert (0 <= M * v * B) by nra. assert (0 <= N * v * B) by nra. assert (0 <= v * B) by nra. lra.
  - assert (Hd : d <= v * (A + B) + (M * v * (v * A) + N * v * (v * B))).
    { eapply Rle_trans; [exact H1|]. apply Rle_trans with (v * (A + M * v * A + (B + N * v * B))); [apply Rmult_le_compat_l; lra|]. right;
      ring. }
    assert (M * v * (v * A) <= M * v * B) by (apply Rmult_le_compat_l; lra).
    assert (N * v * (v * B) <= N * v * A) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** Sums of numbers of the format, any order: n - 1 roundings, no power and no condition on n. *)
Lemma sum_error_count s : without_fma s ->
  Rabs (computed s - exactly (fun i => rnd (x i * y i)) s) <= INR (count s - 1) * u * exactly (fun i => Rabs (rnd (x i * y i))) s.
Proof.
  pose proof u_nonneg as Hu.
  induction s as [|i|a IHa b IHb|a IHa i]; intros Hs; [| | |destruct Hs].
  - simpl. rewrite Rminus_0_r, Rabs_R0. lra.
  - simpl. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
  - destruct Hs as [Hsa Hsb]. specialize (IHa Hsa). specialize (IHb Hsb). simpl.
    set (sa := exactly (fun i => rnd (x i * y i)) a) in *. set (sb := exactly (fun i => rnd (x i * y i)) b) in *.
    set (A := exactly (fun i => Rabs (rnd (x i * y i))) a) in *. set (B := exactly (fun i => Rabs (rnd (x i * y i))) b) in *.
    assert (HA : Rabs sa <= A) by apply exactly_abs. assert (HB : Rabs sb <= B) by apply exactly_abs.
    pose proof (computed_format a) as Fa. pose proof (computed_format b) as Fb.
    set (ca := computed a) in *. set (cb := computed b) in *.
    pose proof (round_sum_error emin prec choice ca cb Fa Fb) as R1.
    pose proof (round_sum_error_term emin prec choice ca cb Fa Fb) as R2.
    pose proof (round_sum_error_term emin prec choice cb ca Fb Fa) as R3. rewrite (Rplus_comm cb ca) in R3.
    set (ea := INR (count a - 1) * u * A) in *. set (eb := INR (count b - 1) * u * B) in *.
    assert (Hcase : Rabs (rnd (ca + cb) - (ca + cb)) + ea + eb <= INR (count a + count b - 1) * u * (A + B)); [|
      replace (rnd (ca + cb) - (sa + sb)) with ((rnd (ca + cb) - (ca + cb)) + ((ca - sa) + (cb - sb))) by ring;
      eapply Rle_trans; [apply Rabs_triang|]; eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]; lra].
    assert (HA0 : 0 <= A) by (eapply Rle_trans; [apply Rabs_pos|exact HA]).
    assert (HB0 : 0 <= B) by (eapply Rle_trans; [apply Rabs_pos|exact HB]).
    assert (Hca : Rabs ca <= A + ea). { replace ca with (sa + (ca - sa)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. }
    assert (Hcb : Rabs cb <= B + eb). { replace cb with (sb + (cb - sb)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. }
    destruct (count a) as [|m] eqn:Ca.
    { destruct (empty_order (fun i => Rabs (rnd (x i * y i))) a Ca) as [ZA Zc]. fold A in ZA. fold ca in Zc.
      rewrite Zc, Rplus_0_l. rewrite rnd_exact by assumption.
      rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. unfold ea, eb. rewrite ZA. simpl INR. simpl plus. rewrite !Rplus_0_l. lra. }
    destruct (count b) as [|n] eqn:Cb.
    { destruct (empty_order (fun i => Rabs (rnd (x i * y i))) b Cb) as [ZB Zc]. fold B in ZB. fold cb in Zc.
      rewrite Zc, Rplus_0_r. rewrite rnd_exact by assumption.
      rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. unfold ea, eb. rewrite ZB. replace (S m + 0 - 1)%nat with (S m - 1)%nat by lia.
      rewrite Rmult_0_r, !Rplus_0_r, Rplus_0_l. lra. }
    replace (S m + S n - 1)%nat with (m + n + 1)%nat by lia. rewrite !plus_INR. change (INR 1) with 1.
    assert (Em : ea = INR m * u * A) by (unfold ea; do 3 f_equal; lia).
    assert (En : eb = INR n * u * B) by (unfold eb; do 3 f_equal; lia).
    rewrite Em in *. rewrite En in *. pose proof (u_lt_unit_roundoff prec). pose proof (unit_roundoff_lt_1 prec).
    apply merge_count with (ca := Rabs ca) (cb := Rabs cb); auto using pos_INR, Rabs_pos; try lra.
    eapply Rle_trans; [exact R1|]. apply Rmult_le_compat_l; [assumption|]. apply Rabs_triang.
Qed.

(* C++: bounds/accumulation.hpp accumulation. *)
Theorem dot_error_count s : without_fma s ->
  Rabs (computed s - exact s) <=
  INR (count s) * unit_roundoff * absolute s + INR (count s) * (1 + INR (count s) * unit_roundoff) * tiny.
Proof.
  intros Hs. pose proof (sum_error_count s Hs) as H1. pose proof u_nonneg as Hu. pose proof (tiny_pos emin) as Ht.
  assert (H2 : Rabs (exactly (fun i => rnd (x i * y i)) s - exact s) <= u * absolute s + INR (count s) * tiny).
  { clear H1. induction s as [|i|a IHa b IHb|a IHa i]; [| | |destruct Hs].
    - simpl. rewrite Rminus_0_r, Rabs_R0. lra.
    - simpl. pose proof (round_error emin prec choice (x i * y i)). lra.
    - destruct Hs as [Sa Sb]. specialize (IHa Sa). specialize (IHb Sb). simpl. rewrite plus_INR.
      match goal with |- Rabs (?p + ?q - (?r + ?t)) <= _ => replace (p + q - (r + t)) with ((p - r) + (q - t)) by ring end.
      eapply Rle_trans; [apply Rabs_triang|]. lra. }
  assert (H3 : exactly (fun i => Rabs (rnd (x i * y i))) s <= (1 + u) * absolute s + INR (count s) * tiny).
  { clear H1 H2. induction s as [|i|a IHa b IHb|a IHa i]; [| | |destruct Hs].
    - simpl. lra.
    - simpl. pose proof (round_error emin prec choice (x i * y i)).
      replace (rnd (x i * y i)) with (x i * y i + (rnd (x i * y i) - x i * y i)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. lra.
    - destruct Hs as [Sa Sb]. specialize (IHa Sa). specialize (IHb Sb). simpl. rewrite plus_INR. lra. }
  assert (HA : 0 <= absolute s) by apply exactly_abs_nonneg. set (A := absolute s) in *.
  assert (Huu : u * (1 + u) <= unit_roundoff).
  { pose proof (unit_roundoff_pos prec) as Hp. unfold Rounding.u. set (v := unit_roundoff) in *.
    apply Rmult_le_reg_r with ((1 + v) * (1 + v)); [nra|].
    replace (v / (1 + v) * (1 + v / (1 + v)) * ((1 + v) * (1 + v))) with (v * (1 + 2 * v)) by (field; lra). nra. }
  pose proof (u_lt_unit_roundoff prec) as Hlt.
  replace (computed s - exact s) with
    ((computed s - exactly (fun i => rnd (x i * y i)) s) + (exactly (fun i => rnd (x i * y i)) s - exact s)) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  destruct (count s) as [|n] eqn:Cs.
  { destruct (empty_order (fun i => Rabs (x i * y i)) s Cs) as [ZA _]. fold A in ZA. rewrite ZA in *. simpl in *. lra. }
  replace (S n - 1)%nat with n in H1 by lia. rewrite S_INR in *. pose proof (pos_INR n) as Hn. set (N := INR n) in *.
  assert (H4 : N * u * exactly (fun i => Rabs (rnd (x i * y i))) s <= N * u * ((1 + u) * A + (N + 1) * tiny)).
  { apply Rmult_le_compat_l; [nra|assumption]. }
  assert (N * (u * (1 + u)) * A <= N * unit_roundoff * A) by (apply Rmult_le_compat_r; [assumption|nra]).
  assert (u * A <= unit_roundoff * A) by nra.
  assert (N * u * ((N + 1) * tiny) <= (N + 1) * unit_roundoff * ((N + 1) * tiny)).
  { apply Rmult_le_compat_r; [nra|]. nra. }
  nra.
Qed.

End Dot.
