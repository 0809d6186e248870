// What fills memory that nobody may read or write: numbers that are NaN in every format, in a seeded pattern.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace equinorm::kernels {

/// What the poison marks. The two differ in sign: arithmetic on what may not be read gives no mark of what was not written.
enum class PoisonKind : std::uint8_t { unreadable, unwritten };

/// Each 16-bit word is one of 0x7ff8 to 0x7ffe (unwritten: 0xfff8 to 0xfffe): a quiet NaN of fp16, bf16, fp32 and fp64 alike, as an integer
/// out of any range, and none of the NaNs that arithmetic makes by itself (x86: 0xfe00, 0xffc0; GPUs: 0x7fff). The pattern is a function of
/// the address (even, in bytes), the seed and the kind.
class Poison {
 public:
  explicit Poison(std::uint64_t seed, PoisonKind kind = PoisonKind::unreadable);

  void fill(std::byte* to, std::size_t bytes, std::uint64_t address) const;

  /// Bytes from the start of `at` up to the first that is not the pattern's; `bytes` when all are.
  std::size_t intact(const std::byte* at, std::size_t bytes, std::uint64_t address) const;

  /// First of `count` elements (of 2, 4 or 8 bytes) that is the pattern's, bit for bit; `count` when none is.
  std::int64_t find(const std::byte* at, std::int64_t count, std::size_t element_bytes, std::uint64_t address) const;

 private:
  std::vector<std::byte> table_;  ///< one period
};

}  // namespace equinorm::kernels
