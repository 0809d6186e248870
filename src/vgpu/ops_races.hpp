// The race detector on whole rows of lanes; the meaning is that of Races::access, lane by lane.
#pragma once

#include "vgpu/launch.hpp"
#include "vgpu/ops_convert.hpp"

namespace equinorm::vgpu {
namespace {

EQUINORM_INLINE u32 warp_of(u32 who) { return who >= Races::kSeveralOfWarp ? who - Races::kSeveralOfWarp : who / kLanes; }

/// What a row of 32 granules from `at` on has to do with the threads from `first` on, 2^per_lane granules to a thread.
struct RaceRow {
  u64 at;
  u32 first;
  int per_lane;
  u32 warp, block_time, warp_time;

  EQUINORM_INLINE u32 thread(int i) const { return first + (static_cast<u32>(i) >> per_lane); }
  EQUINORM_INLINE u32 is_ordered(u32 who, u32 time, u32 own) const {
    return (time < block_time ? 1u : 0u) | (who == own ? 1u : 0u) | ((warp_of(who) == warp ? 1u : 0u) & (time < warp_time ? 1u : 0u));
  }
  EQUINORM_INLINE bool all_ordered(const u32* who, const u32* time) const {
    u32 ordered = 1;
    EQUINORM_LANES ordered &= is_ordered(who[i], time[i], thread(i));
    return ordered != 0;
  }
};

/// 32 granules. Returns false, with nothing done, if an access is not ordered.
EQUINORM_INLINE bool note_granules(Races& races, const RaceRow& row, bool is_write) {
  u32 *writer = races.writers.who + row.at, *written = races.writers.time + row.at;
  u32 *reader = races.readers.who + row.at, *read = races.readers.time + row.at;
  if (!row.all_ordered(writer, written)) return false;
  const u32 now = races.now;
  if (is_write) {
    if (!row.all_ordered(reader, read)) return false;
    EQUINORM_LANES writer[i] = row.thread(i);
    EQUINORM_LANES written[i] = now;
    return true;
  }
  EQUINORM_LANES {
    const u32 who = reader[i], own = row.thread(i);
    const u32 several = warp_of(who) == row.warp ? Races::kSeveralOfWarp + row.warp : Races::kSeveral;
    reader[i] = row.is_ordered(who, read[i], own) != 0 ? own : several;
  }
  EQUINORM_LANES read[i] = now;
  return true;
}

/// All lanes read one granule. As above.
EQUINORM_INLINE bool note_broadcast(Races& races, u64 at, u32 warp) {
  const u32 who = races.writers.who[at], time = races.writers.time[at];
  if (time >= races.block_time && !(warp_of(who) == warp && time < races.warp_time[warp])) return false;
  const bool is_own = races.readers.time[at] < races.block_time || warp_of(races.readers.who[at]) == warp;
  races.readers.who[at] = is_own ? Races::kSeveralOfWarp + warp : Races::kSeveral;
  races.readers.time[at] = races.now;
  return true;
}

/// A full warp's row, or its reading of one element, already checked.
[[maybe_unused]] void note_shared_row(Warp& w, const Decoded& d, Pattern pattern, u64 first, u32 bytes, bool is_write) {
  Races& races = *w.block->races;
  const u64 at = first >> races.shift, per_lane = bytes >> races.shift;
  u64 done = 0;
  if (pattern == Pattern::uniform) {
    while (done < per_lane && note_broadcast(races, at + done, w.index)) ++done;
    if (done == per_lane) return;
    for (int i = 0; i < kLanes; ++i)
      races.access(w, d, i, first + (done << races.shift), bytes - static_cast<u32>(done << races.shift), is_write);
    return;
  }
  RaceRow row{at, w.index * kLanes, __builtin_ctzll(per_lane), w.index, races.block_time, races.warp_time[w.index]};
  for (; done < per_lane; ++done, row.at += kLanes, row.first += kLanes >> row.per_lane) {
    if (note_granules(races, row, is_write)) continue;
    for (u64 i = 0; i < kLanes; ++i)
      races.access(w, d, static_cast<int>((row.first & 31) + (i >> row.per_lane)), (row.at + i) << races.shift, u32{1} << races.shift,
                   is_write);
  }
}

}  // namespace
}  // namespace equinorm::vgpu
