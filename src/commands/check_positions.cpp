#include "commands/check_positions.hpp"

namespace equinorm::commands {
namespace {

using problem::Index;

/// [B,width] of position(T_b, i); 0 in a row without tokens.
template <class Position>
tensor::AnyTensor positions(const problem::Problem& problem, Index width, Position position) {
  tensor::AnyTensor tensor(tensor::DType::i64, {problem.batch, width});
  for (Index b = 0; b < problem.batch; ++b) {
    const Index tokens = problem.context_of(b);
    for (Index i = 0; i < width; ++i) {
      const double value = tokens == 0 ? 0.0 : static_cast<double>(position(tokens, i));
      tensor.write(b * width + i, 1, &value);
    }
  }
  return tensor;
}

}  // namespace

void add_explicit_positions(const problem::Problem& problem, tensor::TensorMap& inputs) {
  const auto falling = [](Index tokens, Index t) { return t < tokens ? tokens - 1 - t : 0; };
  const auto scattered = [](Index tokens, Index i) { return (7 * i + 3) % tokens; };
  inputs.insert_or_assign("positions_k", positions(problem, problem.max_context(), falling));
  inputs.insert_or_assign("positions_q", positions(problem, problem.queries, scattered));
}

}  // namespace equinorm::commands
