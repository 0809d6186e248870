(** Purpose: from formulas with + - * / to polynomials, so that the Schwartz-Zippel bound speaks of what a program computes.
    Main results: [numerator_value], [numerator_degree]: a formula is a fraction of polynomials of known degree;
      [different_formulas_differ]: two formulas that differ at one point (where both are defined) agree on at most mu D |S|^(n-1) of the
      draws S^n.
    Depends on: SchwartzZippel. No axioms.

    An uninterpreted function value (a keyed hash of an argument) enters as a variable of its own. *)
From Coq Require Import List.
From Equinorm Require Export SchwartzZippel.
Import ListNotations.
Local Open Scope scalar_scope.

Section Formulas.
Context {K : Scalars} (eq_dec : forall a b : K, {a = b} + {a <> b}).
Add Field K_field : (scalar_field K).

Fixpoint constant (n : nat) (a : K) : poly (K := K) n :=
  match n with
  | O => a
  | S k => [constant k a]
  end.

(** Variable i: the i-th entry of a point; 0 past its end. *)
Fixpoint variable (n i : nat) : poly (K := K) n :=
  match n with
  | O => 0
  | S k => match i with
           | O => [constant k 0; constant k 1]
           | S i' => [variable k i']
           end
  end.

Fixpoint plus (n : nat) : poly (K := K) n -> poly n -> poly n :=
  match n with
  | O => fun a b => a + b
  | S k => fix go (p q : list (poly k)) : list (poly k) :=
      match p, q with
      | [], _ => q
      | _, [] => p
      | a :: p', b :: q' => plus k a b :: go p' q'
      end
  end.

Fixpoint times (n : nat) : poly (K := K) n -> poly n -> poly n :=
  match n with
  | O => fun a b => a * b
  | S k => fix go (p q : list (poly k)) : list (poly k) :=
      match p with
      | [] => []
      | a :: p' => plus (S k) (map (times k a) q) (constant k 0 :: go p' q)
      end
  end.

Lemma eval_constant n a point : eval n (constant n a) point = a.
Proof. revert point. induction n as [|n IH]; intros point; simpl; [reflexivity|]. rewrite IH. ring. Qed.

Lemma eval_variable n i point : (i < n)%nat -> length point = n -> eval n (variable n i) point = nth i point 0.
Proof.
  revert i point. induction n as [|n IH]; intros i point Hi Hl; [lia|].
  destruct point as [|x point]; [discriminate|]. injection Hl as Hl. destruct i as [|i]; simpl.
  - rewrite !eval_constant. ring.
  - rewrite IH by (assumption || lia). ring.
Qed.

Lemma eval_plus n p q point : eval n (plus n p q) point = eval n p point + eval n q point.
Proof.
  revert p q point. induction n as [|n IH]; intros p q point; [reflexivity|].
  revert q. induction p as [|a p IHp]; intros q; [simpl; ring|].
  destruct q as [|b q]; [simpl; ring|]. specialize (IHp q). simpl in *. rewrite IH, IHp. ring.
Qed.

Lemma eval_times n p q point : eval n (times n p q) point = eval n p point * eval n q point.
Proof.
  revert p q point. induction n as [|n IH]; intros p q point; [reflexivity|].
  assert (Hscale : forall a (z : list (poly n)), eval (S n) (map (times n a) z) point = eval n a (tl point) * eval (S n) z point).
  { intros a z. induction z as [|b z IHz]; [simpl; ring|]. simpl in *. rewrite IH, IHz. ring. }
  induction p as [|a p IHp]; [simpl; ring|].
  change (times (S n) (a :: p) q) with (plus (S n) (map (times n a) q) (constant n 0 :: times (S n) p q)).
  rewrite eval_plus, Hscale.
  change (eval (S n) (constant n 0 :: times (S n) p q) point)
    with (eval n (constant n 0) (tl point) + hd 0 point * eval (S n) (times (S n) p q) point).
  rewrite IHp, eval_constant.
  change (eval (S n) (a :: p) point) with (eval n a (tl point) + hd 0 point * eval (S n) p point). ring.
