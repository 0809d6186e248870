(** Purpose: the field of the exact check: integers modulo a prime, with any functions in place of rsqrt, sigmoid and exp.
    Main results: [prime_field_scalars]: it is an instance of Scalars, so that every theorem over a field holds in it;
      [prime_field_forms_equal]: the two forms are equal modulo every prime; [prime_field_error]: two formulas that differ somewhere look
      equal at random inputs with probability at most 2 D / p.
    Depends on: Fused, Formulas. No axioms. *)
From Coq Require Import ZArith Znumtheory List Eqdep_dec Lia.
From Equinorm Require Import Fused Formulas.
Import ListNotations.

Section PrimeField.
Variables (p : Z) (p_prime : prime p).
Local Open Scope Z_scope.

Record residue := { value_of : Z; reduced : value_of mod p = value_of }.

Lemma p_positive : 1 < p.
Proof. destruct p_prime; lia. Qed.

Definition residue_of (a : Z) : residue := {| value_of := a mod p; reduced := Z.mod_mod a p ltac:(pose proof p_positive; lia) |}.

Lemma residue_eq (a b : residue) : value_of a = value_of b -> a = b.
Proof. destruct a as [a Ha], b as [b Hb]. simpl. intros <-. f_equal. apply UIP_dec, Z.eq_dec. Qed.

Definition residue_eq_dec (a b : residue) : {a = b} + {a <> b}.
Proof. destruct (Z.eq_dec (value_of a) (value_of b)) as [H|H]; [left; now apply residue_eq|right; congruence]. Defined.

Definition residue_add (a b : residue) : residue := residue_of (value_of a + value_of b).
Definition residue_mul (a b : residue) : residue := residue_of (value_of a * value_of b).
Definition residue_opp (a : residue) : residue := residue_of (- value_of a).
Definition residue_sub (a b : residue) : residue := residue_of (value_of a - value_of b).
(** By the extended Euclidean algorithm: u a + v p = d with d = 1 or -1. *)
Definition residue_inv (a : residue) : residue :=
  match euclid (value_of a) p with
  | Euclid_intro _ _ u _ d _ _ => residue_of (u * d)
  end.
Definition residue_div (a b : residue) : residue := residue_mul a (residue_inv b).

Lemma residue_inv_l a : a <> residue_of 0 -> residue_mul (residue_inv a) a = residue_of 1.
Proof.
  intros Ha. pose proof p_positive as Hp. unfold residue_inv. destruct (euclid (value_of a) p) as [u w d Huw Hgcd].
  assert (Hnz : value_of a <> 0).
  { intros E. apply Ha, residue_eq. cbn [value_of residue_of residue_add residue_mul residue_sub residue_opp]. rewrite E.
    now rewrite Z.mod_0_l by lia. }
  assert (Hrange : 0 <= value_of a < p) by (rewrite <- (reduced a); apply Z.mod_pos_bound; lia).
  assert (Hd : d * d = 1).
  { assert (Hrel : Zis_gcd (value_of a) p 1).
    { apply Zis_gcd_sym. apply prime_rel_prime; [assumption|]. intros Hk. apply Z.divide_pos_le in Hk; lia. }
    destruct (Zis_gcd_uniqueness_apart_sign _ _ _ _ Hgcd Hrel) as [->| ->]; reflexivity. }
  apply residue_eq. simpl. rewrite Z.mul_mod_idemp_l by lia.
  replace (u * d * value_of a) with (1 + (- w * d) * p) by (rewrite <- Hd at 1; rewrite <- Huw; ring).
  apply Z.mod_add. lia.
Qed.

Lemma residue_field : field_theory (residue_of 0) (residue_of 1) residue_add residue_mul residue_sub residue_opp residue_div residue_inv eq.
Proof.
  pose proof p_positive as Hp.
  assert (Hmod : forall a b, a mod p = b mod p -> residue_of a = residue_of b) by (intros; now apply residue_eq).
  assert (Hself : forall a, residue_of (value_of a) = a) by (intros; apply residue_eq, reduced).
  assert (Hnz : p <> 0) by lia.
  Local Ltac modular := cbn [value_of residue_of residue_add residue_mul residue_sub residue_opp];
    rewrite ?Z.mul_mod_idemp_l, ?Z.mul_mod_idemp_r, ?Z.add_mod_idemp_l, ?Z.add_mod_idemp_r by assumption; f_equal; ring.
  constructor; [constructor| |reflexivity|apply residue_inv_l]; try (intros; apply Hmod; modular).
  - intros a. rewrite <- (Hself a) at 2. apply Hmod. modular.
  - intros a. rewrite <- (Hself a) at 2. apply Hmod. modular.
  - intros H. apply (f_equal value_of) in H. cbn [value_of residue_of] in H. rewrite Z.mod_0_l, Z.mod_1_l in H by lia. lia.
