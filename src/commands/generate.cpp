// `equinorm generate`: a case's inputs as a file, with certified outputs on demand.
#include <fmt/format.h>

#include <cstdio>

#include "commands/declared_bound.hpp"
#include "commands/memory.hpp"
#include "commands/options.hpp"
#include "commands/progress.hpp"
#include "commands/publish.hpp"
#include "commands/reference.hpp"
#include "inputs/load.hpp"
#include "problem/problem_file.hpp"
#include "tensor/safetensors.hpp"

namespace equinorm::commands {
namespace {

tensor::AnyTensor stored(const tensor::Tensor<double>& values) {
  tensor::AnyTensor result(tensor::DType::f64, values.shape());
  result.write(0, values.size(), values.data());
  return result;
}

}  // namespace

int generate(const GenerateOptions& generate, const Options& options) {
  const problem::Problem problem = problem_of(generate.case_text, options);
  check_writable(generate.out_path);
  check_memory(problem, generate.reference ? Keeping::certified : Keeping::measured);
  tensor::TensorMap tensors = inputs::make_inputs(problem);
  const std::size_t input_count = tensors.size();
  std::string description = "no reference";
  if (generate.reference) {
    Progress progress(1, !options.quiet);
    progress.begin(problem.name + ": certified outputs");
    const ReferenceResult reference = certified_reference(problem, tensors);
    std::set<std::string> names;
    for (const auto& [name, exact] : reference.tensors) names.insert(name);
    for (const auto& [name, bound] : declared_bounds(problem, tensors, reference.tensors, names)) tensors[name + ".bound"] = stored(bound);
    for (const auto& [name, exact] : reference.tensors) {
      tensors[name] = stored(exact.value);
      tensors[name + ".lo"] = stored(exact.low);
      tensors[name + ".radius"] = stored(exact.radius);
    }
    description = reference.description;
  }
  tensor::write_safetensors(generate.out_path, tensors, {{"problem", problem::to_json(problem)}, {"reference", description}});
  if (!options.quiet) {
    fmt::print("{}: {} inputs, {} reference tensors ({})\n", generate.out_path, input_count, tensors.size() - input_count, description);
  }
  return 0;
}

}  // namespace equinorm::commands
