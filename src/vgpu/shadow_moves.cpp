// Shadows of instructions that only move bits: the shadow goes where the bits go.
#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {
namespace {

void clear(SlotShadow& to, u32 bit) {
  to.whole &= ~bit;
  to.half[0] &= ~bit;
  to.half[1] &= ~bit;
  to.lost &= ~bit;
}
void put_half(SlotShadow& to, int half, int lane, Pair value) {
  to.half[half] |= u32{1} << lane;
  to.value[half][lane] = value;
}

}  // namespace

void Shadows::copy_lane(Warp& warp, u32 number, int to_lane, const SlotShadow& from, int from_lane) {
  SlotShadow& to = slot(warp, number);
  const u32 bit = u32{1} << to_lane;
  clear(to, bit);
  if ((from.whole >> from_lane & 1) != 0) to.whole |= bit, to.value[0][to_lane] = from.value[0][from_lane];
  for (int h = 0; h < 2; ++h)
    if ((from.half[h] >> from_lane & 1) != 0) put_half(to, h, to_lane, from.value[h][from_lane]);
  if ((from.lost >> from_lane & 1) != 0) to.lost |= bit;
}

/// mov and selp.
void Shadows::move(Warp& warp, const Decoded& d, u32 mask) {
  const bool selects = d.slot_count == 4;
  const u32 first = selects ? *warp.lanes<u32>(d.slot[3]) ^ (d.negated ? kAllLanes : 0) : kAllLanes;
  d.handler(warp, d, mask);
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const u32 number = d.slot[(first >> i & 1) != 0 ? 1 : 2];
    if (number == d.slot[0]) continue;
    if (const SlotShadow* from = find_slot(warp, number)) {
      copy_lane(warp, d.slot[0], i, *from, i);
    } else {
      // A constant: its shadow may be a recognised number.
      const Type type = size_of(d.type) == 4 ? Type::f32 : size_of(d.type) == 8 ? Type::f64 : Type::bf16;
      clear(slot(warp, d.slot[0]), u32{1} << i);
      if (type != Type::f32) continue;
      const Operand x = read(warp, number, type, -1, i);
      if (x.shadow.low != 0.0) write(warp, d.slot[0], type, -1, i, x.shadow);
    }
  }
}

/// {low, high} halves into a 32-bit register; wider packings lose their shadows.
void Shadows::pack(Warp& warp, const Decoded& d, u32 mask) {
  Pair value[2][kLanes];
  u32 known[2] = {0, 0};
  const bool followed = d.register_bytes == 4 && d.count == 2;
  for (int h = 0; followed && h < 2; ++h)
    if (const SlotShadow* from = find_slot(warp, d.slot[h + 1])) {
      known[h] = from->half[0];
      for (int i = 0; i < kLanes; ++i) value[h][i] = from->value[0][i];
    }
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  if (!followed) return;
  SlotShadow& to = slot(warp, d.slot[0]);
  to.lost &= ~mask;
  for (int h = 0; h < 2; ++h)
    for (int i = 0; i < kLanes; ++i)
      if ((mask & known[h]) >> i & 1) put_half(to, h, i, value[h][i]);
}

void Shadows::unpack(Warp& warp, const Decoded& d, u32 mask) {
  SlotShadow copy;
  const SlotShadow* from = find_slot(warp, d.slot[d.count]);
  const bool followed = from != nullptr && d.register_bytes == 4 && d.count == 2;
  if (followed) copy = *from;
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  for (int h = 0; h < 2 && d.register_bytes == 4; ++h) {
    SlotShadow& to = slot(warp, d.slot[h]);
    to.lost &= ~mask;
    for (int i = 0; followed && i < kLanes; ++i)
      if ((mask & copy.half[h]) >> i & 1) put_half(to, 0, i, copy.value[h][i]);
  }
}

