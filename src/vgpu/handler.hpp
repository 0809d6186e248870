// What executes: decoded instructions, warps and blocks. Private to the room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vgpu/memory.hpp"
#include "vgpu/opcodes.hpp"

namespace equinorm::vgpu {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;

inline constexpr int kLanes = 32;
inline constexpr std::size_t kCacheLine = 64;
inline constexpr u32 kPredicateBytes = 4 * 4096;  ///< at the start of a register file; slots of numbers lie behind
inline constexpr u32 kAllLanes = 0xffffffffu;

struct Warp;
struct Decoded;
class Journal;
/// Executes one instruction for the lanes of `mask`, which is not empty.
using Handler = void (*)(Warp& warp, const Decoded& instruction, u32 mask);

/// How the addresses of a warp's lanes lie: `row`: adjacent accesses in the order of the lanes; `uniform`: one access.
enum class Pattern : u8 { scattered, row, uniform };

/// Decoded::mode of an fma: which of a b and c counts with its sign changed. PTX has no such instruction; contract() makes it of a sub.
enum class FmaSigns : u8 { none, minus_addend, minus_product };

/// One instruction, ready to run. Operands are byte offsets of slots in the warp's register file, in the order of the row's operand column;
/// a slot holds 32 lanes of 2, 4 or 8 bytes, or one 32-bit mask for a predicate. Constants and special registers have slots too.
///
/// What most handlers read comes first and fills one cache line.
struct alignas(64) Decoded {
  static constexpr int kInline = 6;
  Handler handler = nullptr;
  u32 slot[kInline] = {};
  u32 guard = 0;   ///< slot of the predicate; slot 0 holds all ones
  u32 flip = 0;    ///< all ones for @!p
  s64 offset = 0;  ///< of the (first) address
  u32 target = 0;  ///< of a branch
  Flow flow = Flow::none;
  Type type = Type::b32;
  u8 mode = 0, count = 1;
  u8 register_bytes = 0;  ///< width of the data register of a load, store or conversion; `source_bytes` that of a conversion's source
  u8 source_bytes = 0;
  bool ftz = false, sat = false;
  const u32* slots = nullptr;  ///< all slots of an instruction that has more than kInline
  Type second_type = Type::b32;
  Space space = Space::generic;
  Rounding rounding = Rounding::nearest;
  u8 combine = 0;
  bool relu = false, nan = false, to_integer = false, has_rounding = false;
  bool negated = false;       ///< a source predicate is negated
  bool address_is_64 = true;  ///< the (first) address's base register has 64 bits
  bool second_is_64 = true;   ///< that of the second
  bool has_pair = false, has_optional = false;
  bool aligned = false;  ///< .aligned, or bar.sync, which implies it
  u8 results = 0;        ///< slots of results, the predicate of a pair not counted
  ShadowOp shadow = ShadowOp::none;
  s64 immediate = 0;
  s64 second_offset = 0;  ///< of the second address
  s32 row = -1;
  s32 place = -1;
  u32 line = 0;
  u32 slot_count = 0;
};

/// Slots of `instruction`, wherever they lie.
inline const u32* slots_of(const Decoded& instruction) { return instruction.slots != nullptr ? instruction.slots : instruction.slot; }

/// Lanes of one warp that stand at the same instruction.
struct Fragment {
  enum class Wait : u8 { none, barrier, warp };
  u32 pc = 0;
  u32 mask = 0;
  Wait wait = Wait::none;
  u32 barrier = 0;  ///< number of the barrier, or member mask of a warp barrier
};

struct Block;

/// Registers and control state of 32 threads.
struct Warp {
  std::byte* registers = nullptr;
  Block* block = nullptr;
  View global;  ///< hot copies of the block's views
  View shared;
  Journal* journal = nullptr;  ///< is told of stores to global memory before they are made; null: nobody asks
  u64* global_read = nullptr;  ///< by page of global memory: a bit for every kReadGranule bytes that were read; null: nobody asks
  u32 index = 0;
  u32 live = 0;  ///< lanes that have not left
  u32 pc = 0;    ///< of the running instruction
  std::vector<Fragment> fragments;

  template <class T>
  T* lanes(u32 slot) const {
    return reinterpret_cast<T*>(registers + slot);
  }
};

class Races;
class Shadows;
struct Launch;

/// One copy that cp.async has not yet made.
struct PendingCopy {
  u64 to = 0;  ///< offset in shared memory
  u64 from = 0;
  u32 bytes = 0, filled = 0;  ///< bytes copied; the rest up to `filled` is zero
  const Decoded* instruction = nullptr;
};

/// The asynchronous copies of one thread: closed groups, oldest first, and the open one.
struct CopyQueue {
  std::vector<std::vector<PendingCopy>> groups;
  std::vector<PendingCopy> open;
};

/// One block of threads while it runs.
struct Block {
  Launch* launch = nullptr;
  u32 index[3] = {};
  u32 threads = 0;
  std::vector<Warp> warps;
  Region shared;
  Region local;  ///< frames of all threads, one after the other
  u64 frame_bytes = 0;
  std::vector<CopyQueue> copies;
  Races* races = nullptr;  ///< null: not checked
};

std::span<const Handler> handlers_portable();
std::span<const Handler> handlers_avx2();
std::span<const Handler> handlers_avx512();
/// Row -> handler, for the instruction set of scalar::simd_level().
std::span<const Handler> handlers();

}  // namespace equinorm::vgpu