Qed.

Lemma degree_le_mono n (p : poly (K := K) n) D E : (D <= E)%nat -> degree_le n p D -> degree_le n p E.
Proof.
  revert p D E. induction n as [|n IH]; [simpl; auto|].
  intros p. induction p as [|a p IHp]; intros D E HDE H; [simpl; auto|].
  destruct H as [Ha Hp]. split; [eauto|]. destruct Hp as [->|(D' & -> & Hp)]; [now left|right].
  destruct E as [|E]; [lia|]. exists E. split; [reflexivity|]. apply (IHp D'); [lia|assumption].
Qed.

Lemma degree_constant n a : degree_le n (constant n a) 0.
Proof. induction n as [|n IH]; simpl; auto. Qed.

Lemma degree_variable n i : degree_le n (variable n i) 1.
Proof.
  revert i. induction n as [|n IH]; intros i; [simpl; auto|]. destruct i as [|i]; simpl; [|auto].
  pose proof (degree_constant n 0) as H0. pose proof (degree_constant n 1) as H1.
  split; [apply (degree_le_mono n _ 0); auto|]. right. exists 0%nat. auto.
Qed.

Lemma degree_plus n p q D : degree_le n p D -> degree_le n q D -> degree_le (K := K) n (plus n p q) D.
Proof.
  revert p q D. induction n as [|n IH]; [simpl; auto|].
  intros p. induction p as [|a p IHp]; intros q D Hp Hq; [exact Hq|].
  destruct q as [|b q]; [exact Hp|]. destruct Hp as [Ha Hp], Hq as [Hb Hq].
  change (degree_le n (plus n a b) D /\ (plus (S n) p q = [] \/ exists D', D = S D' /\ degree_le (S n) (plus (S n) p q) D')).
  split; [auto|]. destruct Hp as [->|(D' & -> & Hp)].
  - destruct Hq as [->|(D' & -> & Hq)]; [now left|right]. exists D'. auto.
  - right. exists D'. split; [reflexivity|]. apply IHp; [assumption|].
    destruct Hq as [->|(D'' & E & Hq)]; [simpl; auto|]. now injection E as ->.
Qed.

Lemma degree_times n p q D E : degree_le n p D -> degree_le n q E -> degree_le (K := K) n (times n p q) (D + E).
Proof.
  revert p q D E. induction n as [|n IH]; [simpl; auto|].
  assert (Hscale : forall a (z : list (poly n)) D E, degree_le n a D -> degree_le (S n) z E -> degree_le (S n) (map (times n a) z) (D + E)).
  { intros a z. induction z as [|b z IHz]; intros D E Ha Hz; [simpl; auto|]. destruct Hz as [Hb Hz]. split; [auto|].
    destruct Hz as [->|(E' & -> & Hz)]; [now left|right]. exists (D + E')%nat. split; [lia|]. now apply IHz. }
  intros p. induction p as [|a p IHp]; intros q D E Hp Hq; [simpl; auto|]. destruct Hp as [Ha Hp].
  change (times (S n) (a :: p) q) with (plus (S n) (map (times n a) q) (constant n 0 :: times (S n) p q)).
  apply degree_plus; [now apply Hscale|]. split; [apply (degree_le_mono n _ 0); [lia|apply degree_constant]|].
  destruct Hp as [->|(D' & -> & Hp)]; [left; reflexivity|right]. exists (D' + E)%nat. split; [lia|]. now apply IHp.
Qed.

(** What a path computes of its inputs. *)
Inductive formula :=
  | Input (i : nat)
  | Number (a : K)
  | Add (e f : formula)
  | Sub (e f : formula)
  | Mul (e f : formula)
  | Div (e f : formula).

Fixpoint value (e : formula) (point : list K) : K :=
  match e with
  | Input i => nth i point 0
  | Number a => a
  | Add e f => value e point + value f point
  | Sub e f => value e point - value f point
  | Mul e f => value e point * value f point
  | Div e f => value e point / value f point
  end.

(** No division by zero. *)
Fixpoint defined (e : formula) (point : list K) : Prop :=
  match e with
  | Input _ | Number _ => True
  | Add e f | Sub e f | Mul e f => defined e point /\ defined f point
  | Div e f => defined e point /\ defined f point /\ value f point <> 0
  end.

Fixpoint inputs_below (n : nat) (e : formula) : Prop :=
  match e with
  | Input i => (i < n)%nat
  | Number _ => True
  | Add e f | Sub e f | Mul e f | Div e f => inputs_below n e /\ inputs_below n f
  end.

(** A formula as numerator and denominator. *)
Fixpoint fraction (n : nat) (e : formula) : poly n * poly n :=
  match e with
  | Input i => (variable n i, constant n 1)
  | Number a => (constant n a, constant n 1)
  | Add e f => let '(a, b) := fraction n e in let '(c, d) := fraction n f in (plus n (times n a d) (times n c b), times n b d)
  | Sub e f => let '(a, b) := fraction n e in let '(c, d) := fraction n f in
      (plus n (times n a d) (times n (constant n (- (1))) (times n c b)), times n b d)
  | Mul e f => let '(a, b) := fraction n e in let '(c, d) := fraction n f in (times n a c, times n b d)
  | Div e f => let '(a, b) := fraction n e in let '(c, d) := fraction n f in (times n a d, times n b c)
  end.

(** Degrees of numerator and denominator, read off the formula. *)
Fixpoint degrees (e : formula) : nat * nat :=
  match e with
  | Input _ => (1, 0)
  | Number _ => (0, 0)
  | Add e f | Sub e f => let '(a, b) := degrees e in let '(c, d) := degrees f in (Nat.max (a + d) (c + b), b + d)
  | Mul e f => let '(a, b) := degrees e in let '(c, d) := degrees f in (a + c, b + d)
  | Div e f => let '(a, b) := degrees e in let '(c, d) := degrees f in (a + d, b + c)
  end%nat.

Theorem numerator_degree n e :
  degree_le n (fst (fraction n e)) (fst (degrees e)) /\ degree_le n (snd (fraction n e)) (snd (degrees e)).
Proof.
  induction e as [i|a|e IHe f IHf|e IHe f IHf|e IHe f IHf|e IHe f IHf]; simpl;
    try (destruct (fraction n e) as [a b], (fraction n f) as [c d], (degrees e) as [da db], (degrees f) as [dc dd];
         simpl in *; destruct IHe as [IHa IHb], IHf as [IHc IHd]; split; auto using degree_times).
  - auto using degree_variable, degree_constant.
  - auto using degree_constant.
  - apply degree_plus; (eapply degree_le_mono; [|now apply degree_times; [eassumption|eassumption]]); lia.
  - apply degree_plus; [eapply degree_le_mono; [|now apply degree_times; [exact IHa|exact IHd]]; lia|].
    apply (degree_le_mono n _ (0 + (dc + db))); [lia|]. auto using degree_times, degree_constant.
Qed.

Theorem numerator_value n e point : inputs_below n e -> length point = n -> defined e point ->
  eval n (snd (fraction n e)) point <> 0 /\ value e point = eval n (fst (fraction n e)) point / eval n (snd (fraction n e)) point.
Proof.
  intros Hi Hl. pose proof (F_1_neq_0 (scalar_field K)) as H10.
  assert (Hprod : forall a b : K, a <> 0 -> b <> 0 -> a * b <> 0).
  { intros a b Ha Hb H. destruct (mul_nonzero eq_dec a b H); contradiction. }
  induction e as [i|a|e IHe f IHf|e IHe f IHf|e IHe f IHf|e IHe f IHf]; simpl in *; intros Hd;
    try (destruct Hi, (fraction n e) as [a b], (fraction n f) as [c d]; simpl in *;
         destruct IHe as [Hb Ve], IHf as [Hd' Vf]; try tauto; rewrite ?eval_plus, ?eval_times, ?eval_constant, ?Ve, ?Vf).
  - rewrite eval_constant, eval_variable by assumption. split; [assumption|]. field; assumption.
  - rewrite !eval_constant. split; [assumption|]. field; assumption.
  - split; [auto|]. field. auto.
  - split; [auto|]. field. auto.
  - split; [auto|]. field. auto.
  - assert (Hc : eval n c point <> 0).
    { intros Hc. destruct Hd as (_ & _ & Hd). apply Hd. rewrite Vf, Hc. field. assumption. }
    split; [auto|]. field. auto.
Qed.

(** Degree of the numerator of e - f. *)
Definition difference_degree (e f : formula) : nat := fst (degrees (Sub e f)).

(** If two formulas differ anywhere, random draws of the inputs from S miss it with probability at most mu D / |S|: the draws at which both
    are defined and equal are at most mu D |S|^(n-1). [misses] decides any property that implies that. *)
Theorem different_formulas_differ n (e f : formula) (S : list K) (mu : nat) witness :
  at_most eq_dec mu S -> inputs_below n e -> inputs_below n f ->
  length witness = n -> defined e witness -> defined f witness -> value e witness <> value f witness ->
  forall misses : list K -> bool,
  (forall point, misses point = true -> defined e point /\ defined f point /\ value e point = value f point) ->
  (length (filter misses (grid n S)) <= mu * difference_degree e f * length S ^ (n - 1))%nat.
Proof.
  intros HS He Hf Hl Hde Hdf Hdiff misses Hmisses.
  assert (Hlen : forall k point, In point (grid k S) -> length point = k).
  { induction k as [|k IH]; simpl; intros point Hp; [destruct Hp as [<-|[]]; reflexivity|].
    apply in_flat_map in Hp. destruct Hp as (rest & Hrest & Hp). apply in_map_iff in Hp. destruct Hp as (x & <- & _). simpl. auto. }
  set (q := fst (fraction n (Sub e f))).
  assert (Hvalue : forall point, length point = n -> defined e point -> defined f point ->
    (eval n q point = 0 <-> value e point = value f point)).
  { intros point Hp Hdpe Hdpf. destruct (numerator_value n (Sub e f) point) as [Hden Hval]; try (simpl; auto; fail).
    fold q in Hval. simpl value in Hval. split; intros H.
    - assert (Hz : value e point - value f point = 0).
      { rewrite Hval, H. field. assumption. }
      transitivity (value e point - value f point + value f point); [ring|]. rewrite Hz. ring.
    - transitivity (eval n q point / eval n (snd (fraction n (Sub e f))) point * eval n (snd (fraction n (Sub e f))) point); [field;
      assumption|].
      rewrite <- Hval, H. ring. }
  assert (Hnz : nonzero n q).
  { destruct (nonzero_dec eq_dec n q) as [H|H]; [assumption|]. exfalso. apply Hdiff, Hvalue; try assumption. now apply zero_vanishes. }
  etransitivity; [|apply (schwartz_zippel eq_dec n q (difference_degree e f) S mu HS Hnz); apply numerator_degree].
  unfold zeros. assert (Hall : forall point, In point (grid n S) -> misses point = true -> is_zero eq_dec (eval n q point) = true).
  { intros point Hp Hm. destruct (Hmisses point Hm) as (Hpe & Hpf & Heq). apply is_zero_iff. apply Hvalue; auto. }
  clear -Hall. induction (grid n S) as [|point points IH]; [simpl; lia|].
  assert (IH' := IH (fun z Hz => Hall z (or_intror Hz))). simpl.
  destruct (misses point) eqn:Em; [rewrite (Hall point (or_introl eq_refl) Em); simpl; lia|].
  destruct (is_zero eq_dec (eval n q point)); simpl; lia.
Qed.

End Formulas.
