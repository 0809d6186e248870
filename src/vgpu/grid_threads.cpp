// Blocks on several host threads. Every thread keeps a journal of what it touches in global memory; where one wrote what another read or
// wrote, or where a block did not end well, everything is undone and the blocks run one after the other. So outputs, findings and traps are
// the same for any number of threads.
#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "vgpu/journal.hpp"

namespace equinorm::vgpu {
namespace {

/// One thread's share: a launch of its own that reports to itself.
struct Worker {
  Launch launch;
  LaunchReport report;
  Journal journal;
  std::exception_ptr failure;

  Worker(const Launch& whole, Undo& undo) : launch(whole), journal(whole.memory->view().size, undo) {
    launch.report = &report;
    launch.journal = &journal;
  }

  /// Every `step`-th block: which thread runs a block depends on nothing but their numbers.
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
void merge(Launch& launch, const std::vector<std::unique_ptr<Worker>>& workers) {
  struct Found {
    std::size_t turn, number;
    const Worker* worker;
    std::pair<FindingKind, const Decoded*> key;
  };
  std::vector<Found> all;
  for (const auto& worker : workers) {
    launch.report->warp_instructions += worker->report.warp_instructions;
    launch.report->lane_instructions += worker->report.lane_instructions;
    for (const auto& [key, number] : worker->launch.known) all.push_back({worker->launch.turns[number], number, worker.get(), key});
  }
  std::sort(all.begin(), all.end(),
            [](const Found& a, const Found& b) { return std::pair(a.turn, a.number) < std::pair(b.turn, b.number); });
  for (const Found& found : all) {
    const Finding& finding = found.worker->report.findings[found.number];
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
  std::vector<std::unique_ptr<Worker>> workers;
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(launch.options.threads), order.size());
  for (std::size_t i = 0; i < count; ++i) workers.push_back(std::make_unique<Worker>(launch, undo));
  std::atomic<bool> stop = false;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&, i] { workers[i]->run(order, i, count, stop); });
  }
  u64 instructions = 0;
  for (const auto& worker : workers) instructions += worker->report.warp_instructions;
  bool fits = !stop && instructions <= launch.options.instruction_limit;
  for (std::size_t i = 0; i < count && fits; ++i)
    for (std::size_t k = 0; k < i && fits; ++k) fits = !workers[i]->journal.conflicts_with(workers[k]->journal);
  if (!fits) {
    undo.restore();
    for (const auto& worker : workers)
      if (worker->failure) std::rethrow_exception(worker->failure);
    return false;
  }
  merge(launch, workers);
  launch.report->threads = static_cast<int>(count);
  return true;
}

}  // namespace equinorm::vgpu
