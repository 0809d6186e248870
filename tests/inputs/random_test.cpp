#include "inputs/random.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

namespace equinorm::inputs {
namespace {

TEST_CASE("Philox2x64-10 gives the published known answers") {
  // kat_vectors of the Random123 distribution.
  const PhiloxWords zero = philox2x64(0, 0, 0);
  CHECK(zero.first == 0xca00a0459843d731);
  CHECK(zero.second == 0x66c24222c9a845b5);
  const PhiloxWords ones = philox2x64(~0ULL, ~0ULL, ~0ULL);
  CHECK(ones.first == 0x65b021d60cd8310f);
  CHECK(ones.second == 0x4d02f3222f86df20);
  const PhiloxWords pi = philox2x64(0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0);
  CHECK(pi.first == 0x0a5e742c2997341c);
  CHECK(pi.second == 0xb0f883d38000de5d);
}

TEST_CASE("a stream depends on seed, name and index, not on how it is read") {
  const RandomStream stream(7, "c");
  std::vector<double> whole(1000), part(7);
  stream.normals(0, 1000, whole.data());
  for (std::uint64_t begin : {0, 1, 2, 501, 993}) {
    stream.normals(begin, 7, part.data());
    CHECK(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(begin)));
  }
  for (std::uint64_t i = 0; i < 1000; ++i) REQUIRE(stream.normal(i) == whole[i]);
  CHECK(RandomStream(8, "c").bits(0) != stream.bits(0));
  CHECK(RandomStream(7, "d").bits(0) != stream.bits(0));
  CHECK(hash_name("") != hash_name("a"));
  CHECK(hash_name("ab") != hash_name("ba"));
}

TEST_CASE("portable logarithm agrees with the extended-precision one") {
  const RandomStream stream(1, "log");
  double worst = 0;
  for (std::uint64_t i = 0; i < 200000; ++i) {
    const double x = std::ldexp(0.5 + stream.uniform(2 * i), static_cast<int>(stream.bits(2 * i + 1) % 200) - 100);
    const long double exact = std::log(static_cast<long double>(x));
    worst = std::max(worst, static_cast<double>(std::abs((portable_log(x) - exact) / exact)));
  }
  INFO("worst relative error " << worst);
  CHECK(worst < 0x1p-50);
  CHECK(portable_log(1) == 0);
}

TEST_CASE("the normal quantile inverts the distribution function, tails included") {
  const RandomStream stream(1, "quantile");
  double worst = 0;
  for (std::uint64_t i = 0; i < 200000; ++i) {
    const double u = stream.uniform(2 * i) * std::ldexp(1.0, -static_cast<int>(stream.bits(2 * i + 1) % 50));
    const double z = normal_quantile(u);
    // d ln Phi / dz is at most about |z| + 1, which turns the error of the probability into one of z.
    const long double phi = 0.5L * std::erfc(-static_cast<long double>(z) / std::sqrt(2.0L));
    worst = std::max(worst, static_cast<double>(std::abs(phi / u - 1)) / (std::abs(z) + 1) / std::max(std::abs(z), 1.0));
  }
  INFO("worst relative error " << worst);
  CHECK(worst < 0x1p-48);
  for (const double u : {0.001, 0.2, 0.45, 0.075, 0x1p-52}) CHECK(normal_quantile(1 - u) == Approx(-normal_quantile(u)).epsilon(1e-12));
}

TEST_CASE("uniforms and normals have the right moments, tails and no visible correlation") {
  constexpr std::uint64_t kCount = 1 << 20;
  const RandomStream stream(3, "moments");
  std::vector<double> u(kCount), z(kCount);
  stream.uniforms(0, kCount, u.data());
  stream.normals(0, kCount, z.data());
  double u1 = 0, u2 = 0, z1 = 0, z2 = 0, z3 = 0, z4 = 0, neighbour = 0, beyond3 = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    REQUIRE((u[i] > 0 && u[i] < 1));
    u1 += u[i];
    u2 += u[i] * u[i];
    z1 += z[i];
    z2 += z[i] * z[i];
    z3 += z[i] * z[i] * z[i];
    z4 += z[i] * z[i] * z[i] * z[i];
    neighbour += i > 0 ? z[i] * z[i - 1] : 0;
    beyond3 += std::abs(z[i]) > 3;
  }
  // Five standard deviations of each statistic.
  const double n = kCount, root = std::sqrt(n);
  CHECK(std::abs(u1 / n - 0.5) < 5 * std::sqrt(1.0 / 12) / root);
  CHECK(std::abs(u2 / n - 1.0 / 3) < 5 * std::sqrt(4.0 / 45) / root);
  CHECK(std::abs(z1 / n) < 5 / root);
  CHECK(std::abs(z2 / n - 1) < 5 * std::sqrt(2.0) / root);
  CHECK(std::abs(z3 / n) < 5 * std::sqrt(15.0) / root);
  CHECK(std::abs(z4 / n - 3) < 5 * std::sqrt(96.0) / root);
  CHECK(std::abs(neighbour / n) < 5 / root);
  CHECK(std::abs(beyond3 / n - 0.0026997960632601866) < 5 * std::sqrt(0.0027) / root);
  // Kolmogorov-Smirnov: exceeded once in 10^7 draws; this one is fixed.
  std::sort(u.begin(), u.end());
  double distance = 0;
  for (std::size_t i = 0; i < kCount; ++i) distance = std::max(distance, std::abs(u[i] - (static_cast<double>(i) + 0.5) / n));
  CHECK(distance * root < 2.9);
}

TEST_CASE("every output bit is balanced, also across neighbouring indices, seeds and names") {
  constexpr int kCount = 1 << 14;
  for (const int what : {0, 1, 2}) {
    std::vector<int> ones(64), flips(64);
    std::uint64_t previous = 0;
    for (int i = 0; i < kCount; ++i) {
      const auto k = static_cast<std::uint64_t>(i);
      const std::uint64_t bits = what == 0   ? RandomStream(1, "bits").bits(k)
                                 : what == 1 ? RandomStream(k, "bits").bits(0)
                                             : RandomStream(1, "bits" + std::to_string(i)).bits(0);
      for (int bit = 0; bit < 64; ++bit) {
        ones[static_cast<std::size_t>(bit)] += static_cast<int>(bits >> bit & 1);
        flips[static_cast<std::size_t>(bit)] += static_cast<int>((bits ^ previous) >> bit & 1);
      }
      previous = bits;
    }
    const double limit = 5 * std::sqrt(kCount / 4.0);
    for (int bit = 0; bit < 64; ++bit) {
      CAPTURE(what, bit);
      CHECK(std::abs(ones[static_cast<std::size_t>(bit)] - kCount / 2.0) < limit);
      CHECK(std::abs(flips[static_cast<std::size_t>(bit)] - kCount / 2.0) < limit);
    }
  }
}

}  // namespace
}  // namespace equinorm::inputs
