#include "commands/handed_over.hpp"

#include <algorithm>
#include <cstring>

#include "commands/run_form.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

using problem::Index;
using problem::Role;
using tensor::AnyTensor;
using tensor::DType;

AnyTensor converted(const AnyTensor& source, DType dtype) {
  if (source.dtype() == dtype) return source;
  constexpr Index kPiece = 1 << 16;
  AnyTensor result(dtype, source.shape());
  std::vector<double> piece(static_cast<std::size_t>(std::min<Index>(kPiece, std::max<Index>(1, source.size()))));
  for (Index at = 0; at < source.size(); at += kPiece) {
    const Index count = std::min(kPiece, source.size() - at);
    source.read(at, count, piece.data());
    result.write(at, count, piece.data());
  }
  return result;
}

template <class Integer>
AnyTensor integers(const tensor::Shape& shape, const std::vector<std::int64_t>& values, DType dtype) {
  AnyTensor result(dtype, shape);
  std::byte* to = result.mutable_bytes();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Integer value = static_cast<Integer>(values[i]);
    std::memcpy(to + i * sizeof(Integer), &value, sizeof(Integer));
  }
  return result;
}

AnyTensor default_positions(const problem::Problem& problem, const problem::TensorSpec& spec) {
  std::vector<std::int64_t> values;
  for (Index b = 0; b < spec.shape[0]; ++b) {
    for (Index i = 0; i < spec.shape[1]; ++i) values.push_back(spec.name == "positions_q" ? problem.query_position(b, i) : i);
  }
  return integers<std::int64_t>(spec.shape, values, DType::i64);
}

/// Whether axis 0 is the batch.
bool has_rows(Role role) { return role != Role::weight && role != Role::gamma && role != Role::rope_table && role != Role::sink; }

}  // namespace

tensor::TensorMap kernel_inputs(const problem::Problem& problem, const kernels::PassedTensors& passed, const tensor::TensorMap& inputs,
                                const verdict::Reference& exact) {
  tensor::TensorMap result;
  for (const kernels::Passed& tensor : passed.inputs) {
    const std::string& name = tensor.spec.name;
    if (name == "context_lengths") {
      std::vector<std::int64_t> lengths;
      for (Index b = 0; b < problem.batch; ++b) lengths.push_back(problem.context_of(b));
      result.emplace(name, integers<std::int32_t>(tensor.spec.shape, lengths, DType::i32));
    } else if (tensor.handed_over) {
      const tensor::Tensor<double>& value = exact.at(name).value;
      AnyTensor handed(tensor.dtype, value.shape());
      handed.write(0, value.size(), value.data());
      result.emplace(name, std::move(handed));
    } else if (const auto found = inputs.find(name); found == inputs.end()) {
      if (tensor.spec.role != Role::positions) throw Error("input '" + name + "' is missing");
      result.emplace(name, default_positions(problem, tensor.spec));
    } else if (tensor.spec.role == Role::positions) {
      std::vector<std::int64_t> values(static_cast<std::size_t>(found->second.size()));
      found->second.read_integers(0, found->second.size(), values.data());
      result.emplace(name, integers<std::int64_t>(found->second.shape(), values, DType::i64));
    } else {
      result.emplace(name, converted(found->second, tensor.dtype));
    }
  }
  return result;
}

verdict::Reference earlier_stages(const problem::Problem& problem, const tensor::TensorMap& inputs, const KernelChoices& choices) {
  std::set<std::string> left;
  for (const auto& [name, format] : choices.given) left.insert(name);
  paths::Plan plan;
  plan.precision = problem.precision;
  // First without alpha_q folded in, as q_tilde is defined; what the form does not show (q_hat of gqa's deferred form) the explicit one
  // does.
  verdict::Reference result;
  for (const problem::PathKind form : {problem.precision.path, problem::PathKind::explicit_form}) {
    for (const bool fold : {false, true}) {
      plan.fold_alpha_q = fold;
      std::set<std::string> here;
      for (const problem::TensorSpec& spec : paths::outputs_of(form, problem, plan)) {
        if (left.contains(spec.name)) here.insert(spec.name);
      }
      if (here.empty()) continue;
      for (auto& [name, values] : run_form(form, plan, problem, inputs, here)) {
        if (left.erase(name) > 0) result.emplace(name, verdict::ReferenceTensor{std::move(values), {}, {}});
      }
    }
  }
  return result;
}

tensor::TensorMap reversed_inputs(const tensor::TensorMap& inputs) {
  tensor::TensorMap result;
  for (const auto& [name, source] : inputs) {
    if (!tensor::is_floating(source.dtype())) {
      result.emplace(name, source);
      continue;
    }
    AnyTensor reversed(source.dtype(), source.shape());
    const std::size_t bytes = tensor::size_of(source.dtype()), count = static_cast<std::size_t>(source.size());
    std::byte* to = reversed.mutable_bytes();
    for (std::size_t i = 0; i < count; ++i) std::memcpy(to + i * bytes, source.bytes() + (count - 1 - i) * bytes, bytes);
    result.emplace(name, std::move(reversed));
  }
  return result;
}

problem::Problem take_rows(problem::Problem problem, const std::vector<Index>& rows) {
  std::vector<Index> context;
  for (const Index b : rows) context.push_back(problem.context_of(b));
  problem.batch = static_cast<Index>(rows.size());
  problem.context = std::move(context);
  return problem;
}

tensor::TensorMap take_rows(const tensor::TensorMap& tensors, const std::vector<kernels::Passed>& specs, const std::vector<Index>& rows) {
  tensor::TensorMap result;
  for (const kernels::Passed& tensor : specs) {
    const AnyTensor& source = tensors.at(tensor.spec.name);
    if (!has_rows(tensor.spec.role)) {
      result.emplace(tensor.spec.name, source);
      continue;
    }
    tensor::Shape shape = source.shape();
    const std::size_t row_bytes = shape[0] == 0 ? 0 : source.byte_size() / static_cast<std::size_t>(shape[0]);
    shape[0] = static_cast<Index>(rows.size());
    AnyTensor taken(source.dtype(), shape);
    std::byte* to = taken.mutable_bytes();
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::memcpy(to + i * row_bytes, source.bytes() + static_cast<std::size_t>(rows[i]) * row_bytes, row_bytes);
    result.emplace(tensor.spec.name, std::move(taken));
  }
  return result;
}

}  // namespace equinorm::commands
