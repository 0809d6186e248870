#include "bounds/given.hpp"

#include <algorithm>
#include <array>

#include "paths/path.hpp"
#include "problem/norm_traits.hpp"
#include "scalar/error.hpp"

namespace equinorm::bounds {
namespace {

constexpr std::array<const char*, 12> kNames{"alpha_k",    "k_rope_cached", "k_hat",  "k_deferred", "alpha_q", "q_tilde",
                                             "q_rope_hat", "q_hat",         "logits", "p",          "u",       "o"};

paths::Plan in_binary64(paths::Plan plan, bool fold_alpha_q) {
  plan.precision.storage = plan.precision.accumulate = plan.precision.statistics = scalar::kFp64;
  plan.precision.stored.fill(scalar::kFp64);
  plan.precision.ftz = false;
  plan.precision.order = {};
  plan.fused = true;
  plan.fold_alpha_q = fold_alpha_q;
  return plan;
}

std::set<std::string> defined(const problem::Problem& problem, const paths::Plan& plan, PathKind form, const Given& wanted) {
  std::set<std::string> names;
  for (const problem::TensorSpec& spec : paths::outputs_of(form, problem, plan)) {
    if (wanted.contains(spec.name)) names.insert(spec.name);
  }
  return names;
}

}  // namespace

HandedOver::HandedOver(const problem::Problem& problem, const paths::Plan& plan, PathKind form, const Given& given,
                       const BoundsOf& bounds_of)
    : problem_(problem) {
  Given left = given;
  const PathKind other = form == PathKind::explicit_form ? PathKind::absorbed_form : PathKind::explicit_form;
  for (const auto& [kind, fold] : {std::pair{form, plan.fold_alpha_q}, std::pair{form, !plan.fold_alpha_q}, std::pair{other, true}}) {
    const paths::Plan own = in_binary64(plan, fold);
    const std::set<std::string> names = defined(problem, own, kind, left);
    if (names.empty()) continue;
    for (auto& [name, bound] : bounds_of(own, kind, names)) {
      entries_.emplace(name, Entry{Rounding(left.at(name), plan.precision.ftz), std::move(bound)});
      left.erase(name);
    }
  }
  for (const auto& [name, format] : given) {
    const bool read = std::find(kNames.begin(), kNames.end(), name) != kNames.end();
    if (read && !left.contains(name)) continue;
    std::string allowed;
    for (const char* known : kNames) allowed += (allowed.empty() ? "" : ", ") + std::string(known);
    throw Error("tensor '" + name + (read ? "' is none of this problem" : "' is read by no stage") +
                "; allowed to be handed over: " + allowed);
  }
}

paths::Plan HandedOver::remaining(const problem::Problem& problem, paths::Plan plan, const Given& given) {
  if (given.contains("q_hat")) plan.fold_alpha_q = true;
  if (given.contains("q_tilde") && problem::norm_traits(problem).normed) plan.fold_alpha_q = false;
  return plan;
}

Rounding::Held HandedOver::held(const Entry& entry, Index flat, double value) {
  return entry.format.held_near(value, 2 * (*entry.own)[flat]);
}

double HandedOver::radius(const char* name, Index flat, double value) const {
  const Rounding::Held known = held(at(name), flat, value);
  return std::fabs(known.shift) + known.radius;
}

bool HandedOver::knows_keys(const Setting& at) const {
  if (!at.absorbed()) return has("k_hat");
  return at.problem.is_mla() && has("alpha_k") && has("q_tilde");
}

bool HandedOver::operator==(const HandedOver& other) const {
  const auto same = [](const auto& x, const auto& y) {
    const Tensor<double>&a = *x.second.own, &b = *y.second.own;
    const bool alike = x.first == y.first && x.second.format.format() == y.second.format.format();
    return alike && (&a == &b || std::equal(a.data(), a.data() + a.size(), b.data(), b.data() + b.size()));
  };
  return std::equal(entries_.begin(), entries_.end(), other.entries_.begin(), other.entries_.end(), same);
}

/// Row i of x is columns [offset, offset + width) of row first + i stride of the tensor.
void HandedOver::replace_rows(const Entry& entry, Index first, Index stride, Index offset, Vectors& x) {
  const Index width = entry.own->shape().back();
  for (Index i = 0; i < x.rows(); ++i) {
    const Index from = (first + i * stride) * width + offset;
    for (Index j = 0; j < x.width(); ++j) x.replace(i, j, held(entry, from + j, x.value.row(i)[j]));
    x.rho[static_cast<std::size_t>(i)] = 0;
  }
}

void HandedOver::replace(RowKeys& row) const {
  if (row.rope.value.empty()) return;
  if (has("k_rope_cached")) replace_rows(at("k_rope_cached"), row.b * problem_.max_context() + row.first, 1, 0, row.rope);
  const Index first = (row.b * problem_.max_context() + row.first) * problem_.groups;
  // One RoPE key for all groups, part of each one's k_hat.
  if (has("k_hat") && !problem::norm_traits(problem_).spans_rope)
    replace_rows(at("k_hat"), first, problem_.groups, problem_.content_dim, row.rope);
}

void HandedOver::replace(const RowKeys& row, Index g, GroupKeys& keys) const {
  const Index first = row.b * problem_.max_context() + row.first;
  if (has("alpha_k")) {
    const Index columns = problem_.key_statistics(), column = columns == 1 ? 0 : g;
    for (Index t = 0; t < row.tokens; ++t) keys.rho[t] = radius("alpha_k", (first + t) * columns + column, keys.alpha[t]) / keys.alpha[t];
  }
  for (const char* name : {"k_hat", "k_deferred"}) {
    if (!has(name)) continue;
    replace_rows(at(name), first * problem_.groups + g, problem_.groups, 0, keys.content);
    if (has("k_hat")) std::fill(keys.rho.begin(), keys.rho.end(), 0);  // alpha_k is inside
    if (!keys.rope.value.empty()) replace_rows(at(name), first * problem_.groups + g, problem_.groups, problem_.content_dim, keys.rope);
  }
}

void HandedOver::replace(Index b, const std::vector<QueryIndex>& rows, Queries& queries) const {
  const auto flat = [&](const QueryIndex& at_query) { return (b * problem_.queries + at_query.s) * problem_.heads + at_query.h; };
  const auto replace_row = [&](const char* name, std::size_t n, Index offset, Vectors& x) {
    const Entry& entry = at(name);
    const Index i = static_cast<Index>(n), from = flat(rows[n]) * entry.own->dim(3) + offset;
    for (Index j = 0; j < x.width(); ++j) x.replace(i, j, held(entry, from + j, x.value.row(i)[j]));
    x.rho[n] = 0;
  };
  for (std::size_t n = 0; n < rows.size(); ++n) {
    if (has("alpha_q")) queries.rho[n] = radius("alpha_q", flat(rows[n]), queries.alpha[n]) / queries.alpha[n];
    if (has("q_hat")) {
      replace_row("q_hat", n, 0, queries.content);
      if (!queries.rope.value.empty()) replace_row("q_hat", n, problem_.content_dim, queries.rope);
      queries.rho[n] = 0;
    }
    if (has("q_rope_hat")) replace_row("q_rope_hat", n, 0, queries.rope);
    if (!has("q_tilde")) continue;
    for (Index k = 0; k < problem_.latent; ++k) {
      const Index i = static_cast<Index>(n);
      const double value = queries.q_tilde.row(i)[k];
      const Rounding::Held known = held(at("q_tilde"), flat(rows[n]) * problem_.latent + k, value);
      queries.q_tilde_local.row(i)[k] = queries.q_tilde_radius.row(i)[k] = known.radius;
      queries.q_tilde_moved.row(i)[k] = std::fabs(known.shift);
      queries.q_tilde_held.row(i)[k] = queries.q_tilde_alone.row(i)[k] = known.middle;
    }
  }
  if (has("q_tilde")) queries.g_radius = queries.g_shift = {};
  queries.rope_has_alpha = has("q_rope_hat");
}

void HandedOver::replace(Index b, const std::vector<QueryIndex>& rows, Scores& scores) const {
  if (!has("logits")) return;
  const Index tokens = scores.logit.dim(1);
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const Index i = static_cast<Index>(n);
    const Index from = ((b * problem_.heads + rows[n].h) * problem_.queries + rows[n].s) * problem_.max_context();
    for (Index t = 0; t < tokens; ++t) {
      if (scores.live.row(i)[t] != 0) scores.radius.row(i)[t] = radius("logits", from + t, scores.logit.row(i)[t]);
    }
  }
}

}  // namespace equinorm::bounds
