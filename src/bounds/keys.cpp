#include "bounds/keys.hpp"

#include <algorithm>

#include "problem/norm_traits.hpp"

namespace equinorm::bounds {
namespace {

void add_row(const Vectors& x, Index i, SquareSums& sums) {
  for (Index j = 0; j < x.width(); ++j) sums.add(x.value.row(i)[j], x.radius.row(i)[j]);
}

/// The same vector, known exactly.
SquareSums exactly(SquareSums sums) {
  sums.radius_squares = sums.cross = 0;
  return sums;
}

Vectors project_keys(const Setting& at, const paths::PathInputs<double>& in, const Sources& sources, Index g, bool with_errors) {
  if (!with_errors) {
    Vectors exact = make_vectors(sources.c.rows(), at.problem.content_dim);
    exact.value = multiply(sources.c.value, in.at("w_k").row(g), at.problem.content_dim);
    std::fill_n(exact.radius.data(), exact.radius.size(), kInfinity);
    return exact;
  }
  Vectors k0 = multiply_bounded(at, sources.c, in.at("w_k").row(g), at.problem.content_dim);
  if (at.rounds(Stored::k0)) {
    for (Index i = 0; i < k0.value.size(); ++i) k0.radius[i] += at.store_near(Stored::k0, k0.value[i], k0.radius[i]);
  }
  return k0;
}

/// What the content statistic of token t of group g is taken over, in the problem's scheme.
SquareSums key_sums(const Setting& at, const RowKeys& row, const Vectors& k0, Index g, Index t) {
  const problem::Problem& pb = at.problem;
  const problem::NormTraits norm = problem::norm_traits(pb);
  SquareSums sums;
  if (pb.is_mla()) {
    if (norm.over_all_heads) {
      for (const Vectors& group : row.k0) add_row(group, t, sums);
    } else {
      add_row(k0, t, sums);
      if (norm.spans_rope && pb.rope_dim > 0) add_row(row.sources->k_rope, t, sums);
    }
  } else {
    const Index first = norm.over_all_heads ? 0 : g, last = norm.over_all_heads ? pb.groups : g + 1;
    for (Index group = first; group < last; ++group) add_row(row.sources->k, t * pb.groups + group, sums);
  }
  return sums;
}

/// The RoPE keys that all groups share.
Vectors shared_rope(const Setting& at, const paths::PathInputs<double>& in, const Sources& sources, Index b, Index first) {
  const problem::Problem& pb = at.problem;
  Vectors rope = sources.k_rope;
  const bool own = problem::norm_traits(pb).own_rope_statistic;
  const Weights weight = weights(at, in, false, true, 0);
  for (Index t = 0; t < rope.rows(); ++t) {
    Finish finish;
    finish.weight = &weight;
    if (own) {
      SquareSums sums;
      add_row(rope, t, sums);
      const Statistic alpha = statistic(statistic_arithmetic(at, sums.width), sums);
      finish.alpha = alpha.alpha, finish.rho = alpha.rho, finish.scaled = true;
    }
    set_rotation(at, in, *in.positions_k.row(b, first + t), finish);
    finish_row(at, finish, rope, t);
  }
  return rope;
}

/// Rows g of [T*G,width].
Vectors group_rows(const Vectors& all, Index groups, Index g) {
  Vectors out = make_vectors(all.rows() / groups, all.width());
  for (Index t = 0; t < out.rows(); ++t) {
    std::copy_n(all.value.row(t * groups + g), all.width(), out.value.row(t));
    std::copy_n(all.radius.row(t * groups + g), all.width(), out.radius.row(t));
  }
  return out;
}

void finish_content(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const KeyNeeds& needs,
                    GroupKeys& keys) {
  const problem::Problem& pb = at.problem;
  const bool normed = problem::norm_traits(pb).normed, inside = normed && (pb.is_mla() || !at.absorbed());
  const bool unified = problem::norm_traits(pb).spans_rope && pb.rope_dim > 0 && !at.absorbed();
  const Weights weight = weights(at, in, false, false, g);
  const Weights rope_weight = unified ? weights(at, in, false, true, g) : Weights{};
  keys.content = pb.is_mla() ? keys.k0 : group_rows(row.sources->k, pb.groups, g);
  if (unified) keys.rope = row.sources->k_rope;
  const bool values_alone = pb.is_mla() && !needs.content_errors;
  if (values_alone) std::fill_n(keys.content.radius.data(), keys.content.radius.size(), kInfinity);
  for (Index t = 0; t < row.tokens; ++t) {
    Finish finish;
    finish.weight = &weight;
    finish.alpha = keys.alpha[t], finish.rho = keys.rho[t], finish.scaled = inside;
    if (!pb.is_mla()) set_rotation(at, in, *in.positions_k.row(row.b, row.first + t), finish);
    if (values_alone)
      finish_values(finish, keys.content.value.row(t), pb.content_dim);
    else
      finish_row(at, finish, keys.content, t);
    if (!unified) continue;
    finish.weight = &rope_weight;
    set_rotation(at, in, *in.positions_k.row(row.b, row.first + t), finish);
    finish_row(at, finish, keys.rope, t);
  }
}

}  // namespace

StatisticArithmetic statistic_arithmetic(const Setting& at, Index width) {
  StatisticArithmetic how{at.sums, 1, at.eps, at.e_rsqrt};
  switch (at.problem.norm.kind) {
    case problem::NormKind::rms:
      how.nu = 1.0 / static_cast<double>(width);
      break;
    case problem::NormKind::l2:
      break;
  }
  return how;
}

void set_rotation(const Setting& at, const paths::PathInputs<double>& in, Index position, Finish& finish) {
  if (at.problem.rotated_dim() == 0 || position < 0) return;
  finish.cosine = in.at("rope_cos").row(position);
  finish.sine = in.at("rope_sin").row(position);
  const bool last = !at.problem.is_mla() && at.problem.rope.part == problem::RopePart::last;
  finish.first_rotated = last ? at.problem.head_dim - at.problem.rope_dim : 0;
}

RowKeys make_row_keys(const Setting& at, const paths::PathInputs<double>& in, const Sources& sources, Index b) {
  return make_row_keys(at, in, sources, b, {0, at.problem.context_of(b)}, {});
}

RowKeys make_row_keys(const Setting& at, const paths::PathInputs<double>& in, const Sources& sources, Index b, Tokens tokens,
                      const std::vector<SquareSums>& sums) {
  const problem::Problem& pb = at.problem;
  RowKeys row;
  row.sources = &sources, row.b = b, row.first = tokens.first, row.tokens = tokens.count;
  if (pb.is_mla() && pb.rope_dim > 0) row.rope = shared_rope(at, in, sources, b, row.first);
  if (!problem::norm_traits(pb).over_all_heads) return row;
  if (!sums.empty()) {
    row.sums.assign(sums.begin() + row.first, sums.begin() + row.first + row.tokens);
    return row;
  }
  for (Index g = 0; pb.is_mla() && g < pb.groups; ++g) row.k0.push_back(project_keys(at, in, sources, g, true));
  for (Index t = 0; t < row.tokens; ++t) row.sums.push_back(key_sums(at, row, {}, 0, t));
  return row;
}

GroupKeys make_group_keys(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const KeyNeeds& needs) {
  const problem::Problem& pb = at.problem;
  const problem::NormTraits norm = problem::norm_traits(pb);
  GroupKeys keys;
  if (pb.is_mla()) keys.k0 = row.k0.empty() ? project_keys(at, in, *row.sources, g, needs.errors) : row.k0[static_cast<std::size_t>(g)];
  keys.alpha.assign(static_cast<std::size_t>(row.tokens), 1);
  keys.rho.assign(static_cast<std::size_t>(row.tokens), 0);
  keys.rounding = keys.rho;
  for (Index t = 0; norm.normed && t < row.tokens; ++t) {
    const SquareSums sums = norm.over_all_heads ? row.sums[static_cast<std::size_t>(t)] : key_sums(at, row, keys.k0, g, t);
    const StatisticArithmetic how = statistic_arithmetic(at, sums.width);
    const Statistic alpha = statistic(how, sums);
    keys.alpha[t] = alpha.alpha;
    keys.rounding[t] = statistic(how, exactly(sums)).rho;
    keys.rho[t] = at.rounds(Stored::alpha) ? stored_rho(alpha, at.format(Stored::alpha)) : alpha.rho;
  }
  if (needs.content || !pb.is_mla()) finish_content(at, in, row, g, needs, keys);
  return keys;
}

}  // namespace equinorm::bounds
