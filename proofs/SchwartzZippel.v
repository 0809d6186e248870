(** Purpose: how rarely a polynomial that is not zero vanishes: what a check at random points of a prime field relies on.
    Main results: [schwartz_zippel]: a nonzero polynomial in n variables of total degree at most D, over a field, has at most mu D
      |S|^(n-1) zeros in S^n, where S lists the equally likely draws of one variable and no value occurs in it more than mu times (mu = 1:
      a set); [union_bound]: so for a list of polynomials, with the sum of their degrees.
    Depends on: Scalars (only its field). No axioms.

    A polynomial in n + 1 variables is the list of its coefficients, lowest first, each a polynomial in n variables. *)
From Coq Require Import List.
From Equinorm Require Export Scalars.
Import ListNotations.
Local Open Scope scalar_scope.

Section SchwartzZippel.
Context {K : Scalars} (eq_dec : forall a b : K, {a = b} + {a <> b}).
Add Field K_field : (scalar_field K).

Fixpoint poly (n : nat) : Type :=
  match n with
  | O => K
  | S k => list (poly k)
  end.

(** Value of a polynomial in one variable, coefficients lowest first. *)
Fixpoint horner (q : list K) (x : K) : K :=
  match q with
  | [] => 0
  | a :: q' => a + x * horner q' x
  end.

Fixpoint eval (n : nat) : poly n -> list K -> K :=
  match n with
  | O => fun a _ => a
  | S k => fun q point => horner (map (fun a => eval k a (tl point)) q) (hd 0 point)
  end.

(** Some coefficient is not zero. *)
Fixpoint nonzero (n : nat) : poly n -> Prop :=
  match n with
  | O => fun a => a <> 0
  | S k => fun q => Exists (nonzero k) q
  end.

(** The total degree is at most D. *)
Fixpoint degree_le (n : nat) : poly n -> nat -> Prop :=
  match n with
  | O => fun _ _ => True
  | S k => fix go (q : list (poly k)) (D : nat) : Prop :=
      match q with
      | [] => True
      | a :: q' => degree_le k a D /\ (q' = [] \/ exists D', D = S D' /\ go q' D')
      end
  end.

(** All points of S^n. *)
Fixpoint grid (n : nat) (S : list K) : list (list K) :=
  match n with
  | O => [[]]
  | Datatypes.S k => flat_map (fun rest => map (fun x => x :: rest) S) (grid k S)
  end.

Definition is_zero (a : K) : bool := if eq_dec a 0 then true else false.
Definition zeros (n : nat) (q : poly n) (S : list K) : nat := length (filter (fun point => is_zero (eval n q point)) (grid n S)).

Lemma is_zero_iff a : is_zero a = true <-> a = 0.
Proof. unfold is_zero. destruct (eq_dec a 0); split; congruence. Qed.

Lemma mul_nonzero (a b : K) : a * b = 0 -> a = 0 \/ b = 0.
Proof.
  intros H. destruct (eq_dec a 0) as [->|Ha]; [now left|right].
  transitivity (/ a * (a * b)); [field; assumption|]. rewrite H. ring.
Qed.

