// Shadows that pass through memory.
#include <cmath>
#include <cstring>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {
namespace {

bool is_inside(const Spot& spot, u64 bytes) {
  return spot.view.data != nullptr && spot.view.size >= bytes && spot.offset <= spot.view.size - bytes;
}

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

/// The shadows of a space; makes `offset` the key of a byte there: for local memory the frames lie one after the other.
ShadowMemory& Shadows::memory_of(const Spot& spot, u64& offset, Warp& warp, int lane) {
  switch (spot.space) {
    case Space::shared:
      return shared_;
    case Space::local:
      offset += (warp.index * kLanes + static_cast<u64>(lane)) * warp.block->frame_bytes;
      return local_;
    case Space::param:
      return parameters_;
    default:
      return global_;
  }
}

/// Whether a full warp touches adjacent accesses, or one, of global or shared memory, all inside; then where the first lies.
bool Shadows::find_row(const Warp& warp, const Decoded& d, u32 mask, u32 number, Spot& spot) const {
  if (mask != kAllLanes || (d.space != Space::global && d.space != Space::constant && d.space != Space::shared)) return false;
  const u64 step = u64{d.source_bytes} * d.count;
  const auto is_row = [&](const auto* a) {
    const u64 distance = a[1] - a[0];
    if (distance != step && distance != 0) return false;
    for (u32 i = 2; i < kLanes; ++i)
      if (a[i] != a[0] + i * distance) return false;
    return true;
  };
  if (!(d.address_is_64 ? is_row(warp.lanes<u64>(number)) : is_row(warp.lanes<u32>(number)))) return false;
  const u64 address = address_of(warp, number, d.address_is_64, d.offset, 0);
  spot = d.space == Space::shared ? Spot{warp.shared, address, Space::shared} : Spot{warp.global, address - kGlobalWindow, Space::global};
  return is_inside(spot, step * kLanes);
}

void Shadows::load(Warp& warp, const Decoded& d, u32 mask) {
  const u32* slots = slots_of(d);
  const u32 bytes = d.source_bytes;
  Spot row;
  if (find_row(warp, d, mask, slots[d.count], row)) {
    const ShadowMemory& memory = row.space == Space::shared ? shared_ : global_;
    const u64 span = u64{bytes} * d.count * kLanes;
    if (memory.is_empty(row.offset, span)) {
      d.handler(warp, d, mask);
      return settle(warp, d, mask);
    }
    if (bytes == 4 && d.count == 1 && d.register_bytes == 4 && !memory.has_halves(row.offset, span)) {
      const bool uniform =
          address_of(warp, slots[1], d.address_is_64, d.offset, 1) == address_of(warp, slots[1], d.address_is_64, d.offset, 0);
      d.handler(warp, d, mask);
      settle(warp, d, mask);
      const u32* bits = warp.lanes<u32>(slots[0]);
      Pairs& to = values(warp, slots[0]).value[0];
      Pair one;
      if (!uniform) {
        state(warp, slots[0]).whole = memory.load_row(row.offset, bits, to);
      } else if (memory.find(row.offset, bits[0], 4, one)) {
        for (int i = 0; i < kLanes; ++i) to.set(i, one);
        state(warp, slots[0]).whole = kAllLanes;
      }
      return;
    }
  }
  load_lanes(warp, d, mask);
}

void Shadows::load_lanes(Warp& warp, const Decoded& d, u32 mask) {
  const u32* slots = slots_of(d);
  Spot spots[kLanes];
  for (int i = 0; i < kLanes; ++i)
    if ((mask >> i & 1) != 0) spots[i] = locate(warp, d, i, d.space, address_of(warp, slots[d.count], d.address_is_64, d.offset, i));
  d.handler(warp, d, mask);
  settle(warp, d, mask);
  const u32 bytes = d.source_bytes;
  if (bytes == 1) return;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    if (!is_inside(spots[i], u64{bytes} * d.count)) continue;
    for (int k = 0; k < d.count; ++k) {
      if (slots[k] < kPredicateBytes) continue;
      const u64 offset = spots[i].offset + bytes * static_cast<u32>(k);
      u64 key = offset;
      const ShadowMemory& memory = memory_of(spots[i], key, warp, i);
      const u64 bits = bits_at(spots[i], offset, bytes);
      Pair found;
      if (memory.find(key, bits, static_cast<int>(bytes), found)) {
        write(warp, slots[k], bytes == 2 ? Type::bf16 : bytes == 8 ? Type::f64 : Type::f32, -1, i, found);
      } else if (bytes == 4) {
        for (int h = 0; h < 2; ++h)
          if (memory.find(key + 2 * static_cast<u64>(h), bits >> (16 * h) & 0xffff, 2, found))
            write(warp, slots[k], Type::bf16, h, i, found);
      }
    }
  }
}

