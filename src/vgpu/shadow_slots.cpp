// Shadows of registers: reading, writing, dropping.
#include <algorithm>
#include <bit>
#include <iterator>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {
namespace {

/// Constants that kernels hold as roundings of irrational numbers; with rounding removed they are those numbers.
struct KnownConstant {
  u32 bits;
  const char* name;
};
constexpr KnownConstant kConstants[] = {{0x3fb8aa3b, "log2(e)"}, {0x3f317218, "ln(2)"}};

}  // namespace

Type element_of(Type type) {
  return type == Type::f16x2 ? Type::f16 : type == Type::bf16x2 ? Type::bf16 : type == Type::b32 || type == Type::u32 ? Type::f32 : type;
}

u64 lane_bits(const Warp& warp, u32 slot, Type type, int half, int lane) {
  switch (type) {
    case Type::f16:
    case Type::bf16:
      return warp.lanes<u16>(slot)[lane * (half < 0 ? 1 : 2) + std::max(half, 0)];
    case Type::f64:
      return warp.lanes<u64>(slot)[lane];
    default:
      return warp.lanes<u32>(slot)[lane];
  }
}

SlotValues& Shadows::values(const Warp& warp, u32 slot) {
  auto& entry = files_[warp.index].values[slot / 64];
  if (entry == nullptr) entry = std::make_unique<SlotValues>();
  return *entry;
}

/// The results of an instruction whose shadow is not followed.
void Shadows::drop(Warp& warp, const Decoded& d, u32 mask) {
  const u32* slots = slots_of(d);
  for (int at = 0; at < d.results; ++at) {
    if (slots[at] < kPredicateBytes) continue;
    SlotState& to = state(warp, slots[at]);
    to.forget(mask);
    to.lost |= mask;
    to.written = true;
  }
}

void Shadows::settle(Warp& warp, const Decoded& d, u32 mask) {
  drop(warp, d, mask);
  const u32* slots = slots_of(d);
  for (int at = 0; at < d.results; ++at)
    if (slots[at] >= kPredicateBytes) state(warp, slots[at]).lost &= ~mask;
}

const Pairs& Shadows::read_lanes(Warp& warp, u32 number, u32 mask, Pairs& started) {
  const SlotState& known = state(warp, number);
  if ((known.whole & mask) == mask) return values(warp, number).value[0];
  const float* lanes = warp.lanes<float>(number);
  kernels_.start(lanes, known.whole, known.whole != 0 ? values(warp, number).value[0] : started, started);
  const u32 bits = warp.lanes<u32>(number)[std::countr_zero(mask)];
  if (!known.written && launch_.options.exact_constants)
    for (std::size_t k = 0; k < std::size(kConstants); ++k)
      if ((bits & 0x7fffffffu) == kConstants[k].bits) {
        const Pair exact = constant(k, bits != kConstants[k].bits);
        for (int i = 0; i < kLanes; ++i) started.set(i, exact);
        ++constants_[kConstants[k].name];
      }
  u32 lost = known.lost & mask & ~known.whole;
  for (u32 rest = known.half[1] & mask & ~known.whole; rest != 0; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    if ((warp.lanes<u32>(number)[i] & 0xffff) != 0) continue;
    started.set(i, values(warp, number).value[1][i]);  // bf16 in the upper half is binary32
    lost &= ~(u32{1} << i);
  }
  launch_.report->shadow.restarts += static_cast<u64>(std::popcount(lost));
  return started;
}

/// `half` is -1 for a number that has the register for itself.
Shadows::Operand Shadows::read(Warp& warp, u32 number, Type type, int half, int lane) {
  const u64 bits = lane_bits(warp, number, type, half, lane);
  Operand operand;
  operand.value = {read_float(bits, type), 0.0};
  operand.shadow = operand.value;
  const SlotState& known = state(warp, number);
  const u32 bit = u32{1} << lane;
  if (!known.written) {
    if (type == Type::f32 && launch_.options.exact_constants && store_.kind != ShadowKind::origins)
      for (std::size_t k = 0; k < std::size(kConstants); ++k)
        if ((bits & 0x7fffffffu) == kConstants[k].bits) {
          operand.shadow = constant(k, bits != kConstants[k].bits);
          ++constants_[kConstants[k].name];
        }
    return operand;
  }
  const bool is_half = type == Type::f16 || type == Type::bf16;
  const int h = std::max(half, 0);
  if (((is_half ? known.half[h] : known.whole) & bit) != 0) {
    operand.shadow = values(warp, number).value[is_half ? h : 0][lane];
  } else if (type == Type::f32 && (known.half[1] & bit) != 0 && (bits & 0xffff) == 0) {
    operand.shadow = values(warp, number).value[1][lane];  // bf16 in the upper half is binary32
  } else if ((known.lost & bit) != 0) {
    ++launch_.report->shadow.restarts;
  }
  return operand;
}

void Shadows::write(Warp& warp, u32 number, Type type, int half, int lane, Pair value) {
  SlotState& to = state(warp, number);
  const u32 bit = u32{1} << lane;
  to.lost &= ~bit;
  to.written = true;
  if (type == Type::f16 || type == Type::bf16) {
    const int h = std::max(half, 0);
    to.whole &= ~bit;
    to.half[h] |= bit;
    values(warp, number).value[h].set(lane, value);
  } else {
    to.half[0] &= ~bit;
    to.half[1] &= ~bit;
    to.whole |= bit;
    values(warp, number).value[0].set(lane, value);
  }
}

}  // namespace equinorm::vgpu
