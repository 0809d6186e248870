#include "commands/verify_case.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "commands/arithmetics.hpp"
#include "commands/codec.hpp"
#include "commands/exact_checks.hpp"
#include "commands/measure_paths.hpp"
#include "commands/memory.hpp"
#include "commands/mutant_run.hpp"
#include "commands/reference.hpp"
#include "inputs/load.hpp"
#include "inputs/model_weights.hpp"
#include "paths/mutants.hpp"
#include "paths/reach.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;
using verdict::CaseResult;

/// Tokens of the sample on which stages are told apart.
constexpr problem::Index kStageTokens = 64;
/// Bytes that an input number takes, as it is made and kept beside what is computed of it.
constexpr double kPerInput = 16;
/// Wrong forms of a unit: they share a reference and a few bounds, which cost as much as ten of them.
constexpr std::size_t kWrongForms = 20;
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
  if (verify.cut != VerifyOptions{}.cut) add("--cut", fmt::format("{}", verify.cut));
  return words;
}

struct VerifyCase::Data {
  tensor::TensorMap inputs;
  std::vector<std::string> notes;
  std::optional<inputs::Sample> sample;
  std::optional<Sensitivity> wrong_forms;
  // Of the block that was measured last:
  std::size_t block = 0;
  problem::Problem block_problem;
  std::optional<StorageViews> views;
  std::string reference;
};

VerifyCase::VerifyCase(std::string case_text, const VerifyOptions& verify, Options options)
    : case_text_(std::move(case_text)), verify_(verify), options_(std::move(options)), problem_(problem_of(case_text_, options_)) {
  for (const std::string& name : verify_.formats) find_arithmetic(name, problem_);
  if (!verify_.mutant.empty()) check_applies(paths::find_mutant(verify_.mutant), problem_);
  // Weights come with the projections, so the path begins at the hidden state.
  if (!verify_.weights.empty()) problem_ = inputs::problem_from_x(problem_, verify_.weights, verify_.layer);
  const problem::Together together = verify_.sensitivity ? problem::Together::all : paths::reach_of(verify_.mutant, problem_);
  blocks_ = problem::blocks_of(problem_, work_of(problem_), verify_.cut, together);
  plan_parts();
  for (std::size_t part = 0; part < parts_.size(); ++part) check_fits(problem_, name_of(part), parts_[part].bytes);
}

void VerifyCase::plan_prime_field() {
  const auto add = [&](std::size_t block, int point, double rounds) {
    const Problem part = problem::block_problem(problem_, blocks_[block]);
    parts_.push_back({"prime field", block, point, rounds * work_of(part), prime_field_memory(part)});
  };
  if (!runs_prime_field(verify_.mutant)) return add(0, 0, 0);
  const int rounds = exact::field_rounds(problem_, verify_.mutant);
  if (!(work_of(problem_) > verify_.cut)) return add(0, 0, rounds);
  for (int point = 1; point <= rounds; ++point) {
    for (std::size_t block = 0; block < blocks_.size(); ++block) add(block, point, 1);
  }
}

void VerifyCase::plan_parts() {
  const double work = work_of(problem_), kept = kPerInput * input_numbers(problem_);
  const auto add = [&](const std::string& what, double cost, double bytes, std::size_t block = 0) {
    parts_.push_back({what, block, 0, cost, bytes});
  };
  if (verify_.sensitivity) {
    const std::size_t all = mutants_of(problem_).size();
    for (std::size_t first = 0; first == 0 || first < all; first += kWrongForms) {
      add("wrong forms", 30 * work, memory_needed(problem_));
      parts_.back().first = first, parts_.back().count = std::min(kWrongForms, all - first);
    }
    return;
  }
  plan_prime_field();
  add("rationals", 1e6, memory_needed(exact::shrink(problem_)));
  add("precision ladder", 500 * ladder_work(problem_), kept);
  if (verify_.exact_only) return;
  std::vector<std::string> formats = verify_.formats;
  if (formats.empty()) {
    for (const auto& [name, description] : arithmetic_names()) formats.push_back(name);
  }
  const bool faulty = !verify_.mutant.empty();
  if (faulty) formats = {"bounds"};
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    const Problem part = problem::block_problem(problem_, blocks_[block]);
    const double bytes = memory_needed(part) + (blocks_[block].whole() ? 0 : kept);
    std::set<std::string> named;
    for (const std::string& name : formats) {
      if (named.insert(name).second) add(name, (faulty ? 5 : 10) * work_of(part), bytes, block);  // once, if asked for twice
    }
  }
}

