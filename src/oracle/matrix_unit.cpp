#include "oracle/matrix_unit.hpp"

#include <atomic>

#include "scalar/simd.hpp"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace equinorm::oracle {
namespace {

std::atomic<int> suppressed{0};

/// The processor has 8-bit tiles, and the system saves them at task switches and lets this process use them.
bool detect() {
#if defined(__x86_64__) && defined(__linux__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kTiles = 1U << 24, kInteger = 1U << 25, kOsSaves = 1U << 27;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & kOsSaves) == 0) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kTiles) == 0 || (d & kInteger) == 0) return false;
  unsigned saved = 0, high = 0;
  __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  if (((saved >> 17) & 3) != 3) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

void split_columns(Index depth, Index columns, const double* x, Index stride, Digits& digits) {
  const Index steps = (depth + 63) / 64;
  digits.bytes.assign(static_cast<std::size_t>((columns + 15) / 16 * steps * digits.count * 1024), 0);
  for (Index j = 0; j < columns; ++j) {
    for (Index m = 0; m < depth; ++m) {
      auto value = static_cast<std::int32_t>(x[j * stride + m] / digits.unit[static_cast<std::size_t>(j)]);
      std::int8_t* target = digits.bytes.data() + (j / 16 * steps + m / 64) * digits.count * 1024 + j % 16 * 64 + m % 64;
      for (int d = 0; d < digits.count; ++d) {
        const auto digit = static_cast<std::int8_t>(value);
        target[d * 1024] = digit;
        value = (value - digit) / 256;
      }
    }
  }
}

const MatrixUnit* matrix_unit() {
  static const bool available = detect();
  return available && suppressed.load(std::memory_order_relaxed) == 0 && scalar::simd_level() == scalar::SimdLevel::avx512 ? &kAmx
                                                                                                                           : nullptr;
}

WithoutMatrixUnit::WithoutMatrixUnit() { ++suppressed; }
WithoutMatrixUnit::~WithoutMatrixUnit() { --suppressed; }

}  // namespace equinorm::oracle
