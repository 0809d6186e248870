// The memory that the judge and a worker share: every buffer in a region of its own, fenced by poison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/descriptor.hpp"
#include "kernels/poison.hpp"

namespace equinorm::kernels {

/// A region of the arena, in bytes from its start. Everything in it but [data, data + data_bytes) is a canary, at least a page on each
/// side. The worker maps each region between pages that cannot be touched.
struct Region {
  std::uint64_t begin = 0, bytes = 0;
  std::uint64_t data = 0, data_bytes = 0;

  friend bool operator==(const Region&, const Region&) = default;
};

/// Plans regions one behind the other.
class ArenaPlan {
 public:
  /// A buffer aligned to 256 bytes; `at_end`: its end, not its start, lies as close as that allows to a page's border.
  Region add(std::uint64_t bytes, bool at_end);
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::uint64_t bytes_ = 0;
};

enum class ArenaAccess : std::uint8_t { read_write, read_only };

/// Memory without a name (memfd), sealed against change of size: who shares it cannot take it away.
class Arena {
 public:
  /// `others`: what whoever gets the descriptor may do. Throws Error where there is not enough memory.
  Arena(std::uint64_t bytes, ArenaAccess others);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  int descriptor() const { return file_.get(); }
  std::uint64_t bytes() const { return bytes_; }
  /// Nobody else can write it: the system sees to that (F_SEAL_FUTURE_WRITE, Linux 5.1).
  bool is_read_only() const { return read_only_; }
  std::byte* at(std::uint64_t offset) { return base_ + offset; }

 private:
  Descriptor file_;
  std::uint64_t bytes_ = 0;
  std::byte* base_ = nullptr;
  bool read_only_ = false;
};

/// Fills the canaries of a region.
void fence(Arena& arena, const Region& region, const Poison& poison);

/// Where a canary was written: bytes past the end of the data (from 1 on), or negative, in front of it; 0: intact.
std::int64_t breach(Arena& arena, const Region& region, const Poison& poison);

}  // namespace equinorm::kernels
