#include "commands/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <filesystem>
#include <memory>

#include "commands/plan_of_cost.hpp"
#include "commands/progress.hpp"
#include "commands/publish.hpp"
#include "commands/run_guarded.hpp"
#include "scalar/error.hpp"
#include "work/checksum.hpp"
#include "work/codec.hpp"
#include "work/journal.hpp"
#include "work/schedule.hpp"

namespace equinorm::commands {
namespace {

namespace files = std::filesystem;

work::Header header_of(const Job& job) {
  std::uint64_t sum = work::checksum({});
  for (const std::string& problem : job.problems) sum = work::checksum(problem, sum);
  for (const std::string& file : job.files) sum = work::file_checksum(file, sum);
  work::Header header{work::version(), job.command, work::to_line(job.recipe), work::checksum_text(sum), {}};
  for (const work::Unit& unit : job.units) header.units.push_back(unit.id);
  return header;
}

/// What all ranks must agree on.
std::string word_of(const work::Header& header) {
  std::uint64_t sum = work::checksum(header.version);
  for (const std::string* text : {&header.command, &header.recipe, &header.data}) sum = work::checksum(*text, sum);
  for (const std::string& id : header.units) sum = work::checksum(id, sum);
  return work::checksum_text(sum);
}

void check_request(const Options& options) {
  if (options.shard.empty()) return;
  if (options.resume.empty()) throw Error("--shard: the results of a shard need a folder for 'equinorm merge'; add --resume DIR");
  if (!options.json_path.empty() || !options.junit_path.empty())
    throw Error("--shard: a shard alone has no verdict; allowed: --json and --junit of 'equinorm merge'");
}

/// One progress display for units that run here and elsewhere.
class Display {
 public:
  Display(const std::vector<work::Unit>& units, const std::vector<bool>& todo, bool enabled, bool many) : shown_(units.size()) {
    double total = 0;
    for (std::size_t i = 0; i < units.size(); ++i) total += todo[i] ? units[i].cost : 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
      steps_.push_back(1 + static_cast<std::int64_t>(todo[i] && total > 0 ? kSteps * units[i].cost / total : 0));
      all_ += todo[i] ? steps_.back() : 0;
    }
    progress_.emplace(all_, enabled, many);
  }

  UnitProgress of(std::size_t unit) {
    return {[this](const std::string& label) { progress_->begin(label); }, [this, unit](double share) { show(unit, share); }};
  }
  void show(std::size_t unit, double share) {
    const auto now = static_cast<std::int64_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(steps_[unit]));
    progress_->advance(now - shown_[unit]);
    shown_[unit] = now;
  }

 private:
  static constexpr double kSteps = 1e6;
  std::vector<std::int64_t> steps_, shown_;
  std::int64_t all_ = 0;
  std::optional<Progress> progress_;
};

/// What one process brings to a run.
struct Ready {
  Job job;
  work::Shard shard;
  work::Header header;
  std::unique_ptr<work::Journal> journal;  ///< first rank only, where one is asked for
};

Ready make_ready(const std::function<Job()>& make, const Options& options, const work::Ranks& ranks) {
  Ready ready;
  check_request(options);
  if (ranks.first()) check_result_paths(options);
  if (!options.shard.empty()) ready.shard = work::parse_shard(options.shard);
  ready.job = make();
  if (options.dry_run) return ready;
  if (ranks.count() > 1 || !options.resume.empty()) ready.header = header_of(ready.job);
  if (ranks.first() && !options.resume.empty()) ready.journal = std::make_unique<work::Journal>(options.resume, ready.header, ready.shard);
  return ready;
}

/// Results by unit, on the first rank.
std::vector<std::string> compute(work::Ranks& ranks, const Ready& ready, const Options& options) {
  const Job& job = ready.job;
  std::vector<std::string> results(job.units.size());
  std::vector<bool> todo(job.units.size());
  for (std::size_t i = 0; i < todo.size(); ++i) todo[i] = ready.shard.holds(i);
  if (ready.journal) {
    for (const auto& [unit, result] : ready.journal->results()) results[unit] = result, todo[unit] = false;
  }
  Display display(job.units, todo, ranks.first() && !options.quiet, ranks.count() > 1);
  const auto run = [&](std::size_t unit) {
    const UnitProgress progress = display.of(unit);
    progress.begin(job.units[unit].id);
    return job.run(unit, progress);
  };
  work::run_units(ranks, job.units, todo, run, [&](std::size_t unit, const std::string& result) {
    if (ready.journal) ready.journal->append(unit, result);
    results[unit] = result;
    display.show(unit, 1);
  });
  return results;
}

}  // namespace

std::string unit_id(std::size_t case_index, const problem::Problem& problem, const std::string& what) {
  return one_line(fmt::format("{} {} seed {}: {}", case_index, problem.name, problem.inputs.seed, what));
}

void add_files(Job& job, const std::string& path) {
  std::error_code ignored;
  const bool index = files::path(path).extension() == ".json";
  if (!index && !files::is_directory(path, ignored)) return job.files.push_back(path);
  std::vector<std::string> found;
  for (const files::directory_entry& entry : files::directory_iterator(index ? files::absolute(path).parent_path() : files::path(path))) {
    const std::string end = entry.path().extension().string();
    if (end == ".safetensors" || end == ".json") found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  job.files.insert(job.files.end(), found.begin(), found.end());
}

int run_job(const std::function<Job()>& make, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  Ready ready;
  std::vector<std::string> results;
  {
    work::Ranks ranks;
    std::string failure;
    try {
      ready = make_ready(make, options, ranks);
    } catch (const std::exception& error) {
      if (ranks.count() == 1) throw;
      failure = error.what();
    }
    if (ranks.count() > 1 && !work::all_ready(ranks, failure, word_of(ready.header))) return 0;
    if (options.dry_run) return ranks.first() ? show_plan_of_cost(ready.job, ready.shard, ranks.count()) : 0;
    results = compute(ranks, ready, options);
    if (!ranks.first()) return 0;
  }
  if (ready.shard.count == 1)
    return finish(ready.job.recipe, results, ready.job.out, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
                  options);
  if (!options.quiet)
    fmt::print("shard {}: complete in {}\n", work::to_string(ready.shard), work::journal_path(options.resume, ready.shard));
  return 0;
}

}  // namespace equinorm::commands
