#include "commands/check_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>

#include "commands/block_outputs.hpp"
#include "commands/check_claims.hpp"
#include "commands/check_in_path.hpp"
#include "commands/check_judge.hpp"
#include "commands/check_keep.hpp"
#include "commands/check_positions.hpp"
#include "commands/declared_bound.hpp"
#include "commands/explain.hpp"
#include "commands/handed_over.hpp"
#include "commands/memory.hpp"
#include "commands/reference.hpp"
#include "inputs/load.hpp"
#include "inputs/round.hpp"

namespace equinorm::commands {
namespace {

using kernels::Outcome;
using kernels::Passed;
using kernels::RunStatus;
using problem::Problem;
using verdict::CaseResult;
using verdict::Verdict;

/// A pool whose offsets do not fit 32 bits, in elements: half as much again as 2^32.
constexpr problem::Index kWidePool = problem::Index{3} << 31;

/// Numbers of what is handed over and of what is judged.
double enclosed_numbers(const kernels::Declaration& declaration, const Problem& problem) {
  const auto elements = [](const Passed& tensor) { return static_cast<double>(tensor::element_count(tensor.spec.shape)); };
  const kernels::PassedTensors passed = kernels::passed_tensors(declaration, problem);
  double numbers = 0;
  for (const Passed& tensor : passed.inputs) numbers += tensor.handed_over ? elements(tensor) : 0;
  for (const Passed& tensor : passed.outputs) numbers += elements(tensor);
  return numbers;
}

class CheckCase {
 public:
  CheckCase(kernels::Runner& runner, Problem problem, const CheckSettings& settings, const std::function<void(const std::string&)>& step)
      : runner_(runner),
        declaration_(runner.declaration()),
        problem_(kernels::with_declared_precision(declaration_, std::move(problem))),
        settings_(settings),
        step_(step) {
    result_.problem = problem_;
    result_.kernel = fmt::format("{} ({})", declaration_.name, runner.description());
  }

  CaseResult run() {
    const auto start = std::chrono::steady_clock::now();
    check();
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return std::move(result_);
  }

 private:
  void check() {
    if (const std::string why = kernels::unsupported(declaration_, problem_); !why.empty()) {
      result_.conduct.push_back({"runs", Verdict::skipped, why});
      return;
    }
    passed_ = kernels::passed_tensors(declaration_, problem_);
    if (const std::string why = no_room(declaration_, problem_); !why.empty()) {
      result_.conduct.push_back({"runs", Verdict::skipped, why});
      return;
    }
    step_("reference");
    inputs_ = inputs::round_inputs(problem_, inputs::make_inputs(problem_), problem_.precision.storage, problem_.precision.ftz);
    if (settings_.positions) add_explicit_positions(problem_, inputs_);
    std::set<std::string> names;
    for (const Passed& tensor : passed_.outputs) names.insert(tensor.spec.name), outputs_.insert(tensor.spec.name);
    for (const Passed& tensor : passed_.inputs) {
      if (tensor.handed_over) names.insert(tensor.spec.name);
    }
    ReferenceResult reference = certified_reference(problem_, inputs_, names);
    result_.reference = reference.description;
    exact_ = std::move(reference.tensors);
    request_.problem = &problem_;
    request_.inputs = kernel_inputs(problem_, passed_, inputs_, exact_);
    request_.splits = problem_.precision.splits, request_.tile = problem_.precision.tile;
    request_.limits = settings_.limits;
    request_.inputs_stay = true;
    if (!run_kernel()) return;
    judge();
    result_.origins = origins(runner_, request_, passed_, exact_, runs_.back());
    judge_in_path();
    if (settings_.explain) {
      step_("rounding removed");
      Explained found = explain(runner_, settings_.open_again, request_, passed_, problem_, inputs_);
      result_.checks = std::move(found.checks), result_.explanation = std::move(found.explanation);
      for (std::string& note : found.notes) {
        if (std::find(result_.notes.begin(), result_.notes.end(), note) == result_.notes.end()) result_.notes.push_back(std::move(note));
      }
      // What the run without rounding finds again is told once, of the conduct.
      for (const verdict::ConductRow& row : result_.conduct) std::erase(result_.notes, row.detail);
    }
  }

