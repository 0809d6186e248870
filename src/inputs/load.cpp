#include "inputs/load.hpp"

#include <fmt/format.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_reduce.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "inputs/degenerate.hpp"
#include "inputs/generate.hpp"
#include "problem/tensors.hpp"
#include "tensor/safetensors.hpp"

namespace equinorm::inputs {
namespace {

using problem::Index;
using problem::Problem;
using problem::Role;
using problem::TensorSpec;
using tensor::AnyTensor;
using tensor::TensorMap;

/// Elements that are looked at together.
constexpr Index kBlock = 1 << 14;

/// Flat position of the first NaN or infinity, or size().
Index first_nonfinite(const AnyTensor& tensor) {
  using Range = tbb::blocked_range<Index>;
  const auto scan = [&tensor](const Range& range, Index first) {
    std::array<double, kBlock> values;
    for (Index begin = range.begin(); begin < range.end() && begin < first; begin += kBlock) {
      const Index count = std::min(kBlock, range.end() - begin);
      tensor.read(begin, count, values.data());
      const double* bad = std::find_if(values.data(), values.data() + count, [](double value) { return !std::isfinite(value); });
      if (bad != values.data() + count) return std::min(first, begin + (bad - values.data()));
    }
    return first;
  };
  return tbb::parallel_reduce(Range(0, tensor.size(), kBlock), tensor.size(), scan, [](Index a, Index b) { return std::min(a, b); });
}

/// Rows of the RoPE tables, from the tables themselves.
Index table_rows(const Problem& problem, const TensorMap& inputs) {
  const auto table = inputs.find("rope_cos");
  return table != inputs.end() && !table->second.shape().empty() ? table->second.shape()[0] : problem::default_table_rows(problem);
}

bool is_output_name(std::string name, const std::set<std::string>& outputs) {
  for (const std::string_view suffix : {".lo", ".radius", ".bound"}) {
    if (name.ends_with(suffix)) {
      name.resize(name.size() - suffix.size());
      break;
    }
  }
  return outputs.count(name) > 0;
}

std::set<std::string> names_of(const std::vector<TensorSpec>& specs) {
  std::set<std::string> names;
  for (const TensorSpec& spec : specs) names.insert(spec.name);
  return names;
}

void check_names(const Problem& problem, const std::vector<TensorSpec>& specs, const TensorMap& inputs,
                 const std::map<std::string, std::string>& skipped) {
  const std::set<std::string> known = names_of(specs);
  const std::set<std::string> outputs = names_of(problem::output_tensors(problem));
  for (const auto& [name, tensor] : inputs) {
    if (known.count(name) > 0 || is_output_name(name, outputs)) continue;
    throw Error(fmt::format("input tensor \"{}\" is not one of this problem's; allowed: {}", name, fmt::join(known, ", ")));
  }
  for (const TensorSpec& spec : specs) {
    if (spec.optional || inputs.count(spec.name) > 0) continue;
    const auto unreadable = skipped.find(spec.name);
    if (unreadable != skipped.end()) {
      throw Error(fmt::format("input tensor \"{}\" has dtype {}; allowed: F16, BF16, F32, F64", spec.name, unreadable->second));
    }
    throw Error(fmt::format("input tensor \"{}\" of shape {} is missing", spec.name, tensor::to_string(spec.shape)));
  }
}

void check_tensor(const TensorSpec& spec, const AnyTensor& tensor) {
  if (tensor.shape() != spec.shape) {
    throw Error(fmt::format("input tensor \"{}\" has shape {}; it must be {}", spec.name, tensor::to_string(tensor.shape()),
                            tensor::to_string(spec.shape)));
  }
  const bool integers = spec.role == Role::positions;
  if (tensor::is_floating(tensor.dtype()) == integers) {
    throw Error(fmt::format("input tensor \"{}\" has dtype {}; allowed: {}", spec.name, tensor::to_string(tensor.dtype()),
                            integers ? "I64, I32" : "F16, BF16, F32, F64"));
  }
  if (integers) return;
  const Index bad = first_nonfinite(tensor);
  if (bad < tensor.size()) {
    throw Error(fmt::format("input tensor \"{}\" holds {} at {}; inputs must be finite, padding included", spec.name, tensor.at(bad),
                            tensor::index_string(tensor.shape(), bad)));
  }
}

/// Largest live position of one side, explicit or default; -1 if there is none.
Index largest_position(const Problem& problem, const TensorMap& inputs, bool keys) {
  const std::string name = keys ? "positions_k" : "positions_q";
  const auto given = inputs.find(name);
  Index largest = -1;
  for (Index b = 0; b < problem.batch; ++b) {
    const Index live = keys ? problem.context_of(b) : problem.queries;
    if (given == inputs.end()) {
      largest = std::max(largest, problem.context_of(b) - 1);
      continue;
    }
    std::vector<std::int64_t> row(static_cast<std::size_t>(live));
    given->second.read_integers(b * given->second.shape()[1], live, row.data());
    for (Index i = 0; i < live; ++i) {
      const Index position = row[static_cast<std::size_t>(i)];
      if (position < 0)
        throw Error(fmt::format("input tensor \"{}\" holds {} at [{},{}]; positions must be at least 0", name, position, b, i));
      largest = std::max(largest, position);
    }
  }
  return largest;
}

void check_rotation(const Problem& problem, const TensorMap& inputs, Index rows) {
  problem::check_positions(problem, inputs.count("positions_q") > 0);
  const Index largest = std::max(largest_position(problem, inputs, true), largest_position(problem, inputs, false));
  if (problem.rotated_dim() > 0 && largest >= rows) {
    throw Error(fmt::format("input tensor \"rope_cos\" has {} rows; the largest position is {}, so at least {} are needed", rows, largest,
                            largest + 1));
  }
}

}  // namespace

void check_inputs(const Problem& problem, const TensorMap& inputs, const std::map<std::string, std::string>& skipped) {
  const Index rows = table_rows(problem, inputs);
  const std::vector<TensorSpec> specs = problem::input_tensors(problem, rows);
  check_names(problem, specs, inputs, skipped);
  for (const TensorSpec& spec : specs) {
    const auto found = inputs.find(spec.name);
    if (found != inputs.end()) check_tensor(spec, found->second);
  }
  check_rotation(problem, inputs, rows);
  check_inverse_rms(problem, inputs);
}

TensorMap make_inputs(const Problem& problem) {
  if (problem.inputs.kind != "file") {
    problem::check_positions(problem, false);
    TensorMap inputs = generate_inputs(problem);
    check_inverse_rms(problem, inputs);
    return inputs;
  }
  tensor::SafetensorsFile file = tensor::open_safetensors(problem.inputs.path);
  try {
    check_inputs(problem, file.tensors, file.skipped);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", problem.inputs.path, error.what()));
  }
  TensorMap inputs;
  for (const TensorSpec& spec : problem::input_tensors(problem, table_rows(problem, file.tensors))) {
    const auto found = file.tensors.find(spec.name);
    if (found != file.tensors.end()) inputs.insert(*found);
  }
  return inputs;
}

}  // namespace equinorm::inputs
