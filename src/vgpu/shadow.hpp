// Shadow values: what registers and memory would hold if nothing were ever rounded, as double-double numbers beside the values. Private to
// the room.
//
// A register slot has shadows for each lane: number 0 for a whole binary32 or binary64 number, or numbers 0 and 1 for the lower and upper
// half of a packed pair; a 16-bit register uses number 0 as a half. Instructions of which table.inc says `none` drop the shadows of what
// they write. An operand without a shadow starts again from its value: shadows exist only where they differ from the values, or may.
//
// Of the kind double_double the accuracy is that of pair.hpp; lg2, sin, cos and tanh (by MPFR) are below 2^-104. Other kinds
// keep something else in the same pairs: see ShadowKind, shadow_wide.hpp.
#pragma once

#include <bit>

#include "vgpu/launch.hpp"
#include "vgpu/shadow_lanes.hpp"
#include "vgpu/shadow_plane.hpp"
#include "vgpu/shadow_wide.hpp"

namespace equinorm::vgpu {

/// 2^a.
Pair power_of_two(Pair a);
/// One of the functions without a kernel, through MPFR at 160 bits.
Pair evaluate(ShadowOp function, Pair a);

/// Type of the numbers in a register of a type: that of one half of a pair; binary32 for untyped words.
Type element_of(Type type);
/// Bits of a number in a register; `half` is -1 for one that has the register for itself.
u64 lane_bits(const Warp& warp, u32 slot, Type type, int half, int lane);

/// Which shadows a slot has, by lane.
struct SlotState {
  u32 whole = 0;         ///< value[0] belongs to the whole register
  u32 half[2] = {0, 0};  ///< value[h] belongs to half h
  u32 lost = 0;          ///< the last value came from an instruction that drops shadows
  bool written = false;  ///< false: a constant, a special register, or nothing yet

  void forget(u32 mask) { whole &= ~mask, half[0] &= ~mask, half[1] &= ~mask; }
  bool has_any(u32 mask) const { return ((whole | half[0] | half[1]) & mask) != 0; }
};
struct SlotValues {
  Pairs value[2];
};

/// The shadow state of a launch.
class Shadows {
 public:
  /// `store` is of the kind that the launch's options ask for.
  Shadows(Launch& launch, ShadowStore& store);
  void start_block(Block& block);
  void run(Warp& warp, const Decoded& instruction, u32 mask);
  /// Makes `value` the shadow of the bytes of a parameter.
  void set_parameter(u64 offset, u32 bits, Pair value) { parameters_.store(offset, bits, 4, value); }
  void summarise();

 private:
  /// The operand of an arithmetic instruction in one lane: with rounding removed, and as it is.
  struct Operand {
    Pair shadow, value;
  };
  struct File {
    std::vector<SlotState> states;                    // by slot / 64
    std::vector<std::unique_ptr<SlotValues>> values;  // given when first needed
  };

  SlotState& state(const Warp& warp, u32 slot) { return files_[warp.index].states[slot / 64]; }
  SlotValues& values(const Warp& warp, u32 slot);
  void drop(Warp& warp, const Decoded& instruction, u32 mask);
  /// The results have no shadows, but nothing is lost: their values are exact.
  void settle(Warp& warp, const Decoded& instruction, u32 mask);
  LineStatistics& line(const Decoded& instruction) { return lines_[static_cast<std::size_t>(instruction.place + 1)]; }
  Operand read(Warp& warp, u32 slot, Type type, int half, int lane);
  void write(Warp& warp, u32 slot, Type type, int half, int lane, Pair value);
  /// Shadows of a binary32 register in all lanes: its own, or `started` filled.
  const Pairs& read_lanes(Warp& warp, u32 slot, u32 mask, Pairs& started);
  // shadow_kinds.cpp
  Pair apply(const Decoded& instruction, ShadowOp op, Pair a, Pair b, Pair c);
  Pair constant(std::size_t number, bool is_negative) const;
  bool is_less(Pair a, Pair b) const { return wide_ != nullptr ? wide_->less(a, b) : less(a, b); }
  void collect();

