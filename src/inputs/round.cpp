#include "inputs/round.hpp"

#include <algorithm>
#include <vector>

#include "problem/tensors.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::inputs {

tensor::TensorMap round_inputs(const problem::Problem& problem, const tensor::TensorMap& inputs, scalar::Format format, bool ftz,
                               bool* changed) {
  tensor::TensorMap result = inputs;
  if (changed != nullptr) *changed = false;
  constexpr tensor::Index kBlock = 4096;
  std::vector<double> before(kBlock), after(kBlock);
  for (const problem::TensorSpec& spec : problem::input_tensors(problem, 1)) {
    const auto found = inputs.find(spec.name);
    if (found == inputs.end() || spec.role == problem::Role::rope_table || spec.role == problem::Role::positions) continue;
    const tensor::AnyTensor& source = found->second;
    tensor::AnyTensor rounded(tensor::dtype_of(format), source.shape());
    for (tensor::Index begin = 0; begin < source.size(); begin += kBlock) {
      const tensor::Index count = std::min(kBlock, source.size() - begin);
      source.read(begin, count, before.data());
      after = before;
      scalar::round_block(format, ftz, after.data(), count);
      if (changed != nullptr && !std::equal(before.begin(), before.begin() + count, after.begin())) *changed = true;
      rounded.write(begin, count, after.data());
    }
    result[spec.name] = std::move(rounded);
  }
  return result;
}

}  // namespace equinorm::inputs
