#include "vgpu/watch.hpp"

#include <algorithm>
#include <bit>

namespace equinorm::vgpu {
namespace {

bool writes(const Decoded& d, u32 slot) {
  const u32* slots = slots_of(d);
  for (u32 at = 0; at < d.results; ++at)
    if (slots[at] == slot) return true;
  return false;
}

bool only_moves(const Decoded& d) {
  return d.shadow == ShadowOp::move || d.shadow == ShadowOp::convert || d.shadow == ShadowOp::pack || d.shadow == ShadowOp::shift ||
         d.shadow == ShadowOp::mask_bits;
}

}  // namespace

/// The last instruction before the store in the text that made what the slot holds, conversions and moves passed over; null: none.
const Decoded* Watch::maker(const Decoded& store, u32 slot) const {
  const Decoded* const first = launch_.program->code.data();
  for (const Decoded* d = &store; d != first;) {
    --d;
    if (d->flow != Flow::none || !writes(*d, slot)) continue;
    if (!only_moves(*d)) return d;
    slot = slots_of(*d)[d->results];
  }
  return nullptr;
}

Write Watch::describe(const Warp& warp, const Decoded& store, int lane, u64 address, u32 slot) const {
  Write write;
  write.address = address;
  write.line = store.line;
  write.place = launch_.module->describe_place(store.place);
  if (const Decoded* made = maker(store, slot)) write.computed = launch_.module->describe_place(made->place);
  std::copy_n(warp.block->index, 3, write.block.begin());
  const u32 thread = warp.index * kLanes + static_cast<u32>(lane);
  const auto& size = launch_.grid.threads;
  write.thread = {thread % size[0], thread / size[0] % size[1], thread / (size[0] * size[1])};
  return write;
}

void Watch::access(Warp& warp, const Decoded& d, u32 mask) {
  const bool is_atomic = d.shadow == ShadowOp::atomic;
  if ((d.shadow != ShadowOp::store && !is_atomic) || (d.space != Space::global && d.space != Space::generic)) return;
  const u32* slots = slots_of(d);
  const u32 at = is_atomic ? d.results : 0, element = is_atomic ? static_cast<u32>(size_of(d.type)) : d.source_bytes;
  const u64 bytes = u64{element} * (is_atomic ? 1 : d.count);
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int lane = std::countr_zero(rest);
    const u64 address =
        (d.address_is_64 ? warp.lanes<u64>(slots[at])[lane] : warp.lanes<u32>(slots[at])[lane]) + static_cast<u64>(d.offset);
    for (std::size_t i = 0; i < writes_.size(); ++i) {
      const u64 watched = launch_.options.watched[i];
      if (watched - address < bytes) writes_[i] = describe(warp, d, lane, watched, slots[at + 1 + (watched - address) / element]);
    }
  }
}

void Watch::summarise(LaunchReport& report) const {
  for (const auto& write : writes_)
    if (write) report.writes.push_back(*write);
}

}  // namespace equinorm::vgpu
