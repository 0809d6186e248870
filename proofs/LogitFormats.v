(** Purpose: both forms' content logit operation by operation in declared formats, with a bound in the computed values alone.
    Main results: [explicit_computed_error], [absorbed_computed_error]: every rounding from c W_K to the logit is in the bound: products,
      dot products in any order, stores of k0, k_hat, q_hat, g, q_tilde.
    Depends on: LogitError, StatisticError (for the ratios of the statistics). Axioms: those of Coq's real numbers. *)
From Equinorm Require Export LogitError StatisticError.
Local Open Scope R_scope.

Section Formats.
(** fa accumulates, fx does scalar work; the others are formats of stored tensors. *)
Variables (fa fx : Format) (k0_format k_hat_format q_hat_format g_format q_tilde_format : option Format).
Variables (r dc h_r h_dc : nat) (over_r over_dc : order).
Hypothesis over_r_sums : sums over_r 0 r.
Hypothesis over_dc_sums : sums over_dc 0 dc.
Hypothesis over_r_height : (height over_r <= h_r)%nat.
Hypothesis over_dc_height : (height over_dc <= h_dc)%nat.

Variables (W : nat -> nat -> R) (c q gq gk : nat -> R) (aq ak aq' ak' rhoq rhok : R).
Hypothesis aq_nonzero : aq' <> 0.
Hypothesis ak_nonzero : ak' <> 0.
Hypothesis aq_ratio : Rabs (aq / aq' - 1) <= rhoq.
Hypothesis ak_ratio : Rabs (ak / ak' - 1) <= rhok.

(** Two products in fx, then a store: z a b. And its radius when z has radius e. *)
Definition twice (f : option Format) (z a b : R) : R := store f (fl fx (fl fx (z * a) * b)).
Definition twice_radius (f : option Format) (e z a b : R) : R :=
  (e * Rabs a + half_ulp fx (fl fx (z * a))) * Rabs b + half_ulp fx (fl fx (fl fx (z * a) * b)) + store_error f (twice f z a b).

Lemma twice_near f z e x a b : near z e x -> near (twice f z a b) (twice_radius f e z a b) (x * a * b).
Proof.
  intros H. unfold twice, twice_radius.
  eapply radius_round; [apply store_near|]. eapply radius_round; [apply fl_near|]. apply radius_scale_r.
  eapply radius_round; [apply fl_near|]. now apply radius_scale_r.
Qed.

Lemma dot_bound_over_r x y :
  near (dot_in fa over_r x y) (dot_factor fa h_r * rsum r (fun i => Rabs (x i * y i)) + dot_underflow fa h_r r)
    (rsum r (fun i => x i * y i)).
Proof. now apply dot_in_near. Qed.

Lemma dot_bound_over_dc x y :
  near (dot_in fa over_dc x y) (dot_factor fa h_dc * rsum dc (fun i => Rabs (x i * y i)) + dot_underflow fa h_dc dc)
    (rsum dc (fun i => x i * y i)).
Proof. now apply dot_in_near. Qed.

(** ** Explicit *)
Definition k0_computed (j : nat) : R := store k0_format (dot_in fa over_r c (fun l => W l j)).
Definition k0_radius (j : nat) : R :=
  dot_factor fa h_r * rsum r (fun l => Rabs (c l * W l j)) + dot_underflow fa h_r r + store_error k0_format (k0_computed j).
Definition k_hat (j : nat) : R := twice k_hat_format (k0_computed j) ak' (gk j).
Definition q_hat (j : nat) : R := twice q_hat_format (q j) aq' (gq j).
Definition explicit_logit : R := dot_in fa over_dc q_hat k_hat.

Definition k_hat_radius (j : nat) : R := twice_radius k_hat_format (k0_radius j) (k0_computed j) ak' (gk j).
Definition q_hat_radius (j : nat) : R := twice_radius q_hat_format 0 (q j) aq' (gq j).

Lemma k0_near j : near (k0_computed j) (k0_radius j) (k0 r W c j).
Proof. unfold k0_computed, k0_radius, k0. eapply radius_round; [apply store_near|]. apply dot_bound_over_r. Qed.

Theorem explicit_computed_error :
  near explicit_logit
    (with_statistics rhoq rhok explicit_logit
       (explicit_radius dc q_hat k_hat q_hat_radius k_hat_radius (dot_factor fa h_dc) (dot_underflow fa h_dc dc)))
    (exact_logit r dc W c q gq gk aq ak).
Proof.
  apply explicit_logit_error with (aq' := aq') (ak' := ak'); try assumption.
  - intros j _. apply twice_near, near_refl.
  - intros j _. apply twice_near, k0_near.
  - apply dot_bound_over_dc.
Qed.

(** ** Absorbed, alpha_q and alpha_k applied to the score *)
Definition g (j : nat) : R := twice g_format (q j) (gq j) (gk j).
Definition q_tilde (l : nat) : R := store q_tilde_format (dot_in fa over_dc (W l) g).
Definition z : R := dot_in fa over_r q_tilde c.
Definition absorbed_logit : R := fl fx (fl fx (z * aq') * ak').

Definition g_radius (j : nat) : R := twice_radius g_format 0 (q j) (gq j) (gk j).
Definition q_tilde_radius (l : nat) : R :=
  dot_factor fa h_dc * rsum dc (fun j => Rabs (W l j * g j)) + dot_underflow fa h_dc dc + store_error q_tilde_format (q_tilde l).
Definition alphas_radius : R := half_ulp fx (fl fx (z * aq')) * Rabs ak' + half_ulp fx absorbed_logit.

Theorem absorbed_computed_error :
  near absorbed_logit
    (with_statistics rhoq rhok absorbed_logit
       (absorbed_radius r dc W c aq' ak' g_radius q_tilde q_tilde_radius (dot_factor fa h_r) (dot_underflow fa h_r r) alphas_radius))
    (exact_logit r dc W c q gq gk aq ak).
Proof.
  apply absorbed_logit_error with (g := g) (z := z); try assumption.
  - intros j _. apply twice_near, near_refl.
  - intros l _. unfold q_tilde, q_tilde_radius. eapply radius_round; [apply store_near|]. apply dot_bound_over_dc.
  - apply dot_bound_over_r.
  - unfold absorbed_logit, alphas_radius. eapply radius_round; [apply fl_near|]. apply radius_scale_r, fl_near.
Qed.

(** How far apart the two computed logits may be: the errors of the statistics do not count. *)
Theorem computed_forms_difference :
  Rabs (explicit_logit - absorbed_logit) <=
  explicit_radius dc q_hat k_hat q_hat_radius k_hat_radius (dot_factor fa h_dc) (dot_underflow fa h_dc dc) +
  absorbed_radius r dc W c aq' ak' g_radius q_tilde q_tilde_radius (dot_factor fa h_r) (dot_underflow fa h_r r) alphas_radius.
Proof.
  apply forms_difference_same_alpha with (q := q) (gq := gq) (gk := gk) (g := g) (z := z).
  - intros j _. apply twice_near, near_refl.
  - intros j _. apply twice_near, k0_near.
  - apply dot_bound_over_dc.
  - intros j _. apply twice_near, near_refl.
  - intros l _. unfold q_tilde, q_tilde_radius. eapply radius_round; [apply store_near|]. apply dot_bound_over_dc.
  - apply dot_bound_over_r.
  - unfold absorbed_logit, alphas_radius. eapply radius_round; [apply fl_near|]. apply radius_scale_r, fl_near.
Qed.
End Formats.
