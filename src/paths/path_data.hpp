// What goes into a path and what comes out of it.
#pragma once

#include <map>
#include <set>
#include <string>

#include "problem/tensors.hpp"
#include "scalar/error.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::paths {

using Index = std::int64_t;
using tensor::Tensor;

/// The inputs of a problem as values of one arithmetic, by the names and shapes of problem::input_tensors.
template <class V>
struct PathInputs {
  std::map<std::string, Tensor<V>> tensors;
  Tensor<Index> positions_q;  ///< [B,S]; negative where a default position falls before the row's first token
  Tensor<Index> positions_k;  ///< [B,T]

  bool has(const std::string& name) const { return tensors.contains(name); }
  const Tensor<V>& at(const std::string& name) const {
    const auto found = tensors.find(name);
    if (found == tensors.end()) throw Error("path needs input tensor '" + name + "', which is missing");
    return found->second;
  }
};

/// The outputs of a path, by the names and shapes of problem::output_tensors; only those asked for are kept.
///
/// Where a token is not seen, `logits` and `p` hold Value{} and `live` holds 0; where a row has nothing to attend to and no sink, `lse`
/// holds Value{} and `lse_live` holds 0 (the exact value is -inf).
template <class V>
struct PathOutput {
  std::map<std::string, Tensor<V>> tensors;
  Tensor<std::uint8_t> live;      ///< [B,S,T]
  Tensor<std::uint8_t> lse_live;  ///< [B,H,S]

  bool has(const std::string& name) const { return tensors.contains(name); }
  const Tensor<V>& at(const std::string& name) const {
    const auto found = tensors.find(name);
    if (found == tensors.end()) throw Error("path did not keep output tensor '" + name + "'");
    return found->second;
  }
  /// The tensor to fill, or null when nobody asked for it.
  Tensor<V>* find(const std::string& name) {
    const auto found = tensors.find(name);
    return found == tensors.end() ? nullptr : &found->second;
  }
};

/// Default positions: t for keys, T_b - S + i for queries.
template <class V>
void set_default_positions(const problem::Problem& problem, PathInputs<V>& inputs) {
  inputs.positions_q = Tensor<Index>({problem.batch, problem.queries});
  inputs.positions_k = Tensor<Index>({problem.batch, problem.max_context()});
  for (Index b = 0; b < problem.batch; ++b) {
    for (Index s = 0; s < problem.queries; ++s) *inputs.positions_q.row(b, s) = problem.query_position(b, s);
    for (Index t = 0; t < problem.max_context(); ++t) *inputs.positions_k.row(b, t) = t;
  }
}

/// Names of the outputs to keep. Empty asks for everything that the form defines.
using Wanted = std::set<std::string>;

}  // namespace equinorm::paths
