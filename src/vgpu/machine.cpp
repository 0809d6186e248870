// The interpreter: warps, blocks, the grid.
//
// Divergence: the lanes of a warp that stand at different instructions are fragments. The fragment with the smallest pc runs, and merges
// with another when it reaches its pc, so that branches meet again at the earliest point in the text. A fragment that jumps backward kTurn
// times while others wait gives way, so that a loop which waits for another lane comes to an end.
#include <algorithm>
#include <bit>
#include <numeric>

#include "vgpu/grid_races.hpp"
#include "vgpu/journal.hpp"
#include "vgpu/launch.hpp"
#include "vgpu/shadow.hpp"
#include "vgpu/watch.hpp"

namespace equinorm::vgpu {
namespace {

constexpr u32 kTurn = 4096;       // backward branches before another fragment gets a turn
constexpr u64 kSlice = 1u << 16;  // instructions before another warp gets a turn

u32 mix(u64 x) {
  x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
  x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
  return static_cast<u32>(x >> 32);
}

/// Runs one warp for a while.
class Runner {
 public:
  Runner(Warp& warp, const Program& program) : warp_(warp), launch_(*warp.block->launch), program_(program), code_(program.code.data()) {}

  /// Until nothing of the warp can run or a slice is over. Returns whether anything ran.
  bool run() {
    u64 slice = kSlice;
    bool ran = false;
    while (slice > 0 && !launch_.stop) {
      const int chosen = choose();
      if (chosen < 0) return ran;
      ran = true;
      if (launch_.shadows != nullptr || launch_.grid_races != nullptr || launch_.watch != nullptr)
        run_fragment<true>(static_cast<std::size_t>(chosen), slice);
      else
        run_fragment<false>(static_cast<std::size_t>(chosen), slice);
    }
    return ran;
  }

 private:
  /// The runnable fragment with the smallest pc, after merging fragments at one pc; -1 if all wait.
  int choose() {
    auto& fragments = warp_.fragments;
    for (std::size_t i = 0; i < fragments.size(); ++i)
      for (std::size_t k = fragments.size() - 1; k > i; --k)
        if (fragments[k].pc == fragments[i].pc && fragments[k].wait == fragments[i].wait && fragments[k].barrier == fragments[i].barrier) {
          fragments[i].mask |= fragments[k].mask;
          fragments.erase(fragments.begin() + static_cast<std::ptrdiff_t>(k));
        }
    int best = -1;
    for (std::size_t i = 0; i < fragments.size(); ++i)
      if (fragments[i].wait == Fragment::Wait::none && (best < 0 || fragments[i].pc < fragments[static_cast<std::size_t>(best)].pc))
        best = static_cast<int>(i);
    if (best >= 0 && impatient_ > 0) best = other_than(best);
    return best;
  }

  /// After a long loop: the next fragment in the list gets a turn.
  int other_than(int best) {
    const auto& fragments = warp_.fragments;
    for (std::size_t step = 1; step <= fragments.size(); ++step) {
      const std::size_t i = (static_cast<std::size_t>(best) + impatient_ + step - 1) % fragments.size();
      if (fragments[i].wait == Fragment::Wait::none && static_cast<int>(i) != best) {
        impatient_ = (impatient_ + 1) % 64;
        return static_cast<int>(i);
      }
    }
    impatient_ = 0;
    return best;
  }

  /// An instruction of which more is asked than values.
  void run_watched(const Decoded& d, u32 active) {
    if (launch_.grid_races != nullptr) launch_.grid_races->access(warp_, d, active);
    if (launch_.watch != nullptr) launch_.watch->access(warp_, d, active);
    if (launch_.shadows != nullptr)
      run_with_shadow(*launch_.shadows, warp_, d, active);
    else
      d.handler(warp_, d, active);
  }

  template <bool kWatched>
  void run_fragment(std::size_t number, u64& slice) {
    Fragment& fragment = warp_.fragments[number];
    const u32 mask = fragment.mask;
    u32 pc = fragment.pc, meet = ~u32{0};  // where another fragment stands; only those behind are met
    for (const Fragment& other : warp_.fragments)
      if (&other != &fragment && other.wait == Fragment::Wait::none && other.pc > pc) meet = std::min(meet, other.pc);
    const bool alone = warp_.fragments.size() == 1;
    u32 turns = 0;
    u64 count = 0;
    do {
      const Decoded& d = code_[pc];
      const u32 active = mask & (*warp_.lanes<u32>(d.guard) ^ d.flip);
      ++count;
      if (d.flow == Flow::none) [[likely]] {
        if (active != 0) {
          warp_.pc = pc;
          if constexpr (kWatched)
            run_watched(d, active);
          else
            d.handler(warp_, d, active);
        }
        ++pc;
      } else if (d.flow == Flow::branch && active == mask) {
        if (d.target <= pc && !alone && ++turns > kTurn) {
          impatient_ = 1;
          pc = d.target;
          break;
        }
        pc = d.target;
      } else if (active == 0) {
        ++pc;
      } else {
        finish(fragment, pc, count, slice);
        change(number, active);
        return;
      }
    } while (pc < meet && count < slice);
    if (turns <= kTurn && pc >= meet) impatient_ = 0;
    finish(fragment, pc, count, slice);
  }

