// Barriers of a block: when the waiting threads go on, and what bar.red tells them.
#include <algorithm>
#include <bit>

#include "vgpu/launch.hpp"

namespace equinorm::vgpu {
namespace {

bool waits_at(const Fragment& fragment, u32 id) { return fragment.wait == Fragment::Wait::barrier && fragment.barrier == id; }

/// Who has come to a barrier.
struct Arrivals {
  u32 waiting = 0, wanted = 0, live = 0;
  u32 yes = 0;  ///< threads whose predicate is true, at bar.red
};

Arrivals count_arrivals(Block& block, const Program& program, u32 id) {
  Arrivals all;
  for (Warp& warp : block.warps) {
    all.live += static_cast<u32>(std::popcount(warp.live));
    for (const Fragment& fragment : warp.fragments) {
      if (!waits_at(fragment, id)) continue;
      const Decoded& d = program.code[fragment.pc];
      all.waiting += static_cast<u32>(std::popcount(fragment.mask));
      // Operands: {result,} barrier {, threads} {, predicate}.
      const bool counts = d.results != 0 ? d.slot_count == 4 : d.has_optional;
      if (counts) all.wanted = warp.lanes<u32>(d.slot[d.results + 1])[std::countr_zero(fragment.mask)];
      if (d.results == 0) continue;
      const u32 predicate = *warp.lanes<u32>(d.slot[d.slot_count - 1]) ^ (d.negated ? kAllLanes : 0);
      all.yes += static_cast<u32>(std::popcount(predicate & fragment.mask));
    }
  }
  return all;
}

/// The result of bar.red: how many, whether all, whether any.
void reduce(Warp& warp, const Decoded& d, u32 mask, const Arrivals& all) {
  if (d.combine == 0) {
    for (u32 rest = mask; rest != 0; rest &= rest - 1) warp.lanes<u32>(d.slot[0])[std::countr_zero(rest)] = all.yes;
    return;
  }
  const bool result = d.combine == 1 ? all.yes == all.waiting : all.yes != 0;
  u32& predicate = *warp.lanes<u32>(d.slot[0]);
  predicate = result ? predicate | mask : predicate & ~mask;
}

void release(Warp& warp, const Program& program, u32 id, const Arrivals& all) {
  for (Fragment& fragment : warp.fragments) {
    if (!waits_at(fragment, id)) continue;
    fragment.wait = Fragment::Wait::none;
    fragment.barrier = 0;
    const Decoded& d = program.code[fragment.pc++];
    if (d.results != 0) reduce(warp, d, fragment.mask, all);
    const u32 absent = warp.live & ~fragment.mask;
    if (d.aligned && absent != 0)
      report(warp, d, FindingKind::divergent_barrier, std::countr_zero(absent), 0, 0, Space::reg,
             "lanes of one warp came to different places");
  }
}

}  // namespace

bool release_barriers(Block& block, const Program& program) {
  Launch& launch = *block.launch;
  bool released = false;
  for (u32 id = 0; id < kBarriers; ++id) {
    const Arrivals all = count_arrivals(block, program, id);
    const u32 needed = all.wanted != 0 ? std::min(all.wanted, all.live) : all.live;
    if (all.waiting == 0 || all.waiting + launch.arrived[id] < needed) continue;
    launch.arrived[id] = 0;
    released = true;
    for (Warp& warp : block.warps) release(warp, program, id, all);
    if (block.races != nullptr) block.races->order_block();
  }
  return released;
}

void report_deadlock(Block& block, const Program& program) {
  for (Warp& warp : block.warps)
    for (const Fragment& fragment : warp.fragments) {
      report(warp, program.code[fragment.pc], FindingKind::deadlock, std::countr_zero(fragment.mask), 0, 0, Space::reg,
             "waits for threads that do not come");
      block.launch->stop = true;
      return;
    }
}

}  // namespace equinorm::vgpu
