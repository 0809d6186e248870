// The order in which a contraction adds its products.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace equinorm::scalar {

/// `any` promises nothing (a path then runs it sequentially). `pairwise` splits n terms at the largest power of two below n, down to single
/// terms. `blocked` sums blocks of `block` terms sequentially, each from its own first term, then adds the block sums sequentially.
/// `tensor_core` is the chain of blocks of a matrix unit, see tensor_core.hpp.
struct SumOrder {
  enum class Kind : std::uint8_t { any, sequential, pairwise, blocked, tensor_core } kind = Kind::any;
  std::int64_t block = 0;    ///< `blocked` only
  std::string architecture;  ///< `tensor_core` only, e.g. "sm_90" or "sm_90:wgmma"

  friend bool operator==(const SumOrder&, const SumOrder&) = default;
};

/// "any", "sequential", "pairwise", "blocked:N" (N >= 1) or "tensor-core:ARCH". Throws Error naming what is allowed.
SumOrder parse_order(std::string_view text);
std::string to_string(const SumOrder& order);

}  // namespace equinorm::scalar
