#include <algorithm>
#include <bit>

#include "vgpu/launch.hpp"

namespace equinorm::vgpu {

int race_granule(const Program& program, Space space) {
  int smallest = 4;
  for (const Decoded& d : program.code) {
    if (d.row < 0 || (d.space != space && d.space != Space::generic)) continue;
    const ShadowOp op = rows()[static_cast<std::size_t>(d.row)].shadow;
    if (op == ShadowOp::load || op == ShadowOp::store || op == ShadowOp::atomic) smallest = std::min(smallest, size_of(d.type));
  }
  return std::countr_zero(static_cast<u32>(smallest));
}

Races::Races(u64 bytes, u32 threads, int granule) : shift(granule) {
  const u64 granules = (bytes >> shift) + kLanes;
  memory_.resize(4 * granules + (threads + kLanes - 1) / kLanes);
  u32* at = memory_.data();
  for (u32** part : {&writers.time, &readers.time, &writers.who, &readers.who}) *part = at, at += granules;
  warp_time = at;
  std::fill(writers.who, warp_time, kNobody);
}

/// Whether a barrier lies between an earlier access and one by `thread` now, or it was by the same thread.
bool Races::is_ordered(const Touches& touches, u64 at, u32 thread) const {
  const u32 who = touches.who[at], time = touches.time[at];
  if (who == thread || time < block_time) return true;
  if (who == kSeveral) return false;
  const u32 warp = who >= kSeveralOfWarp ? who - kSeveralOfWarp : who / kLanes;
  return warp == thread / kLanes && time < warp_time[warp];
}

void Races::access(Warp& warp, const Decoded& instruction, int lane, u64 offset, u32 bytes, bool is_write, bool is_atomic) {
  const u32 thread = warp.index * kLanes + static_cast<u32>(lane);
  for (u64 at = offset >> shift; at < (offset + bytes) >> shift; ++at) {
    const char* what = nullptr;
    if (!is_ordered(writers, at, thread))
      what = is_write ? "write after write" : "read after write";
    else if (is_write && !is_ordered(readers, at, thread))
      what = "write after read";
    if (what != nullptr) {
      report(warp, instruction, FindingKind::race, lane, at << shift, bytes, Space::shared, what);
      // Said once; what follows is looked at afresh.
      writers.who[at] = readers.who[at] = kNobody;
      writers.time[at] = readers.time[at] = 0;
    }
    if (is_atomic) continue;
    if (is_write) {
      writers.who[at] = thread;
      writers.time[at] = now;
      continue;
    }
    u32& reader = readers.who[at];
    if (is_ordered(readers, at, thread)) {
      reader = thread;
    } else {
      const u32 old_warp = reader == kSeveral ? ~u32{0} : reader >= kSeveralOfWarp ? reader - kSeveralOfWarp : reader / kLanes;
      reader = old_warp == warp.index ? kSeveralOfWarp + warp.index : kSeveral;
    }
    readers.time[at] = now;
  }
}

void order_warp(Warp& warp, u32) {
  if (warp.block->races != nullptr) warp.block->races->order_warp(warp.index);
}

namespace {

/// Whether two lanes of a store write the same: the low source_bytes of every register.
bool write_the_same(const Warp& warp, const Decoded& d, int i, int k) {
  const u32* slots = slots_of(d) + 1;
  for (int at = 0; at < d.count; ++at) {
    const std::byte *one = warp.registers + slots[at] + i * d.register_bytes, *other = warp.registers + slots[at] + k * d.register_bytes;
    if (!std::equal(one, one + d.source_bytes, other)) return false;
  }
  return true;
}

}  // namespace

/// Lanes that write the same to the same place in one instruction are one write: whichever comes last, the result is that. Reductions that
/// leave their result in every lane store it so.
void note_shared(Warp& warp, const Decoded& instruction, u32 mask, const u64* offsets, u32 bytes, bool is_write) {
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    bool is_noted = false;
    for (int k = 0; is_write && k < i && !is_noted; ++k)
      is_noted = (mask >> k & 1) != 0 && offsets[k] == offsets[i] && write_the_same(warp, instruction, i, k);
    if (!is_noted) warp.block->races->access(warp, instruction, i, offsets[i], bytes, is_write);
  }
}

}  // namespace equinorm::vgpu
