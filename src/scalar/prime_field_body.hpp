// What the blocked matrix product over F_p (prime_field.cpp) asks of its kernel; one kernel per instruction set.
#pragma once

#include <cstdint>

namespace equinorm::scalar::prime_field {

/// Terms that a kernel sums before it reduces; every accumulator bound stated in the kernels is for this many.
inline constexpr std::int64_t kLazyTerms = 4096;

/// How operands are packed. `words`: one plane, the elements. `limbs`: three planes, the element's low 25 bits, its high 25 bits, their
/// sum.
enum class Packing : std::uint8_t { words, limbs };

inline constexpr int planes(Packing packing) { return packing == Packing::words ? 1 : 3; }

/// Largest rows * columns of any kernel.
inline constexpr std::int64_t kMaxTile = 96;

struct Kernel {
  std::int64_t rows;
  std::int64_t columns;
  Packing packing;
  /// tile[i * columns + j] = sum_k a(k, i) b(k, j) mod p, in [0, p), for depth <= kLazyTerms. Plane after plane, a holds rows * depth and b
  /// columns * depth words, k-major: a(k, i) = a[k * rows + i], b(k, j) = b[k * columns + j]. Rows of b and of tile are aligned to the
  /// vectors.
  void (*multiply)(std::int64_t depth, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* tile);
};

// The two vector kernels call nothing that has linkage: their files are compiled for instructions that this processor may lack, and the
// linker could otherwise keep their copy of a shared inline function for everybody.
extern const Kernel kPortableKernel;
extern const Kernel kAvx2Kernel;
extern const Kernel kAvx512Kernel;

}  // namespace equinorm::scalar::prime_field
