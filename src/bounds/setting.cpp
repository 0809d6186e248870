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

Setting::Setting(const problem::Problem& pb, const paths::Plan& pl, PathKind path, const FunctionErrors& functions)
    : problem(pb),
      plan(pl),
      form(path),
      fx(pl.precision.statistics, pl.precision.ftz),
      fa(pl.precision.accumulate, pl.precision.ftz),
      products{fa, pl.precision.order, pl.fused},
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

}  // namespace equinorm::bounds
