// Element-by-element comparison of two path outputs in an exact arithmetic.
#pragma once

#include <fmt/format.h>

#include "exact/equality.hpp"

namespace equinorm::exact {

/// Compares every tensor that both outputs hold, in data-flow order, and adds to `result`; stops at the first difference.
template <class V, class ToString>
void compare_outputs(const problem::Problem& problem, const paths::PathOutput<V>& explicit_out, const paths::PathOutput<V>& absorbed_out,
                     const ToString& to_string, Equality& result) {
  const auto flags = [](std::uint8_t flag) { return std::string(flag != 0 ? "a number" : "-inf"); };
  const auto compare = [&](const std::string& name, const auto& left, const auto& right, const auto& show) {
    for (Index i = 0; i < left.size(); ++i) {
      if (left[i] == right[i]) continue;
      result.departure = Departure{stage_of(name), name, tensor::unravel(left.shape(), i), show(left[i]), show(right[i])};
      result.equal = Truth::no;
      return false;
    }
    result.elements += left.size();
    return true;
  };
  result.tensors.clear();
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    if (!explicit_out.has(spec.name) || !absorbed_out.has(spec.name)) continue;
    result.tensors.push_back(spec.name);
    if (spec.name == "logits" && !compare("logits", explicit_out.live, absorbed_out.live, flags)) return;
    if (spec.name == "lse" && !compare("lse", explicit_out.lse_live, absorbed_out.lse_live, flags)) return;
    if (!compare(spec.name, explicit_out.at(spec.name), absorbed_out.at(spec.name), to_string)) return;
  }
}

}  // namespace equinorm::exact
