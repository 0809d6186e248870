// Which instruction set the vectorised loops of this room run on. The choice never changes a bit of any result.
#pragma once

#include <cstdint>

namespace equinorm::scalar {

/// Ordered: a machine that has a level has the lower ones. `avx2` stands for AVX2+FMA+F16C, `avx512` for AVX-512 F+VL+BW+DQ+IFMA on top of
/// it: the flags that EquinormRoom.cmake gives to *_avx2.cpp and *_avx512.cpp.
enum class SimdLevel : std::uint8_t { portable, avx2, avx512 };

/// The best level that this processor has.
SimdLevel detected_simd_level();

/// The level to use now: a forced one if there is one, else the environment variable EQUINORM_SIMD (portable, avx2 or avx512; read once,
/// lowered to what the processor has), else the best. Throws Error if EQUINORM_SIMD holds another word.
SimdLevel simd_level();

/// For tests and benchmarks: while it lives, simd_level() of every thread is `level`. Not to be nested across threads.
/// Throws Error if the processor lacks the level.
class ForcedSimdLevel {
 public:
  explicit ForcedSimdLevel(SimdLevel level);
  ~ForcedSimdLevel();
  ForcedSimdLevel(const ForcedSimdLevel&) = delete;
  ForcedSimdLevel& operator=(const ForcedSimdLevel&) = delete;

 private:
  int previous_;
};

/// "portable", "avx2" or "avx512".
const char* to_string(SimdLevel level);

}  // namespace equinorm::scalar
