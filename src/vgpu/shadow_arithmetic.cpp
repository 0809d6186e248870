// The tables of pair.hpp, functions by MPFR, and which kernels run.
#include <mpfr.h>

#include <cmath>

#include "scalar/simd.hpp"
#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {
namespace {

constexpr int kBits = 160;

struct Real {
  Real() { mpfr_init2(value, kBits); }
  explicit Real(Pair x) : Real() {
    mpfr_set_d(value, x.high, MPFR_RNDN);
    if (std::isfinite(x.high)) mpfr_add_d(value, value, x.low, MPFR_RNDN);
  }
  ~Real() { mpfr_clear(value); }
  Real(const Real&) = delete;
  Real& operator=(const Real&) = delete;
  Pair pair() const {
    const double high = mpfr_get_d(value, MPFR_RNDN);
    if (!std::isfinite(high)) return {high, 0.0};
    Real rest;
    mpfr_sub_d(rest.value, value, high, MPFR_RNDN);
    return {high, mpfr_get_d(rest.value, MPFR_RNDN)};
  }
  mpfr_t value;
};

}  // namespace

const ExponentialTables& exponential_tables() {
  static const ExponentialTables tables = [] {
    ExponentialTables built;
    for (int j = 0; j <= 2 * ExponentialTables::kSteps; ++j) {
      Real x({static_cast<double>(j - ExponentialTables::kSteps) / ExponentialTables::kSteps, 0.0});
      mpfr_exp2(x.value, x.value, MPFR_RNDN);
      const Pair power = x.pair();
      built.power_high[j] = power.high;
      built.power_low[j] = power.low;
    }
    Real term({1.0, 0.0}), ln2;
    mpfr_const_log2(ln2.value, MPFR_RNDN);
    for (unsigned long k = 0; k <= ExponentialTables::kTerms; ++k) {
      built.coefficient[k] = term.pair();
      mpfr_mul(term.value, term.value, ln2.value, MPFR_RNDN);
      mpfr_div_ui(term.value, term.value, k + 1, MPFR_RNDN);
    }
    return built;
  }();
  return tables;
}

Pair power_of_two(Pair a) { return power_of_two(a, exponential_tables()); }

Pair evaluate(ShadowOp function, Pair a) {
  Real x(a);
  switch (function) {
    case ShadowOp::lg2:
      mpfr_log2(x.value, x.value, MPFR_RNDN);
      break;
    case ShadowOp::sin:
      mpfr_sin(x.value, x.value, MPFR_RNDN);
      break;
    case ShadowOp::cos:
      mpfr_cos(x.value, x.value, MPFR_RNDN);
      break;
    default:
      mpfr_tanh(x.value, x.value, MPFR_RNDN);
  }
  return x.pair();
}

ShadowKernels shadow_kernels() {
  switch (scalar::simd_level()) {
    case scalar::SimdLevel::avx512:
      return shadow_kernels_avx512();
    case scalar::SimdLevel::avx2:
      return shadow_kernels_avx2();
    default:
      return shadow_kernels_portable();
  }
}

}  // namespace equinorm::vgpu
