(** Purpose: the numbers the formulas are written over.
    Main definitions: [Scalars], a field with three functions of which nothing is known but that [exp_of] never vanishes; [exp_diff a b],
      which stands for exp(a - b).
    Main results: none; field and ring facts come from [scalar_field].
    Depends on: nothing outside Coq's standard library.

    The C++ paths are templates over a scalar concept; this record is the same idea. The real numbers are one instance (RealModel.v), the
    prime field of the exact check another (PrimeField.v). *)
From Coq Require Export Field Arith Lia Bool.

Record Scalars := {
  scalar :> Type;
  zero : scalar;
  one : scalar;
  add : scalar -> scalar -> scalar;
  mul : scalar -> scalar -> scalar;
  sub : scalar -> scalar -> scalar;
  opp : scalar -> scalar;
  div : scalar -> scalar -> scalar;
  inv : scalar -> scalar;
  scalar_field : field_theory zero one add mul sub opp div inv (@eq scalar);
  rsqrt : scalar -> scalar;  (** over the reals 1 / sqrt z; otherwise any function *)
  sigmoid : scalar -> scalar;  (** any function *)
  exp_of : scalar -> scalar;  (** over the reals exp; otherwise any function without zeros *)
  exp_of_nonzero : forall z, exp_of z <> zero
}.

Arguments zero {s}.
Arguments one {s}.
Arguments add {s}.
Arguments mul {s}.
Arguments sub {s}.
Arguments opp {s}.
Arguments div {s}.
Arguments inv {s}.
Arguments rsqrt {s}.
Arguments sigmoid {s}.
Arguments exp_of {s}.

Declare Scope scalar_scope.
Delimit Scope scalar_scope with scalar.
Bind Scope scalar_scope with scalar.
Notation "0" := zero : scalar_scope.
Notation "1" := one : scalar_scope.
Infix "+" := add : scalar_scope.
Infix "*" := mul : scalar_scope.
Infix "-" := sub : scalar_scope.
Infix "/" := div : scalar_scope.
Notation "- x" := (opp x) : scalar_scope.
Notation "/ x" := (inv x) : scalar_scope.

(** A number of terms as a scalar. Over F_p it may be 0 when p divides it; no theorem needs that it is not. *)
Fixpoint of_nat {K : Scalars} (n : nat) : K :=
  match n with
  | O => zero
  | S k => add (of_nat k) one
  end.

(** exp(a - b), the only way in which a path may use the exponential. *)
Definition exp_diff {K : Scalars} (a b : K) : K := div (exp_of a) (exp_of b).
