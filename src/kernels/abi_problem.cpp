#include "kernels/abi_problem.hpp"

#include "kernels/exact_scalars.hpp"

namespace equinorm::kernels {
namespace {

static_assert(EQUINORM_NORM_NONE == 4 && EQUINORM_NORM_L2 == 1, "kernel.h: kernels are built against its numbers; a new one comes last");

std::int32_t abi(problem::NormScheme scheme) {
  switch (scheme) {
    case problem::NormScheme::blockwise:
      return EQUINORM_NORM_BLOCKWISE;
    case problem::NormScheme::unified:
      return EQUINORM_NORM_UNIFIED;
    case problem::NormScheme::full_width:
      return EQUINORM_NORM_FULL_WIDTH;
    case problem::NormScheme::per_head:
      return EQUINORM_NORM_PER_HEAD;
    case problem::NormScheme::none:
      break;
  }
  return EQUINORM_NORM_NONE;
}

std::int32_t abi(problem::NormKind kind) {
  switch (kind) {
    case problem::NormKind::rms:
      break;
    case problem::NormKind::l2:
      return EQUINORM_NORM_L2;
  }
  return EQUINORM_NORM_RMS;
}

std::int32_t abi(problem::NormWeight weight) {
  switch (weight) {
    case problem::NormWeight::plain:
      return EQUINORM_WEIGHT_PLAIN;
    case problem::NormWeight::zero_centred:
      return EQUINORM_WEIGHT_ZERO_CENTRED;
    case problem::NormWeight::none:
      break;
  }
  return EQUINORM_WEIGHT_NONE;
}

std::int32_t abi(problem::RopeLayout layout) {
  switch (layout) {
    case problem::RopeLayout::interleaved:
      return EQUINORM_ROPE_INTERLEAVED;
    case problem::RopeLayout::half:
      return EQUINORM_ROPE_HALF;
    case problem::RopeLayout::none:
      break;
  }
  return EQUINORM_ROPE_NONE;
}

std::int32_t abi(problem::MaskKind mask) {
  switch (mask) {
    case problem::MaskKind::none:
      break;
    case problem::MaskKind::causal:
      return EQUINORM_MASK_CAUSAL;
    case problem::MaskKind::window:
      return EQUINORM_MASK_WINDOW;
  }
  return EQUINORM_MASK_NONE;
}

}  // namespace

equinorm_problem abi_problem(const problem::Problem& problem, problem::Index splits, problem::Index tile) {
  const ExactScalars scalars = exact_scalars(problem);
  equinorm_problem out{};
  out.size = sizeof(out);
  out.batch = problem.batch, out.queries = problem.queries, out.context = problem.max_context();
  out.heads = problem.heads, out.groups = problem.groups, out.latent = problem.latent;
  out.content_dim = problem.content_dim, out.rope_dim = problem.rope_dim, out.head_dim = problem.head_dim;
  out.value_dim = problem.value_dim, out.model_dim = problem.model_dim, out.query_latent = problem.query_latent;
  out.rotated_dim = problem.rotated_dim(), out.window = problem.mask.window;
  out.splits = splits, out.tile = tile;
  out.eps = scalars.at("eps").high, out.scale = scalars.at("scale").high, out.softcap = scalars.at("softcap").high;
  out.attention = problem.is_mla() ? EQUINORM_MLA : EQUINORM_GQA;
  out.norm_scheme = abi(problem.norm.scheme), out.norm_kind = abi(problem.norm.kind), out.norm_weight = abi(problem.norm.weight);
  out.latent_norm = problem.norm.latent_norm ? 1 : 0;
  out.rope_layout = abi(problem.rope.layout);
  out.rope_last = problem.rope.part == problem::RopePart::last ? 1 : 0;
  out.mask = abi(problem.mask.kind);
  out.sink = problem.sink ? 1 : 0, out.output_gate = problem.output_gate ? 1 : 0;
  return out;
}

}  // namespace equinorm::kernels
