#include "scalar/simd.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>

#include "scalar/error.hpp"

namespace equinorm::scalar {
namespace {

constexpr int kNotForced = -1;
std::atomic<int> forced_level{kNotForced};

SimdLevel detect() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"))) return SimdLevel::portable;
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512ifma");
  return wide ? SimdLevel::avx512 : SimdLevel::avx2;
#else
  return SimdLevel::portable;
#endif
}

SimdLevel level_from_environment() {
  const char* word = std::getenv("EQUINORM_SIMD");
  if (word == nullptr || *word == '\0') return detected_simd_level();
  for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
    if (std::string(word) == to_string(level)) return std::min(level, detected_simd_level());
  }
  throw Error("environment variable EQUINORM_SIMD is '" + std::string(word) + "'; allowed are portable, avx2 and avx512");
}

}  // namespace

SimdLevel detected_simd_level() {
  static const SimdLevel level = detect();
  return level;
}

SimdLevel simd_level() {
  const int forced = forced_level.load(std::memory_order_relaxed);
  if (forced != kNotForced) return static_cast<SimdLevel>(forced);
  static const SimdLevel level = level_from_environment();
  return level;
}

ForcedSimdLevel::ForcedSimdLevel(SimdLevel level) {
  if (level > detected_simd_level()) {
    throw Error(std::string("SIMD level ") + to_string(level) + " was asked for; this processor has at most " +
                to_string(detected_simd_level()));
  }
  previous_ = forced_level.exchange(static_cast<int>(level));
}

ForcedSimdLevel::~ForcedSimdLevel() { forced_level.store(previous_); }

const char* to_string(SimdLevel level) {
  switch (level) {
    case SimdLevel::portable:
      return "portable";
    case SimdLevel::avx2:
      return "avx2";
    case SimdLevel::avx512:
      return "avx512";
  }
  return "?";
}

}  // namespace equinorm::scalar