  void finish(Fragment& fragment, u32 pc, u64 count, u64& slice) {
    fragment.pc = pc;
    slice -= std::min(slice, count);
    launch_.report->warp_instructions += count;
    launch_.report->lane_instructions += count * static_cast<u64>(std::popcount(fragment.mask));
    if (launch_.report->warp_instructions >= launch_.next_check) check_limits();
  }

  void check_limits() {
    launch_.next_check = std::min(launch_.report->warp_instructions + kSlice, launch_.options.instruction_limit + 1);
    const char* what = nullptr;
    if (launch_.report->warp_instructions > launch_.options.instruction_limit)
      what = "instructions";
    else if (std::chrono::duration<double>(std::chrono::steady_clock::now() - launch_.start).count() > launch_.options.seconds_limit)
      what = "time";
    if (what == nullptr) return;
    const Fragment& one = warp_.fragments.front();
    report(warp_, code_[one.pc], FindingKind::limit, std::countr_zero(one.mask), 0, 0, Space::reg, what);
    launch_.stop = true;
  }

  /// Everything that splits, parks or ends a fragment.
  void change(std::size_t number, u32 active) {
    auto& fragments = warp_.fragments;
    const Fragment old = fragments[number];
    const Decoded& d = code_[old.pc];
    const u32 rest = old.mask & ~active;
    Fragment moved{old.pc, active, Fragment::Wait::none, 0};
    const u32 lane = static_cast<u32>(std::countr_zero(active));
    bool stays = true;
    switch (d.flow) {
      case Flow::branch:
        moved.pc = d.target;
        break;
      case Flow::branch_indexed:
        stays = false;
        split_by_table(d, active);
        break;
      case Flow::exit:
        warp_.live &= ~active;
        stays = false;
        break;
      case Flow::trap:
        report(warp_, d, FindingKind::trap, static_cast<int>(lane), 0, 0, Space::reg);
        launch_.stop = true;
        break;
      case Flow::barrier:
        park_at_barrier(d, moved, rest);
        break;
      default:
        moved.wait = Fragment::Wait::warp;
        moved.barrier = warp_.lanes<u32>(d.slot[0])[lane];
    }
    // split_by_table may have added fragments, but behind this one.
    if (rest != 0)
      fragments[number] = {old.pc + 1, rest, Fragment::Wait::none, 0};
    else
      fragments.erase(fragments.begin() + static_cast<std::ptrdiff_t>(number));
    if (stays) fragments.push_back(moved);
    release_warp_barrier();
  }

  void split_by_table(const Decoded& d, u32 active) {
    const auto& table = program_.tables[static_cast<std::size_t>(d.immediate)];
    for (int i = 0; i < kLanes; ++i) {
      if ((active >> i & 1) == 0) continue;
      const u32 index = warp_.lanes<u32>(d.slot[0])[i];
      if (index >= table.size()) report(warp_, d, FindingKind::bad_address, i, index, 0, Space::reg, "index beyond the branch targets");
      warp_.fragments.push_back({table[std::min<std::size_t>(index, table.size() - 1)], u32{1} << i, Fragment::Wait::none, 0});
    }
  }

  void park_at_barrier(const Decoded& d, Fragment& moved, u32 rest) {
    const int lane = std::countr_zero(moved.mask);
    const u32 id = warp_.lanes<u32>(d.slot[d.results])[lane] % kBarriers;
    if (d.aligned && rest != 0)
      report(warp_, d, FindingKind::divergent_barrier, std::countr_zero(rest), 0, 0, Space::reg, "lanes of one warp disagree");
    if (d.mode == 1 && d.results == 0) {  // arrive: the fragment goes on
      ++moved.pc;
      warp_.block->launch->arrived[id] += static_cast<u32>(std::popcount(moved.mask));
      return;
    }
    moved.wait = Fragment::Wait::barrier;
    moved.barrier = id;
  }

