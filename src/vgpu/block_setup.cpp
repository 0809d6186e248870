// A block before its first instruction: special registers, constants, memory.
#include <cstring>

#include "vgpu/launch.hpp"

namespace equinorm::vgpu {
namespace {

u64 special_value(SpecialRegister which, const Launch& launch, const Block& block, u32 warp, u32 lane) {
  const auto &threads = launch.grid.threads, &blocks = launch.grid.blocks;
  const u32 thread = warp * kLanes + lane;
  using enum SpecialRegister;
  switch (which) {
    case tid_x:
      return thread % threads[0];
    case tid_y:
      return thread / threads[0] % threads[1];
    case tid_z:
      return thread / (threads[0] * threads[1]);
    case ntid_x:
      return threads[0];
    case ntid_y:
      return threads[1];
    case ntid_z:
      return threads[2];
    case ctaid_x:
      return block.index[0];
    case ctaid_y:
      return block.index[1];
    case ctaid_z:
      return block.index[2];
    case nctaid_x:
      return blocks[0];
    case nctaid_y:
      return blocks[1];
    case nctaid_z:
      return blocks[2];
    case laneid:
      return lane;
    case warpid:
      return warp;
    case nwarpid:
      return (block.threads + kLanes - 1) / kLanes;
    case nsmid:
    case cluster_one:
    case gridid:
      return 1;
    case lanemask_eq:
      return u32{1} << lane;
    case lanemask_le:
      return kAllLanes >> (31 - lane);
    case lanemask_lt:
      return (u32{1} << lane) - 1;
    case lanemask_ge:
      return kAllLanes << lane;
    case lanemask_gt:
      return lane == 31 ? 0 : kAllLanes << (lane + 1);
    case dynamic_smem_size:
      return launch.grid.dynamic_shared;
    case total_smem_size:
      return launch.program->shared_bytes + launch.grid.dynamic_shared;
    default:
      return 0;
  }
}

}  // namespace

void set_up_warp(Warp& warp, const Program& program, std::vector<std::byte>& file) {
  // Slots are multiples of a cache line; so is the file's address.
  const auto address = reinterpret_cast<std::uintptr_t>(file.data());
  warp.registers = file.data() + (kCacheLine - address % kCacheLine) % kCacheLine;
  std::memcpy(warp.registers, program.image.data(), program.image.size());
  for (const auto& [which, packed] : program.specials) {
    const u32 slot = packed & ~3u;
    for (u32 lane = 0; lane < kLanes; ++lane) {
      const u64 value = special_value(which, *warp.block->launch, *warp.block, warp.index, lane);
      if ((packed & 1) != 0)
        warp.lanes<u64>(slot)[lane] = value;
      else if ((packed & 2) != 0)
        warp.lanes<u16>(slot)[lane] = static_cast<u16>(value);
      else
        warp.lanes<u32>(slot)[lane] = static_cast<u32>(value);
    }
  }
  const u32 left = warp.block->threads - warp.index * kLanes;
  warp.live = left >= kLanes ? kAllLanes : (u32{1} << left) - 1;
  warp.fragments.assign(1, {0, warp.live, Fragment::Wait::none, 0});
}

void set_up_memory(Block& block, const Program& program, const Grid& grid) {
  const u64 shared = program.shared_bytes + grid.dynamic_shared;
  block.shared.resize(shared);
  block.shared.mark(0, shared, kForbidden);
  for (const Placed& one : program.shared) block.shared.mark(one.offset, one.bytes, kUnwritten);
  block.shared.mark(program.shared_bytes, grid.dynamic_shared, kUnwritten);
  block.frame_bytes = program.frame_bytes;
  block.local.resize(block.frame_bytes * block.threads);
  for (u32 thread = 0; thread < block.threads; ++thread)
    for (const Placed& one : program.frame) block.local.mark(thread * block.frame_bytes + one.offset, one.bytes, kUnwritten);
}

}  // namespace equinorm::vgpu