/// Shifts by 16 bring one half to the other's place: the usual way from bf16 to binary32 and back.
void Shadows::shift(Warp& warp, const Decoded& d, u32 mask) {
  const SlotShadow* from = find_slot(warp, d.slot[1]);
  SlotShadow copy;
  if (from != nullptr) copy = *from;
  u32 by16 = 0;
  for (int i = 0; i < kLanes; ++i) by16 |= static_cast<u32>(warp.lanes<u32>(d.slot[2])[i] == 16) << i;
  const bool left = rows()[static_cast<std::size_t>(d.row)].pattern[2] == 'l';
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  if (from == nullptr) return;
  SlotShadow& to = slot(warp, d.slot[0]);
  const int source = left ? 0 : 1;
  for (int i = 0; i < kLanes; ++i)
    if ((mask & by16 & copy.half[source]) >> i & 1) put_half(to, 1 - source, i, copy.value[source][i]);
}

/// and with 0xffff0000 or 0x0000ffff keeps one half.
void Shadows::mask_bits(Warp& warp, const Decoded& d, u32 mask) {
  const SlotShadow* from = find_slot(warp, d.slot[1]);
  SlotShadow copy;
  if (from != nullptr) copy = *from;
  u32 keeps[2] = {0, 0};
  for (int i = 0; i < kLanes; ++i) {
    const u32 bits = warp.lanes<u32>(d.slot[2])[i];
    keeps[0] |= static_cast<u32>(bits == 0xffffu) << i;
    keeps[1] |= static_cast<u32>(bits == 0xffff0000u) << i;
  }
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  if (from == nullptr) return;
  SlotShadow& to = slot(warp, d.slot[0]);
  for (int h = 0; h < 2; ++h)
    for (int i = 0; i < kLanes; ++i)
      if ((mask & keeps[h] & copy.half[h]) >> i & 1) put_half(to, h, i, copy.value[h][i]);
}

/// prmt that moves whole halves.
void Shadows::permute(Warp& warp, const Decoded& d, u32 mask) {
  SlotShadow sources[2];
  for (int k = 0; k < 2; ++k)
    if (const SlotShadow* from = find_slot(warp, d.slot[k + 1])) sources[k] = *from;
  u32 selectors[kLanes];
  for (int i = 0; i < kLanes; ++i) selectors[i] = warp.lanes<u32>(d.slot[3])[i];
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  SlotShadow& to = slot(warp, d.slot[0]);
  for (int i = 0; i < kLanes; ++i)
    for (int h = 0; h < 2; ++h) {
      const u32 low = selectors[i] >> (8 * h) & 15, high = selectors[i] >> (8 * h + 4) & 15;
      if (high != low + 1 || low % 2 != 0 || low > 6) continue;
      const SlotShadow& from = sources[low / 4];
      const int half = static_cast<int>(low / 2 % 2);
      if ((mask & from.half[half]) >> i & 1) put_half(to, h, i, from.value[half][i]);
    }
}

void Shadows::shuffle(Warp& warp, const Decoded& d, u32 mask) {
  const u32 at = d.has_pair ? 2 : 1;
  SlotShadow copy;
  const SlotShadow* from = find_slot(warp, d.slot[at]);
  if (from != nullptr) copy = *from;
  // Where each lane's value comes from: the shuffle of the lane numbers themselves.
  u32 numbers[kLanes], saved[kLanes];
  u32* source = warp.lanes<u32>(d.slot[at]);
  for (int i = 0; i < kLanes; ++i) saved[i] = source[i], source[i] = static_cast<u32>(i);
  const u32* result = warp.lanes<u32>(d.slot[0]);
  u32 old[kLanes];
  for (int i = 0; i < kLanes; ++i) old[i] = result == source ? 0 : result[i];
  d.handler(warp, d, mask);
  for (int i = 0; i < kLanes; ++i) numbers[i] = result[i] % kLanes;
  if (result != source)
    for (int i = 0; i < kLanes; ++i) warp.lanes<u32>(d.slot[0])[i] = old[i];
  for (int i = 0; i < kLanes; ++i) source[i] = saved[i];
  d.handler(warp, d, mask);
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    if (from != nullptr)
      copy_lane(warp, d.slot[0], i, copy, static_cast<int>(numbers[i]));
    else
      clear(slot(warp, d.slot[0]), u32{1} << i);
  }
}

}  // namespace equinorm::vgpu
