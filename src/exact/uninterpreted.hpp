// Keyed hashes that stand for exp, rsqrt, tanh and sigmoid in exact arithmetics, which have no such functions.
#pragma once

#include <cstdint>

namespace equinorm::exact {

enum class Function : std::uint64_t { exponential = 1, rsqrt = 2, tanh = 3, sigmoid = 4, logarithm = 5, input = 6 };

/// A 64-bit keyed hash (two rounds of the SplitMix64 finaliser, Steele et al. 2014): for the checks it stands for a function chosen at
/// random.
constexpr std::uint64_t mix(std::uint64_t key, std::uint64_t x) {
  const auto finalise = [](std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  };
  return finalise(finalise(key + 0x9e3779b97f4a7c15u) ^ (x + 0x9e3779b97f4a7c15u));
}

constexpr std::uint64_t function_key(std::uint64_t seed, Function function) { return mix(seed, static_cast<std::uint64_t>(function)); }

}  // namespace equinorm::exact