  /// Runs on other inputs, then several times on these: the same bits are wanted where they are claimed, numbers within bounds always.
  bool run_kernel() {
    step_("kernel");
    kernels::Request other = request_;
    other.inputs = reversed_inputs(request_.inputs);
    manner_ = "on the case's inputs in reverse order";
    const Outcome earlier = run_(other);
    manner_.clear();
    if (earlier.status == RunStatus::unsupported) {
      result_.conduct.push_back({"runs", Verdict::skipped, earlier.detail});
      return false;
    }
    if (earlier.status != RunStatus::ok) {
      result_.conduct.push_back({"runs", verdict_of(earlier.status), earlier.detail + " (on the case's inputs in reverse order)"});
      return false;
    }
    const bool orders = runner_.has_shadows();
    for (int i = 0; i < std::max(1, settings_.repeats); ++i) {
      // The last run has other pages, gaps and poison; on the virtual GPU every run has an order of its own.
      request_.layout_seed = i > 0 && i == settings_.repeats - 1 ? 2 : 1;
      request_.schedule = static_cast<kernels::Schedule>(std::min(i, 2));
      if (orders && i > 0) manner_ = i == 1 ? "blocks and warps in reverse order" : "blocks and warps in a shuffled order";
      runs_.push_back(run_(request_));
      if (runs_.back().status != RunStatus::ok) break;
    }
    manner_.clear();
    request_.schedule = kernels::Schedule::in_order;
    const Outcome& last = runs_.back();
    for (const kernels::RunFinding& finding : runs_.front().findings) {
      if (!finding.fails) result_.notes.push_back(finding.text);
    }
    result_.conduct.push_back({"runs", verdict_of(last.status),
                               last.status == RunStatus::ok ? fmt::format("{} times", runs_.size()) : last.detail, last.seconds});
    if (last.status != RunStatus::ok) {
      keep_run("crash");
      return last.status == RunStatus::unwritten;  // what was written can still be judged
    }
    if (!run_wide()) return false;
    compare_runs(earlier);
    return true;
  }

  /// Once more with pages so far apart that an offset in 32 bits names another one; false where that run failed.
  bool run_wide() {
    const bool paged = std::any_of(passed_.inputs.begin(), passed_.inputs.end(),
                                   [](const Passed& tensor) { return tensor.layout == kernels::LayoutKind::paged; });
    if (!paged || !runner_.takes_wide_pools()) return true;
    kernels::Request wide = request_;
    wide.layout_seed = 3, wide.pool_elements = kWidePool;
    manner_ = "with pages beyond 2^32 elements";
    try {
      runs_.push_back(run_(wide));
    } catch (const Error& error) {
      result_.notes.push_back(fmt::format("not tried with pages beyond 2^32 elements: {}", error.what()));
      return true;
    }
    manner_.clear();
    wide_run_ = runs_.size() - 1;
    const Outcome& outcome = runs_.back();
    const bool ran = outcome.status == RunStatus::ok;
    result_.conduct.push_back(
        {"wide pool", verdict_of(outcome.status), ran ? "pages beyond 2^32 elements" : outcome.detail, outcome.seconds});
    if (!ran) keep_run("wide-pool");
    return ran;
  }

  void compare_runs(const Outcome& earlier) {
    if (const std::string where = first_difference(runs_.front(), earlier); where.empty() && depends_on_inputs()) {
      result_.conduct.push_back({"fresh output", Verdict::stale, "gave the bits of an earlier run on other inputs"});
    }
    std::string where;
    // The wide run is judged by its numbers alone: what goes wrong there is an address, not a race.
    const std::size_t alike = wide_run_.value_or(runs_.size());
    for (std::size_t i = 1; i < alike && where.empty(); ++i) {
      where = first_difference(runs_.front(), runs_[i]);
      if (!where.empty()) where = fmt::format("run {} differs from the first: {}", i + 1, where);
    }
    if (declaration_.bit_reproducible && alike > 1) {
      result_.conduct.push_back({"bit-reproducible", where.empty() ? Verdict::kept : Verdict::nondeterministic,
                                 where.empty() ? fmt::format("{} runs", alike) : where});
    } else if (!where.empty()) {
      result_.notes.push_back("not bit-reproducible (not claimed either): " + where);
    }
    manner_ = "to try a claim";
    const ClaimRuns claims{run_, problem_, passed_, request_, runs_.front()};
    if (declaration_.batch_invariant && problem_.batch > 1) step_("batch invariance"), result_.conduct.push_back(batch_invariance(claims));
    if (declaration_.split_invariant) step_("split invariance"), result_.conduct.push_back(split_invariance(claims));
    manner_.clear();
  }

