// Shadows of instructions that only move bits: the shadow goes where the bits go.
#include <algorithm>

#include "vgpu/ops_common.hpp"
#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {

void Shadows::put_half(Warp& warp, u32 number, int half, int lane, Pair value) {
  state(warp, number).half[half] |= u32{1} << lane;
  values(warp, number).value[half].set(lane, value);
}

void Shadows::copy_slot(Warp& warp, u32 to, u32 from, u32 mask) {
  if (to == from) return;
  const SlotState& source = state(warp, from);
  SlotState& target = state(warp, to);
  const auto take = [mask](u32& bits, u32 other) { bits = (bits & ~mask) | (other & mask); };
  take(target.whole, source.whole);
  take(target.half[0], source.half[0]);
  take(target.half[1], source.half[1]);
  take(target.lost, source.lost);
  target.written = true;
  if (((source.whole | source.half[0]) & mask) != 0) kernels_.merge(values(warp, from).value[0], mask, values(warp, to).value[0]);
  if ((source.half[1] & mask) != 0) kernels_.merge(values(warp, from).value[1], mask, values(warp, to).value[1]);
}

/// mov and selp.
void Shadows::move(Warp& warp, const Decoded& d, u32 mask) {
  const bool selects = d.slot_count == 4;
  const u32 first = selects ? *warp.lanes<u32>(d.slot[3]) ^ (d.negated ? kAllLanes : 0) : kAllLanes;
  d.handler(warp, d, mask);
  for (const auto& [number, lanes] : {std::pair(d.slot[1], mask & first), std::pair(d.slot[selects ? 2 : 1], mask & ~first)}) {
    if (lanes == 0) continue;
    if (state(warp, number).written || size_of(d.type) != 4) {
      copy_slot(warp, d.slot[0], number, lanes);
      continue;
    }
    // A constant: its shadow may be a recognised number. The same in all lanes.
    SlotState& to = state(warp, d.slot[0]);
    to.forget(lanes);
    to.lost &= ~lanes;
    to.written = true;
    const Operand x = read(warp, number, Type::f32, -1, std::countr_zero(lanes));
    if (x.shadow.low == 0.0 && !(x.shadow.high != x.value.high)) continue;
    for (u32 rest = lanes; rest != 0; rest &= rest - 1) write(warp, d.slot[0], Type::f32, -1, std::countr_zero(rest), x.shadow);
  }
}

/// {low, high} halves into a 32-bit register; wider packings lose their shadows.
void Shadows::pack(Warp& warp, const Decoded& d, u32 mask) {
  Pairs half[2];
  u32 known[2] = {0, 0}, lost = 0;
  const bool followed = d.register_bytes == 4 && d.count == 2;
  for (int h = 0; followed && h < 2; ++h) {
    known[h] = state(warp, d.slot[h + 1]).half[0] & mask;
    lost |= state(warp, d.slot[h + 1]).lost & mask;
    if (known[h] != 0) half[h] = values(warp, d.slot[h + 1]).value[0];
  }
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  if (!followed) return;
  SlotState& to = state(warp, d.slot[0]);
  to.lost = (to.lost & ~mask) | lost;
  for (int h = 0; h < 2; ++h) {
    to.half[h] |= known[h];
    if (known[h] != 0) kernels_.merge(half[h], known[h], values(warp, d.slot[0]).value[h]);
  }
}

void Shadows::unpack(Warp& warp, const Decoded& d, u32 mask) {
  const bool followed = d.register_bytes == 4 && d.count == 2;
  const SlotState from = state(warp, d.slot[d.count]);
  Pairs half[2];
  for (int h = 0; followed && h < 2; ++h)
    if ((from.half[h] & mask) != 0) half[h] = values(warp, d.slot[d.count]).value[h];
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  for (int h = 0; followed && h < 2; ++h) {
    SlotState& to = state(warp, d.slot[h]);
    to.lost = (to.lost & ~mask) | (from.lost & mask);
    to.half[0] |= from.half[h] & mask;
    if ((from.half[h] & mask) != 0) kernels_.merge(half[h], from.half[h] & mask, values(warp, d.slot[h]).value[0]);
  }
}

/// Shifts by 16 bring one half to the other's place: the usual way from bf16 to binary32 and back.
void Shadows::shift(Warp& warp, const Decoded& d, u32 mask) {
  const SlotState from = state(warp, d.slot[1]);
  const int source = rows()[static_cast<std::size_t>(d.row)].pattern[2] == 'l' ? 0 : 1;
  u32 by16 = 0;
  for (int i = 0; i < kLanes; ++i) by16 |= static_cast<u32>(warp.lanes<u32>(d.slot[2])[i] == 16) << i;
  const u32 known = from.half[source] & by16 & mask;
  Pairs half;
  if (known != 0) half = values(warp, d.slot[1]).value[source];
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  SlotState& to = state(warp, d.slot[0]);
  to.lost &= ~(by16 & mask & ~from.lost);
  to.half[1 - source] |= known;
  if (known != 0) kernels_.merge(half, known, values(warp, d.slot[0]).value[1 - source]);
}

