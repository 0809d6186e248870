#include "commands/verify_case.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>

#include "commands/arithmetics.hpp"
#include "commands/codec.hpp"
#include "commands/exact_checks.hpp"
#include "commands/measure_paths.hpp"
#include "commands/memory.hpp"
#include "commands/mutant_run.hpp"
#include "commands/reference.hpp"
#include "commands/sensitivity.hpp"
#include "inputs/load.hpp"
#include "inputs/model_weights.hpp"
#include "paths/mutants.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;
using verdict::CaseResult;

/// Tokens of the sample on which stages are told apart.
constexpr problem::Index kStageTokens = 64;
const std::set<std::string> kMeasured{"logits", "lse", "o", "o_gated", "y"};

void check_applies(const paths::Mutant& mutant, const Problem& problem) {
  if (mutant.applies(problem)) return;
  throw Error(fmt::format("--mutant: '{}' is the same function on case '{}'; it needs {}", mutant.id, problem.name, mutant.needs));
}

}  // namespace

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

struct VerifyCase::Data {
  tensor::TensorMap inputs;
  std::vector<std::string> notes;
  std::optional<StorageViews> views;
  std::string reference;
  std::optional<inputs::Sample> sample;
};

VerifyCase::VerifyCase(std::string case_text, const VerifyOptions& verify, Options options)
    : case_text_(std::move(case_text)), verify_(verify), options_(std::move(options)), problem_(problem_of(case_text_, options_)) {
  for (const std::string& name : verify_.formats) find_arithmetic(name, problem_);
  check_memory(problem_);
  if (!verify_.mutant.empty()) check_applies(paths::find_mutant(verify_.mutant), problem_);
  // Weights come with the projections, so the path begins at the hidden state.
  if (!verify_.weights.empty()) problem_ = inputs::problem_from_x(problem_, verify_.weights, verify_.layer);
  plan_parts();
}

void VerifyCase::plan_parts() {
  const double work = work_of(problem_), bytes = memory_needed(problem_);
  const auto add = [&](const std::string& what, double cost) { parts_.push_back({what, 0, cost, bytes}); };
  if (verify_.sensitivity) return add("wrong forms", 100 * work);
  add("prime field", work);
  add("rationals", 1e6);
  add("precision ladder", 500 * ladder_work(problem_));
  if (verify_.exact_only) return;
  if (!verify_.mutant.empty()) return add("bounds", 5 * work);
  for (const std::string& name : verify_.formats) add(name, 10 * work);
  if (!verify_.formats.empty()) return;
  for (const auto& [name, description] : arithmetic_names()) add(name, 10 * work);
}

VerifyCase::Data& VerifyCase::data() {
  if (data_) return *data_;
  data_ = std::make_shared<Data>();
  if (verify_.weights.empty()) {
    data_->inputs = inputs::make_inputs(problem_);
    if (data_->inputs.contains("positions_q") || data_->inputs.contains("positions_k")) {
      data_->notes.emplace_back("the prime field and the rationals use default positions; the ladder and the errors use the file's");
    }
  } else {
    inputs::ModelLayer layer = inputs::load_model_layer(problem_, verify_.weights, verify_.layer, verify_.first_head);
    data_->inputs = std::move(layer.inputs), data_->notes = std::move(layer.notes);
    inputs::check_inputs(problem_, data_->inputs);
  }
  return *data_;
}

void VerifyCase::measure(const std::string& name, CaseResult& result) {
  Data& shared = data();
  if (!shared.views) {
    ReferenceResult reference = certified_reference(problem_, shared.inputs, kMeasured);
    shared.reference = reference.description;
    shared.views.emplace(problem_, StorageView{shared.inputs, std::move(reference.tensors)}, kMeasured);
    shared.sample = inputs::sample_problem(problem_, shared.inputs, kStageTokens, problem_.inputs.seed);
  }
  const NamedArithmetic arithmetic = find_arithmetic(name, problem_);
  measure_paths(arithmetic, *shared.views, kMeasured, result);
  if (shared.sample) find_main_stages(arithmetic, *shared.sample, result);
  result.reference = shared.reference;
}

CaseResult VerifyCase::run(std::size_t part, const std::function<void(const std::string&)>& label) {
  const auto start = std::chrono::steady_clock::now();
  const std::string& what = parts_.at(part).what;
  const paths::Mutant* mutant = verify_.mutant.empty() ? nullptr : &paths::find_mutant(verify_.mutant);
  CaseResult result;
  result.problem = problem_, result.mutant = verify_.mutant;
  result.reproduce = reproduction_line("verify", case_text_, options_, words_of(verify_));
  label(problem_.name + ": " + what);
  if (what == "prime field") {
    result.checks.push_back(prime_field_check(problem_, verify_.mutant));
  } else if (what == "rationals") {
    result.checks.push_back(rational_check(problem_, verify_.mutant));
  } else if (what == "precision ladder") {
    result.checks.push_back(ladder_check(problem_, data().inputs, verify_.mutant));
    result.notes = data().notes;
    if (mutant != nullptr && !mutant->expects(paths::kExact)) result.notes.push_back(why_not_exact(*mutant));
  } else if (what == "wrong forms") {
    result.sensitivity = sensitivity(problem_, data().inputs, [&](const std::string& id) { label(problem_.name + ": " + id); });
    result.notes = data().notes;
  } else if (what == "bounds") {
    result.errors = judge_mutant(problem_, data().inputs, verify_.mutant);
  } else {
    measure(what, result);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace equinorm::commands
