#include "commands/hunt_size.hpp"

#include <algorithm>

#include "commands/reference.hpp"

namespace equinorm::commands {
namespace {

using problem::Index;

/// Multiply-adds that need no shrinking: a certified reference in about 2 ms.
constexpr double kSmallWork = 2e5;

}  // namespace

std::vector<std::pair<std::string, std::string>> smaller_fields(const problem::Problem& p) {
  std::vector<std::pair<std::string, std::string>> fields;
  if (work_of(p) <= kSmallWork && p.max_context() <= 64) return fields;
  const auto cap = [&](const char* name, Index value, Index most) {
    if (value > most) fields.emplace_back(name, std::to_string(most));
  };
  const Index tokens = std::min<Index>(p.max_context(), 6);
  cap("batch", p.batch, 1);
  if (p.context != std::vector<Index>{tokens}) fields.emplace_back("context", std::to_string(tokens));
  cap("queries", p.queries, 2);
  const Index groups = std::min<Index>(p.groups, 2), shared = std::min<Index>(p.heads / p.groups, 2);
  cap("groups", p.groups, groups);
  cap("heads", p.heads, groups * shared);
  // A rotation of the whole head stays one.
  const bool whole = !p.is_mla() && p.rope_dim == p.head_dim;
  if (p.is_mla()) {
    cap("latent", p.latent, 24);
    cap("content_dim", p.content_dim, 12);
    cap("query_latent", p.query_latent, 10);
  } else {
    cap("head_dim", p.head_dim, 12);
  }
  cap("rope_dim", p.rope_dim, whole ? 12 : 6);
  cap("value_dim", p.value_dim, 6);
  cap("model_dim", p.model_dim, 16);
  if (p.mask.kind == problem::MaskKind::window) cap("mask.window", p.mask.window, 4);
  cap("precision.tile", p.precision.tile, 2);
  cap("precision.splits", p.precision.splits, 3);
  return fields;
}

}  // namespace equinorm::commands
