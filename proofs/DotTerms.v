(** Purpose: the error of a dot product term by term, and as it runs.
    Main results: [dot_error_by_term]: a term that meets h roundings on its way to the result errs by ((1 + u)^h - 1)|x y|, whatever
      others meet; [fma_by_term], [sequential_by_term]: n - i of them for term i of a chain (one more where products are rounded by
      themselves, but for the first); [dot_running_error]: the sum of every operation's own error.
    Depends on: DotOrders. Axioms: those of Coq's real numbers. *)
From Equinorm Require Export DotOrders.
Local Open Scope R_scope.

Section Terms.
Variables (emin prec : Z) (choice : Z -> bool).
Context {prec_pos : Prec_gt_0 prec}.
Variables x y : nat -> R.
Notation rnd := (rnd emin prec choice).
Notation computed := (computed emin prec choice x y).
Notation exact := (exactly (fun i => x i * y i)).
Notation absolute := (exactly (fun i => Rabs (x i * y i))).
Notation u := (u prec).
Notation tiny := (tiny emin).

(** Term by term, k roundings coming after s. *)
Fixpoint by_term (k : nat) (s : order) : R :=
  match s with
  | Zero => 0
  | Product i => ((1 + u) ^ S k - 1) * Rabs (x i * y i)
  | Plus Zero b => by_term k b
  | Plus a b => by_term (S k) a + by_term (S k) b
  | Fma a i => by_term (S k) a + ((1 + u) ^ S k - 1) * Rabs (x i * y i)
  end.

Lemma by_term_after k s : by_term (S k) s = (1 + u) * by_term k s + u * absolute s.
Proof.
  revert k. induction s as [|i|a IHa b IHb|a IHa i]; intros k.
  - simpl. ring.
  - simpl. ring.
  - destruct a as [|i|a1 a2|a1 i].
    + simpl. rewrite IHb. ring.
    + change (by_term (S (S k)) (Product i) + by_term (S (S k)) b =
        (1 + u) * (by_term (S k) (Product i) + by_term (S k) b) + u * (absolute (Product i) + absolute b)). rewrite IHa, IHb. ring.
    + change (by_term (S (S k)) (Plus a1 a2) + by_term (S (S k)) b =
        (1 + u) * (by_term (S k) (Plus a1 a2) + by_term (S k) b) + u * (absolute (Plus a1 a2) + absolute b)). rewrite IHa, IHb. ring.
    + change (by_term (S (S k)) (Fma a1 i) + by_term (S (S k)) b =
        (1 + u) * (by_term (S k) (Fma a1 i) + by_term (S k) b) + u * (absolute (Fma a1 i) + absolute b)). rewrite IHa, IHb. ring.
  - simpl. rewrite IHa. ring.
Qed.

(** What underflow adds. *)
Notation lost h n := (INR n * (1 + u) ^ h * tiny).

Lemma lost_after h m n p : (m <= h)%nat -> (n <= h)%nat -> forall q, (1 + u) * (lost m p + lost n q) <= lost (S h) (p + q).
Proof.
  intros Hm Hn q. pose proof (power_mono prec m h Hm). pose proof (power_mono prec n h Hn). pose proof (tiny_pos emin).
  pose proof (u_nonneg prec). pose proof (pos_INR p). pose proof (pos_INR q). rewrite plus_INR. simpl pow.
  assert (lost m p <= lost h p) by (apply Rmult_le_compat_r; [lra|]; apply Rmult_le_compat_l; lra).
  assert (lost n q <= lost h q) by (apply Rmult_le_compat_r; [lra|]; apply Rmult_le_compat_l; lra).
  apply Rle_trans with ((1 + u) * (lost h p + lost h q)); [apply Rmult_le_compat_l; lra|right; ring].
Qed.

Lemma plus_by_term a b :
  Rabs (computed a - exact a) <= by_term 0 a + lost (height a) (count a) ->
  Rabs (computed b - exact b) <= by_term 0 b + lost (height b) (count b) ->
  Rabs (rnd (computed a + computed b) - (exact a + exact b)) <=
  by_term 1 a + by_term 1 b + lost (S (Nat.max (height a) (height b))) (count a + count b).
Proof.
  intros Ha Hb. pose proof (computed_format emin prec choice x y a) as Fa. pose proof (computed_format emin prec choice x y b) as Fb.
  pose proof (round_sum_error emin prec choice _ _ Fa Fb) as Hr. pose proof (u_nonneg prec) as Hu.
  pose proof (exactly_abs (fun i => x i * y i) a) as Aa. pose proof (exactly_abs (fun i => x i * y i) b) as Ab.
  pose proof (lost_after (Nat.max (height a) (height b)) (height a) (height b) (count a) ltac:(lia) ltac:(lia) (count b)) as Hl.
  rewrite !by_term_after. set (ea := Rabs (computed a - exact a)) in *. set (eb := Rabs (computed b - exact b)) in *.
  assert (Hc : Rabs (computed a + computed b) <= absolute a + absolute b + ea + eb).
  { replace (computed a + computed b) with ((computed a - exact a) + (computed b - exact b) + (exact a + exact b)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat; apply Rabs_triang|]. fold ea eb. lra. }
  replace (rnd (computed a + computed b) - (exact a + exact b)) with
    ((rnd (computed a + computed b) - (computed a + computed b)) + ((computed a - exact a) + (computed b - exact b))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. fold ea eb.
  assert (u * Rabs (computed a + computed b) <= u * (absolute a + absolute b + ea + eb)) by (apply Rmult_le_compat_l; assumption).
  assert ((1 + u) * (ea + eb) <= (1 + u) * (by_term 0 a + lost (height a) (count a) + (by_term 0 b + lost (height b) (count b))))
    by (apply Rmult_le_compat_l; lra).
  lra.
Qed.

(* C++: bounds/accumulation.hpp term_factors; bounds/contraction.hpp contract; bounds/linear.hpp sum_errors. *)
Theorem dot_error_by_term s : Rabs (computed s - exact s) <= by_term 0 s + INR (count s) * (1 + u) ^ height s * tiny.
Proof.
  induction s as [|i|a IHa b IHb|a IHa i].
  - simpl. rewrite Rminus_0_r, Rabs_R0. lra.
  - pose proof (dot_error_height emin prec choice x y (Product i)) as H. unfold height_bound in H. simpl in *. lra.
  - destruct a as [|i|a1 a2|a1 i]; [|now apply plus_by_term..].
    rewrite (plus_zero emin prec choice x y b). cbn [exactly by_term count height Nat.add]. rewrite Rplus_0_l. exact IHb.
  - cbn [exactly by_term count height]. set (p := x i * y i).
    pose proof (round_error emin prec choice (computed a + p)) as Hr. pose proof (u_nonneg prec) as Hu.
    pose proof (exactly_abs (fun i => x i * y i) a) as Aa. set (ea := Rabs (computed a - exact a)) in *.
    assert (Hc : Rabs (computed a + p) <= absolute a + Rabs p + ea).
    { replace (computed a + p) with ((computed a - exact a) + (exact a + p)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_triang (exact a) p). fold ea. lra. }
    change (Rabs (rnd (computed a + p) - (exact a + p)) <=
      by_term 1 a + ((1 + u) ^ 1 - 1) * Rabs p + INR (S (count a)) * (1 + u) ^ S (height a) * tiny).
    replace (rnd (computed a + p) - (exact a + p)) with ((rnd (computed a + p) - (computed a + p)) + (computed a - exact a)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. fold ea. rewrite by_term_after, S_INR. simpl pow.
    pose proof (power_ge_1 prec (height a)) as Hp. pose proof (tiny_pos emin) as Ht.
    assert (u * Rabs (computed a + p) <= u * (absolute a + Rabs p + ea)) by (apply Rmult_le_compat_l; assumption).
    assert ((1 + u) * ea <= (1 + u) * (by_term 0 a + lost (height a) (count a))) by (apply Rmult_le_compat_l; lra).
    assert (1 <= (1 + u) * (1 + u) ^ height a) by nra.
    assert (1 * tiny <= (1 + u) * (1 + u) ^ height a * tiny) by (apply Rmult_le_compat_r; lra). lra.
Qed.

(** acc = fma(x_i, y_i, acc): term i of n meets n - i roundings. *)
(* C++: bounds/accumulation.hpp term_factors. *)
Theorem fma_by_term k n : by_term k (fma_chain n) = rsum n (fun i => ((1 + u) ^ (k + (n - i)) - 1) * Rabs (x i * y i)).
Proof.
  revert k. induction n as [|n IH]; intros k; [reflexivity|]. cbn [fma_chain by_term rsum]. rewrite IH. f_equal.
  - apply rsum_ext; intros i Hi. do 3 f_equal. lia.
  - replace (k + (S n - n))%nat with (S k) by lia. reflexivity.
Qed.

(** Rounded products added one after the other: the first meets as many roundings as there are terms, term i n - i + 1. *)
(* C++: bounds/accumulation.hpp term_factors. *)
Theorem sequential_by_term k start n :
  by_term k (sequential_from start n) =
  ((1 + u) ^ (k + S n) - 1) * Rabs (x start * y start) +
  rsum n (fun i => ((1 + u) ^ (k + (S n - S i + 1)) - 1) * Rabs (x (start + S i)%nat * y (start + S i)%nat)).
Proof.
  revert k. induction n as [|n IH]; intros k.
  - cbn [sequential_from by_term rsum]. replace (k + 1)%nat with (S k) by lia. ring.
  - replace (by_term k (sequential_from start (S n))) with (by_term (S k) (sequential_from start n) + by_term (S k) (Product (start + S n)))
      by (destruct n; reflexivity).
    rewrite IH. cbn [by_term rsum]. rewrite Rplus_assoc. f_equal; [do 2 f_equal; f_equal; lia|]. f_equal.
    + apply rsum_ext; intros i Hi. do 3 f_equal. lia.
    + do 3 f_equal. lia.
Qed.

(** Every operation's own error. *)
Fixpoint running (s : order) : R :=
  match s with
  | Zero => 0
  | Product i => Rabs (rnd (x i * y i) - x i * y i)
  | Plus a b => running a + running b + Rabs (rnd (computed a + computed b) - (computed a + computed b))
  | Fma a i => running a + Rabs (rnd (computed a + x i * y i) - (computed a + x i * y i))
  end.

(* C++: bounds/bounds.hpp instrumented_bounds; bounds/contraction.hpp follow_products; bounds/followed.hpp followed_errors;
   bounds/linear.hpp follow. *)
Theorem dot_running_error s : Rabs (computed s - exact s) <= running s.
Proof.
  induction s as [|i|a IHa b IHb|a IHa i]; cbn [running Dot.computed exactly].
  - rewrite Rminus_0_r, Rabs_R0. lra.
  - lra.
  - replace (rnd (computed a + computed b) - (exact a + exact b)) with
      ((rnd (computed a + computed b) - (computed a + computed b)) + ((computed a - exact a) + (computed b - exact b))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. lra.
  - replace (rnd (computed a + x i * y i) - (exact a + x i * y i)) with
      ((rnd (computed a + x i * y i) - (computed a + x i * y i)) + (computed a - exact a)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.
End Terms.
