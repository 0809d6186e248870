// The instructions that the virtual GPU knows: one row of table.inc each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vgpu/module.hpp"
#include "vgpu/type.hpp"

namespace equinorm::vgpu {

/// How far an instruction's result is determined by the PTX ISA.
enum class Exactness : std::uint8_t {
  exact,        ///< one result: integers, moves, comparisons
  rounded,      ///< one result: IEEE, correctly rounded
  contracted,   ///< as rounded, but ptxas may fuse a product into a sum that uses it (no .rn in the PTX)
  approximate,  ///< within the row's documented bound
  matrix,       ///< tensor core: the model of scalar/tensor_core.hpp
  ordered,      ///< depends on the order of threads (floating-point atomics)
  control       ///< flow, barriers, hints
};
const char* to_string(Exactness exactness);

/// What the shadow of an instruction does (shadow.hpp). none: its result has no shadow.
enum class ShadowOp : std::uint8_t {
  none,
  move,
  select,
  pack,
  unpack,
  load,
  store,
  shuffle,
  load_matrix,
  store_matrix,
  copy_async,
  atomic,
  convert,
  matrix,
  add,
  sub,
  mul,
  fma,
  div,
  rcp,
  sqrt,
  rsqrt,
  ex2,
  lg2,
  sin,
  cos,
  tanh,
  min,
  max,
  abs,
  neg,
  shift,
  byte_permute,
  mask_bits,
  compare
};

/// How an instruction moves the program counter; none: by one.
enum class Flow : std::uint8_t { none, branch, branch_indexed, call, leave, exit, trap, barrier, warp_barrier };

/// One semantic form.
///
/// pattern: space-separated parts of the opcode. `word` the first part; `.a` required; `.a|.b` one of them; `[.a|.b]` none or one of them;
/// a part that ends in * stands for a prefix; `#` before a group stores the number of the alternative taken as Form::mode. operands:
/// space-separated. `=` marks a result. A type name or 0, 1, 2 (the n-th type of the opcode) or w (twice the width of type 0);
/// `~` the register may be wider; `*` a vector as .v2/.v4 says; `4x` a vector of 4; `[m]` an address; `i` an integer constant; `@` a label;
/// `=0|pred` a second, optional result; `?` optional.
struct Row {
  const char* pattern;
  const char* operands;
  Exactness exactness;
  const char* bound;  ///< largest error of one result: "0", "0.5 ulp", "2 ulp", "rel 2^-22.9"
  ShadowOp shadow;
  Flow flow;
};
std::span<const Row> rows();

enum class Rounding : std::uint8_t { nearest, zero, down, up, away };

/// What the parts of a matched opcode say.
struct Form {
  int row = -1;
  std::vector<Type> types;
  Space space = Space::generic;
  Rounding rounding = Rounding::nearest;
  int count = 1;  ///< of .v2, .v4, .v8
  int mode = 0;
  bool ftz = false, sat = false, relu = false, to_integer = false, nan = false, has_rounding = false;
  int combine = 0;  ///< setp: 1 and, 2 or, 3 xor
};

/// The forms of an opcode, in the order of the table; usually one. Empty: unknown.
std::vector<Form> match_opcode(std::string_view opcode);

/// One opcode of a module that would not run.
struct Unsupported {
  std::string opcode;
  std::string function;
  std::uint32_t line = 0;  ///< of its first use
  std::size_t count = 0;   ///< uses
};
struct Coverage {
  std::size_t instructions = 0;
  std::size_t runnable = 0;
  std::vector<Unsupported> unsupported;  ///< by number of uses, most first
};
/// Which instructions of a module have no row.
Coverage coverage(const Module& module);

}  // namespace equinorm::vgpu
