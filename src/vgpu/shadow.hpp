// Shadow values: what registers and memory would hold if nothing were ever rounded, as double-double numbers beside the values. Private to
// the room.
//
// A register slot has shadows for each lane: number 0 for a whole binary32 or binary64 number, or numbers 0 and 1 for the lower and upper
// half of a packed pair; a 16-bit register uses number 0 as a half. Instructions of which table.inc says `none` drop the shadows of what
// they write. An operand without a shadow starts again from its value.
//
// Accuracy: the pair operations have relative errors below 2^-100 (Joldes, Muller, Popescu, TOMS 44, 2017), ex2 below 2^-98, the other
// functions (by MPFR) below 2^-104. This is no enclosure: cancellation may lose more, and nothing here bounds it.
#pragma once

#include <memory>
#include <unordered_map>

#include "vgpu/launch.hpp"

namespace equinorm::vgpu {

struct Pair {
  double high = 0, low = 0;
};

Pair add(Pair a, Pair b);
Pair multiply(Pair a, Pair b);
Pair divide(Pair a, Pair b);
Pair square_root(Pair a);
/// 2^a.
Pair power_of_two(Pair a);
/// One of the other functions, through MPFR at 160 bits.
Pair evaluate(ShadowOp function, Pair a);
inline Pair negate(Pair a) { return {-a.high, -a.low}; }
inline bool less(Pair a, Pair b) { return a.high < b.high || (a.high == b.high && a.low < b.low); }

/// The shadows of one slot.
struct SlotShadow {
  Pair value[2][kLanes];
  u32 whole = 0;         ///< lanes where value[0] belongs to the whole register
  u32 half[2] = {0, 0};  ///< lanes where value[h] belongs to half h
  u32 lost = 0;          ///< lanes whose last value came from an instruction that drops shadows
};

/// Shadows of bytes in memory, by the address of the number's first byte. A shadow belongs to the bits that were stored with it: other bits
/// there mean that something else has been written since.
class ShadowMemory {
 public:
  struct Entry {
    Pair value;
    u64 bits = 0;
    u8 bytes = 0;
  };
  void store(u64 address, const Entry& entry) { entries_[address] = entry; }
  void forget(u64 address) { entries_.erase(address); }
  /// Null unless the number of `bytes` bytes with these bits has one.
  const Pair* find(u64 address, u64 bits, int bytes) const;
  void clear() { entries_.clear(); }

 private:
  std::unordered_map<u64, Entry> entries_;
};

/// The shadow state of a launch.
class Shadows {
 public:
  Shadows(Launch& launch, ShadowMemory& global) : launch_(launch), global_(global) {}
  void start_block(Block& block);
  void run(Warp& warp, const Decoded& instruction, u32 mask);
  /// Makes `value` the shadow of the bytes of a parameter.
  void set_parameter(u64 offset, u32 bits, Pair value) { parameters_.store(kParamWindow + offset, {value, bits, 4}); }
  void summarise();

 private:
  /// The operand of an arithmetic instruction in one lane: with rounding removed, and as it is.
  struct Operand {
    Pair shadow, value;
  };
  struct LineStatistics {
    u64 operations = 0;
    double largest_ulp = 0, sum = 0;
  };

  SlotShadow& slot(const Warp& warp, u32 slot);
  const SlotShadow* find_slot(const Warp& warp, u32 slot) const;
  void drop(Warp& warp, const Decoded& instruction, u32 mask);
  Operand read(Warp& warp, u32 slot, Type type, int half, int lane);
  void write(Warp& warp, u32 slot, Type type, int half, int lane, Pair value);
  /// Counts the rounding error of one result, and reports the first NaN or infinity made from finite operands.
  void note(Warp& warp, const Decoded& instruction, int lane, Pair exact, double result, Type type, bool finite_operands);

  // shadow.cpp
  void arithmetic(Warp& warp, const Decoded& instruction, u32 mask);
  void convert(Warp& warp, const Decoded& instruction, u32 mask);
  void convert_integer(Warp& warp, const Decoded& instruction, u32 mask);
  // shadow_moves.cpp
  void copy_lane(Warp& warp, u32 to, int to_lane, const SlotShadow& from, int from_lane);
  void move(Warp& warp, const Decoded& instruction, u32 mask);
  void pack(Warp& warp, const Decoded& instruction, u32 mask);
  void unpack(Warp& warp, const Decoded& instruction, u32 mask);
  void shift(Warp& warp, const Decoded& instruction, u32 mask);
  void shuffle(Warp& warp, const Decoded& instruction, u32 mask);
  void permute(Warp& warp, const Decoded& instruction, u32 mask);
  void mask_bits(Warp& warp, const Decoded& instruction, u32 mask);
  // shadow_memory.cpp
  ShadowMemory& memory_of(Space space, u64& address, Warp& warp, int lane);
  u64 address_of(const Warp& warp, u32 slot, bool is_64, s64 offset, int lane) const;
  void load(Warp& warp, const Decoded& instruction, u32 mask);
  void store(Warp& warp, const Decoded& instruction, u32 mask);
  void load_matrix(Warp& warp, const Decoded& instruction, u32 mask);
  void copy_async(Warp& warp, const Decoded& instruction, u32 mask);
  void atomic(Warp& warp, const Decoded& instruction, u32 mask);
  // shadow_matrix.cpp
  void matrix(Warp& warp, const Decoded& instruction, u32 mask);

  Launch& launch_;
  ShadowMemory& global_;
  ShadowMemory shared_, local_, parameters_;
  std::vector<std::vector<std::unique_ptr<SlotShadow>>> files_;  // by warp, then by slot / 64
  std::unordered_map<int, LineStatistics> lines_;                // by place
  std::map<std::string, int> constants_;                         // recognised ones
};

/// Runs an instruction for the lanes of the mask, values and shadows.
inline void run_with_shadow(Shadows& shadows, Warp& warp, const Decoded& instruction, u32 mask) { shadows.run(warp, instruction, mask); }
inline void start_block(Shadows& shadows, Block& block) { shadows.start_block(block); }

}  // namespace equinorm::vgpu
