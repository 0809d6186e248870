#include "problem/cache_cost.hpp"

#include "problem/norm_traits.hpp"
#include "scalar/error.hpp"

namespace equinorm::problem {
namespace {

double bytes_of(Format format) {
  switch (format.kind) {
    case scalar::FormatKind::fp16:
    case scalar::FormatKind::bf16:
      return 2;
    case scalar::FormatKind::fp32:
      return 4;
    case scalar::FormatKind::fp64:
      return 8;
    case scalar::FormatKind::real:
      break;
  }
  throw Error("a cache in " + scalar::to_string(format) + " has no size in bytes; allowed: fp16, bf16, fp32, fp64");
}

}  // namespace

CacheCost cache_cost(const Problem& problem, Format alpha_format) {
  if (!problem.is_mla()) throw Error("attention is gqa, which has no latent cache; allowed: mla");
  const double element = bytes_of(problem.precision.storage);
  const double statistics = norm_traits(problem).normed ? static_cast<double>(problem.key_statistics()) : 0;
  return {static_cast<double>(problem.latent) * element, static_cast<double>(problem.rope_dim) * element,
          statistics * bytes_of(alpha_format)};
}

}  // namespace equinorm::problem
