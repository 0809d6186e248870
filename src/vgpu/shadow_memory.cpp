// Shadows that pass through memory.
#include <cstring>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {
namespace {

u64 bits_at(const Spot& spot, u64 offset, u32 bytes) {
  u64 bits = 0;
  if (spot.view.data != nullptr && spot.view.size >= bytes && offset <= spot.view.size - bytes)
    std::memcpy(&bits, spot.view.data + offset, bytes);
  return bits;
}

}  // namespace

u64 Shadows::address_of(const Warp& warp, u32 number, bool is_64, s64 offset, int lane) const {
  return (is_64 ? warp.lanes<u64>(number)[lane] : warp.lanes<u32>(number)[lane]) + static_cast<u64>(offset);
}

/// The shadows of a space; makes `address` the key of a byte there: an offset, with the thread for local memory.
ShadowMemory& Shadows::memory_of(Space space, u64& address, Warp& warp, int lane) {
  switch (space) {
    case Space::shared:
      return shared_;
    case Space::local:
      address += (warp.index * kLanes + static_cast<u64>(lane)) << 32;
      return local_;
    case Space::param:
      address += kParamWindow;
      return parameters_;
    default:
      address += kGlobalWindow;
      return global_;
  }
}

void Shadows::load(Warp& warp, const Decoded& d, u32 mask) {
  const u32* slots = slots_of(d);
  Spot spots[kLanes];
  for (int i = 0; i < kLanes; ++i)
    if ((mask >> i & 1) != 0) spots[i] = locate(warp, d, i, d.space, address_of(warp, slots[d.count], d.address_is_64, d.offset, i));
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  const u32 bytes = d.source_bytes;
  for (int k = 0; k < d.count; ++k) {
    if (slots[k] < 4 * 4096) continue;
    SlotShadow& to = slot(warp, slots[k]);
    to.lost &= ~mask;
    for (int i = 0; i < kLanes; ++i) {
      if ((mask >> i & 1) == 0 || bytes == 1) continue;
      const u64 offset = spots[i].offset + bytes * static_cast<u32>(k);
      u64 key = offset;
      ShadowMemory& memory = memory_of(spots[i].space, key, warp, i);
      const u64 bits = bits_at(spots[i], offset, bytes);
      if (const Pair* found = memory.find(key, bits, static_cast<int>(bytes))) {
        write(warp, slots[k], bytes == 2 ? Type::bf16 : bytes == 8 ? Type::f64 : Type::f32, -1, i, *found);
      } else if (bytes == 4) {
        for (int h = 0; h < 2; ++h)
          if (const Pair* half = memory.find(key + 2 * static_cast<u64>(h), bits >> (16 * h) & 0xffff, 2))
            write(warp, slots[k], Type::bf16, h, i, *half);
      }
    }
  }
}

void Shadows::store(Warp& warp, const Decoded& d, u32 mask) {
  d.handler(warp, d, mask);
  const u32* slots = slots_of(d);
  const u32 bytes = d.source_bytes;
  for (int k = 0; k < d.count; ++k) {
    const SlotShadow* from = find_slot(warp, slots[k + 1]);
    for (int i = 0; i < kLanes; ++i) {
      if ((mask >> i & 1) == 0) continue;
      const Spot spot = locate(warp, d, i, d.space, address_of(warp, slots[0], d.address_is_64, d.offset, i));
      const u64 offset = spot.offset + bytes * static_cast<u32>(k);
      u64 key = offset;
      ShadowMemory& memory = memory_of(spot.space, key, warp, i);
      const u64 bits = bits_at(spot, offset, bytes);
      memory.forget(key);
      if (bytes == 4) memory.forget(key + 2);
      if (from == nullptr) continue;
      if ((from->whole >> i & 1) != 0 && bytes >= 4) memory.store(key, {from->value[0][i], bits, static_cast<u8>(bytes)});
      for (int h = 0; h < static_cast<int>(bytes) / 2 && h < 2 && bytes <= 4; ++h)
        if ((from->half[h] >> i & 1) != 0) memory.store(key + 2 * static_cast<u64>(h), {from->value[h][i], bits >> (16 * h) & 0xffff, 2});
    }
  }
}

