// `equinorm compare`: outputs computed anywhere, against the exact values of their inputs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cmath>
#include <sstream>

#include "bounds/rounding.hpp"
#include "commands/apply_bound.hpp"
#include "commands/check_judge.hpp"
#include "commands/compare_rules.hpp"
#include "commands/declared_bound.hpp"
#include "commands/known_faults.hpp"
#include "commands/memory.hpp"
#include "commands/options.hpp"
#include "commands/progress.hpp"
#include "commands/publish.hpp"
#include "commands/reference.hpp"
#include "inputs/load.hpp"
#include "problem/problem_file.hpp"
#include "problem/spelling.hpp"
#include "problem/tensors.hpp"
#include "scalar/error.hpp"
#include "tensor/safetensors.hpp"

namespace equinorm::commands {
namespace {

using tensor::Index;
using verdict::CaseResult;
using verdict::Verdict;

/// A line of JSON without indentation and final comma.
std::string trimmed(const std::string& line) {
  const std::size_t first = line.find_first_not_of(' ');
  const std::size_t last = line.find_last_not_of(", ");
  return first == std::string::npos ? "" : line.substr(first, last - first + 1);
}

/// NAME of "NAME.lo", "NAME.radius" and "NAME.bound".
std::string without_suffix(const std::string& name) {
  for (const std::string suffix : {".lo", ".radius", ".bound"}) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

/// The outputs of the problem that the file holds. Its other tensors must be inputs or parts of a reference: a misspelt output is not
/// passed over.
std::set<std::string> outputs_in(const tensor::SafetensorsFile& file, const problem::Problem& problem, const std::string& path) {
  std::vector<std::string> outputs;
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) outputs.push_back(spec.name);
  std::set<std::string> known(outputs.begin(), outputs.end()), found;
  for (const problem::TensorSpec& spec : problem::input_tensors(problem, 1)) known.insert(spec.name);
  for (const auto& [name, values] : file.tensors) {
    if (!known.contains(without_suffix(name))) {
      throw Error(fmt::format("{}: tensor '{}' is no output of this problem; allowed: {}{}", path, name, fmt::join(outputs, ", "),
                              problem::did_you_mean(name, outputs)));
    }
  }
  for (const std::string& name : outputs) {
    if (file.tensors.contains(name)) found.insert(name);
    if (const auto skipped = file.skipped.find(name); skipped != file.skipped.end()) {
      throw Error(fmt::format("{}: output '{}' has dtype {}; allowed: F16, BF16, F32, F64", path, name, skipped->second));
    }
  }
  if (found.empty()) throw Error(fmt::format("{}: holds no output of this problem; allowed: {}", path, fmt::join(outputs, ", ")));
  return found;
}

/// The problem without what changes no exact value.
std::string mathematics_of(problem::Problem problem) {
  problem.name = problem.note = "";
  problem.inputs = {};
  problem.precision = {};
  return problem::to_json(problem);
}

/// A file that `generate` wrote says which problem it belongs to; comparing with another one would measure nonsense.
void check_same_problem(const problem::Problem& problem, const std::string& inputs_path) {
  const tensor::Metadata metadata = tensor::open_safetensors(inputs_path).metadata;
  const auto stored = metadata.find("problem");
  if (stored == metadata.end()) return;
  std::istringstream here(mathematics_of(problem)), there(mathematics_of(problem::parse_problem(stored->second, inputs_path)));
  for (std::string mine, theirs; std::getline(here, mine) && std::getline(there, theirs);) {
    if (mine != theirs) {
      throw Error(
          fmt::format("{}: was generated for another problem: it says {}, CASE says {}", inputs_path, trimmed(theirs), trimmed(mine)));
    }
  }
}

/// y and o_gated are stored in whatever the file holds: their format is nobody's declaration.
void add_storage(const std::string& name, const verdict::ReferenceTensor& exact, scalar::Format format, tensor::Tensor<double>& bound) {
  if (name != "y" && name != "o_gated") return;
  const bounds::Rounding rounding(format, false);
  for (Index i = 0; i < bound.size(); ++i) bound[i] += rounding.half_ulp(std::fabs(exact.value[i]) + bound[i]);
}

/// A query before the first token has no rotation, so nothing is wanted of its q_hat and q_rope_hat: what stands there counts as right.
void leave_out(const Exemptions& exemptions, const std::string& name, const verdict::ReferenceTensor& exact, tensor::Tensor<double>& values,
               tensor::Tensor<double>& bound) {
  if (name != "q_hat" && name != "q_rope_hat") return;
  const problem::TensorSpec spec{.name = name, .shape = values.shape(), .role = {}};
  for (Index i = 0; i < values.size(); ++i) {
    if (exemptions.holds(spec, i)) values[i] = exact.value[i], bound[i] = exempt_bound(exact, i);
  }
}

/// One output under its bound; `bounds` lacks it where the declared form does not define it, or its formats have no bounds.
/// What was judged is added to `judged`.
verdict::ErrorRow judge(const std::string& name, const tensor::AnyTensor& got, const verdict::ReferenceTensor& exact,
                        const bounds::Bounds& bounds, const DeclaredProbable& probable, const Exemptions& exemptions,
                        std::vector<JudgedOutput>& judged) {
  verdict::ErrorRow row;
  row.arithmetic = tensor::to_string(got.dtype());
  row.path = "file";
  row.tensor = name;
  row.format = tensor::is_floating(got.dtype()) ? tensor::format_of(got.dtype()) : scalar::kFp64;
  if (!tensor::is_floating(got.dtype()) || got.shape() != exact.value.shape()) {
    row.verdict = Verdict::wrong_shape;
    row.detail = fmt::format("{} {}, wanted floating {}", tensor::to_string(got.dtype()), tensor::to_string(got.shape()),
                             tensor::to_string(exact.value.shape()));
    return row;
  }
  tensor::Tensor<double> values(got.shape());
  got.read(0, got.size(), values.data());
  row.error = verdict::measure(values, exact, row.format);
  if (const auto found = bounds.find(name); found != bounds.end()) {
    tensor::Tensor<double> bound = found->second;
    add_storage(name, exact, row.format, bound);
    leave_out(exemptions, name, exact, values, bound);
    verdict::ElementBound both{std::move(bound), {}, probable.miss};
    if (const auto likely = probable.bounds.find(name); likely != probable.bounds.end()) both.probable = likely->second;
    apply_bound(verdict::judge(values, exact, both), Unbounded::undecided, row);
    judged.push_back({name, row.format, std::move(values), std::move(both.rigorous), fails(row.verdict)});
    return row;
  }
  if (row.error.nonfinite > 0) {
    Index flat = 0;
    for (std::size_t axis = 0; axis < row.error.worst.size(); ++axis) flat = flat * got.shape()[axis] + row.error.worst[axis];
    // A finite number where the exact value is -inf (a masked logit, an empty row's lse) is wrong whatever the arithmetic.
    row.verdict = std::isfinite(values[flat]) ? Verdict::violates : Verdict::nonfinite;
    row.detail = fmt::format("{} of {} elements, first at {}: got {}, exact value {}", row.error.nonfinite, row.error.elements,
                             tensor::index_string(got.shape(), flat), values[flat], exact.value[flat]);
  }
  return row;
}

}  // namespace

int compare(const CompareOptions& compare, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  problem::Problem problem = problem_of(compare.case_text, options);
  check_result_paths(options);
  check_rule_names(compare.rules);
  problem.inputs.kind = "file";
  problem.inputs.path = compare.inputs_path;
  check_same_problem(problem, compare.inputs_path);
  check_memory(problem);
  const tensor::TensorMap inputs = inputs::make_inputs(problem);
  const tensor::SafetensorsFile outputs = tensor::open_safetensors(compare.outputs_path);
  const std::set<std::string> names = outputs_in(outputs, problem, compare.outputs_path);
  verdict::RunResult run;
  run.command = "compare";
  CaseResult result;
  result.problem = problem;
  result.reproduce =
      reproduction_line("compare", compare.case_text, options, {"--inputs", compare.inputs_path, "--outputs", compare.outputs_path});
  if (!compare.rules.empty()) result.reproduce += fmt::format(" --rules {}", fmt::join(compare.rules, ","));
  {
    Progress progress(1, !options.quiet);
    progress.begin(problem.name + ": reference");
    const ReferenceResult reference = certified_reference(problem, inputs, names);
    result.reference = reference.description;
    const bounds::Bounds bounds = declared_bounds(problem, inputs, reference.tensors, names);
    const DeclaredProbable probable = declared_probable_bounds(problem, inputs, reference.tensors, names);
    result.notes.push_back("bounds: " + describe_declaration(problem.precision));
    std::vector<JudgedOutput> judged;
    const kernels::Declaration usual;
    const Exemptions exemptions(usual, problem, inputs);
    for (const std::string& name : names)
      result.errors.push_back(judge(name, outputs.tensors.at(name), reference.tensors.at(name), bounds, probable, exemptions, judged));
    result.faults = known_faults(problem, inputs, reference.tensors, judged, result.notes);
    add_rule_rows(compare.rules, problem, inputs, outputs.tensors, reference.tensors, result);
  }
  result.seconds = run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  run.cases.push_back(std::move(result));
  return publish(run, true, options);
}

}  // namespace equinorm::commands