  // shadow_errors.cpp
  /// Counts the rounding error of one result, and reports the first NaN or infinity made from finite operands. Returns the shadow with that
  /// error if the launch keeps the roundings of this line, else as it is.
  Pair note(Warp& warp, const Decoded& instruction, int lane, Pair exact, double result, Type type, bool finite_operands, Pair shadow);
  /// As note() for the lanes of a binary32 result: v are the operands, `to` their shadows' result.
  void keep_rounding(ShadowOp op, const float* const* v, const float* result, u32 mask, Pairs& to);
  bool keeps_rounding(const Decoded& instruction) const { return kept_[static_cast<std::size_t>(instruction.place + 1)] != 0; }
  void compare(Warp& warp, const Decoded& instruction, u32 mask);
  bool holds(int mode, Pair a, Pair b) const;

  // shadow_origins.cpp
  /// NaN and infinities among the operands of one result.
  struct Seen {
    bool nan = false, infinity = false;
    u64 origin = 0;  ///< of the first that has one

    void add(const Operand& operand);
  };
  u64 origin(Warp& warp, const Decoded& instruction, int lane, const Seen& seen, double result);
  void trace(Warp& warp, const Decoded& instruction, u32 mask);

  // shadow.cpp
  void arithmetic(Warp& warp, const Decoded& instruction, u32 mask);
  void arithmetic_lanes(Warp& warp, const Decoded& instruction, u32 mask, ShadowOp op);
  void convert(Warp& warp, const Decoded& instruction, u32 mask);
  void convert_integer(Warp& warp, const Decoded& instruction, u32 mask);
  // shadow_moves.cpp
  void copy_lane(Warp& warp, u32 to, int to_lane, const SlotState& from_state, const SlotValues& from, int from_lane);
  void put_half(Warp& warp, u32 slot, int half, int lane, Pair value);
  void copy_slot(Warp& warp, u32 to, u32 from, u32 mask);
  void move(Warp& warp, const Decoded& instruction, u32 mask);
  void pack(Warp& warp, const Decoded& instruction, u32 mask);
  void unpack(Warp& warp, const Decoded& instruction, u32 mask);
  void shift(Warp& warp, const Decoded& instruction, u32 mask);
  void shuffle(Warp& warp, const Decoded& instruction, u32 mask);
  void permute(Warp& warp, const Decoded& instruction, u32 mask);
  void mask_bits(Warp& warp, const Decoded& instruction, u32 mask);
  // shadow_memory.cpp
  ShadowMemory& memory_of(const Spot& spot, u64& offset, Warp& warp, int lane);
  u64 address_of(const Warp& warp, u32 slot, bool is_64, s64 offset, int lane) const;
  bool find_row(const Warp& warp, const Decoded& instruction, u32 mask, u32 slot, Spot& spot) const;
  void load(Warp& warp, const Decoded& instruction, u32 mask);
  void load_lanes(Warp& warp, const Decoded& instruction, u32 mask);
  void store(Warp& warp, const Decoded& instruction, u32 mask);
  void store_lanes(Warp& warp, const Decoded& instruction, u32 mask);
  void load_matrix(Warp& warp, const Decoded& instruction, u32 mask);
  void store_matrix(Warp& warp, const Decoded& instruction, u32 mask);
  void copy_async(Warp& warp, const Decoded& instruction, u32 mask);
  void atomic(Warp& warp, const Decoded& instruction, u32 mask);
  // shadow_matrix.cpp
  void matrix(Warp& warp, const Decoded& instruction, u32 mask);

  Launch& launch_;
  ShadowStore& store_;
  ShadowMemory& global_;
  WideNumbers* wide_;
  ShadowMemory shared_, local_, parameters_;
  ShadowKernels kernels_;
  std::vector<File> files_;               // by warp
  std::vector<LineStatistics> lines_;     // by place + 1
  std::vector<u8> kept_;                  // by place + 1: shadows keep its roundings
  std::vector<u64> branches_;             // by place + 1: comparisons that come out otherwise
  std::map<std::string, int> constants_;  // recognised ones
  Pair constant_pairs_[2];
  std::map<std::pair<const Decoded*, u64>, u64> origin_numbers_;  // by instruction and thread of the grid
};

/// Runs an instruction for the lanes of the mask, values and shadows.
inline void run_with_shadow(Shadows& shadows, Warp& warp, const Decoded& instruction, u32 mask) { shadows.run(warp, instruction, mask); }
inline void start_block(Shadows& shadows, Block& block) { shadows.start_block(block); }

}  // namespace equinorm::vgpu