/// As the handler: row r of matrix k at the address in lane 8 k + r; the shadows of its eight numbers go where the numbers go.
void Shadows::load_matrix(Warp& warp, const Decoded& d, u32 mask) {
  const std::string_view pattern = rows()[static_cast<std::size_t>(d.row)].pattern;
  const bool transposed = pattern.find(".trans") != std::string_view::npos;
  const int matrices = static_cast<int>(d.slot_count) - 1;
  u64 offsets[kLanes];
  for (int i = 0; i < kLanes; ++i) offsets[i] = address_of(warp, d.slot[matrices], d.address_is_64, d.offset, i);
  d.handler(warp, d, mask);
  drop(warp, d, mask);
  for (int k = 0; k < matrices; ++k) {
    slot(warp, d.slot[k]).lost &= ~mask;
    for (int i = 0; i < kLanes; ++i)
      for (int h = 0; h < 2; ++h) {
        const int row = transposed ? i % 4 * 2 + h : i / 4, column = transposed ? i / 4 : i % 4 * 2 + h;
        const u64 bits = warp.lanes<u32>(d.slot[k])[i] >> (16 * h) & 0xffff;
        if (const Pair* found = shared_.find(offsets[8 * k + row] + 2 * static_cast<u64>(column), bits, 2))
          write(warp, d.slot[k], Type::bf16, h, i, *found);
      }
  }
}

/// The shadows are copied at once, even where the bytes come later: bits that differ until then have no shadow.
void Shadows::copy_async(Warp& warp, const Decoded& d, u32 mask) {
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const u64 to = address_of(warp, d.slot[0], d.address_is_64, d.offset, i);
    const Spot from = locate(warp, d, i, Space::global, address_of(warp, d.slot[1], d.second_is_64, d.second_offset, i));
    for (u64 at = 0; at < static_cast<u64>(d.immediate); at += 2) {
      shared_.forget(to + at);
      for (const u32 bytes : {2u, 4u}) {
        const u64 bits = bits_at(from, from.offset + at, bytes);
        if (const Pair* found = global_.find(kGlobalWindow + from.offset + at, bits, static_cast<int>(bytes)))
          shared_.store(to + at, {*found, bits, static_cast<u8>(bytes)});
      }
    }
  }
  d.handler(warp, d, mask);
}

/// A floating-point addition carries shadows; every other atomic operation forgets them.
void Shadows::atomic(Warp& warp, const Decoded& d, u32 mask) {
  const bool returns = rows()[static_cast<std::size_t>(d.row)].operands[0] == '=';
  const u32 address_slot = returns ? d.slot[1] : d.slot[0], operand_slot = returns ? d.slot[2] : d.slot[1];
  const bool adds = d.mode == 0 && (d.type == Type::f32 || d.type == Type::f64) && d.slot_count == (returns ? 3u : 2u);
  struct Addend {
    Spot spot;
    u64 key;
    Pair value;
  };
  std::vector<Addend> addends;
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    Addend one{locate(warp, d, i, d.space, address_of(warp, address_slot, d.address_is_64, d.offset, i)), 0, {}};
    one.key = one.spot.offset;
    ShadowMemory& memory = memory_of(one.spot.space, one.key, warp, i);
    const u32 bytes = static_cast<u32>(size_of(d.type));
    const u64 bits = bits_at(one.spot, one.spot.offset, bytes);
    if (adds) {
      const Pair* before = memory.find(one.key, bits, static_cast<int>(bytes));
      double value = 0;
      if (d.type == Type::f64) {
        std::memcpy(&value, &bits, 8);
      } else {
        float narrow = 0;
        std::memcpy(&narrow, &bits, 4);
        value = narrow;
      }
      one.value = add(before != nullptr ? *before : Pair{value, 0.0}, read(warp, operand_slot, d.type, -1, i).shadow);
    }
    d.handler(warp, d, u32{1} << i);
    if (adds)
      memory.store(one.key, {one.value, bits_at(one.spot, one.spot.offset, bytes), static_cast<u8>(bytes)});
    else
      memory.forget(one.key);
  }
  if (returns) drop(warp, d, mask);
}

}  // namespace equinorm::vgpu
