#include "inputs/random.hpp"

#include <bit>
#include <cmath>

namespace equinorm::inputs {
namespace {

double to_unit(std::uint64_t bits) { return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52; }

/// Horner, highest coefficient first.
template <int N>
double polynomial(const double (&coefficients)[N], double x) {
  double sum = coefficients[0];
  for (int i = 1; i < N; ++i) sum = sum * x + coefficients[i];
  return sum;
}

// AS 241: numerators and denominators near the centre, in the near tail and in the far tail.
constexpr double kCentreNumerator[] = {2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
                                       1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0};
constexpr double kCentreDenominator[] = {5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
                                         5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0};
constexpr double kNearNumerator[] = {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                                     1.27045825245236838258e0,  3.64784832476320460504e0,  5.76949722146069140550e0,
                                     4.63033784615654529590e0,  1.42343711074968357734e0};
constexpr double kNearDenominator[] = {
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e0,  2.05319162663775882187e0,  1.0};
constexpr double kFarNumerator[] = {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                                    2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
                                    5.46378491116411436990e0,  6.65790464350110377720e0};
constexpr double kFarDenominator[] = {
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
    1.48753612908506148525e-2,  1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0};

}  // namespace

std::uint64_t hash_name(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char symbol : name) hash = (hash ^ static_cast<unsigned char>(symbol)) * 0x100000001b3;
  hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
  return hash ^ hash >> 31;
}

PhiloxWords philox2x64(std::uint64_t counter_low, std::uint64_t counter_high, std::uint64_t key) {
  for (int round = 0; round < 10; ++round) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(counter_low) * 0xD2B74407B1CE6E93;
    counter_low = static_cast<std::uint64_t>(product >> 64) ^ key ^ counter_high;
    counter_high = static_cast<std::uint64_t>(product);
    key += 0x9E3779B97F4A7C15;
  }
  return {counter_low, counter_high};
}

double portable_log(double x) {
  // x = m 2^e with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m-1)/(m+1), |s| < 0.1716; first omitted term 2 s^23/23 < 2^-60 |2s|.
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const std::uint64_t shifted = bits - 0x3fe6a09e667f3bcd;
  const auto exponent = static_cast<double>(static_cast<std::int64_t>(shifted) >> 52);
  const double m = std::bit_cast<double>((shifted & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
  const double s = (m - 1) / (m + 1);
  constexpr double kOddInverses[] = {1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3};
  const double square = s * s;
  const double tail = s * square * polynomial(kOddInverses, square);
  // ln 2 in two parts; the first has 32 bits, so that its product with the exponent is exact.
  return exponent * 0x1.62e42feep-1 + (2 * (s + tail) + exponent * 0x1.a39ef35793c76p-33);
}

double normal_quantile(double u) {
  const double centred = u - 0.5;
  if (std::abs(centred) <= 0.425) {
    const double r = 0.180625 - centred * centred;
    return centred * polynomial(kCentreNumerator, r) / polynomial(kCentreDenominator, r);
  }
  const double r = std::sqrt(-portable_log(centred < 0 ? u : 1 - u));
  const double size = r <= 5 ? polynomial(kNearNumerator, r - 1.6) / polynomial(kNearDenominator, r - 1.6)
                             : polynomial(kFarNumerator, r - 5) / polynomial(kFarDenominator, r - 5);
  return centred < 0 ? -size : size;
}

std::uint64_t RandomStream::bits(std::uint64_t index) const {
  const PhiloxWords words = philox2x64(index >> 1, stream_, key_);
  return index & 1 ? words.second : words.first;
}

double RandomStream::uniform(std::uint64_t index) const { return to_unit(bits(index)); }

double RandomStream::normal(std::uint64_t index) const { return normal_quantile(uniform(index)); }

void RandomStream::uniforms(std::uint64_t begin, std::uint64_t count, double* out) const {
  const std::uint64_t end = begin + count;
  std::uint64_t index = begin;
  if (index < end && (index & 1)) *out++ = uniform(index++);
  for (; index + 1 < end; index += 2) {
    const PhiloxWords words = philox2x64(index >> 1, stream_, key_);
    *out++ = to_unit(words.first);
    *out++ = to_unit(words.second);
  }
  if (index < end) *out = uniform(index);
}

void RandomStream::normals(std::uint64_t begin, std::uint64_t count, double* out) const {
  uniforms(begin, count, out);
  for (std::uint64_t i = 0; i < count; ++i) out[i] = normal_quantile(out[i]);
}

}  // namespace equinorm::inputs
