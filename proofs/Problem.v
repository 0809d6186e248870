(** Purpose: what is computed: one batch row of a QK-normed attention problem. Mirrors src/problem.
    Main definitions: [Problem] and [Shared], what every attention has; [MlaProblem], [MlaTensors]; [Outputs], [same_outputs].
    Depends on: Scalars, Sums, Rope, Norms.

    Tensors are functions of their indices: query i, token t, head h, KV group g, component j, latent component l, output column n. Batch
    rows do not interact, so a theorem about one row of [tokens] tokens is a theorem about every row of every batch. *)
From Equinorm Require Export Norms.

Record Problem (K : Scalars) := {
  tokens : nat;  (** T *)
  heads : nat;  (** H *)
  groups : nat;  (** G *)
  group_of : nat -> nat;  (** g(h): any map, so any grouping *)
  value_dim : nat;  (** d_v *)
  rope_layout : RopeLayout;
  rope_pairs : nat;  (** half the number of rotated components *)
  norm_kind : NormKind;
  norm_weight : NormWeight;
  eps : K;
  scale : K;
  cap : K -> K;  (** soft-cap: any function; the identity when off *)
  mask : nat -> nat -> bool;  (** query i sees token t: any decidable predicate *)
  gated : bool
}.

(** Inputs that every attention has. *)
Record Shared (K : Scalars) := {
  rope_cos : nat -> nat -> K;  (** rope_cos position pair: any table *)
  rope_sin : nat -> nat -> K;
  position_q : nat -> nat;
  position_k : nat -> nat;
  sink : option (nat -> K);  (** one logit per head that joins the denominator only *)
  gate : nat -> nat -> nat -> K;  (** gate i h j *)
  w_o : nat -> nat -> nat -> K  (** w_o h j n *)
}.

(** blockwise: one statistic for the content block, one for the RoPE block. unified: one for both together. full_width: one over all heads
    (query) or all groups (key) of the content block, one for the RoPE block. no_norm: none, and gammas are ignored. *)
Inductive MlaScheme := blockwise | unified | full_width | no_norm.

Record MlaProblem (K : Scalars) := {
  mla_problem :> Problem K;
  scheme : MlaScheme;
  latent : nat;  (** r *)
  content_dim : nat;  (** d_c *)
  rope_dim : nat  (** d_r *)
}.

Record MlaTensors (K : Scalars) := {
  mla_shared :> Shared K;
  c : nat -> nat -> K;  (** c t l *)
  k_rope : nat -> nat -> K;  (** k_rope t j: raw, shared by all heads *)
  q_content : nat -> nat -> nat -> K;  (** q_content i h j: raw *)
  q_rope : nat -> nat -> nat -> K;
  w_k : nat -> nat -> nat -> K;  (** w_k g l j *)
  w_v : nat -> nat -> nat -> K;
  gamma_cq : nat -> nat -> K;  (** gamma_cq h j; the same for all h unless the scheme is full_width *)
  gamma_ck : nat -> nat -> K;  (** gamma_ck g j *)
  gamma_rq : nat -> nat -> K;
  gamma_rk : nat -> K
}.

(** What a path hands out. Over the reals lse = ln [exp_sum]; over a field the sum itself is carried. *)
Record Outputs (K : Scalars) := {
  logits : nat -> nat -> nat -> K;  (** logits i h t: scaled and capped *)
  exp_sum : nat -> nat -> K;  (** sum over live tokens of exp(logit), sink included *)
  p : nat -> nat -> nat -> K;
  o : nat -> nat -> nat -> K;  (** before the gate *)
  o_gated : nat -> nat -> nat -> K;
  y : nat -> nat -> K
}.

Arguments tokens {K}. Arguments heads {K}. Arguments groups {K}. Arguments group_of {K}. Arguments value_dim {K}. Arguments rope_layout {K}.
Arguments rope_pairs {K}. Arguments norm_kind {K}. Arguments norm_weight {K}. Arguments eps {K}. Arguments scale {K}. Arguments cap {K}.
Arguments mask {K}. Arguments gated {K}. Arguments rope_cos {K}. Arguments rope_sin {K}. Arguments position_q {K}. Arguments position_k {K}.
Arguments sink {K}. Arguments gate {K}. Arguments w_o {K}. Arguments mla_problem {K}. Arguments scheme {K}. Arguments latent {K}.
Arguments content_dim {K}. Arguments rope_dim {K}. Arguments mla_shared {K}. Arguments c {K}. Arguments k_rope {K}. Arguments q_content {K}.
Arguments q_rope {K}. Arguments w_k {K}. Arguments w_v {K}. Arguments gamma_cq {K}. Arguments gamma_ck {K}. Arguments gamma_rq {K}.
Arguments gamma_rk {K}. Arguments logits {K}. Arguments exp_sum {K}. Arguments p {K}. Arguments o {K}. Arguments o_gated {K}.
Arguments y {K}.

(** Equal in every element of every output. *)
Definition same_outputs {K : Scalars} (a b : Outputs K) : Prop :=
  (forall i h t, logits a i h t = logits b i h t) /\ (forall i h, exp_sum a i h = exp_sum b i h) /\
  (forall i h t, p a i h t = p b i h t) /\ (forall i h j, o a i h j = o b i h j) /\
  (forall i h j, o_gated a i h j = o_gated b i h j) /\ (forall i n, y a i n = y b i n).
