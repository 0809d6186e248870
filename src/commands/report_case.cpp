#include "commands/report_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "commands/arithmetics.hpp"
#include "commands/exact_checks.hpp"
#include "commands/memory.hpp"
#include "commands/reference.hpp"
#include "commands/report_parts.hpp"
#include "commands/sensitivity.hpp"
#include "inputs/load.hpp"
#include "problem/tensors.hpp"

namespace equinorm::commands {
namespace {

using paths::PathKind;
using problem::Problem;

/// Larger tensors (keys of long contexts) are left out of the stage tables.
constexpr problem::Index kLargestTensor = problem::Index{1} << 24;
/// Above this, o does not travel in a result: the rules judge the whole case in one part.
constexpr problem::Index kLargestSample = problem::Index{1} << 20;
/// Wrong forms of a unit, as in verify.
constexpr std::size_t kWrongForms = 20;
/// The block of a step that sees the whole of a case that is cut.
constexpr std::size_t kWhole = static_cast<std::size_t>(-1);

const char* const kRules = "rules";
const char* const kAmplification = "amplification";
const char* const kAbsorbedStorage = "storage, absorbed form";
const char* const kExplicitStorage = "storage, explicit form";
const char* const kWrong = "wrong forms";

std::vector<std::string> formats_of(const ReportOptions& asked) {
  std::vector<std::string> names;
  for (const std::string& name : asked.formats) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  if (!names.empty()) return names;
  for (const auto& [name, description] : arithmetic_names()) names.push_back(name);
  return names;
}

/// Every output that is not too large to keep.
std::set<std::string> tensors_to_measure(const Problem& problem, std::vector<std::string>& notes) {
  std::set<std::string> names;
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    const problem::Index size = tensor::element_count(spec.shape);
    if (size <= kLargestTensor || spec.name == "logits") {
      names.insert(spec.name);
    } else {
      notes.push_back(fmt::format("{} has {} elements and was left out", spec.name, size));
    }
  }
  return names;
}

/// What a block measures of these: tensors that heads share are measured with a row's first heads.
std::set<std::string> names_in(const inputs::Block& block, std::set<std::string> names) {
  if (block.first_head > 0) names.erase("k_rope_cached");
  return names;
}

/// Multiply-adds of a part of verify that measures as much as `runs` runs of one form under their bounds.
double cost_of_runs(std::size_t runs, double work) { return 5 * static_cast<double>(runs) * work; }

}  // namespace

struct ReportCase::Data {
  tensor::TensorMap inputs;
  std::optional<Sensitivity> wrong_forms;
  // Of the block that was measured last:
  std::size_t block = kWhole;
  Problem block_problem;
  std::optional<StorageViews> views;
  std::string reference;
};

ReportCase::ReportCase(std::string case_text, const ReportOptions& asked, const Options& options)
    : case_text_(std::move(case_text)), asked_(asked), options_(options), problem_(problem_of(case_text_, options)) {
  for (const std::string& name : asked.formats) find_arithmetic(name, problem_);
  check_memory(problem_);
  names_ = tensors_to_measure(problem_, notes_);
  blocks_ = inputs::blocks_of(problem_, work_of(problem_), asked.cut);
  plan_parts();
}

double ReportCase::bytes_of(const Problem& problem) const {
  // A reference as given and as stored (three doubles each), outputs of both forms, bounds.
  constexpr double kPerElement = 2 * 24 + 2 * 8 + 8;
  double elements = 0;
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    if (names_.contains(spec.name)) elements += static_cast<double>(tensor::element_count(spec.shape));
  }
  return memory_needed(problem) + kPerElement * elements;
}

void ReportCase::plan_parts() {
  const bool apart = work_of(problem_) > asked_.cut;
  const double work = work_of(problem_);
  const std::vector<CasePart> checks{{.what = "prime field", .cost = work, .bytes = memory_needed(problem_)},
                                     {.what = "rationals", .cost = 1e6},
                                     {.what = "precision ladder", .cost = 500 * ladder_work(problem_)}};
  if (apart) {
    for (const CasePart& check : checks) parts_.push_back({check.what, {check}, 0, check.bytes});
  } else {
    parts_.push_back({"exact checks", checks, 0, memory_needed(problem_)});
  }
  for (std::size_t block = 0; block < blocks_.size(); ++block) plan_measured(block, apart);
  if (asked_.sensitivity) plan_wrong_forms();
}