void Shadows::store(Warp& warp, const Decoded& d, u32 mask) {
  const u32* slots = slots_of(d);
  Spot row;
  const bool is_row = find_row(warp, d, mask, slots[0], row);
  d.handler(warp, d, mask);
  if (!is_row) return store_lanes(warp, d, mask);
  ShadowMemory& memory = row.space == Space::shared ? shared_ : global_;
  const u64 span = u64{d.source_bytes} * d.count * kLanes;
  bool has_any = false, has_halves = false;
  for (int k = 0; k < d.count; ++k) {
    const SlotState& from = state(warp, slots[k + 1]);
    has_any |= from.has_any(mask);
    has_halves |= (from.half[0] | from.half[1]) != 0;
  }
  if (!has_any && memory.is_empty(row.offset, span)) return;
  const bool uniform = address_of(warp, slots[0], d.address_is_64, d.offset, 1) == address_of(warp, slots[0], d.address_is_64, d.offset, 0);
  if (uniform || has_halves || d.source_bytes != 4 || d.count != 1) return store_lanes(warp, d, mask);
  memory.store_row(row.offset, warp.lanes<u32>(slots[1]), state(warp, slots[1]).whole, values(warp, slots[1]).value[0]);
}

void Shadows::store_lanes(Warp& warp, const Decoded& d, u32 mask) {
  const u32* slots = slots_of(d);
  const u32 bytes = d.source_bytes;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    const Spot spot = locate(warp, d, i, d.space, address_of(warp, slots[0], d.address_is_64, d.offset, i));
    if (!is_inside(spot, u64{bytes} * d.count)) continue;
    for (int k = 0; k < d.count; ++k) {
      const u64 offset = spot.offset + bytes * static_cast<u32>(k);
      u64 key = offset;
      ShadowMemory& memory = memory_of(spot, key, warp, i);
      const u64 bits = bits_at(spot, offset, bytes);
      memory.forget(key, static_cast<int>(bytes));
      const SlotState& from = state(warp, slots[k + 1]);
      if (!from.has_any(u32{1} << i)) continue;
      const SlotValues& shadow = values(warp, slots[k + 1]);
      if ((from.whole >> i & 1) != 0 && bytes >= 4) memory.store(key, bits, static_cast<int>(bytes), shadow.value[0][i]);
      for (int h = 0; h < static_cast<int>(bytes) / 2 && h < 2 && bytes <= 4; ++h)
        if ((from.half[h] >> i & 1) != 0) memory.store(key + 2 * static_cast<u64>(h), bits >> (16 * h) & 0xffff, 2, shadow.value[h][i]);
    }
  }
}

/// As the handler: row r of matrix k at the address in lane 8 k + r; the shadows of its eight numbers go where the numbers go.
void Shadows::load_matrix(Warp& warp, const Decoded& d, u32 mask) {
  const bool transposed = std::string_view(rows()[static_cast<std::size_t>(d.row)].pattern).find(".trans") != std::string_view::npos;
  const int matrices = static_cast<int>(d.slot_count) - 1;
  u64 offsets[kLanes];
  bool any = false;
  for (int i = 0; i < kLanes; ++i) {
    offsets[i] = address_of(warp, d.slot[matrices], d.address_is_64, d.offset, i);
    any |= i < 8 * matrices && shared_.has_halves(offsets[i], 16);
  }
  d.handler(warp, d, mask);
  settle(warp, d, mask);
  for (int k = 0; any && k < matrices; ++k)
    for (int i = 0; i < kLanes; ++i)
      for (int h = 0; h < 2; ++h) {
        const int row = transposed ? i % 4 * 2 + h : i / 4, column = transposed ? i / 4 : i % 4 * 2 + h;
        const u64 bits = warp.lanes<u32>(d.slot[k])[i] >> (16 * h) & 0xffff;
        Pair found;
        if (shared_.find(offsets[8 * k + row] + 2 * static_cast<u64>(column), bits, 2, found))
          write(warp, d.slot[k], Type::bf16, h, i, found);
      }
}

