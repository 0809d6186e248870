// Blocks on several host threads. The blocks are dealt out to shares, of which every thread takes one after the other, so that a slow
// processor gets fewer. Every share keeps a journal of what it touches in global memory; where one wrote what another read or wrote, or
// where a block did not end well, everything is undone and the blocks run one after the other. So outputs, findings and traps are the same
// for any number of threads.
#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "vgpu/journal.hpp"

namespace equinorm::vgpu {
namespace {

/// Shares for each thread.
constexpr std::size_t kShares = 8;

/// A share of the blocks: a launch of its own that reports to itself.
struct Share {
  Launch launch;
  LaunchReport report;
  Journal journal;
  std::exception_ptr failure;

  Share(const Launch& whole, Undo& undo) : launch(whole), journal(whole.memory->view().size, undo) {
    launch.report = &report;
    launch.journal = &journal;
  }

  /// Every `step`-th block: which share a block belongs to depends on nothing but their numbers.
  void run(const std::vector<u32>& order, std::size_t first, std::size_t step, std::atomic<bool>& stop) {
    try {
      BlockRunner runner(launch);
      for (std::size_t at = first; at < order.size() && !stop; at += step) {
        launch.turn = at;
        runner.run(order[at]);
        if (launch.stop) stop = true;
      }
    } catch (...) {
      failure = std::current_exception();
      stop = true;
    }
  }
};

/// Atomics in global memory are there to be seen by other blocks.
bool is_shareable(const Launch& launch) {
  const auto& blocks = launch.grid.blocks;
  if (launch.options.threads < 2 || u64{blocks[0]} * blocks[1] * blocks[2] < 2) return false;
  if (launch.shadows != nullptr || launch.grid_races != nullptr || launch.watch != nullptr) return false;
  return std::none_of(launch.program->code.begin(), launch.program->code.end(), [](const Decoded& d) {
    return d.shadow == ShadowOp::atomic && (d.space == Space::global || d.space == Space::generic);
  });
}

/// Findings in the order in which one thread would have met them.
void merge(Launch& launch, const std::vector<std::unique_ptr<Share>>& shares) {
  struct Found {
    std::size_t turn, number;
    const Share* share;
    std::pair<FindingKind, const Decoded*> key;
  };
  std::vector<Found> all;
  for (const auto& share : shares) {
    launch.report->warp_instructions += share->report.warp_instructions;
    launch.report->lane_instructions += share->report.lane_instructions;
    for (const auto& [key, number] : share->launch.known) all.push_back({share->launch.turns[number], number, share.get(), key});
  }
  std::sort(all.begin(), all.end(),
            [](const Found& a, const Found& b) { return std::pair(a.turn, a.number) < std::pair(b.turn, b.number); });
  for (const Found& found : all) {
    const Finding& finding = found.share->report.findings[found.number];
    const auto [known, is_new] = launch.known.try_emplace(found.key, launch.report->findings.size());
    if (is_new)
      launch.report->findings.push_back(finding);
    else
      launch.report->findings[known->second].count += finding.count;
  }
}

}  // namespace

bool run_grid_in_threads(Launch& launch) {
  if (!is_shareable(launch)) return false;
  const auto& blocks = launch.grid.blocks;
  const std::vector<u32> order = order_of(launch.options, blocks[0] * blocks[1] * blocks[2], 0);
  Undo undo(*launch.memory);
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(launch.options.threads), order.size());
  std::vector<std::unique_ptr<Share>> shares(std::min(order.size(), kShares * count));
  for (auto& share : shares) share = std::make_unique<Share>(launch, undo);
  std::atomic<bool> stop = false;
  std::atomic<std::size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i)
      threads.emplace_back([&] {
        for (std::size_t mine = next++; mine < shares.size(); mine = next++) shares[mine]->run(order, mine, shares.size(), stop);
      });
  }
  u64 instructions = 0;
  for (const auto& share : shares) instructions += share->report.warp_instructions;
  bool fits = !stop && instructions <= launch.options.instruction_limit;
  for (const auto& one : shares)
    for (const auto& other : shares) fits = fits && (one == other || !one->journal.wrote_what_touched(other->journal));
  if (!fits) {
    undo.restore();
    for (const auto& share : shares)
      if (share->failure) std::rethrow_exception(share->failure);
    return false;
  }
  merge(launch, shares);
  launch.report->threads = static_cast<int>(count);
  return true;
}

}  // namespace equinorm::vgpu
