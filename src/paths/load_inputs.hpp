// Input tensors of a file or a generator as values of an arithmetic.
#pragma once

#include <algorithm>
#include <vector>

#include "paths/path_data.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::paths {

/// Reads every input tensor of the problem through ar.input (tables through ar.table), and the positions, explicit or default.
/// Throws Error when one is missing; shapes have been checked by room inputs/.
template <class A>
PathInputs<typename A::Value> load_inputs(const A& ar, const problem::Problem& problem, const tensor::TensorMap& tensors) {
  using V = typename A::Value;
  PathInputs<V> result;
  set_default_positions(problem, result);
  for (const problem::TensorSpec& spec : problem::input_tensors(problem, 1)) {
    const auto found = tensors.find(spec.name);
    if (found == tensors.end()) {
      if (spec.optional) continue;
      throw Error("input tensor '" + spec.name + "' is missing");
    }
    const tensor::AnyTensor& source = found->second;
    if (spec.role == problem::Role::positions) {
      Tensor<Index>& target = spec.name == "positions_q" ? result.positions_q : result.positions_k;
      source.read_integers(0, source.size(), target.data());
      continue;
    }
    Tensor<V> values(source.shape());
    constexpr Index kBlock = 4096;
    std::vector<double> block(kBlock);
    for (Index begin = 0; begin < source.size(); begin += kBlock) {
      const Index count = std::min(kBlock, source.size() - begin);
      source.read(begin, count, block.data());
      for (Index i = 0; i < count; ++i)
        values[begin + i] = spec.role == problem::Role::rope_table ? ar.table(block[i]) : ar.input(block[i]);
    }
    result.tensors.emplace(spec.name, std::move(values));
  }
  return result;
}

}  // namespace equinorm::paths