/// and with 0xffff0000 or 0x0000ffff keeps one half.
void Shadows::mask_bits(Warp& warp, const Decoded& d, u32 mask) {
  const SlotState from = state(warp, d.slot[1]);
  u32 keeps[2] = {0, 0};
  for (int i = 0; i < kLanes; ++i) {
    const u32 bits = warp.lanes<u32>(d.slot[2])[i];
    keeps[0] |= static_cast<u32>(bits == 0xffffu) << i;
    keeps[1] |= static_cast<u32>(bits == 0xffff0000u) << i;
  }
  Pairs half[2];
  for (int h = 0; h < 2; ++h)
    if ((keeps[h] &= mask, keeps[h] & from.half[h]) != 0) half[h] = values(warp, d.slot[1]).value[h];
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  SlotState& to = state(warp, d.slot[0]);
  to.lost &= ~((keeps[0] | keeps[1]) & ~from.lost);
  for (int h = 0; h < 2; ++h) {
    to.half[h] |= keeps[h] & from.half[h];
    if ((keeps[h] & from.half[h]) != 0) kernels_.merge(half[h], keeps[h] & from.half[h], values(warp, d.slot[0]).value[h]);
  }
}

/// prmt that moves whole halves.
void Shadows::permute(Warp& warp, const Decoded& d, u32 mask) {
  SlotState from[2];
  Pairs half[2][2];
  for (int k = 0; k < 2; ++k) {
    from[k] = state(warp, d.slot[k + 1]);
    for (int h = 0; h < 2; ++h)
      if ((from[k].half[h] & mask) != 0) half[k][h] = values(warp, d.slot[k + 1]).value[h];
  }
  u32 selectors[kLanes];
  std::copy_n(warp.lanes<u32>(d.slot[3]), kLanes, selectors);
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    int moved = 0;
    bool lost = false;
    for (int h = 0; h < 2; ++h) {
      const u32 low = selectors[i] >> (8 * h) & 15, high = selectors[i] >> (8 * h + 4) & 15;
      if (high != low + 1 || low % 2 != 0 || low > 6) continue;
      const u32 k = low / 4;
      const int source = static_cast<int>(low / 2 % 2);
      ++moved;
      lost |= (from[k].lost >> i & 1) != 0;
      if ((from[k].half[source] >> i & 1) != 0) put_half(warp, d.slot[0], h, i, half[k][source][i]);
    }
    if (moved == 2 && !lost) state(warp, d.slot[0]).lost &= ~(u32{1} << i);
  }
}

void Shadows::shuffle(Warp& warp, const Decoded& d, u32 mask) {
  const u32 at = d.has_pair ? 2 : 1;
  u32 from[kLanes], inside[kLanes];
  shuffle_sources(d.mode, warp.lanes<u32>(d.slot[at + 1]), warp.lanes<u32>(d.slot[at + 2]), from, inside);
  const SlotState source = state(warp, d.slot[at]);
  const auto shuffled = [&](u32 bits) {
    if (bits == 0 || bits == kAllLanes) return bits;
    u32 result = 0;
    for (int i = 0; i < kLanes; ++i) result |= (bits >> from[i] & 1) << i;
    return result;
  };
  SlotState moved;
  moved.whole = shuffled(source.whole) & mask;
  moved.lost = shuffled(source.lost) & mask;
  Pairs shadow[2];
  for (int h = 0; h < 2; ++h) {
    moved.half[h] = shuffled(source.half[h]) & mask;
    if ((moved.half[h] | (h == 0 ? moved.whole : 0)) == 0) continue;
    const Pairs& old = values(warp, d.slot[at]).value[h];
    for (int i = 0; i < kLanes; ++i) shadow[h].set(i, old[static_cast<int>(from[i])]);
  }
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  SlotState& to = state(warp, d.slot[0]);
  to.lost = (to.lost & ~mask) | moved.lost;
  to.whole |= moved.whole;
  for (int h = 0; h < 2; ++h) {
    to.half[h] |= moved.half[h];
    const u32 lanes = moved.half[h] | (h == 0 ? moved.whole : 0);
    if (lanes != 0) kernels_.merge(shadow[h], lanes, values(warp, d.slot[0]).value[h]);
  }
}

}  // namespace equinorm::vgpu