std::string VerifyCase::name_of(std::size_t part) const {
  const CasePart& piece = parts_.at(part);
  if (piece.count > 0) return fmt::format("{} {} to {}", piece.what, piece.first + 1, piece.first + piece.count);
  const std::string name = piece.point > 0 ? fmt::format("{}, point {}", piece.what, piece.point) : piece.what;
  const problem::Block& block = blocks_.at(piece.block);
  if (block.whole() || piece.what == "rationals" || piece.what == "precision ladder") return name;
  return fmt::format("{}, row {}, heads {} to {}", name, block.row, block.first_head, block.first_head + block.heads - 1);
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

void VerifyCase::measure(const CasePart& part, PartResult& found) {
  Data& shared = data();
  const problem::Block& block = blocks_.at(part.block);
  if (!shared.views || shared.block != part.block) {
    shared.views.reset();
    shared.block = part.block, shared.block_problem = problem::block_problem(problem_, block);
    tensor::TensorMap block_inputs = inputs::block_inputs(problem_, shared.inputs, block);
    ReferenceResult reference = certified_reference(shared.block_problem, block_inputs, kMeasured);
    shared.reference = reference.description;
    shared.views.emplace(shared.block_problem, StorageView{std::move(block_inputs), std::move(reference.tensors)}, kMeasured);
  }
  measure_paths(find_arithmetic(part.what, shared.block_problem), *shared.views, kMeasured, found.result, {}, block);
  found.result.reference = shared.reference;
  if (!block.whole()) {
    for (const auto& [name, exact] : shared.views->given().reference) found.max_exact[name] = verdict::largest_finite(exact.value);
  }
  if (part.block != 0) return;
  // Stages are told apart on a sample of the whole problem, once.
  if (!shared.sample) shared.sample = inputs::sample_problem(problem_, shared.inputs, kStageTokens, problem_.inputs.seed);
  if (shared.sample) find_main_stages(find_arithmetic(part.what, problem_), *shared.sample, found.result);
}

std::vector<verdict::MutantRow> VerifyCase::wrong_forms(const CasePart& part, const std::function<void(const std::string&)>& label) {
  Data& shared = data();
  if (!shared.wrong_forms) shared.wrong_forms.emplace(problem_, shared.inputs);
  const std::vector<const paths::Mutant*> mutants = mutants_of(problem_);
  std::vector<verdict::MutantRow> rows;
  for (std::size_t i = part.first; i < part.first + part.count; ++i) {
    label(problem_.name + ": " + std::string(mutants[i]->id));
    rows.push_back(shared.wrong_forms->row(*mutants[i]));
  }
  return rows;
}

PartResult VerifyCase::run(std::size_t part, const std::function<void(const std::string&)>& label) {
  const auto start = std::chrono::steady_clock::now();
  const std::string& what = parts_.at(part).what;
  const paths::Mutant* mutant = verify_.mutant.empty() ? nullptr : &paths::find_mutant(verify_.mutant);
  PartResult found;
  found.what = what, found.block = parts_[part].block;
  CaseResult& result = found.result;
  result.problem = problem_, result.mutant = verify_.mutant;
  result.reproduce = reproduction_line("verify", case_text_, options_, words_of(verify_));
  label(problem_.name + ": " + name_of(part));
  if (parts_[part].point > 0) {
    forget();  // what the other parts share may be as large
    found.piece = exact::check_piece(problem_, problem_.inputs.seed, verify_.mutant, parts_[part].point - 1, blocks_.at(found.block));
  } else if (what == "prime field") {
    result.checks.push_back(prime_field_check(problem_, verify_.mutant));
  } else if (what == "rationals") {
    result.checks.push_back(rational_check(problem_, verify_.mutant));
  } else if (what == "precision ladder") {
    result.checks.push_back(ladder_check(problem_, data().inputs, verify_.mutant));
    result.notes = data().notes;
    if (mutant != nullptr && !mutant->expects(paths::kExact)) result.notes.push_back(why_not_exact(*mutant));
  } else if (what == "wrong forms") {
    result.sensitivity = wrong_forms(parts_[part], label);
    if (parts_[part].first == 0) result.notes = data().notes;
  } else if (what == "bounds") {
    found.mutant = judge_mutant_on(problem_, data().inputs, verify_.mutant, blocks_.at(found.block));
    result.reference = mutant->expects(paths::kStructural)
                           ? "the absorbed form without the fault, of which only is asked whether it is finite"
                           : "certified enclosures of the right form";
  } else {
    measure(parts_[part], found);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return found;
}

}  // namespace equinorm::commands
