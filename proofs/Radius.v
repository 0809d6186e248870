(** Purpose: radius arithmetic: |computed - exact| <= radius, carried through products, sums, dots, rotations and stores. Mirrors
      src/bounds.
    Main results: [radius_product], [radius_sum], [radius_round], [radius_dot] (with the accumulation error of any order), [radius_rope],
      [common_factor] (errors made with a computed alpha taken as exact, and the alpha put right at the end).
    Depends on: Rounding. Axioms: those of Coq's real numbers.

    [near v e x] reads: the computed v is within e of the exact x. Nothing of higher order is dropped. *)
From Equinorm Require Export Rounding.
Local Open Scope R_scope.

Definition near (v e x : R) : Prop := Rabs (v - x) <= e.

Lemma near_weaken v e e' x : near v e x -> e <= e' -> near v e' x.
Proof. unfold near. lra. Qed.

Lemma near_refl x : near x 0 x.
Proof. unfold near. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. lra. Qed.

Lemma near_nonneg v e x : near v e x -> 0 <= e.
Proof. unfold near. intros. eapply Rle_trans; [apply Rabs_pos|eassumption]. Qed.

Lemma near_trans v e w f x : near v e w -> near w f x -> near v (e + f) x.
Proof.
  unfold near. intros. replace (v - x) with ((v - w) + (w - x)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

(** A rounding, or any other last step, adds its own error. *)
Theorem radius_round v' h v e x : near v' h v -> near v e x -> near v' (e + h) x.
Proof. intros H1 H2. eapply near_weaken; [exact (near_trans _ _ _ _ _ H1 H2)|lra]. Qed.

Theorem radius_product v e x w f y : near v e x -> near w f y -> near (v * w) (Rabs v * f + e * Rabs w + e * f) (x * y).
Proof.
  unfold near. intros He Hf.
  replace (v * w - x * y) with (v * (w - y) + ((v - x) * w + - ((v - x) * (w - y)))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|].
  rewrite Rabs_Ropp, !Rabs_mult.
  pose proof (Rabs_pos v). pose proof (Rabs_pos w). pose proof (Rabs_pos (v - x)). pose proof (Rabs_pos (w - y)).
  assert (Rabs v * Rabs (w - y) <= Rabs v * f) by (apply Rmult_le_compat_l; assumption).
  assert (Rabs (v - x) * Rabs w <= e * Rabs w) by (apply Rmult_le_compat_r; assumption).
  assert (Rabs (v - x) * Rabs (w - y) <= e * f) by (apply Rmult_le_compat; assumption). lra.
Qed.

Theorem radius_sum v e x w f y : near v e x -> near w f y -> near (v + w) (e + f) (x + y).
Proof.
  unfold near. intros. replace (v + w - (x + y)) with ((v - x) + (w - y)) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

Lemma radius_scale a v e x : near v e x -> near (a * v) (Rabs a * e) (a * x).
Proof.
  unfold near. intros. replace (a * v - a * x) with (a * (v - x)) by ring. rewrite Rabs_mult.
  apply Rmult_le_compat_l; [apply Rabs_pos|assumption].
Qed.

Lemma radius_scale_r a v e x : near v e x -> near (v * a) (e * Rabs a) (x * a).
Proof. intros H. rewrite (Rmult_comm v a), (Rmult_comm x a), (Rmult_comm e). now apply radius_scale. Qed.

Lemma radius_rsum n (v e x : nat -> R) : (forall i, (i < n)%nat -> near (v i) (e i) (x i)) -> near (rsum n v) (rsum n e) (rsum n x).
Proof.
  intros H. unfold near. rewrite <- rsum_minus. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le. exact H.
Qed.

(** A dot product of operands with radii, computed with accumulation error at most D sum|v w| + F. *)
Theorem radius_dot n (v e x w f y : nat -> R) s D F :
  (forall i, (i < n)%nat -> near (v i) (e i) (x i)) -> (forall i, (i < n)%nat -> near (w i) (f i) (y i)) ->
  near s (D * rsum n (fun i => Rabs (v i * w i)) + F) (rsum n (fun i => v i * w i)) ->
  near s (D * rsum n (fun i => Rabs (v i * w i)) + F + rsum n (fun i => Rabs (v i) * f i + e i * Rabs (w i) + e i * f i))
    (rsum n (fun i => x i * y i)).
Proof.
  intros Hv Hw Hs. eapply near_trans; [exact Hs|]. apply radius_rsum. intros i Hi. apply radius_product; auto.
Qed.

(** One component of RoPE: the table entries are exact inputs. h1, h2, h3: the three roundings. *)
(* C++: bounds/keys.hpp make_row_keys; bounds/vectors.hpp finish_row. *)
Theorem radius_rope a e x b f y c s p q r h1 h2 h3 : near a e x -> near b f y ->
  near p h1 (a * c) -> near q h2 (b * s) -> near r h3 (p - q) -> near r (e * Rabs c + f * Rabs s + h1 + h2 + h3) (x * c - y * s).
Proof.
  intros Ha Hb Hp Hq Hr.
  assert (H1 : near p (e * Rabs c + h1) (x * c)).
  { eapply radius_round; [exact Hp|]. now apply radius_scale_r. }
  assert (H2 : near q (f * Rabs s + h2) (y * s)).
  { eapply radius_round; [exact Hq|]. now apply radius_scale_r. }
  unfold near in *. replace (r - (x * c - y * s)) with ((r - (p - q)) + ((p - x * c) + - (q - y * s))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. rewrite Rabs_Ropp. lra.
Qed.

(** ** The common factor
    v was bounded with computed alpha' and beta' taken as exact: near v e y'. The truth is y = y' (alpha / alpha') (beta / beta'), and each
    ratio is within rho of 1. *)
Theorem common_factor v e y' ra rb rhoa rhob : near v e y' -> Rabs (ra - 1) <= rhoa -> Rabs (rb - 1) <= rhob ->
  near v (e + (Rabs v + e) * ((1 + rhoa) * (1 + rhob) - 1)) (y' * ra * rb).
Proof.
  intros Hv Ha Hb. pose proof (near_nonneg _ _ _ Hv) as He. unfold near in *.
  assert (Hy : Rabs y' <= Rabs v + e).
  { replace y' with (v + - (v - y')) by ring. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  assert (Hr : Rabs (ra * rb - 1) <= (1 + rhoa) * (1 + rhob) - 1).
  { replace (ra * rb - 1) with ((ra - 1) * (rb - 1) + ((ra - 1) + (rb - 1))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. rewrite Rabs_mult.
    pose proof (Rabs_pos (ra - 1)). pose proof (Rabs_pos (rb - 1)).
    assert (Rabs (ra - 1) * Rabs (rb - 1) <= rhoa * rhob) by (apply Rmult_le_compat; assumption). lra. }
  replace (v - y' * ra * rb) with ((v - y') + - (y' * (ra * rb - 1))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, Rabs_mult.
  assert (Rabs y' * Rabs (ra * rb - 1) <= (Rabs v + e) * ((1 + rhoa) * (1 + rhob) - 1)).
  { apply Rmult_le_compat; auto using Rabs_pos. }
  lra.
Qed.

(** From a bound on the computed alpha to the ratio that the rule needs. *)
Lemma alpha_ratio alpha' alpha E : 0 < alpha' -> near alpha' E alpha -> Rabs (alpha / alpha' - 1) <= E / alpha'.
Proof.
  intros Hp H. unfold near in H. replace (alpha / alpha' - 1) with (- (alpha' - alpha) * / alpha') by (field; lra).
  rewrite Rabs_mult, Rabs_Ropp, (Rabs_pos_eq (/ alpha')) by (left; now apply Rinv_0_lt_compat).
  apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|assumption].
Qed.