  /// bar.warp.sync lets its lanes go on when all live lanes of the mask have come, wherever they stand.
  void release_warp_barrier() {
    auto& fragments = warp_.fragments;
    for (std::size_t i = 0; i < fragments.size(); ++i) {
      if (fragments[i].wait != Fragment::Wait::warp) continue;
      const u32 members = fragments[i].barrier;
      u32 here = 0;
      for (const Fragment& other : fragments)
        if (other.wait == Fragment::Wait::warp && other.barrier == members) here |= other.mask;
      if ((members & warp_.live & ~here) != 0) continue;
      for (Fragment& other : fragments)
        if (other.wait == Fragment::Wait::warp && other.barrier == members)
          other.wait = Fragment::Wait::none, other.barrier = 0, ++other.pc;
      order_warp(warp_, members);
    }
  }

  Warp& warp_;
  Launch& launch_;
  const Program& program_;
  const Decoded* code_;
  std::size_t impatient_ = 0;
};

void run_block(Block& block, const Program& program, u64 salt) {
  std::vector<Runner> runners;
  for (Warp& warp : block.warps) runners.emplace_back(warp, program);
  for (u64 round = 0; !block.launch->stop; ++round) {
    bool ran = false;
    for (const u32 i : order_of(block.launch->options, static_cast<u32>(runners.size()), salt * 0x10001 + round)) ran |= runners[i].run();
    if (block.launch->stop) return;
    const bool done = std::all_of(block.warps.begin(), block.warps.end(), [](const Warp& warp) { return warp.fragments.empty(); });
    if (done) return;
    if (!release_barriers(block, program) && !ran) return report_deadlock(block, program);
  }
}

}  // namespace

std::vector<u32> order_of(const Options& options, u32 count, u64 salt) {
  std::vector<u32> order(count);
  std::iota(order.begin(), order.end(), 0u);
  if (options.order == Order::reversed) std::reverse(order.begin(), order.end());
  if (options.order == Order::seeded)
    for (u32 i = count; i > 1; --i)
      std::swap(order[i - 1], order[mix(options.seed * 0x9e3779b97f4a7c15u + salt * 0xbf58476d1ce4e5b9u + i) % i]);
  return order;
}

BlockRunner::BlockRunner(Launch& launch) : launch_(launch), granule_(race_granule(*launch.program, Space::shared)) {
  const auto& threads = launch.grid.threads;
  block_.launch = &launch;
  block_.threads = threads[0] * threads[1] * threads[2];
  warps_ = (block_.threads + kLanes - 1) / kLanes;
  files_.assign(warps_, std::vector<std::byte>(launch.program->image.size() + kCacheLine));
}

void BlockRunner::run(u32 number) {
  const Program& program = *launch_.program;
  const auto& blocks = launch_.grid.blocks;
  block_.index[0] = number % blocks[0];
  block_.index[1] = number / blocks[0] % blocks[1];
  block_.index[2] = number / (blocks[0] * blocks[1]);
  set_up_memory(block_, program, launch_.grid);
  Races races(launch_.options.races ? block_.shared.size() : 0, block_.threads, granule_);
  block_.races = launch_.options.races && block_.shared.size() != 0 ? &races : nullptr;
  block_.copies.assign(block_.threads, {});
  block_.warps.assign(warps_, {});
  std::fill(std::begin(launch_.arrived), std::end(launch_.arrived), 0u);
  for (u32 i = 0; i < warps_; ++i) {
    Warp& warp = block_.warps[i];
    warp.block = &block_;
    warp.index = i;
    warp.global = launch_.memory->view();
    warp.shared = block_.shared.view();
    warp.journal = launch_.journal;
    warp.global_read = launch_.journal != nullptr ? launch_.journal->read() : nullptr;
    set_up_warp(warp, program, files_[i]);
  }
  if (launch_.shadows != nullptr) start_block(*launch_.shadows, block_);
  if (launch_.grid_races != nullptr) launch_.grid_races->start_block();
  run_block(block_, program, number + 1);
  block_.races = nullptr;
}

void run_grid(Launch& launch) {
  if (run_grid_in_threads(launch)) return;
  const auto& blocks = launch.grid.blocks;
  BlockRunner runner(launch);
  for (const u32 number : order_of(launch.options, blocks[0] * blocks[1] * blocks[2], 0)) {
    runner.run(number);
    if (launch.stop) return;
  }
}

}  // namespace equinorm::vgpu
