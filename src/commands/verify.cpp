// `equinorm verify`: the equivalence suite.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <tuple>

#include "commands/arithmetics.hpp"
#include "commands/exact_checks.hpp"
#include "commands/measure_paths.hpp"
#include "commands/memory.hpp"
#include "commands/mutant_run.hpp"
#include "commands/options.hpp"
#include "commands/progress.hpp"
#include "commands/publish.hpp"
#include "commands/reference.hpp"
#include "commands/sensitivity.hpp"
#include "inputs/load.hpp"
#include "inputs/model_weights.hpp"
#include "paths/mutants.hpp"
#include "problem/builtin.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;
using verdict::CaseResult;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Tokens of the sample on which stages are told apart.
constexpr problem::Index kStageTokens = 64;

/// The words of the command line that say what is done with the case.
std::vector<std::string> words_of(const VerifyOptions& verify) {
  std::vector<std::string> words;
  const auto add = [&](const char* flag, const std::string& value) { words.insert(words.end(), {flag, value}); };
  if (!verify.weights.empty()) {
    add("--weights", verify.weights);
    add("--layer", std::to_string(verify.layer));
    if (verify.first_head != 0) add("--first-head", std::to_string(verify.first_head));
  }
  if (!verify.formats.empty()) add("--formats", fmt::format("{}", fmt::join(verify.formats, ",")));
  if (verify.exact_only) words.emplace_back("--exact-only");
  if (verify.sensitivity) words.emplace_back("--sensitivity");
  if (!verify.mutant.empty()) add("--mutant", verify.mutant);
  return words;
}

class CaseRun {
 public:
  CaseRun(const std::string& case_text, const VerifyOptions& verify, const Options& options, Progress& progress)
      : verify_(verify), progress_(progress), problem_(problem_of(case_text, options)) {
    result_.reproduce = reproduction_line("verify", case_text, options, words_of(verify));
    result_.mutant = verify.mutant;
  }

  /// Steps that run() reports as progress.
  static std::int64_t steps(const VerifyOptions& verify) {
    if (verify.sensitivity) return 2;
    const bool measures = !verify.exact_only && verify.mutant.empty();
    const auto formats = static_cast<std::int64_t>(verify.formats.empty() ? arithmetic_names().size() : verify.formats.size());
    return 4 + (measures ? 1 + formats : verify.exact_only ? 0 : 1);
  }

  CaseResult run() {
    const auto start = std::chrono::steady_clock::now();
    if (!verify_.mutant.empty()) {
      const paths::Mutant& mutant = paths::find_mutant(verify_.mutant);
      if (!mutant.applies(problem_)) {
        throw Error(fmt::format("--mutant: '{}' is the same function on case '{}'; it needs {}", mutant.id, problem_.name, mutant.needs));
      }
    }
    step("inputs", [&] { read_inputs(); });
    if (verify_.sensitivity) {
      result_.sensitivity =
          sensitivity(problem_, inputs_, [&](const std::string& mutant) { progress_.begin(problem_.name + ": " + mutant); });
      progress_.advance();
      return finished(start);
    }
    const paths::Mutant* mutant = verify_.mutant.empty() ? nullptr : &paths::find_mutant(verify_.mutant);
    if (mutant != nullptr && !mutant->expects(paths::kExact)) result_.notes.push_back(why_not_exact(*mutant));
    step("prime field", [&] { result_.checks.push_back(prime_field_check(problem_, verify_.mutant)); });
    step("rationals", [&] { result_.checks.push_back(rational_check(problem_, verify_.mutant)); });
    step("precision ladder", [&] { result_.checks.push_back(ladder_check(problem_, inputs_, verify_.mutant)); });
    if (verify_.exact_only) return finished(start);
    if (verify_.mutant.empty()) {
      measure();
    } else {
      step("bounds", [&] { result_.errors = judge_mutant(problem_, inputs_, verify_.mutant); });
    }
    return finished(start);
  }

 private:
  CaseResult finished(std::chrono::steady_clock::time_point start) {
    result_.problem = problem_;
    result_.seconds = seconds_since(start);
    return std::move(result_);
  }

  template <class Body>
  void step(const std::string& label, const Body& body) {
    progress_.begin(problem_.name + ": " + label);
    body();
    progress_.advance();
  }

  void read_inputs() {
    if (verify_.weights.empty()) {
      inputs_ = inputs::make_inputs(problem_);
      if (inputs_.contains("positions_q") || inputs_.contains("positions_k")) {
        result_.notes.emplace_back("the prime field and the rationals use default positions; the ladder and the errors use the file's");
      }
      return;
    }
    // Weights come with the projections, so the path begins at the hidden state.
    problem_ = inputs::problem_from_x(problem_, verify_.weights, verify_.layer);
    inputs::ModelLayer layer = inputs::load_model_layer(problem_, verify_.weights, verify_.layer, verify_.first_head);
    inputs_ = std::move(layer.inputs);
    result_.notes = std::move(layer.notes);
    inputs::check_inputs(problem_, inputs_);
  }

  void measure() {
    const std::set<std::string> names{"logits", "lse", "o", "o_gated", "y"};
    ReferenceResult reference;
    step("reference", [&] { reference = certified_reference(problem_, inputs_, names); });
    result_.reference = reference.description;
    StorageViews views(problem_, {inputs_, std::move(reference.tensors)}, names);
    const std::optional<inputs::Sample> sample = inputs::sample_problem(problem_, inputs_, kStageTokens, problem_.inputs.seed);
    std::vector<std::string> formats = verify_.formats;
    if (formats.empty()) {
      for (const auto& [name, description] : arithmetic_names()) formats.push_back(name);
    }
    for (const std::string& name : formats) {
      const NamedArithmetic arithmetic = find_arithmetic(name, problem_);
      step(name, [&] {
        measure_paths(arithmetic, views, names, result_);
        if (sample) find_main_stages(arithmetic, *sample, result_);
      });
    }
  }

  const VerifyOptions& verify_;
  Progress& progress_;
  Problem problem_;
  tensor::TensorMap inputs_;
  CaseResult result_;
};

}  // namespace

int verify(const VerifyOptions& verify, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::string> cases = verify.cases;
  if (cases.empty()) {
    for (const problem::NamedSource& source : problem::builtin_cases()) {
      if (!verify.mutant.empty() && !paths::find_mutant(verify.mutant).applies(problem_of(std::string(source.name), options))) continue;
      cases.emplace_back(source.name);
    }
    if (cases.empty()) throw Error("--mutant: '" + verify.mutant + "' is the same function on every case of the default suite");
  }
  // Everything that can be wrong with the words of the command is found before the first long step.
  check_result_paths(options);
  for (const std::string& text : cases) {
    const Problem problem = problem_of(text, options);
    for (const std::string& name : verify.formats) find_arithmetic(name, problem);
    check_memory(problem);
  }
  verdict::RunResult run;
  run.command = "verify";
  {
    Progress progress(CaseRun::steps(verify) * static_cast<std::int64_t>(cases.size()), !options.quiet);
    for (const std::string& text : cases) run.cases.push_back(CaseRun(text, verify, options, progress).run());
  }
  run.seconds = seconds_since(start);
  return publish(run, !verify.cases.empty(), options);
}

}  // namespace equinorm::commands
