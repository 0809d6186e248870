// fp16, bf16, fp32 and fp64: emulated operation by operation, with the plan's roundings. Carrier float holds formats up to fp32, double
// all.
#pragma once

#include <cmath>

#include "paths/ordered_softmax.hpp"
#include "paths/plan.hpp"
#include "paths/scale_value.hpp"
#include "scalar/emulated.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::paths {

/// Inputs are rounded to `storage` when read; tables are read as they are. Elementwise operations are correctly rounded to `statistics`
/// (f_x); rsqrt, exp, log, tanh and sigmoid are computed in binary64 and rounded to f_x: within 0.501 ulp up to fp32, within 2 ulp in fp64.
/// Contractions run in `accumulate` (f_a). With a tensor-core order matrix products run on that unit, its operands expected in `storage`;
/// sums and sums of squares, which no kernel gives to it, run sequentially.
template <class Carrier>
class RoundedArithmetic : public OrderedSoftmax<RoundedArithmetic<Carrier>, Carrier> {
 public:
  using Value = Carrier;

  explicit RoundedArithmetic(const Plan& plan)
      : precision_(plan.precision),
        fx_(plan.precision.statistics),
        products_{plan.precision.accumulate, plan.fused, plan.precision.order, plan.precision.ftz, plan.precision.storage},
        sums_{plan.precision.statistics, plan.fused, order_of_sums(plan.precision.order), plan.precision.ftz},
        native_(plan.precision.statistics == (sizeof(Carrier) == 4 ? scalar::kFp32 : scalar::kFp64) && !plan.precision.ftz) {}

  Value input(double x) const { return to(precision_.storage, x); }
  Value table(double x) const { return static_cast<Value>(x); }
  Value constant(const scalar::Decimal& x) const {
    const double nearest = x.to_double();
    if (fx_ == scalar::kFp64 || !std::isfinite(nearest)) return to(fx_, nearest);
    const int error = x.value().compare(scalar::Rational(nearest));
    return to(fx_, scalar::to_odd<scalar::Lanes<double, 1>>(nearest, error));  // odd, as in div: one rounding
  }
  Value integer(Index n) const { return to(fx_, static_cast<double>(n)); }
  Value scale(const problem::ScaleSpec& spec) const { return to(fx_, scalar::to_double(scale_value(spec, 53 + 64))); }

  Value mul(Value a, Value b) const { return native_ ? a * b : scalar::rounded_multiply(fx_, a, b, precision_.ftz); }
  Value add(Value a, Value b) const { return native_ ? a + b : scalar::rounded_add(fx_, a, b, precision_.ftz); }
  Value sub(Value a, Value b) const { return add(a, -b); }
  Value div(Value a, Value b) const {
    if (native_) return a / b;
    const double quotient = double{a} / double{b};
    if (fx_ == scalar::kFp64) return to(fx_, quotient);
    // Made odd when inexact (Boldo, Melquiond 2008), so that the rounding to f_x is the only one. Its error has the sign of remainder / b.
    const double remainder = std::fma(-quotient, double{b}, double{a});
    return to(fx_, scalar::to_odd<scalar::Lanes<double, 1>>(quotient, b < 0 ? -remainder : remainder));
  }
  Value join(Value a, Value b) const { return scalar::rounded_add(precision_.accumulate, a, b, precision_.ftz); }
  Value rsqrt(Value a) const { return to(fx_, 1.0 / std::sqrt(double{a})); }
  Value exp(Value a) const { return to(fx_, std::exp(double{a})); }
  Value log(Value a) const { return to(fx_, std::log(double{a})); }
  Value tanh(Value a) const { return to(fx_, std::tanh(double{a})); }
  Value sigmoid(Value a) const { return to(fx_, 1.0 / (1.0 + std::exp(-double{a}))); }
  Value store(Stored tensor, Value a) const {
    const problem::Format& format = precision_.of(tensor);
    return format.precision >= (sizeof(Carrier) == 4 ? 24 : 53) ? a : to(format, a);
  }
  bool exceeds(Value a, Value b) const { return !(a <= b); }

  Value sum(const Value* x, Index n) const { return scalar::sum(sums_, n, x, 1); }
  Value sum_of_squares(const Value* x, Index n) const { return scalar::dot(sums_, n, x, 1, x, 1); }
  void matmul(Index m, Index n, Index depth, const Value* a, Index lda, const Value* b, Index ldb, Value* out, Index ldo,
              bool add_out) const {
    scalar::matmul(products_, m, n, depth, a, lda, b, ldb, out, ldo, add_out);
  }

 private:
  static scalar::SumOrder order_of_sums(const scalar::SumOrder& order) {
    return order.kind == scalar::SumOrder::Kind::tensor_core ? scalar::SumOrder{scalar::SumOrder::Kind::sequential, 0, {}} : order;
  }
  Value to(const problem::Format& format, double x) const { return static_cast<Value>(scalar::round_to(format, x, precision_.ftz)); }

  problem::Precision precision_;
  problem::Format fx_;
  scalar::Contraction products_, sums_;
  bool native_;
};

}  // namespace equinorm::paths
