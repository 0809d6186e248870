// `equinorm compare`: outputs computed anywhere, against the exact values of their inputs.
#include <fmt/format.h>

#include <chrono>

#include "commands/options.hpp"
#include "commands/progress.hpp"
#include "commands/publish.hpp"
#include "commands/reference.hpp"
#include "inputs/load.hpp"
#include "problem/tensors.hpp"
#include "scalar/error.hpp"
#include "tensor/safetensors.hpp"

namespace equinorm::commands {
namespace {

using verdict::CaseResult;
using verdict::Verdict;

/// The outputs of the problem that the file holds; its other tensors must be inputs or parts of a reference.
std::set<std::string> outputs_in(const tensor::SafetensorsFile& file, const problem::Problem& problem, const std::string& path) {
  std::set<std::string> found;
  std::string known;
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    if (file.tensors.contains(spec.name)) found.insert(spec.name);
    known += (known.empty() ? "" : ", ") + spec.name;
    if (const auto skipped = file.skipped.find(spec.name); skipped != file.skipped.end()) {
      throw Error(fmt::format("{}: output '{}' has dtype {}; allowed: F16, BF16, F32, F64", path, spec.name, skipped->second));
    }
  }
  if (found.empty()) throw Error(fmt::format("{}: holds no output of this problem; allowed: {}", path, known));
  return found;
}

scalar::Format format_of(tensor::DType dtype) {
  switch (dtype) {
    case tensor::DType::f16: return scalar::kFp16;
    case tensor::DType::bf16: return scalar::kBf16;
    case tensor::DType::f32: return scalar::kFp32;
    default: return scalar::kFp64;
  }
}

verdict::ErrorRow judge(const std::string& name, const tensor::AnyTensor& got, const verdict::ReferenceTensor& exact) {
  verdict::ErrorRow row;
  row.arithmetic = tensor::to_string(got.dtype());
  row.path = "file";
  row.tensor = name;
  row.format = format_of(got.dtype());
  if (!tensor::is_floating(got.dtype()) || got.shape() != exact.value.shape()) {
    row.verdict = Verdict::wrong_shape;
    return row;
  }
  tensor::Tensor<double> values(got.shape());
  got.read(0, got.size(), values.data());
  row.error = verdict::measure(values, exact, row.format);
  if (row.error.nonfinite > 0) row.verdict = Verdict::nonfinite;
  return row;
}

}  // namespace

int compare(const CompareOptions& compare, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  problem::Problem problem = problem_of(compare.case_text, options);
  problem.inputs.kind = "file";
  problem.inputs.path = compare.inputs_path;
  const tensor::TensorMap inputs = inputs::make_inputs(problem);
  const tensor::SafetensorsFile outputs = tensor::open_safetensors(compare.outputs_path);
  const std::set<std::string> names = outputs_in(outputs, problem, compare.outputs_path);
  verdict::RunResult run;
  run.command = "compare";
  CaseResult result;
  result.problem = problem;
  result.reproduce = reproduction_line("compare", compare.case_text, options, fmt::format("--inputs {} --outputs {}", compare.inputs_path, compare.outputs_path));
  {
    Progress progress(1, !options.quiet);
    progress.begin(problem.name + ": reference");
    const ReferenceResult reference = measuring_reference(problem, inputs, names);
    result.reference = reference.description;
    for (const std::string& name : names) result.errors.push_back(judge(name, outputs.tensors.at(name), reference.tensors.at(name)));
  }
  result.seconds = run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  run.cases.push_back(std::move(result));
  return publish(run, true, options);
}

}  // namespace equinorm::commands
