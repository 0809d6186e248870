#include "vgpu/launch.hpp"

namespace equinorm::vgpu {

Races::Races(u64 bytes, u32 threads) : writers_(bytes), readers_(bytes), warp_time_((threads + kLanes - 1) / kLanes) {}

/// Whether a barrier lies between an earlier access and one by `thread` now, or it was by the same thread.
bool Races::is_ordered(const Touch& touch, u32 thread) const {
  if (touch.who == kNobody || touch.who == thread || touch.time < block_time_) return true;
  if (touch.who == kSeveral) return false;
  const u32 warp = touch.who >= kSeveralOfWarp ? touch.who - kSeveralOfWarp : touch.who / kLanes;
  return warp == thread / kLanes && touch.time < warp_time_[warp];
}

void Races::access(Warp& warp, const Decoded& instruction, int lane, u64 offset, u32 bytes, bool is_write, bool is_atomic) {
  const u32 thread = warp.index * kLanes + static_cast<u32>(lane);
  for (u64 at = offset; at < offset + bytes; ++at) {
    Touch &writer = writers_[at], &reader = readers_[at];
    const char* what = nullptr;
    if (!is_ordered(writer, thread))
      what = is_write ? "write after write" : "read after write";
    else if (is_write && !is_ordered(reader, thread))
      what = "write after read";
    if (what != nullptr) {
      report(warp, instruction, FindingKind::race, lane, at, bytes, Space::shared, what);
      writer = reader = {};  // said once; what follows is looked at afresh
    }
    if (is_atomic) continue;
    if (is_write) {
      writer = {thread, now_};
    } else if (is_ordered(reader, thread)) {
      reader = {thread, now_};
    } else {
      const u32 old_warp = reader.who == kSeveral         ? ~u32{0}
                           : reader.who >= kSeveralOfWarp ? reader.who - kSeveralOfWarp
                                                          : reader.who / kLanes;
      reader = {old_warp == warp.index ? kSeveralOfWarp + warp.index : kSeveral, now_};
    }
  }
}

void order_warp(Warp& warp, u32) {
  if (warp.block->races != nullptr) warp.block->races->order_warp(warp.index);
}

void note_shared(Warp& warp, const Decoded& instruction, u32 mask, const u64* offsets, u32 bytes, bool is_write) {
  for (int i = 0; i < kLanes; ++i)
    if ((mask >> i & 1) != 0) warp.block->races->access(warp, instruction, i, offsets[i], bytes, is_write);
}

}  // namespace equinorm::vgpu
