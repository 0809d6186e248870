// The state of one launch. Private to the room.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "vgpu/matrix.hpp"
#include "vgpu/program.hpp"
#include "vgpu/runtime.hpp"

namespace equinorm::vgpu {

class GridRaces;
class Journal;
class Watch;

struct Launch {
  const Module* module = nullptr;
  std::string kernel;
  const Program* program = nullptr;
  Options options;
  Grid grid;
  GlobalMemory* memory = nullptr;
  Region parameters{kParamWindow};
  LaunchReport* report = nullptr;
  std::map<std::pair<FindingKind, const Decoded*>, std::size_t> known;  // findings so far
  const scalar::TensorCore* matrix_units[2][3] = {};                    // [fp16 output][input]
  Shadows* shadows = nullptr;
  GridRaces* grid_races = nullptr;
  Watch* watch = nullptr;
  Journal* journal = nullptr;
  std::size_t turn = 0;            ///< number of the running block in the order of blocks
  std::vector<std::size_t> turns;  ///< of each finding, that of the block that met it first
  u32 arrived[16] = {};            ///< bar.arrive, by barrier
  u64 next_check = 0;              ///< warp instructions at which limits are looked at again
  bool stop = false;               ///< trap, deadlock or limit: nothing more runs
  std::chrono::steady_clock::time_point start;
};

inline constexpr u32 kBarriers = 16;

/// Runs all blocks of the grid.
void run_grid(Launch& launch);

/// Runs blocks of a grid, one at a time.
class BlockRunner {
 public:
  explicit BlockRunner(Launch& launch);
  void run(u32 number);

 private:
  Launch& launch_;
  Block block_;
  u32 warps_;
  int granule_;
  std::vector<std::vector<std::byte>> files_;
};

/// Lets the fragments at a barrier go on if all threads that it waits for have come. Returns whether any did.
bool release_barriers(Block& block, const Program& program);
/// Of a block in which nothing can run.
void report_deadlock(Block& block, const Program& program);

/// Fills a warp's register file, which it will use from then on, and makes all its threads ready.
void set_up_warp(Warp& warp, const Program& program, std::vector<std::byte>& file);
/// Marks what a block may touch of shared and local memory, and forgets what the last one wrote.
void set_up_memory(Block& block, const Program& program, const Grid& grid);

/// Orders 0 .. count - 1 as the options say; `salt` tells lists apart under a seed.
std::vector<u32> order_of(const Options& options, u32 count, u64 salt);

/// Races in shared memory: two accesses of a byte by two threads, at least one a write, with no barrier that orders them. Threads of one
/// warp are ordered by bar.warp.sync alone. Every completed barrier counts as one of the whole block. Atomics race with plain accesses made
/// before them, and are not recorded themselves.
///
/// Memory is cut into granules of the launch's smallest shared access, 1 to 4 bytes. Of each the last writer and the readers since then are
/// kept: who, and when; time 0 is before everything.
class Races {
 public:
  /// Who, by thread number or as one of these.
  static constexpr u32 kNobody = ~u32{0}, kSeveral = ~u32{0} - 1, kSeveralOfWarp = 1u << 20;
  struct Touches {
    u32 *who, *time;  ///< by granule, and kLanes more
  };

  /// Granules of 2^shift bytes.
  Races(u64 bytes, u32 threads, int shift);
  void access(Warp& warp, const Decoded& instruction, int lane, u64 offset, u32 bytes, bool is_write, bool is_atomic = false);
  void order_block() { block_time = ++now; }
  void order_warp(u32 warp) { warp_time[warp] = ++now; }

  Touches writers, readers;
  u32* warp_time;  ///< by warp: of its last bar.warp.sync
  u32 block_time = 1, now = 1;
  int shift;

 private:
  bool is_ordered(const Touches& touches, u64 at, u32 thread) const;

  std::vector<u32> memory_;  // behind the pointers
};
/// log2 of the smallest access of a program that may go to a space, at most 2.
int race_granule(const Program& program, Space space);

}  // namespace equinorm::vgpu