/// As load_matrix, the other way.
void Shadows::store_matrix(Warp& warp, const Decoded& d, u32 mask) {
  const bool transposed = std::string_view(rows()[static_cast<std::size_t>(d.row)].pattern).find(".trans") != std::string_view::npos;
  const int matrices = static_cast<int>(d.slot_count) - 1;
  d.handler(warp, d, mask);
  for (int k = 0; k < matrices; ++k)
    for (int i = 0; i < kLanes; ++i)
      for (int h = 0; h < 2; ++h) {
        const int row = transposed ? i % 4 * 2 + h : i / 4, column = transposed ? i / 4 : i % 4 * 2 + h;
        const u64 at = address_of(warp, d.slot[0], d.address_is_64, d.offset, 8 * k + row) + 2 * static_cast<u64>(column);
        if (at + 2 > warp.shared.size) continue;
        const SlotState& from = state(warp, d.slot[k + 1]);
        if ((from.half[h] >> i & 1) != 0)
          shared_.store(at, warp.lanes<u32>(d.slot[k + 1])[i] >> (16 * h) & 0xffff, 2, values(warp, d.slot[k + 1]).value[h][i]);
        else
          shared_.forget(at, 2);
      }
}

/// The shadows are copied at once, even where the bytes come later: bits that differ until then have no shadow.
void Shadows::copy_async(Warp& warp, const Decoded& d, u32 mask) {
  const auto size = static_cast<u64>(d.immediate);
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    const u64 to = address_of(warp, d.slot[0], d.address_is_64, d.offset, i);
    const Spot from = locate(warp, d, i, Space::global, address_of(warp, d.slot[1], d.second_is_64, d.second_offset, i));
    if (to >= warp.shared.size || warp.shared.size - to < size || !is_inside(from, size)) continue;
    if (shared_.is_empty(to, size) && global_.is_empty(from.offset, size)) continue;
    for (u64 at = 0; at < size; at += 4) shared_.forget(to + at, 4);
    for (u64 at = 0; at < size; at += 2)
      for (const u32 bytes : {2u, 4u}) {
        const u64 bits = bits_at(from, from.offset + at, bytes);
        Pair found;
        if (at % bytes == 0 && global_.find(from.offset + at, bits, static_cast<int>(bytes), found))
          shared_.store(to + at, bits, static_cast<int>(bytes), found);
      }
  }
  d.handler(warp, d, mask);
}

/// A floating-point addition carries shadows; every other atomic operation forgets them.
void Shadows::atomic(Warp& warp, const Decoded& d, u32 mask) {
  const bool returns = d.results != 0;
  const u32 address_slot = returns ? d.slot[1] : d.slot[0], operand_slot = returns ? d.slot[2] : d.slot[1];
  const bool adds = d.mode == 0 && (d.type == Type::f32 || d.type == Type::f64) && d.slot_count == (returns ? 3u : 2u);
  const u32 bytes = static_cast<u32>(size_of(d.type));
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    const Spot spot = locate(warp, d, i, d.space, address_of(warp, address_slot, d.address_is_64, d.offset, i));
    u64 key = spot.offset;
    ShadowMemory& memory = memory_of(spot, key, warp, i);
    Pair sum, exact;
    if (adds) {
      const u64 bits = bits_at(spot, spot.offset, bytes);
      if (!memory.find(key, bits, static_cast<int>(bytes), sum)) sum = {read_float(bits, d.type), 0.0};
      const Operand operand = read(warp, operand_slot, d.type, -1, i);
      exact = add({read_float(bits, d.type), 0.0}, operand.value);
      sum = apply(d, ShadowOp::add, sum, operand.shadow, {});
    }
    d.handler(warp, d, u32{1} << i);
    if (!is_inside(spot, bytes)) continue;
    if (adds) {
      const u64 bits = bits_at(spot, spot.offset, bytes);
      sum = note(warp, d, i, exact, read_float(bits, d.type), d.type, std::isfinite(exact.high), sum);
      memory.store(key, bits, static_cast<int>(bytes), sum);
    } else {
      memory.forget(key, static_cast<int>(bytes));
    }
  }
  if (returns) drop(warp, d, mask);
}

}  // namespace equinorm::vgpu
