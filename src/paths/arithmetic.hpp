// What a path asks of an arithmetic. The formulas are written once against this concept; an arithmetic decides what a number is and where
// it is rounded. Models: emulated formats (rounded_arithmetic.hpp), wide references (ball, real), and, in room exact/, a prime field
// and the rationals with uninterpreted functions.
#pragma once

#include <concepts>
#include <cstdint>

#include "problem/precision.hpp"
#include "problem/scale.hpp"
#include "scalar/decimal.hpp"

namespace equinorm::paths {

using Index = std::int64_t;
using problem::Stored;

/// Ring operations and the roundings of a path. f_x is the format of statistics and elementwise work, f_a that of matrix products.
///
/// mul, add, sub: in f_x.   join: the addition of two partial dot products, in f_a.   store(tensor, x): x as that tensor keeps it.
/// matmul: out[m,n] (+)= a[m,depth] b[depth,n] in f_a, row-major with leading dimensions; each element reduced over depth in the plan's
/// order. sum, sum_of_squares: reductions of n contiguous values in f_x, in the plan's order.
template <class A>
concept RingArithmetic = requires(const A& ar, const typename A::Value& x, const typename A::Value* in, typename A::Value* out, Index n,
                                  Stored tensor, const scalar::Decimal& decimal) {
  { ar.constant(decimal) } -> std::same_as<typename A::Value>;
  { ar.integer(n) } -> std::same_as<typename A::Value>;
  { ar.mul(x, x) } -> std::same_as<typename A::Value>;
  { ar.add(x, x) } -> std::same_as<typename A::Value>;
  { ar.sub(x, x) } -> std::same_as<typename A::Value>;
  { ar.join(x, x) } -> std::same_as<typename A::Value>;
  { ar.store(tensor, x) } -> std::same_as<typename A::Value>;
  { ar.sum(in, n) } -> std::same_as<typename A::Value>;
  { ar.sum_of_squares(in, n) } -> std::same_as<typename A::Value>;
  ar.matmul(n, n, n, in, n, in, n, out, n, true);
};

template <class A>
concept FieldArithmetic = RingArithmetic<A> && requires(const A& ar, const typename A::Value& x) {
  { ar.div(x, x) } -> std::same_as<typename A::Value>;
};

/// The functions of the path: true ones in real arithmetics, uninterpreted ones in exact arithmetics.
///
/// exp enters only as exp_difference(a, b) = exp(a - b). An lse is a Value of its own kind: the logarithm itself in real arithmetics, the
/// sum E = sum_t exp(l_t) in exact ones; only the lse_* functions may touch it:
///   lse(m, s) of a reference logit m and s = sum exp(l - m);  lse_weight(a, b) = exp(a - b) of two lse;
///   lse_join(b, w) of a reference lse b and w = sum_k exp(lse_k - b);  weight_of(l, a) = exp(l - a) of a logit and an lse;  lse_of(l): one
///   term.
/// reference(l, live, n): index of the live logit that serves as the tile's maximum, -1 if none is live.  newer(m, l): the reference after
/// meeting another one: the larger where numbers are ordered, the second where they are not.  lse_newer likewise.
template <class A>
concept Arithmetic = FieldArithmetic<A> && requires(const A& ar, const typename A::Value& x, const typename A::Value* in,
                                                    const std::uint8_t* live, Index n, const problem::ScaleSpec& scale) {
  { ar.scale(scale) } -> std::same_as<typename A::Value>;
  { ar.rsqrt(x) } -> std::same_as<typename A::Value>;
  { ar.tanh(x) } -> std::same_as<typename A::Value>;
  { ar.sigmoid(x) } -> std::same_as<typename A::Value>;
  { ar.exp_difference(x, x) } -> std::same_as<typename A::Value>;
  { ar.lse(x, x) } -> std::same_as<typename A::Value>;
  { ar.lse_of(x) } -> std::same_as<typename A::Value>;
  { ar.lse_weight(x, x) } -> std::same_as<typename A::Value>;
  { ar.lse_join(x, x) } -> std::same_as<typename A::Value>;
  { ar.weight_of(x, x) } -> std::same_as<typename A::Value>;
  { ar.reference(in, live, n) } -> std::same_as<Index>;
  { ar.newer(x, x) } -> std::same_as<typename A::Value>;
  { ar.lse_newer(x, x) } -> std::same_as<typename A::Value>;
};

}  // namespace equinorm::paths
