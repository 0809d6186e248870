#include <algorithm>
#include <vector>

#include "problem/tensors.hpp"
#include "reference/dice.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::reference {
namespace {

using problem::Problem;
using problem::Role;
using tensor::AnyTensor;
using tensor::DType;

AnyTensor random_positions(Dice& dice, const problem::TensorSpec& spec, std::int64_t rows) {
  AnyTensor positions(DType::i64, spec.shape);
  std::vector<double> values(static_cast<std::size_t>(positions.size()));
  for (double& value : values) value = static_cast<double>(dice.between(0, rows - 1));
  positions.write(0, positions.size(), values.data());
  return positions;
}

AnyTensor random_values(Dice& dice, const Problem& problem, const problem::TensorSpec& spec) {
  AnyTensor values(spec.role == Role::rope_table ? DType::f32 : tensor::dtype_of(problem.precision.storage), spec.shape);
  const double middle = spec.role == Role::gamma && problem.norm.weight != problem::NormWeight::zero_centred ? 1.0 : 0.0;
  const double spread = spec.role == Role::gamma ? 0.5 : spec.role == Role::rope_table ? 1.0 : 2.0;
  std::vector<double> numbers(static_cast<std::size_t>(values.size()));
  for (double& number : numbers) number = middle + spread * dice.small_number();
  values.write(0, values.size(), numbers.data());
  return values;
}

}  // namespace

tensor::TensorMap random_inputs(const Problem& problem, std::uint64_t seed) {
  Dice dice(seed ^ 0x9e3779b97f4a7c15U);
  const bool explicit_positions = problem.rotated_dim() > 0 && dice.one_in(3);
  const std::int64_t rows = std::max(problem::default_table_rows(problem), explicit_positions ? dice.between(1, 20) : 0);
  tensor::TensorMap inputs;
  for (const problem::TensorSpec& spec : problem::input_tensors(problem, rows)) {
    if (spec.role != Role::positions)
      inputs[spec.name] = random_values(dice, problem, spec);
    else if (explicit_positions)
      inputs[spec.name] = random_positions(dice, spec, rows);
  }
  return inputs;
}

}  // namespace equinorm::reference
