// Seeded draws that do not depend on the standard library's distributions.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>

namespace equinorm::reference {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool one_in(std::int64_t n) { return between(1, n) == 1; }
  /// In (-1, 1), 53 random bits; a cubic bend makes small magnitudes as frequent as large ones.
  double small_number() {
    const double uniform = static_cast<double>(engine_() >> 11) * 0x1p-52 - 1.0;
    return one_in(4) ? uniform * uniform * uniform : uniform;
  }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[between(0, static_cast<std::int64_t>(choices.size()) - 1)];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace equinorm::reference
