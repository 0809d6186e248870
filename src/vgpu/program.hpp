// A kernel made ready to run: calls inlined, names replaced by slots and addresses. Private to the room.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "vgpu/handler.hpp"
#include "vgpu/module.hpp"

namespace equinorm::vgpu {

/// Special registers, as in `%tid.x`.
enum class SpecialRegister : u8 {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  laneid,
  warpid,
  nwarpid,
  smid,
  nsmid,
  gridid,
  lanemask_eq,
  lanemask_le,
  lanemask_lt,
  lanemask_ge,
  lanemask_gt,
  clock,
  clock_hi,
  clock64,
  globaltimer,
  dynamic_smem_size,
  total_smem_size,
  cluster_zero,
  cluster_one
};

/// Bytes of a space that a variable occupies.
struct Placed {
  u64 offset = 0;
  u64 bytes = 0;
};

struct Program {
  std::vector<Decoded> code;
  std::deque<std::vector<u32>> long_slots;  ///< what Decoded::slots points to
  std::vector<std::byte> image;             ///< a warp's register file at its start: zeros and constants
  std::vector<std::pair<SpecialRegister, u32>> specials;
  std::vector<std::vector<u32>> tables;  ///< of brx.idx, number in Decoded::immediate
  std::vector<Placed> shared;            ///< static variables
  u64 shared_bytes = 0;                  ///< where dynamic shared memory begins
  std::vector<Placed> frame;             ///< local variables of one thread
  u64 frame_bytes = 0;
  std::vector<Placed> parameters;
  u64 parameter_bytes = 0;
};

/// Address of a module variable in global memory.
using AddressOf = std::function<u64(const Variable&)>;

/// Throws Error naming file and PTX line: unknown opcode, operands that do not fit, recursion, unknown names.
Program compile(const Module& module, const Function& kernel, const AddressOf& address_of);

/// How many binary32 sums without .rn may take in a product without .rn of the same basic block; with `apply` each becomes the fma that it
/// may become (of two products the first).
std::size_t contract(Program& program, bool apply);

/// Register slots of `bytes` bytes a lane (2, 4 or 8; 0: a predicate).
inline u32 slot_bytes(int bytes) { return bytes == 0 ? 4 : static_cast<u32>(kLanes * bytes); }

}  // namespace equinorm::vgpu
