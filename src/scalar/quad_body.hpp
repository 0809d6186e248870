// What the blocked double-double product (quad.cpp) asks of its kernel; one kernel per instruction set, the same operations in each.
#pragma once

#include <cstdint>

namespace equinorm::scalar::wide {

/// Largest rows * columns of any kernel.
inline constexpr std::int64_t kMaxTile = 64;

struct Kernel {
  std::int64_t rows;
  std::int64_t columns;
  /// Adds `depth` terms to a tile of pairs (s, c), as matmul_wide states: s and c are rows * columns, row-major; a(k, i) = a[k * rows + i],
  /// b(k, j) = b[k * columns + j]. Rows of b, s and c are aligned to the vectors.
  void (*accumulate)(std::int64_t depth, const double* a, const double* b, double* s, double* c);
};

// The vector kernels call nothing that has linkage, for the reason given in prime_field_body.hpp.
extern const Kernel kPortableKernel;
extern const Kernel kAvx2Kernel;
extern const Kernel kAvx512Kernel;

}  // namespace equinorm::scalar::wide
