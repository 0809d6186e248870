// Counter-based random numbers: element i of a stream depends on (seed, stream name, i) alone, not on threads, order or platform.
#pragma once

#include <cstdint>
#include <string_view>

namespace equinorm::inputs {

/// 64-bit hash of a name (FNV-1a, then the SplitMix64 finaliser).
std::uint64_t hash_name(std::string_view name);

/// Two 64-bit words of Philox2x64-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011).
struct PhiloxWords {
  std::uint64_t first, second;
};
PhiloxWords philox2x64(std::uint64_t counter_low, std::uint64_t counter_high, std::uint64_t key);

/// Quantile function of the standard normal distribution for u in (0, 1): Wichura's AS 241 (PPND16), relative error about 2^-50.
/// Only +, -, *, / and sqrt, so the bits are the same everywhere.
double normal_quantile(double u);

/// Natural logarithm of a positive normal number, relative error about 2^-50, with the same portability.
double portable_log(double x);

/// One named stream of a seed. Neighbouring elements share a Philox block, so the range functions cost half of the single ones.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view name) : key_(seed), stream_(hash_name(name)) {}

  std::uint64_t bits(std::uint64_t index) const;
  /// (k + 1/2) 2^-52 for a uniform integer k in [0, 2^52): never 0 or 1.
  double uniform(std::uint64_t index) const;
  double normal(std::uint64_t index) const;

  /// Elements [begin, begin + count).
  void uniforms(std::uint64_t begin, std::uint64_t count, double* out) const;
  void normals(std::uint64_t begin, std::uint64_t count, double* out) const;

 private:
  std::uint64_t key_;
  std::uint64_t stream_;
};

}  // namespace equinorm::inputs
