#include "scalar/real.hpp"

#include <utility>

#include "scalar/error.hpp"

namespace equinorm::scalar {
namespace {

constexpr int kMaxBits = 1 << 30;

/// Frees MPFR's per-thread constants (pi, log 2, pools) when its thread ends; MPFR itself never does.
struct CacheOwner {
  CacheOwner() = default;
  CacheOwner(const CacheOwner&) = delete;
  CacheOwner& operator=(const CacheOwner&) = delete;
  ~CacheOwner() { mpfr_free_cache(); }
};

void own_caches() {
  thread_local CacheOwner owner;
  static_cast<void>(owner);
}

/// True when every number within 2^(2-work) |approximation| rounds to the same number of `bits` bits.
bool is_settled(mpfr_srcptr approximation, int work, int bits) {
  return mpfr_can_round(approximation, work - 2, MPFR_RNDN, MPFR_RNDN, bits) != 0;
}

/// r = 1/(1+e) if a > 0, else e/(1+e), with e = exp(-|a|): error below 3.6 roundings of `work` bits, relative to r. False if e underflows.
bool approximate_sigmoid(const Real& a, int work, Real& r) {
  Real minus_magnitude(static_cast<int>(mpfr_get_prec(a.get())));
  mpfr_abs(minus_magnitude.writable(), a.get(), MPFR_RNDN);
  mpfr_neg(minus_magnitude.writable(), minus_magnitude.get(), MPFR_RNDN);
  Real e(work);
  mpfr_exp(e.writable(), minus_magnitude.get(), MPFR_RNDN);
  if (mpfr_zero_p(e.get())) return false;
  Real denominator(work);
  mpfr_add_ui(denominator.writable(), e.get(), 1, MPFR_RNDN);
  r.reset(work);
  if (mpfr_sgn(a.get()) > 0) {
    mpfr_ui_div(r.writable(), 1, denominator.get(), MPFR_RNDN);
  } else {
    mpfr_div(r.writable(), e.get(), denominator.get(), MPFR_RNDN);
  }
  return true;
}

}  // namespace

Real::Real(const Real& other) {
  if (!other.owns()) return;
  mpfr_init2(&value_, mpfr_get_prec(&other.value_));
  mpfr_set(&value_, &other.value_, MPFR_RNDN);
}

Real& Real::operator=(const Real& other) {
  if (this == &other) return *this;
  if (other.owns()) {
    mpfr_set(reset(other.bits()), &other.value_, MPFR_RNDN);
  } else {
    *this = Real();
  }
  return *this;
}

Real& Real::operator=(Real&& other) noexcept {
  std::swap(value_, other.value_);
  return *this;
}

Real::~Real() {
  if (owns()) mpfr_clear(&value_);
}

mpfr_srcptr Real::zero() {
  static const Real value(2);
  return &value.value_;
}

mpfr_ptr Real::reset(int bits) {
  if (bits < 1 || bits > kMaxBits) throw Error("precision of a real number: " + std::to_string(bits) + " bits; allowed are 1 to 2^30");
  if (!owns()) {
    mpfr_init2(&value_, bits);
  } else if (mpfr_get_prec(&value_) != bits) {
    mpfr_set_prec(&value_, bits);
  }
  mpfr_set_zero(&value_, 1);
  return &value_;
}

Real Real::from_double(double value, int bits) {
  Real result(bits);
  mpfr_set_d(result.writable(), value, MPFR_RNDN);
  return result;
}

Real Real::from_integer(std::int64_t value, int bits) {
  static_assert(sizeof(long) == sizeof(std::int64_t));
  Real result(bits);
  mpfr_set_si(result.writable(), value, MPFR_RNDN);
  return result;
}

Real Real::from_rational(const Rational& value, int bits) {
  Real result(bits);
  mpfr_set_q(result.writable(), value.backend().data(), MPFR_RNDN);
  return result;
}

Real round(const Real& a, int bits) {
  Real result(bits);
  mpfr_set(result.writable(), a.get(), MPFR_RNDN);
  return result;
}

Real neg(const Real& a, int bits) {
  Real result(bits);
  mpfr_neg(result.writable(), a.get(), MPFR_RNDN);
  return result;
}

Real add(const Real& a, const Real& b, int bits) {
  Real result(bits);
  mpfr_add(result.writable(), a.get(), b.get(), MPFR_RNDN);
  return result;
}

Real sub(const Real& a, const Real& b, int bits) {
  Real result(bits);
  mpfr_sub(result.writable(), a.get(), b.get(), MPFR_RNDN);
  return result;
}

Real mul(const Real& a, const Real& b, int bits) {
  Real result(bits);
  mpfr_mul(result.writable(), a.get(), b.get(), MPFR_RNDN);
  return result;
}

Real div(const Real& a, const Real& b, int bits) {
  Real result(bits);
  mpfr_div(result.writable(), a.get(), b.get(), MPFR_RNDN);
  return result;
}

Real fma(const Real& a, const Real& b, const Real& c, int bits) {
  Real result(bits);
  mpfr_fma(result.writable(), a.get(), b.get(), c.get(), MPFR_RNDN);
  return result;
}

Real sqrt(const Real& a, int bits) {
  Real result(bits);
  mpfr_sqrt(result.writable(), a.get(), MPFR_RNDN);
  return result;
}

Real rsqrt(const Real& a, int bits) {
  Real result(bits);
  mpfr_rec_sqrt(result.writable(), a.get(), MPFR_RNDN);
  return result;
}

Real exp(const Real& a, int bits) {
  own_caches();
  Real result(bits);
  mpfr_exp(result.writable(), a.get(), MPFR_RNDN);
  return result;
}

Real log(const Real& a, int bits) {
  own_caches();
  Real result(bits);
  mpfr_log(result.writable(), a.get(), MPFR_RNDN);
  return result;
}

Real tanh(const Real& a, int bits) {
  own_caches();
  Real result(bits);
  mpfr_tanh(result.writable(), a.get(), MPFR_RNDN);
  return result;
}

Real sigmoid(const Real& a, int bits) {
  own_caches();
  if (mpfr_nan_p(a.get())) return round(a, bits);
  if (mpfr_zero_p(a.get())) return Real::from_double(0.5, bits);
  // e^a is transcendental for every other finite a, so that some working precision settles the rounding.
  Real approximation;
  for (int extra = 32;; extra *= 2) {
    if (!approximate_sigmoid(a, bits + extra, approximation)) return Real::from_integer(mpfr_sgn(a.get()) > 0 ? 1 : 0, bits);
    if (is_settled(approximation.get(), bits + extra, bits)) return round(approximation, bits);
  }
}

int compare(const Real& a, const Real& b) {
  if (mpfr_unordered_p(a.get(), b.get())) throw Error("comparison of real numbers: one of them is NaN");
  const int order = mpfr_cmp(a.get(), b.get());
  return (order > 0) - (order < 0);
}

bool is_finite(const Real& a) { return mpfr_number_p(a.get()) != 0; }

Rational to_rational(const Real& a) {
  if (!is_finite(a)) throw Error("conversion of a real number to a fraction: it is " + to_string(a, 1));
  Rational result;
  mpfr_get_q(result.backend().data(), a.get());
  return result;
}

double to_double(const Real& a) { return mpfr_get_d(a.get(), MPFR_RNDN); }

double to_double(const Rational& a) {
  // Truncated to more bits than binary64 has, with a last bit that says "and more": a second rounding, to however many bits a subnormal
  // has, then sees the same ties as the fraction itself.
  constexpr int kBits = 64;
  Real truncated(kBits);
  const int ternary = mpfr_set_q(truncated.writable(), a.backend().data(), MPFR_RNDZ);
  Real sticky = round(truncated, kBits + 1);
  if (ternary < 0) mpfr_nextabove(sticky.writable());
  if (ternary > 0) mpfr_nextbelow(sticky.writable());
  return to_double(sticky);
}

std::string to_string(const Real& a, int digits) {
  if (digits < 1) throw Error("decimal digits of a real number: " + std::to_string(digits) + "; at least 1 is needed");
  char* text = nullptr;
  mpfr_asprintf(&text, "%.*RNe", digits - 1, a.get());
  std::string result(text);
  mpfr_free_str(text);
  return result;
}

}  // namespace equinorm::scalar
