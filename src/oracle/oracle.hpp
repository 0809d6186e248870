// Certified enclosures of the outputs of a problem, by formulas of its own.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::oracle {

/// Per element: |exact - value| <= radius and |exact - (value + low)| <= low_radius. -inf (masked logits, lse of nothing) is exact: radii
/// 0. A radius is +inf where no enclosure was found: the exact value does not exist (eps 0 with a zero row), something overflows binary64,
/// or logits are so large (about 1e20 and more) that pairs of doubles cannot tell their exponentials.
struct EnclosedTensor {
  tensor::Tensor<double> value, low, radius, low_radius;
};
using Enclosures = std::map<std::string, EnclosedTensor>;

struct KeyBlocks;

/// alpha_k (5), and the statistic of mla's RoPE block, of every token: what materialised keys are needed for. It depends on the keys alone
/// (c, k_rope or x, w_k, their norm's eps), so one serves all queries on the same cache; of 16 groups it takes 408 bytes a token.
class KeyStatistics {
 public:
  /// Throws as enclose.
  KeyStatistics(const problem::Problem& problem, const tensor::TensorMap& inputs);
  const KeyBlocks& blocks() const { return *blocks_; }

 private:
  std::shared_ptr<const KeyBlocks> blocks_;
};

/// Encloses the outputs in `wanted` (empty: all of problem::output_tensors, in their shapes); elements that the problem does not define
/// (padding, the turned dims of a query without a position) are 0 with radius 0. Keys are materialised in blocks of tokens for their
/// statistics (5) and forgotten; logits of mla come from q_tilde . c (10), whose radius is smaller. Memory does not grow with the context
/// beyond the outputs and, for many queries, KeyStatistics. The same bits at any number of threads, at every SIMD level, and with or
/// without `statistics`, which must be those of the same keys. Throws Error when an input is missing or has another shape, for unknown
/// names, when `statistics` has another shape, and when the rounding mode is not to nearest or subnormals are flushed.
Enclosures enclose(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::set<std::string>& wanted = {},
                   const KeyStatistics* statistics = nullptr);

}  // namespace equinorm::oracle
