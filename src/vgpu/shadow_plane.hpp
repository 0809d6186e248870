// Shadows of numbers in memory.
#pragma once

#include <iterator>
#include <memory>
#include <unordered_map>
#include <vector>

#include "vgpu/shadow_lanes.hpp"

namespace equinorm::vgpu {

/// The shadows of one space, by the offset of a number's first byte. A shadow belongs to the bits that were stored with it: other bits
/// there mean that something else has been written since.
class ShadowMemory {
 public:
  /// Makes `value` the shadow of a number of 2, 4 or 8 bytes.
  void store(u64 offset, u64 bits, int bytes, Pair value);
  /// Forgets the shadows of 2, 4 or 8 bytes.
  void forget(u64 offset, int bytes);
  /// False unless the number of `bytes` bytes with these bits has a shadow.
  bool find(u64 offset, u64 bits, int bytes, Pair& value) const;
  void clear();
  /// body(Pair&) for every shadow.
  template <class Body>
  void for_each(const Body& body) {
    const auto visit = [&](auto& numbers) {
      if (numbers == nullptr) return;
      for (std::size_t i = 0; i < std::size(numbers->known); ++i) {
        if (numbers->known[i] == 0) continue;
        Pair value{numbers->high[i], numbers->low[i]};
        body(value);
        numbers->high[i] = value.high, numbers->low[i] = value.low;
      }
    };
    for (const auto& one : pages_)
      if (one != nullptr) visit(one->words), visit(one->halves);
    for (auto& [offset, number] : wide_) body(number.value);
  }

  /// 32 adjacent binary32 numbers. load_row returns the lanes whose shadows it has put into `to`; store_row gives shadows to the lanes of
  /// `known` and forgets those of the others. They return false or touch nothing where a row may hold halves: see has_halves.
  u32 load_row(u64 offset, const u32* bits, Pairs& to) const;
  void store_row(u64 offset, const u32* bits, u32 known, const Pairs& from);
  /// Whether a range holds, or may hold, shadows of 16-bit numbers.
  bool has_halves(u64 offset, u64 bytes) const;
  /// Whether a range can hold no shadow at all.
  bool is_empty(u64 offset, u64 bytes) const;

 private:
  static constexpr u64 kPageBytes = 4096;
  template <int kCount, class Bits>
  struct Numbers {
    double high[kCount], low[kCount];
    Bits bits[kCount];
    u8 known[kCount];
  };
  using Words = Numbers<kPageBytes / 4, u32>;
  using Halves = Numbers<kPageBytes / 2, u16>;
  struct Page {
    std::unique_ptr<Words> words;
    std::unique_ptr<Halves> halves;
  };
  struct Wide {
    u64 bits;
    Pair value;
  };

  Page& page(u64 offset);
  const Page* find_page(u64 offset) const;

  std::vector<std::unique_ptr<Page>> pages_;
  std::unordered_map<u64, Wide> wide_;  // binary64 numbers
};

}  // namespace equinorm::vgpu