(** One variable: q(x) - q(r) = (x - r) q'(x) with the same leading coefficient. *)
Lemma factor (q : list K) (r : K) : exists q', length q' = pred (length q) /\
  (forall x, horner q x - horner q r = (x - r) * horner q' x) /\ ((2 <= length q)%nat -> last q' 0 = last q 0).
Proof.
  assert (Hadd : forall (a b : list K), (length b < length a)%nat ->
    exists s, length s = length a /\ (forall x, horner s x = horner a x + r * horner b x) /\ last s 0 = last a 0).
  { induction a as [|x a IH]; intros b Hb; simpl in Hb; [lia|]. destruct b as [|y b]; simpl in Hb.
    - exists (x :: a). repeat split. intros z. simpl. ring.
    - destruct (IH b ltac:(lia)) as (s & Hl & Hh & Hlast). exists ((x + r * y) :: s). split; [simpl; lia|]. split.
      + intros z. simpl. rewrite Hh. ring.
      + destruct a as [|x' a]; simpl in *; [lia|]. destruct s; simpl in *; [lia|assumption]. }
  induction q as [|a q IH].
  - exists []. split; [reflexivity|]. split; [intros; simpl; ring|simpl; lia].
  - destruct IH as (q1 & Hl & Hh & Hlast). destruct q as [|b q].
    + exists []. split; [reflexivity|]. split; [intros; simpl; ring|simpl; lia].
    + destruct (Hadd (b :: q) q1 ltac:(simpl in *; lia)) as (s & Hsl & Hsh & Hslast). exists s.
      split; [assumption|]. split; [|intros _; exact Hslast].
      intros x. rewrite Hsh. specialize (Hh x).
      transitivity ((x - r) * horner (b :: q) x + r * (horner (b :: q) x - horner (b :: q) r)); [simpl; ring|]. rewrite Hh. ring.
Qed.

(** A polynomial in one variable has no more zeros than its degree. *)
Lemma roots (q : list K) (S : list K) : NoDup S -> last q 0 <> 0 ->
  (length (filter (fun x => is_zero (horner q x)) S) <= pred (length q))%nat.
Proof.
  remember (length q) as d eqn:Hd. revert q Hd S. induction d as [|d IH]; intros q Hd S HS Hlead.
  { destruct q; [simpl in Hlead; congruence|discriminate]. }
  destruct (filter (fun x => is_zero (horner q x)) S) as [|r found] eqn:Hf; [simpl; lia|].
  assert (Hr : In r (filter (fun x => is_zero (horner q x)) S)) by (rewrite Hf; now left).
  apply filter_In in Hr. destruct Hr as [HrS Hr]. apply is_zero_iff in Hr.
  assert (Hnodup : NoDup (r :: found)) by (rewrite <- Hf; now apply NoDup_filter).
  destruct q as [|a q]; [discriminate|]. simpl in Hd. injection Hd as Hd.
  destruct q as [|b q].
  { simpl in *. exfalso. apply Hlead. rewrite <- Hr. ring. }
  destruct (factor (a :: b :: q) r) as (q' & Hl & Hh & Hlast). simpl in Hl.
  assert (Hsub : (length found <= length (filter (fun x => is_zero (horner q' x)) S))%nat).
  { apply NoDup_incl_length; [now inversion Hnodup|]. intros x Hx.
    assert (Hx' : In x (filter (fun x => is_zero (horner (a :: b :: q) x)) S)) by (rewrite Hf; now right).
    apply filter_In in Hx'. destruct Hx' as [HxS Hx']. apply is_zero_iff in Hx'.
    apply filter_In. split; [assumption|]. apply is_zero_iff.
    destruct (mul_nonzero (x - r) (horner q' x)) as [E|E]; [| |assumption].
    - rewrite <- Hh, Hx', Hr. ring.
    - exfalso. inversion Hnodup as [|? ? Hnot _]. apply Hnot. replace r with x; [assumption|].
      transitivity (x - r + r); [ring|]. rewrite E. ring. }
  specialize (IH q' ltac:(simpl in Hd; lia) S HS).
  rewrite Hlast in IH by (simpl; lia). specialize (IH Hlead). simpl in Hd. cbn [length pred]. lia.
Qed.

(** Draws with repetition: a value that can be drawn in mu ways counts mu times. *)
Definition at_most (mu : nat) (S : list K) : Prop := forall a, (count_occ eq_dec S a <= mu)%nat.

Lemma at_most_once (S : list K) : NoDup S -> at_most 1 S.
Proof. intros H a. now apply NoDup_count_occ. Qed.

Lemma length_by_values mu (values draws : list K) : at_most mu draws -> (forall a, In a draws -> In a values) ->
  (length draws <= mu * length values)%nat.
Proof.
  revert draws. induction values as [|v values IH]; intros draws Hmu Hin.
  - destruct draws as [|a draws]; [simpl; lia|]. destruct (Hin a (or_introl eq_refl)).
  - assert (Hsplit : forall ds, length ds = (count_occ eq_dec ds v + length (remove eq_dec v ds))%nat).
    { induction ds as [|a ds IHd]; [reflexivity|]. simpl. destruct (eq_dec a v), (eq_dec v a); simpl; congruence || lia. }
    assert (Hcount : forall ds a, (count_occ eq_dec (remove eq_dec v ds) a <= count_occ eq_dec ds a)%nat).
    { induction ds as [|b ds IHd]; intros a; [simpl; lia|]. specialize (IHd a). simpl.
      destruct (eq_dec v b); simpl; destruct (eq_dec b a); lia. }
    assert (H : (length (remove eq_dec v draws) <= mu * length values)%nat).
    { apply IH.
      - intros a. etransitivity; [apply Hcount|apply Hmu].
      - intros a Ha. apply in_remove in Ha. destruct Ha as [Ha Hne]. destruct (Hin a Ha); [congruence|assumption]. }
    rewrite (Hsplit draws). specialize (Hmu v). cbn [length]. rewrite Nat.mul_succ_r. lia.
Qed.

Lemma roots_drawn (q : list K) (S : list K) mu : at_most mu S -> last q 0 <> 0 ->
  (length (filter (fun x => is_zero (horner q x)) S) <= mu * pred (length q))%nat.
Proof.
  intros Hmu Hlead. set (found := filter (fun x => is_zero (horner q x)) S). set (values := nodup eq_dec found).
  assert (Hvalues : (length values <= pred (length q))%nat).
  { pose proof (roots q values (NoDup_nodup eq_dec found) Hlead) as H.
    replace (filter (fun x => is_zero (horner q x)) values) with values in H; [assumption|].
    assert (Hall : forall x, In x values -> is_zero (horner q x) = true).
    { intros x Hx. apply nodup_In in Hx. now apply filter_In in Hx. }
    clear H. induction values as [|x xs IH]; [reflexivity|]. simpl. rewrite Hall by now left. f_equal. apply IH. intros; apply Hall;
    now right. }
  assert (Hfound : (length found <= mu * length values)%nat).
  { apply length_by_values.
    - intros a. etransitivity; [|apply (Hmu a)]. unfold found. clear. induction S as [|x S IH]; [simpl; lia|].
      simpl. destruct (is_zero (horner q x)); simpl; destruct (eq_dec x a); lia.
    - intros a Ha. now apply nodup_In. }
  nia.
Qed.

Lemma nonzero_dec n (q : poly n) : {nonzero n q} + {~ nonzero n q}.
Proof.
  induction n as [|n IH]; simpl.
  - destruct (eq_dec q 0) as [->|H]; [right; congruence|left; assumption].
  - apply Exists_dec. exact IH.
Qed.

(** The zero polynomial vanishes everywhere. (Over a finite field others may too: x^p - x.) *)
Lemma zero_vanishes n (q : poly n) point : ~ nonzero n q -> eval n q point = 0.
Proof.
  revert q point. induction n as [|n IH]; simpl; intros q point H.
  - destruct (eq_dec q 0); tauto.
  - induction q as [|a q IHq]; simpl; [reflexivity|].
    rewrite IH by (intros Ha; apply H; now constructor). rewrite IHq by (intros Hq; apply H; now constructor 2). ring.
Qed.

(** The leading coefficient of a nonzero polynomial: everything above it vanishes. *)
Lemma leading n (q : poly (S n)) D : nonzero (S n) q -> degree_le (S n) q D ->
  exists (low : list (poly n)) (top : poly n), nonzero n top /\ (length low <= D)%nat /\ degree_le n top (D - length low) /\
    forall point, eval (S n) q point = eval (S n) (low ++ [top]) point.
Proof.
  revert D. induction q as [|a q IH]; intros D Hnz Hdeg; [inversion Hnz|].
  destruct Hdeg as [Ha Hq].
  destruct (nonzero_dec (S n) q) as [Hnzq|Hzero].
  - destruct Hq as [->|(D' & -> & Hq)]; [inversion Hnzq|].
    destruct (IH D' Hnzq Hq) as (low & top & Htop & Hlow & Hdtop & Heq).
    exists (a :: low), top. split; [assumption|]. split; [simpl; lia|]. split; [assumption|].
    intros point. specialize (Heq point). simpl in *. now rewrite Heq.
  - exists [], a. split; [inversion Hnz; [assumption|contradiction]|].
    split; [simpl; lia|]. split; [simpl; now rewrite Nat.sub_0_r|].
    intros point. pose proof (zero_vanishes (S n) q point Hzero) as Hz. simpl in *. rewrite Hz. ring.
Qed.

Lemma grid_length n S : length (grid n S) = (length S ^ n)%nat.
Proof.
  induction n as [|n IH]; simpl; [reflexivity|]. rewrite <- IH. generalize (grid n S). intros rests.
  induction rests as [|rest rests IHr]; simpl; [lia|]. rewrite app_length, map_length, IHr. lia.
Qed.

Lemma filter_length_le {A} (f : A -> bool) (a : list A) : (length (filter f a) <= length a)%nat.
Proof. induction a as [|x a IH]; simpl; [lia|]. destruct (f x); simpl; lia. Qed.

(** The zeros in S^(n+1), line by line. *)
Lemma zeros_by_lines n (q : poly (S n)) (S : list K) (rests : list (list K)) (bad : list K -> bool) (d : nat) :
  (forall rest, bad rest = false -> (length (filter (fun x => is_zero (eval (Datatypes.S n) q (x :: rest))) S) <= d)%nat) ->
  (length (filter (fun point => is_zero (eval (Datatypes.S n) q point)) (flat_map (fun rest => map (fun x => x :: rest) S) rests)) <=
   d * length rests + length S * length (filter bad rests))%nat.
Proof.
  intros H. induction rests as [|rest rests IH]; [simpl; lia|]. cbn [flat_map].
  rewrite filter_app, app_length.
  assert (Hline : length (filter (fun point => is_zero (eval (Datatypes.S n) q point)) (map (fun x => x :: rest) S)) =
                  length (filter (fun x => is_zero (eval (Datatypes.S n) q (x :: rest))) S)).
  { clear. induction S as [|x S IH]; [reflexivity|]. cbn [map filter].
    destruct (is_zero (eval (Datatypes.S n) q (x :: rest))); cbn [length]; now rewrite IH. }
  rewrite Hline. cbn [filter length]. destruct (bad rest) eqn:Hb; cbn [length].
  - pose proof (filter_length_le (fun x => is_zero (eval (Datatypes.S n) q (x :: rest))) S). lia.
  - specialize (H rest Hb). lia.
Qed.

Lemma last_snoc (a : list K) z : last (a ++ [z]) 0 = z.
Proof. apply last_last. Qed.

(** The bound times |S|, so that it needs no n >= 1. *)
Lemma schwartz_zippel_times n (q : poly n) D (S : list K) mu : at_most mu S -> nonzero n q -> degree_le n q D ->
  (zeros n q S * length S <= mu * D * length S ^ n)%nat.
Proof.
  intros HS. revert q D. induction n as [|n IH]; intros q D Hnz Hdeg.
  - unfold zeros. simpl in *. destruct (is_zero q) eqn:E; [apply is_zero_iff in E; congruence|simpl; lia].
  - destruct (leading n q D Hnz Hdeg) as (low & top & Htop & Hlow & Hdtop & Heq).
    assert (Hcount : (zeros (Datatypes.S n) q S <= mu * length low * length S ^ n + length S * zeros n top S)%nat).
    { unfold zeros. rewrite <- (grid_length n S). apply zeros_by_lines. intros rest Hbad.
      pose proof (roots_drawn (map (fun a => eval n a rest) (low ++ [top])) S mu HS) as Hroots.
      rewrite map_app in Hroots. cbn [map] in Hroots. rewrite last_snoc, app_length, map_length in Hroots. cbn [length] in Hroots.
      replace (pred (length low + 1)) with (length low) in Hroots by lia.
      rewrite (filter_ext _ (fun x => is_zero (horner (map (fun a => eval n a rest) low ++ [eval n top rest]) x))).
      - apply Hroots. intros E. apply is_zero_iff in E. congruence.
      - intros x. rewrite Heq. cbn [eval hd tl]. now rewrite map_app. }
    specialize (IH top _ Htop Hdtop). cbn [Nat.pow].
    apply (Nat.mul_le_mono_r _ _ (length S)) in Hcount. apply (Nat.mul_le_mono_l _ _ (length S)) in IH.
    remember (D - length low)%nat as rest eqn:Hrest. replace D with (length low + rest)%nat by lia.
    rewrite (Nat.mul_add_distr_l mu), (Nat.mul_add_distr_r (mu * length low)). etransitivity; [exact Hcount|].
    rewrite Nat.mul_add_distr_r. apply Nat.add_le_mono; [apply Nat.eq_le_incl; ring|].
    rewrite <- Nat.mul_assoc. etransitivity; [exact IH|]. apply Nat.eq_le_incl; ring.
Qed.

(* C++: exact/equality.hpp field_round_log2. *)
Theorem schwartz_zippel n (q : poly n) D (S : list K) mu : at_most mu S -> nonzero n q -> degree_le n q D ->
  (zeros n q S <= mu * D * length S ^ (n - 1))%nat.
Proof.
  intros HS Hnz Hdeg. pose proof (schwartz_zippel_times n q D S mu HS Hnz Hdeg) as H.
  destruct n as [|n].
  { unfold zeros. simpl in *. destruct (is_zero q) eqn:E; [apply is_zero_iff in E; congruence|simpl; lia]. }
  replace (Datatypes.S n - 1)%nat with n by lia. destruct (Nat.eq_dec (length S) 0) as [H0|H0].
  - unfold zeros. etransitivity; [apply filter_length_le|]. rewrite grid_length, H0. simpl. lia.
  - cbn [Nat.pow] in H. apply (Nat.mul_le_mono_pos_r _ _ (length S)); [lia|].
    rewrite <- Nat.mul_assoc, (Nat.mul_comm (length S ^ n)). exact H.
Qed.

(** Several nonzero polynomials: points where any of them vanishes. *)
(* C++: exact/equality.hpp field_round_log2. *)
Theorem union_bound n (qs : list (poly n * nat)) (S : list K) mu : at_most mu S ->
  (forall q D, In (q, D) qs -> nonzero n q /\ degree_le n q D) ->
  (length (filter (fun point => existsb (fun qD => is_zero (eval n (fst qD) point)) qs) (grid n S)) <=
   mu * list_sum (map snd qs) * length S ^ (n - 1))%nat.
Proof.
  intros HS. induction qs as [|[q D] qs IH]; intros Hall.
  - simpl. replace (filter (fun _ => false) (grid n S)) with (@nil (list K)); [simpl; lia|]. now induction (grid n S).
  - cbn [existsb map list_sum fst snd].
    assert (Hor : forall (f g : list K -> bool) pts,
      (length (filter (fun z => f z || g z) pts) <= length (filter f pts) + length (filter g pts))%nat).
    { intros f g pts. induction pts as [|z pts IHp]; simpl; [lia|]. destruct (f z), (g z); simpl; lia. }
    etransitivity; [apply Hor|]. change (list_sum (D :: map snd qs)) with (D + list_sum (map snd qs))%nat.
    destruct (Hall q D (or_introl eq_refl)) as [Hnz Hdeg].
    pose proof (schwartz_zippel n q D S mu HS Hnz Hdeg) as H1. unfold zeros in H1.
    specialize (IH ltac:(intros; apply Hall; now right)). nia.
Qed.

End SchwartzZippel.
