#include "bounds/setting.hpp"

#include <algorithm>

#include "paths/scale_value.hpp"

namespace equinorm::bounds {
namespace {

/// The format that a stored tensor was computed in.
scalar::Format computed_in(const problem::Precision& precision, const problem::Problem& problem, PathKind form, Stored tensor) {
  switch (tensor) {
    case Stored::k0:
    case Stored::q_tilde:
    case Stored::v:
      return precision.accumulate;
    case Stored::o:
      return form == PathKind::absorbed_form && problem.is_mla() ? precision.accumulate : precision.statistics;
    case Stored::alpha:
    case Stored::g:
    case Stored::k_hat:
    case Stored::q_hat:
    case Stored::logits:
    case Stored::p:
    case Stored::u:
      return precision.statistics;
  }
  return precision.statistics;
}

/// Sums are no matrix products: beside a matrix unit they run in sequence.
scalar::SumOrder sums_order(const scalar::SumOrder& order) {
  using Kind = scalar::SumOrder::Kind;
  return order.kind == Kind::tensor_core ? scalar::SumOrder{Kind::sequential, 0, {}} : order;
}

/// Whether every number of `narrow` is one of `wide`.
bool contains(scalar::Format wide, scalar::Format narrow) {
  return wide == narrow || (wide.precision > narrow.precision && wide.precision >= scalar::kFp32.precision);
}

}  // namespace

double own_error(const problem::Problem& pb, bool latent) {
  const std::int64_t heads = pb.model_dim > 0 ? std::max(pb.model_dim, pb.heads * pb.value_dim) : 0;
  const std::int64_t longest = std::max({pb.latent, pb.query_latent, pb.content_dim + pb.rope_dim, pb.head_dim, heads});
  return 0x1.01p-53 * static_cast<double>(latent ? 4 * longest + 64 : longest + 16);
}

Setting::Setting(const problem::Problem& pb, const paths::Plan& pl, PathKind path, const FunctionErrors& functions)
    : problem(pb),
      plan(pl),
      form(path),
      fx(pl.precision.statistics, pl.precision.ftz),
      fa(pl.precision.accumulate, pl.precision.ftz),
      products{fa, pl.precision.order, pl.fused, own_error(pb, path == PathKind::absorbed_form && pb.is_mla())},
      sums{fx, sums_order(pl.precision.order), pl.fused},
      e_exp(functions.exp * fx.unit()),
      e_rsqrt(functions.rsqrt * fx.unit()),
      e_log(functions.log * fx.unit()),
      e_tanh(functions.tanh * fx.unit()),
      e_sigmoid(functions.sigmoid * fx.unit()),
      base_two(functions.base_two),
      scale(scalar::to_double(paths::scale_value(problem::softmax_scale(pb), 53))),
      eps(pb.norm.eps.to_double()) {
  const problem::Precision& precision = pl.precision;
  const int widest = std::max({precision.storage.precision, precision.accumulate.precision, precision.statistics.precision, 24});
  for (std::size_t i = 0; i < precision.stored.size(); ++i) {
    const scalar::Format format = precision.stored[i];
    formats_.emplace_back(format, precision.ftz);
    // Without norm and weights these are stored as they came from an input or a matrix product.
    const auto tensor = static_cast<Stored>(i);
    const bool as_it_came = tensor == Stored::k_hat || tensor == Stored::q_hat || tensor == Stored::g;
    const bool already = format == computed_in(precision, pb, path, tensor) &&
                         (!as_it_came || (contains(format, precision.storage) && contains(format, precision.accumulate)));
    rounds_.push_back(format.precision < widest && !already);
  }
}

paths::Plan own_plan(bool fold_alpha_q) {
  paths::Plan plan;
  plan.fold_alpha_q = fold_alpha_q;
  plan.precision.storage = plan.precision.accumulate = plan.precision.statistics = scalar::kFp64;
  plan.precision.stored.fill(scalar::kFp64);
  return plan;
}

Setting own_setting(const problem::Problem& problem, const paths::Plan& plan, PathKind form) {
  Setting own(problem, plan, form);
  own.products.own = 0;  // unit() counts 2^-53 twice already
  return own;
}

}  // namespace equinorm::bounds
