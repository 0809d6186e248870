#include "oracle/softmax_state.hpp"

#include <algorithm>

namespace equinorm::oracle {
namespace {

/// A weight below this part of the largest one counts as 0, with twice this as its error.
constexpr double kNegligible = -1000;

}  // namespace

void SoftmaxState::raise(double e) {
  if (!(e > exponent)) return;
  const double factor = power_of_two(exponent - e);
  // Products with a power of two are exact unless they underflow; power_of_two gives 0 below 2^-1022, which loses less than 2^-1022 each.
  const double lost = exponent - e < kNegligible ? (magnitude + total.hi + 1) * 0x1p-999 : kTiny;
  for (double& value : hi) value *= factor;
  for (double& value : lo) value *= factor;
  total = {total.hi * factor, total.lo * factor, (total.radius * factor + lost) * kRoundUp};
  radius = (radius * factor + lost) * kRoundUp;
  magnitude = (magnitude * factor + kTiny) * kRoundUp;
  exponent = e;
}

void SoftmaxState::add_tokens(const BoundedBlock& mantissa, const double* exponents, Index begin, Index end, const Values& values) {
  if (begin >= end) return;
  raise(*std::max_element(exponents + begin, exponents + end));
  alignas(64) double eh[kBlock], el[kBlock];
  double weights = 0, errors = 0;
  for (Index t = begin; t < end; ++t) {
    const double factor = power_of_two(exponents[t] - exponent);
    Enclosed e{0, 0, (mantissa.radius[t] * 0x1p-999 + 0x1p-998) * kRoundUp};
    if (exponents[t] - exponent >= kNegligible) e = scale<One>({mantissa.hi[t], mantissa.lo[t], mantissa.radius[t]}, factor);
    eh[t - begin] = e.hi;
    el[t - begin] = e.lo;
    total = oracle::add<One>(total, e);
    weights += e.hi;
    errors += e.radius;
  }
  const Index terms = end - begin, stride = values.stride;
  if (hi.empty()) {
    hi.resize(static_cast<std::size_t>(stride));
    lo.resize(hi.size());
  }
  std::vector<double> sum_hi(hi.size()), sum_lo(hi.size());
  kernels().combine(terms, eh, el, values.hi.data() + begin * stride, values.low.empty() ? nullptr : values.low.data() + begin * stride,
                    stride, stride, sum_hi.data(), sum_lo.data());
  kernels().accumulate(stride, sum_hi.data(), sum_lo.data(), hi.data(), lo.data());
  // Mantissas are positive, so sum e |v| <= largest sum e; 96 roundings each lose less than 2^-40.
  weights *= 1 + 0x1p-40;
  errors *= 1 + 0x1p-40;
  magnitude = (magnitude + values.largest * weights) * (1 + 0x1p-40);
  const double own = pair_dot_error(terms, values.largest * weights);
  const double carried = values.largest * (1 + 0x1p-40) * errors + values.radius * (weights * (1 + 0x1p-40) + errors);
  radius = (radius + own + carried + kPairError * magnitude + kTiny) * (1 + 0x1p-40);
}

void SoftmaxState::add(const SoftmaxState& other) {
  if (other.exponent == -kInfinity) return;
  if (hi.empty()) {
    *this = other;
    return;
  }
  SoftmaxState addend = other;
  addend.raise(exponent);
  raise(addend.exponent);
  total = oracle::add<One>(total, addend.total);
  kernels().accumulate(static_cast<Index>(hi.size()), addend.hi.data(), addend.lo.data(), hi.data(), lo.data());
  magnitude = (magnitude + addend.magnitude) * (1 + 0x1p-40);
  radius = (radius + addend.radius + kPairError * magnitude + kTiny) * (1 + 0x1p-40);
}

void SoftmaxState::add_sink(const Enclosed& logit) {
  const Exponential<One> e = exponential<One>(logit);
  raise(e.exponent);
  const Enclosed mantissa = oracle::add<One>(e.fraction, {1, 0, 0});
  const double difference = e.exponent - exponent;
  total = oracle::add<One>(total, difference >= kNegligible ? scale<One>(mantissa, power_of_two(difference))
                                                            : Enclosed{0, 0, (mantissa.radius * 0x1p-999 + 0x1p-998) * kRoundUp});
}

}  // namespace equinorm::oracle