  /// Whether the exact outputs are not all the same number, so that other inputs must show.
  bool depends_on_inputs() const {
    for (const std::string& name : outputs_) {
      const tensor::Tensor<double>& value = exact_.at(name).value;
      for (tensor::Index i = 1; i < value.size(); ++i) {
        if (value[i] != value[0]) return true;
      }
    }
    return false;
  }

  void judge() {
    step_("bounds");
    const bounds::Bounds bounds = declared_bounds(problem_, inputs_, exact_, outputs_, choices());
    result_.notes.push_back("bounds: " + describe_declaration(problem_.precision));
    const Scope scope{problem_, exact_, passed_.outputs, {declaration_, problem_, request_.inputs}};
    judge_runs(scope, bounds, "alone", runs_);
    const auto failing =
        std::find_if(result_.errors.begin(), result_.errors.end(), [](const verdict::ErrorRow& row) { return fails(row.verdict); });
    if (failing == result_.errors.end()) return;
    step_("known faults");
    const std::vector<JudgedOutput> outputs =
        judged_outputs(declaration_, problem_, scope.exemptions, scope.outputs, runs_[failing_run_].outputs, exact_, bounds);
    result_.faults = known_faults(problem_, inputs_, exact_, outputs, result_.notes);
    keep_run(failing->tensor);
  }

  /// What outputs are held against: of the whole problem, or of a block.
  struct Scope {
    const Problem& problem;
    const verdict::Reference& exact;
    const std::vector<Passed> outputs;
    const Exemptions exemptions;
  };

  /// Runs that differ in their bits are all judged; the worst verdict of each tensor counts.
  void judge_runs(const Scope& scope, const bounds::Bounds& bounds, const std::string& setting, const std::vector<Outcome>& runs) {
    for (const Passed& tensor : scope.outputs) {
      const std::string& name = tensor.spec.name;
      std::optional<verdict::ErrorRow> worst;
      for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto found = runs[i].outputs.find(name);
        if (found == runs[i].outputs.end() || (i > 0 && same_bits(found->second, runs.front().outputs.at(name)))) continue;
        verdict::ErrorRow row =
            judge_output(declaration_, scope.problem, scope.exemptions, tensor, found->second, scope.exact.at(name), bounds);
        const bool bad = fails(row.verdict);
        if (bad && &runs == &runs_) failing_run_ = i;
        if (bad && &runs == &runs_ && i == wide_run_) row.detail += " (the run with pages beyond 2^32 elements)";
        if (!worst || bad > fails(worst->verdict) || (bad == fails(worst->verdict) && row.ratio > worst->ratio)) worst = std::move(row);
      }
      if (!worst) continue;
      worst->path = setting;
      result_.errors.push_back(std::move(*worst));
    }
  }

