// One lane's access to memory: finding the place, checking it, copying, atomics.
#include <algorithm>
#include <cstring>

#include "vgpu/launch.hpp"

namespace equinorm::vgpu {
namespace {

View frame_of(Warp& warp, int lane) {
  Block& block = *warp.block;
  View view = block.local.view();
  const u64 begin = (warp.index * kLanes + static_cast<u32>(lane)) * block.frame_bytes;
  // Frames do not begin at pages: none is ever settled.
  return {view.data + begin, view.state + begin, nullptr, kLocalWindow, block.frame_bytes};
}

template <class T>
T as(u64 bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
u64 bits_of(T value) {
  u64 bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <class T>
u64 combine_integers(u8 mode, T old, T operand) {
  switch (mode) {
    case 0:
      return bits_of(static_cast<T>(static_cast<u64>(old) + static_cast<u64>(operand)));
    case 1:
      return bits_of(std::min(old, operand));
    case 2:
      return bits_of(std::max(old, operand));
    case 3:
      return bits_of(static_cast<T>(old & operand));
    case 4:
      return bits_of(static_cast<T>(old | operand));
    case 5:
      return bits_of(static_cast<T>(old ^ operand));
    case 6:
      return bits_of(operand);
    case 7:
      return bits_of(old >= operand ? T(0) : static_cast<T>(old + 1));
    default:
      return bits_of(old == 0 || old > operand ? operand : static_cast<T>(old - 1));
  }
}

u64 combine(const Decoded& d, u64 old, u64 operand) {
  const auto half = [&](bool is_bf16, int shift) {
    const HalfOp op = d.mode == 1 ? HalfOp::min : d.mode == 2 ? HalfOp::max : HalfOp::add;
    return static_cast<u64>(half_operation(op, is_bf16, static_cast<u16>(old >> shift), static_cast<u16>(operand >> shift), 0, d)) << shift;
  };
  if (d.mode == 6) return operand;
  switch (d.type) {
    case Type::f32: {
      const float sum = as<float>(old) + as<float>(operand);
      return sum == sum ? bits_of(sum) : 0x7fffffffu;
    }
    case Type::f64: {
      const double sum = as<double>(old) + as<double>(operand);
      return sum == sum ? bits_of(sum) : 0x7ff8000000000000u;
    }
    case Type::f16:
      return half(false, 0);
    case Type::bf16:
      return half(true, 0);
    case Type::f16x2:
      return half(false, 0) | half(false, 16);
    case Type::bf16x2:
      return half(true, 0) | half(true, 16);
    case Type::s32:
      return combine_integers(d.mode, as<s32>(old), as<s32>(operand)) & 0xffffffffu;
    case Type::s64:
      return combine_integers(d.mode, as<s64>(old), as<s64>(operand));
    case Type::u64:
    case Type::b64:
      return combine_integers(d.mode, old, operand);
    default:
      return combine_integers(d.mode, static_cast<u32>(old), static_cast<u32>(operand)) & 0xffffffffu;
  }
}

void make_copy(Warp& warp, int lane, const PendingCopy& copy) {
  const Decoded& d = *copy.instruction;
  View shared = warp.shared;
  std::byte bytes[16] = {};
  if (copy.bytes != 0) {
    const Spot from = locate(warp, d, lane, Space::global, copy.from);
    // The source is read as a whole: its alignment is that of the copy.
    if (const std::byte* source = access(warp, d, lane, from, copy.filled, false)) std::memcpy(bytes, source, copy.bytes);
  }
  if (std::byte* to = access(warp, d, lane, {shared, copy.to, Space::shared}, copy.filled, true)) std::memcpy(to, bytes, copy.filled);
}

}  // namespace

Spot locate(Warp& warp, const Decoded&, int lane, Space space, u64 address) {
  Block& block = *warp.block;
  if (space == Space::generic) {
    if (address >= kGlobalWindow)
      space = Space::global;
    else if (address >= kParamWindow)
      space = Space::param, address -= kParamWindow;
    else if (address >= kLocalWindow)
      space = Space::local, address -= kLocalWindow;
    else if (address >= kSharedWindow)
      space = Space::shared, address -= kSharedWindow;
    else
      return {View{}, address, Space::generic};
  }
  switch (space) {
    case Space::shared:
      return {warp.shared, address, space};
    case Space::local:
      return {frame_of(warp, lane), address, space};
    case Space::param:
      return {block.launch->parameters.view(), address, space};
    default:
      return {warp.global, address - kGlobalWindow, Space::global};
  }
}

std::byte* access(Warp& warp, const Decoded& instruction, int lane, const Spot& spot, u32 bytes, bool is_write) {
  const View& view = spot.view;
  const bool inside = view.data != nullptr && view.size >= bytes && spot.offset <= view.size - bytes && (spot.offset & (bytes - 1)) == 0;
  const ByteState least = is_write ? kUnwritten : kWritten;
  // There is no such pointer where the access does not lie inside.
  std::uint8_t* const state = inside ? view.state + spot.offset : nullptr;
  if (!inside || std::any_of(state, state + bytes, [least](std::uint8_t s) { return s < least; }))
    if (!report_access(warp, instruction, lane, view, spot.offset, bytes, is_write, spot.space)) return nullptr;
  if (spot.space == Space::global) note_global(warp, spot.offset, bytes, is_write);
  if (is_write) std::memset(state, kWritten, bytes);
  if (spot.space == Space::shared && warp.block->races != nullptr)
    warp.block->races->access(warp, instruction, lane, spot.offset, bytes, is_write);
  return view.data + spot.offset;
}

u64 atomic(Warp& warp, const Decoded& d, int lane, u64 address, u64 operand, u64 swap, bool is_compare) {
  const auto bytes = static_cast<u32>(size_of(d.type));
  const Spot spot = locate(warp, d, lane, d.space, address);
  Races* races = warp.block->races;
  if (spot.space == Space::shared && races != nullptr && spot.offset + bytes <= spot.view.size)
    races->access(warp, d, lane, spot.offset, bytes, true, true);
  warp.block->races = nullptr;
  std::byte* at = access(warp, d, lane, spot, bytes, false);
  warp.block->races = races;
  if (at == nullptr) return 0;
  u64 old = 0;
  std::memcpy(&old, at, bytes);
  const u64 fresh = is_compare ? (old == operand ? swap : old) : combine(d, old, operand);
  std::memcpy(at, &fresh, bytes);
  std::memset(spot.view.state + spot.offset, kWritten, bytes);
  return old;
}

void start_copy(Warp& warp, const Decoded& instruction, int lane, u64 to, u64 from, u32 bytes, u32 filled) {
  const PendingCopy copy{to, from, bytes, filled, &instruction};
  Block& block = *warp.block;
  if (block.launch->options.copies == CopySchedule::eager) return make_copy(warp, lane, copy);
  // Until it is made, the destination holds nothing.
  const View& shared = warp.shared;
  if (to <= shared.size && shared.size - to >= filled)
    for (u64 i = to; i < to + filled; ++i)
      if (shared.state[i] == kWritten) shared.state[i] = kUnwritten, shared.settled[i / View::kPage] = 0;
  block.copies[warp.index * kLanes + static_cast<u32>(lane)].open.push_back(copy);
}

void close_group(Warp& warp, int lane) {
  CopyQueue& queue = warp.block->copies[warp.index * kLanes + static_cast<u32>(lane)];
  queue.groups.push_back(std::move(queue.open));
  queue.open.clear();
}

void finish_copies(Warp& warp, int lane, u64 groups_left, bool open_too) {
  CopyQueue& queue = warp.block->copies[warp.index * kLanes + static_cast<u32>(lane)];
  if (open_too) close_group(warp, lane);
  const std::size_t done = queue.groups.size() > groups_left ? queue.groups.size() - groups_left : 0;
  for (std::size_t i = 0; i < done; ++i)
    for (const PendingCopy& copy : queue.groups[i]) make_copy(warp, lane, copy);
  queue.groups.erase(queue.groups.begin(), queue.groups.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace equinorm::vgpu