void ReportCase::plan_measured(std::size_t index, bool apart) {
  const inputs::Block& block = blocks_[index];
  const Problem problem = inputs::block_problem(problem_, block);
  const double work = work_of(problem);
  const std::vector<std::string> formats = formats_of(asked_);
  std::vector<CasePart> steps;
  const auto add = [&](const std::string& what, std::size_t runs) {
    steps.push_back({.what = what, .block = index, .cost = cost_of_runs(runs, work)});
  };
  for (const std::string& name : formats) add(name, 2);
  const bool judged = names_.contains("o") && std::find(formats.begin(), formats.end(), rules_arithmetic(problem_)) != formats.end();
  const tensor::Shape o{problem_.batch, problem_.queries, problem_.heads, problem_.value_dim};
  const bool joined = block.whole() || tensor::element_count(o) <= kLargestSample;
  if (judged && joined) add(kRules, 2);
  if (!too_many_keys(problem_)) add(kAmplification, 1);
  add(kAbsorbedStorage, storage_runs(problem, PathKind::absorbed_form));
  add(kExplicitStorage, storage_runs(problem, PathKind::explicit_form));
  const double bytes = bytes_of(problem);
  if (apart) {
    const std::string place =
        block.whole() ? "" : fmt::format(", row {}, heads {} to {}", block.row, block.first_head, block.first_head + block.heads - 1);
    for (const CasePart& step : steps) parts_.push_back({step.what + place, {step}, 1 + index, bytes});
  } else {
    parts_.push_back({"errors and storage", steps, 0, bytes});
  }
  if (!judged || joined || index + 1 < blocks_.size()) return;
  CasePart rules{.what = kRules, .block = kWhole, .cost = cost_of_runs(2, work_of(problem_))};
  parts_.push_back({kRules, {rules}, 1 + blocks_.size(), bytes_of(problem_)});
}

void ReportCase::plan_wrong_forms() {
  const std::size_t all = mutants_of(problem_).size();
  for (std::size_t first = 0; first < all; first += kWrongForms) {
    const std::size_t count = std::min(kWrongForms, all - first);
    CasePart step{.what = kWrong, .cost = 30 * work_of(problem_), .first = first, .count = count};
    parts_.push_back({fmt::format("{} {} to {}", kWrong, first + 1, first + count), {step}, 2 + blocks_.size(), memory_needed(problem_)});
  }
}

ReportCase::Data& ReportCase::data() {
  if (!data_) {
    data_ = std::make_shared<Data>();
    data_->inputs = inputs::make_inputs(problem_);
  }
  return *data_;
}

StorageViews& ReportCase::views_of(std::size_t index, std::string& reference) {
  Data& shared = data();
  if (!shared.views || shared.block != index) {
    const inputs::Block block = index == kWhole ? inputs::Block{} : blocks_.at(index);
    shared.views.reset();
    shared.block = index, shared.block_problem = inputs::block_problem(problem_, block);
    const std::set<std::string> names = index == kWhole ? std::set<std::string>{"o"} : names_in(block, names_);
    tensor::TensorMap block_inputs = inputs::block_inputs(problem_, shared.inputs, block);
    ReferenceResult made = certified_reference(shared.block_problem, block_inputs, names);
    shared.reference = index == kWhole ? "" : made.description;
    shared.views.emplace(shared.block_problem, StorageView{std::move(block_inputs), std::move(made.tensors)}, names);
  }
  reference = shared.reference;
  return *shared.views;
}

void ReportCase::measure(const CasePart& step, CaseFindings& findings) {
  const inputs::Block block = step.block == kWhole ? inputs::Block{} : blocks_.at(step.block);
  StorageViews& views = views_of(step.block, findings.found.result.reference);
  const BlockViews of{problem_, block, views};
  if (step.what == kRules) return measure_rules(of, findings);
  if (step.what == kAbsorbedStorage) return measure_storage(of, PathKind::absorbed_form, findings);
  if (step.what == kExplicitStorage) return measure_storage(of, PathKind::explicit_form, findings);
  if (step.what == kAmplification) {
    findings.amplification = measure_amplification(views, problem_, block);
    return;
  }
  measure_stages(of, step.what, names_in(block, names_), findings);
  if (step.block == 0 && step.what == formats_of(asked_).front()) findings.found.result.notes = notes_;
}

void ReportCase::do_step(const CasePart& step, CaseFindings& findings) {
  verdict::CaseResult& result = findings.found.result;
  if (step.what == "prime field") {
    result.checks.push_back(prime_field_check(problem_, ""));
  } else if (step.what == "rationals") {
    result.checks.push_back(rational_check(problem_, ""));
  } else if (step.what == "precision ladder") {
    result.checks.push_back(ladder_check(problem_, data().inputs, ""));
  } else if (step.what == kWrong) {
    Data& shared = data();
    shared.views.reset();  // a whole case is dear enough to keep
    if (!shared.wrong_forms) shared.wrong_forms.emplace(problem_, shared.inputs);
    const std::vector<const paths::Mutant*> mutants = mutants_of(problem_);
    for (std::size_t i = step.first; i < step.first + step.count; ++i) result.sensitivity.push_back(shared.wrong_forms->row(*mutants[i]));
  } else {
    measure(step, findings);
  }
}

CaseFindings ReportCase::run(std::size_t part, const std::function<void(const std::string&)>& begin) {
  const auto start = std::chrono::steady_clock::now();
  CaseFindings findings;
  findings.cut = blocks_.size() > 1;
  verdict::CaseResult& result = findings.found.result;
  result.problem = problem_;
  result.reproduce = reproduction_line("verify", case_text_, options_, {});
  const ReportPart& piece = parts_.at(part);
  for (const CasePart& step : piece.steps) {
    begin(problem_.name + ": " + (piece.steps.size() > 1 ? step.what : piece.what));
    do_step(step, findings);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return findings;
}

CasePart like_verify(const CasePart& step) {
  CasePart like = step;
  if (step.what == kRules || step.what == kAbsorbedStorage || step.what == kExplicitStorage) like.what = "fp32";
  if (step.what == kAmplification) like.what = "fp64";
  return like;
}

}  // namespace equinorm::commands
