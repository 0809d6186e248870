// Races of blocks in global memory. Private to the room.
#pragma once

#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "vgpu/launch.hpp"

namespace equinorm::vgpu {

/// Two accesses of the same bytes of global memory by two blocks, at least one a plain write or a plain read of what the other writes, that
/// nothing orders. Blocks are ordered by atomics and by .volatile, .relaxed, .acquire and .release accesses of one address: what a block
/// did before its access there comes before what another does after its own. Fences are not asked for: a missing one is not found.
///
/// Blocks run one after the other, so one run sees every pair of accesses, in one of the two orders.
class GridRaces {
 public:
  explicit GridRaces(const Launch& launch);
  void start_block();
  /// Before the instruction runs.
  void access(Warp& warp, const Decoded& instruction, u32 mask);

 private:
  static constexpr u64 kPageBytes = 4096;
  static constexpr u32 kNobody = 0, kSeveral = ~u32{0};
  /// Who touched a granule last, and how often that block had released before.
  struct Touch {
    u32 block = kNobody;
    u32 time = 0;
  };
  struct Granule {
    Touch writer, reader;
    bool written_strongly = false, read_strongly = false;
  };
  /// What is known of other blocks: all that they did up to the n-th release.
  using Clock = std::unordered_map<u32, u32>;
  /// Two strong accesses, as atomics, do not race with each other.
  struct Kind {
    bool writes, strong;
  };

  void touch(Warp& warp, const Decoded& instruction, int lane, const Spot& spot, u32 bytes, Kind kind);
  const char* conflict(const Granule& granule, Kind kind) const;
  bool is_ordered(const Touch& touch) const;
  void synchronise(u64 address);

  std::unordered_set<u32> strong_lines_;  // of the PTX: accesses that synchronise
  std::vector<std::unique_ptr<Granule[]>> pages_;
  std::unordered_map<u64, Clock> released_;  // by address
  Clock known_;                              // of the running block
  u32 block_ = 0, time_ = 1;
  std::vector<u32> releases_;  // of every block so far
  int shift_;
};

}  // namespace equinorm::vgpu