Qed.

Variables (any_rsqrt any_sigmoid hash : residue -> residue) (hash_nonzero : forall a, hash a <> residue_of 0).

Definition prime_field_scalars : Scalars := {|
  scalar := residue; zero := residue_of 0; one := residue_of 1; add := residue_add; mul := residue_mul; sub := residue_sub;
  opp := residue_opp; div := residue_div; inv := residue_inv; scalar_field := residue_field;
  rsqrt := any_rsqrt; sigmoid := any_sigmoid; exp_of := hash; exp_of_nonzero := hash_nonzero
|}.

(* C++: exact/equality.hpp check_in_field. *)
Theorem prime_field_forms_equal (P : MlaProblem prime_field_scalars) X place : same_outputs (absorbed_path P X place) (explicit_path P X).
Proof. apply absorbed_equals_explicit. Qed.

(** All p residues. *)
Definition residues : list residue := map (fun k => residue_of (Z.of_nat k)) (seq 0 (Z.to_nat p)).

Lemma residues_nodup : NoDup residues.
Proof.
  pose proof p_positive as Hp.
  assert (H : forall n, Z.of_nat n <= p -> NoDup (map (fun k => residue_of (Z.of_nat k)) (seq 0 n))).
  { induction n as [|n IH]; intros Hn; [constructor|]. rewrite seq_S, map_app.
    apply NoDup_Add with (a := residue_of (Z.of_nat n)) (l := map (fun k => residue_of (Z.of_nat k)) (seq 0 n)).
    - rewrite <- (app_nil_r (map _ (seq 0 n))) at 1. apply Add_app.
    - split; [apply IH; lia|]. intros Hin. apply in_map_iff in Hin. destruct Hin as (k & E & Hk). apply in_seq in Hk.
      apply (f_equal value_of) in E. cbn [value_of residue_of] in E. rewrite !Z.mod_small in E by lia. lia. }
  apply H. lia.
Qed.

Lemma residues_length : length residues = Z.to_nat p.
Proof. unfold residues. now rewrite map_length, seq_length. Qed.

Local Close Scope Z_scope.
Let F := prime_field_scalars.

(** The draws of the exact check: a residue chosen at random, with 0 replaced by 1. The value 1 is twice as likely as the others. *)
Definition draws : list residue := map (fun a => if residue_eq_dec a (residue_of 0) then residue_of 1 else a) residues.

Lemma draws_at_most_twice : at_most (K := F) residue_eq_dec 2 draws.
Proof.
  intros b. pose proof (proj1 (NoDup_count_occ residue_eq_dec residues) residues_nodup) as Honce. specialize (Honce b) as Hb.
  specialize (Honce (residue_of 0)).
  assert (H : (count_occ residue_eq_dec draws b <= count_occ residue_eq_dec residues b
    + count_occ residue_eq_dec residues (residue_of 0))%nat).
  { unfold draws. clear. induction residues as [|a rest IH]; [simpl; lia|]. cbn [map count_occ].
    destruct (residue_eq_dec a (residue_of 0)) as [E|E].
    - destruct (residue_eq_dec (residue_of 1) b), (residue_eq_dec a b); lia.
    - destruct (residue_eq_dec a b); lia. }
  simpl in *. lia.
Qed.

(** Two formulas that differ somewhere look equal at 2 D p^(n-1) of the p^n draws at most: with probability 2 D / p. *)
(* C++: exact/equality.hpp check_in_field. *)
Theorem prime_field_error n (e f : formula (K := F)) witness :
  inputs_below n e -> inputs_below n f -> length witness = n -> defined e witness -> defined f witness ->
  value e witness <> value f witness ->
  forall misses : list F -> bool,
  (forall point, misses point = true -> defined e point /\ defined f point /\ value e point = value f point) ->
  length (filter misses (grid (K := F) n draws)) <= 2 * difference_degree e f * Z.to_nat p ^ (n - 1).
Proof.
  intros. replace (Z.to_nat p) with (length draws) by (unfold draws; now rewrite map_length, residues_length).
  apply (different_formulas_differ (K := F) residue_eq_dec n e f draws 2 witness); auto using draws_at_most_twice.
Qed.

End PrimeField.