  /// End to end: what comes before the kernel is computed in the declared arithmetic too, and the bound is that of the whole path.
  void judge_in_path() {
    if (choices().given.empty()) return;
    const std::optional<inputs::Block> block = in_path_block(problem_, kInPathWork);
    if (!block) {
      result_.notes.emplace_back(
          "end to end left out: a row, or its heads that cannot be parted, is more than the stages before the kernel "
          "are emulated on");
      return;
    }
    step_("end to end");
    const InPath part = in_path(problem_, passed_, inputs_, exact_, outputs_, choices(), *block);
    kernels::Request request = request_;
    request.inputs = part.handed;
    manner_ = "end to end";
    std::vector<Outcome> runs{run_(request)};
    manner_.clear();
    if (const Outcome& run = runs.front(); run.status != RunStatus::ok) {
      result_.conduct.push_back({"runs", verdict_of(run.status), run.detail + " (end to end)", run.seconds});
      if (run.status != RunStatus::unwritten) return;
    }
    std::vector<Passed> outputs = passed_.outputs;
    for (Passed& output : outputs) {
      const auto found = runs.front().outputs.find(output.spec.name);
      if (found == runs.front().outputs.end()) continue;
      found->second = take_block(problem_, *block, output.spec.name, found->second);
      output.spec.shape = found->second.shape();
    }
    if (!part.sampled.empty())
      result_.notes.push_back(
          fmt::format("end to end on a sample: {}; the stages before the kernel are emulated there, exact elsewhere", part.sampled));
    judge_runs({part.problem, part.exact, std::move(outputs), {declaration_, part.problem, part.inputs}}, part.bounds, "in path", runs);
  }

  KernelChoices choices() const {
    KernelChoices choices;
    for (const Passed& passed : passed_.inputs) {
      if (passed.handed_over) choices.given.emplace(passed.spec.name, tensor::format_of(passed.dtype));
    }
    // q_tilde comes with alpha_q outside when it is handed over; a kernel that makes it may keep it in the query.
    if (declaration_.alpha_q != kernels::AlphaQ::any && declaration_.stages.contains(kernels::Stage::query))
      choices.folds_alpha_q = declaration_.alpha_q == kernels::AlphaQ::query;
    return choices;
  }

  /// The findings of the first run that has any: others find the same again, of other threads.
  void tell(const Outcome& outcome) {
    if (told_) return;
    for (const kernels::RunFinding& finding : outcome.findings) {
      if (!finding.fails) continue;
      told_ = true;
      result_.conduct.push_back({"memory and order", Verdict::unsafe, finding.text + (manner_.empty() ? "" : " (" + manner_ + ")")});
    }
  }

  void keep_run(const std::string& what) {
    if (settings_.keep.empty()) return;
    const std::string path =
        keep_failure(settings_.keep, declaration_.name, what, problem_, inputs_, request_.inputs, runs_.back().outputs);
    result_.notes.push_back("kept: " + path);
  }

  kernels::Runner& runner_;
  const kernels::Declaration& declaration_;
  /// One run, exempt elements set to zero so that bits can be compared.
  const std::function<Outcome(const kernels::Request&)> run_ = [this](const kernels::Request& request) {
    Outcome outcome = runner_.run(request);
    tell(outcome);
    const Exemptions exemptions(declaration_, *request.problem, request.inputs);
    for (const Passed& tensor : passed_.outputs) {
      problem::TensorSpec spec = tensor.spec;
      const auto found = outcome.outputs.find(spec.name);
      if (found == outcome.outputs.end()) continue;
      spec.shape = found->second.shape();
      exemptions.clear(spec, found->second);
    }
    return outcome;
  };
  Problem problem_;
  const CheckSettings& settings_;
  const std::function<void(const std::string&)>& step_;
  kernels::PassedTensors passed_;
  tensor::TensorMap inputs_;
  std::set<std::string> outputs_;
  verdict::Reference exact_;
  kernels::Request request_;
  std::vector<Outcome> runs_;
  std::string manner_;  ///< how the run under way differs from a plain one
  bool told_ = false;
  std::size_t failing_run_ = 0;          ///< the last one with an output that fails
  std::optional<std::size_t> wide_run_;  ///< which of them had the wide pool
  CaseResult result_;
};

}  // namespace

double judging_memory(const kernels::Declaration& declaration, const Problem& problem) {
  return memory_needed(problem, Keeping::judged) + kBytesPerNumber * enclosed_numbers(declaration, problem);
}

std::string no_room(const kernels::Declaration& declaration, const Problem& problem) {
  const std::string why = too_large(problem, Keeping::judged);
  return why.empty() ? too_many_numbers(enclosed_numbers(declaration, problem)) : why;
}

CaseResult check_case(kernels::Runner& runner, Problem problem, const CheckSettings& settings,
                      const std::function<void(const std::string&)>& step) {
  return CheckCase(runner, std::move(problem), settings, step).run();
}

}  // namespace equinorm::commands
