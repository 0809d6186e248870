#include "bounds/bounds.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <functional>

#include "bounds/probable.hpp"
#include "bounds/values.hpp"
#include "paths/load_inputs.hpp"
#include "paths/path.hpp"
#include "problem/norm_traits.hpp"
#include "scalar/error.hpp"

namespace equinorm::bounds {
namespace {

/// Every bound is a sum, product or quotient of non-negative numbers; 2^22 roundings of binary64 stay below this factor (slack_covers).
constexpr double kSlack = 1 + 0x1p-30;

/// Far below any format's unit, far above what certified enclosures are known to: an exact zero can be decided.
constexpr double kDecidable = 0x1p-460;

/// Far below binary64's unit, above what certified enclosures know a number to, of its row's largest: where a kernel only copies its
/// inputs, multiplies zeros, or rounds a number that is known exactly, the bound needs this much more for an enclosure of positive width to
/// be held to it. A larger bound is a bound all the same; what slips through is no more than 2^-22 of binary64's own unit.
constexpr double kKnown = 0x1p-75;

/// Every radius is told from what binary64 makes of the exact quantities (centre_dot and its like: its own roundings are in), and how far
/// that is from exact comes on top (told_from_centre).

/// Inputs as they are.
struct AsIs {
  using Value = double;
  double input(double x) const { return x; }
  double table(double x) const { return x; }
};

class BoundRun {
 public:
  BoundRun(const Setting& at, const tensor::TensorMap& inputs, const std::set<std::string>& wanted, const HandedOver* given,
           double lambda = 0)
      : at_(at),
        lambda_(lambda),
        given_(given),
        own_plan_(own_plan(at.plan.fold_alpha_q)),
        own_(own_setting(at.problem, own_plan_, PathKind::explicit_form)),
        same_(own_setting(at.problem, own_plan_, at.form)),
        pb_(at.problem),
        in_(paths::load_inputs(AsIs{}, at.problem, inputs)) {
    for (const problem::TensorSpec& spec : paths::outputs_of(at.form, at.problem, at.plan)) {
      const bool needed = spec.name == "o" || (spec.name == "o_gated" && wanted.contains("y"));
      if (wanted.contains(spec.name) || needed) out_.emplace(spec.name, Tensor<double>(spec.shape));
    }
    if (wanted.contains(kUnsharedLogits)) {
      out_.emplace(kUnsharedLogits, Tensor<double>({pb_.batch, pb_.heads, pb_.queries, pb_.max_context()}));
    }
    o_ = Tensor<double>({pb_.batch, pb_.queries, pb_.heads * pb_.value_dim});
  }

  /// After run: probable bounds of logits and o, beside the rigorous ones of the same element.
  Bounds probable() { return std::move(probable_); }

  Bounds run(const std::set<std::string>& wanted) {
    for (const char* name : {"logits", "o"}) {
      if (lambda_ > 0 && wanted.contains(name) && find(name) != nullptr) probable_.emplace(name, Tensor<double>(find(name)->shape()));
    }
    for (Index b = 0; b < pb_.batch; ++b) run_row(b);
    for (auto entry = out_.begin(); entry != out_.end();) {
      if (!wanted.contains(entry->first)) {
        entry = out_.erase(entry);
        continue;
      }
      for (Index i = 0; i < entry->second.size(); ++i) {
        double& bound = entry->second[i];
        if (!(bound <= 0)) bound = bound < kInfinity ? bound * kSlack + kDecidable : kInfinity;
      }
      ++entry;
    }
    return std::move(out_);
  }

 private:
  /// Query rows that share one pass over the keys.
  static constexpr Index kRowChunk = 64;

  Tensor<double>* find(const char* name) {
    const auto found = out_.find(name);
    return found == out_.end() ? nullptr : &found->second;
  }

  /// Row i of x: how far the kernel is from binary64, and that from the exact row.
  static void keep(const Vectors& x, const Vectors& own, Index i, double* to) {
    for (Index j = 0; j < x.width(); ++j) to[j] = x.error(i, j) + own.error(i, j);
    raise(x.value.row(i), x.width(), to);
  }

  /// Bounds of one row by kKnown of its largest value.
  static void raise(const double* value, Index width, double* bound) {
    double most = 0;
    for (Index j = 0; j < width; ++j) most = std::max(most, std::fabs(value[j]));
    for (Index j = 0; j < width; ++j) bound[j] += kKnown * most + kDecidable;
  }

  void run_row(Index b) {
    const Sources sources = make_sources(at_, in_, b), own_sources = make_sources(own_, in_, b);
    RowKeys row = make_row_keys(at_, in_, sources, b);
    row.own_sources = &own_sources;
    if (given_ != nullptr) given_->replace(row);
    const RowKeys own_row = make_row_keys(own_, in_, own_sources, b);
    if (Tensor<double>* kept = find("k_rope_cached")) {
      for (Index t = 0; t < row.tokens; ++t) keep(row.rope, own_row.rope, t, kept->row(b, t));
    }
    tbb::parallel_for(Index{0}, pb_.groups, [&](Index g) { run_group(row, own_row, g); });
    finish_row(b);
  }

  void keep_keys(const RowKeys& row, const RowKeys& own_row, const GroupKeys& keys, Index g) {
    const char* name = at_.absorbed() ? "k_deferred" : "k_hat";
    if (find("alpha_k") == nullptr && find(name) == nullptr) return;
    const GroupKeys own = make_group_keys(same_, in_, own_row, g);
    const Index column = pb_.key_statistics() == 1 ? 0 : g;
    if (Tensor<double>* kept = find("alpha_k"); kept != nullptr && column == g) {
      for (Index t = 0; t < row.tokens; ++t) *kept->row(row.b, t, g) = keys.alpha[t] * keys.rho[t] + own.alpha[t] * own.rho[t];
    }
    if (Tensor<double>* kept = find(name)) {
      for (Index t = 0; t < row.tokens; ++t) {
        keep(keys.content, own.content, t, kept->row(row.b, t, g));
        if (!pb_.is_mla() || pb_.rope_dim == 0) continue;
        const bool of_group = !keys.rope.value.empty();
        keep(of_group ? keys.rope : row.rope, of_group ? own.rope : own_row.rope, t, kept->row(row.b, t, g) + pb_.content_dim);
      }
    }
  }

  double q_tilde_error(const Setting& at, const Queries& queries, Index i, Index k) const {
    const double rho = at.folds_alpha_q() ? queries.rho[static_cast<std::size_t>(i)] : 0;
    const double value = queries.q_tilde.row(i)[k], moved = queries.q_tilde_moved.row(i)[k];
    return moved + rho * (std::fabs(value) + moved) + queries.q_tilde_radius.row(i)[k];
  }

  void keep_queries(const RowKeys& row, const RowKeys& own_row, Index g, const Queries& queries, const std::vector<QueryIndex>& rows) {
    const std::array<const char*, 4> names{"alpha_q", "q_hat", "q_rope_hat", "q_tilde"};
    if (std::none_of(names.begin(), names.end(), [&](const char* name) { return find(name) != nullptr; })) return;
    const Queries own = make_queries(same_, in_, own_row, g, rows);
    for (std::size_t n = 0; n < rows.size(); ++n) {
      const auto [s, h] = rows[n];
      const Index i = static_cast<Index>(n);
      if (Tensor<double>* kept = find("alpha_q")) *kept->row(row.b, s, h) = queries.alpha[n] * queries.rho[n] + own.alpha[n] * own.rho[n];
      if (Tensor<double>* kept = find("q_hat")) {
        keep(queries.content, own.content, i, kept->row(row.b, s, h));
        if (!queries.rope.value.empty()) keep(queries.rope, own.rope, i, kept->row(row.b, s, h) + pb_.content_dim);
      }
      if (Tensor<double>* kept = find("q_rope_hat")) keep(queries.rope, own.rope, i, kept->row(row.b, s, h));
      // A query before the first token sees nothing; what its rotated block holds is nobody's business.
      if (pb_.rotated_dim() > 0 && *in_.positions_q.row(row.b, s) < 0) {
        if (Tensor<double>* kept = find("q_hat")) std::fill_n(kept->row(row.b, s, h), pb_.key_dim(), kInfinity);
        if (Tensor<double>* kept = find("q_rope_hat")) std::fill_n(kept->row(row.b, s, h), pb_.rope_dim, kInfinity);
      }
      if (Tensor<double>* kept = find("q_tilde")) {
        for (Index k = 0; k < pb_.latent; ++k) {
          kept->row(row.b, s, h)[k] = q_tilde_error(at_, queries, i, k) + q_tilde_error(same_, own, i, k);
        }
        raise(queries.q_tilde.row(i), pb_.latent, kept->row(row.b, s, h));
      }
    }
  }

  void run_group(const RowKeys& row, const RowKeys& own_row, Index g) {
    std::vector<QueryIndex> rows;
    for (Index h = 0; h < pb_.heads; ++h) {
      for (Index s = 0; pb_.group_of(h) == g && s < pb_.queries; ++s) rows.push_back({s, h});
    }
    GroupKeys keys = make_group_keys(at_, in_, row, g);
    if (given_ != nullptr) given_->replace(row, g, keys);
    const GroupKeys own_keys = make_group_keys(own_, in_, own_row, g);
    keep_keys(row, own_row, keys, g);
    const Values values = group_values(at_, in_, row, g);
    const Index chunks = (static_cast<Index>(rows.size()) + kRowChunk - 1) / kRowChunk;
    tbb::parallel_for(Index{0}, chunks, [&](Index chunk) {
      const auto begin = rows.begin() + chunk * kRowChunk;
      const auto end = rows.begin() + std::min<Index>(static_cast<Index>(rows.size()), (chunk + 1) * kRowChunk);
      const std::vector<QueryIndex> part(begin, end);
      Scores own = make_scores(own_, own_row, own_keys, make_queries(own_, in_, own_row, g, part), part);
      attend(row, own_row, g, keys, values, part, std::move(own.radius));
    });
  }

  void attend(const RowKeys& row, const RowKeys& own_row, Index g, const GroupKeys& keys, const Values& values,
              const std::vector<QueryIndex>& rows, Tensor<double> own) {
    Queries queries = make_queries(at_, in_, row, g, rows);
    if (given_ != nullptr) given_->replace(row.b, rows, queries);
    keep_queries(row, own_row, g, queries, rows);
    Scores scores = make_scores(at_, row, keys, queries, rows);
    scores.own = std::move(own);
    if (given_ != nullptr) given_->replace(row.b, rows, scores);
    std::vector<RowWeights> weights;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      weights.push_back(weights_of(row.b, scores, static_cast<Index>(i), rows[i]));
      keep_scores(row, scores, weights.back(), static_cast<Index>(i), rows[i]);
    }
    const AverageBound average = average_bound(at_, weights, scores, values);
    const Tensor<double> expanded = at_.absorbed_mla() ? latent_part(row, g, scores, weights, rows) : Tensor<double>{};
    for (std::size_t n = 0; n < rows.size(); ++n) {
      const Index i = static_cast<Index>(n);
      double* to = o_.row(row.b, rows[n].s) + rows[n].h * pb_.value_dim;
      double* kept = find("o")->row(row.b, rows[n].s, rows[n].h);
      for (Index j = 0; j < pb_.value_dim && weights[n].live; ++j) {
        const double value = average.mean.row(i)[j];
        double bound = at_.absorbed_mla() ? expanded.row(i)[j] : average.total(at_, i, j);
        if (at_.absorbed_mla() && !is_given("u")) bound += average.weights.row(i)[j] + average.stored_p.row(i)[j];
        bound += at_.store_near(Stored::o, value, bound);
        const Index flat = ((row.b * pb_.queries + rows[n].s) * pb_.heads + rows[n].h) * pb_.value_dim + j;
        to[j] = value, kept[j] = is_given("o") ? given_->radius("o", flat, value) : bound;
      }
      if (weights[n].live) raise(to, pb_.value_dim, kept);
    }
    if (!probable_.empty()) keep_probable(row, g, keys, queries, scores, weights, values, average, rows);
  }

  void keep_probable(const RowKeys& row, Index g, const GroupKeys& keys, const Queries& queries, const Scores& scores,
                     const std::vector<RowWeights>& weights, const Values& values, const AverageBound& average,
                     const std::vector<QueryIndex>& rows) {
    const ProbableScores probable = probable_scores(at_, in_, row, g, keys, queries, scores, lambda_);
    const bool of_output = probable_.contains("o");
    const Tensor<double> o =
        of_output ? probable_average(at_, in_, row, g, scores, probable, weights, values, average, lambda_) : Tensor<double>{};
    for (std::size_t n = 0; n < rows.size(); ++n) {
      const auto [s, h] = rows[n];
      const Index i = static_cast<Index>(n);
      if (const auto kept = probable_.find("logits"); kept != probable_.end())
        std::copy_n(probable.bound.row(i), row.tokens, kept->second.row(row.b, h, s));
      const double* rigorous = find("o")->row(row.b, s, h);
      for (Index j = 0; of_output && j < pb_.value_dim; ++j) {
        const double bound = o.row(i)[j];
        probable_.at("o").row(row.b, s, h)[j] = bound < rigorous[j] ? bound : rigorous[j];
      }
    }
  }

  bool is_given(const char* name) const { return given_ != nullptr && given_->has(name); }

  RowWeights weights_of(Index b, const Scores& scores, Index i, const QueryIndex& at_query) const {
    const double* sink = pb_.sink ? in_.at("sink").data() + at_query.h : nullptr;
    RowWeights made = make_weights(at_, scores, i, sink);
    if (!is_given("p")) return made;
    std::vector<double> radius(made.p.size());
    const Index from = ((b * pb_.heads + at_query.h) * pb_.queries + at_query.s) * pb_.max_context();
    for (std::size_t t = 0; t < radius.size(); ++t) radius[t] = given_->radius("p", from + static_cast<Index>(t), made.p[t]);
    return given_weights(at_, scores, i, sink, std::move(radius));
  }

  void keep_scores(const RowKeys& row, const Scores& scores, const RowWeights& weights, Index i, const QueryIndex& at_query) {
    if (Tensor<double>* kept = find("logits")) {
      const double *radius = scores.radius.row(i), *own = scores.own.row(i);
      std::transform(radius, radius + row.tokens, own, kept->row(row.b, at_query.h, at_query.s), std::plus<>());
    }
    if (Tensor<double>* kept = find(kUnsharedLogits))
      std::copy_n(scores.unshared.row(i), row.tokens, kept->row(row.b, at_query.h, at_query.s));
    if (Tensor<double>* kept = find("lse")) *kept->row(row.b, at_query.h, at_query.s) = weights.live ? weights.lse_radius : 0;
    if (Tensor<double>* kept = find("p"); kept != nullptr && weights.live) {
      std::copy(weights.p_radius.begin(), weights.p_radius.end(), kept->row(row.b, at_query.h, at_query.s));
    }
  }

  /// The absorbed form's own roundings, made in the space of the latents and carried through |W_V|; keeps the bound of u on the way.
  Tensor<double> latent_part(const RowKeys& row, Index g, const Scores& scores, const std::vector<RowWeights>& weights,
                             const std::vector<QueryIndex>& rows) {
    const Vectors& c = row.sources->c;
    const Values latents{c.value, has_radius(c.radius) ? c.radius : Tensor<double>{}, column_maxima(row.own_sources->c.radius, 1, 0)};
    const AverageBound u = average_bound(at_, weights, scores, latents);
    const Index n = static_cast<Index>(rows.size()), r = pb_.latent;
    Tensor<double>* kept = find("u");
    Tensor<double> through({n, r}), held({n, r});
    for (Index i = 0; i < n; ++i) {
      const QueryIndex& at_query = rows[static_cast<std::size_t>(i)];
      for (Index k = 0; k < r; ++k) {
        const double value = std::fabs(u.mean.row(i)[k]), computed = u.total(at_, i, k);
        const double store = at_.store_near(Stored::u, value, computed);
        const Index flat = ((row.b * pb_.queries + at_query.s) * pb_.heads + at_query.h) * r + k;
        const double total = is_given("u") ? given_->radius("u", flat, value) : computed + store;
        const double own = u.accumulation.row(i)[k] + u.carried.row(i)[k];
        through.row(i)[k] = is_given("u") ? total : own + quotient_rounding(at_, value + computed) + store;
        held.row(i)[k] = value + total;
        if (kept != nullptr && weights[static_cast<std::size_t>(i)].live) kept->row(row.b, at_query.s, at_query.h)[k] = total;
      }
      if (kept != nullptr && weights[static_cast<std::size_t>(i)].live) raise(u.mean.row(i), r, kept->row(row.b, at_query.s, at_query.h));
    }
    const Tensor<double> w_v = absolute(in_.at("w_v").row(g), r, pb_.value_dim);
    Accumulation sum = accumulation(at_.products, r);
    sum.underflow += matrix_unit_underflow(at_.products, r, std::max(largest_of(held), largest_of(w_v)));
    Tensor<double> out = multiply(through, w_v.data(), pb_.value_dim);
    const Tensor<double> sums = multiply(held, w_v.data(), pb_.value_dim);
    for (Index i = 0; i < out.size(); ++i) {
      out[i] += sums[i] * (1 + sum.factor) <= at_.fa.largest() ? sum.factor * sums[i] + sum.underflow : kInfinity;
    }
    return out;
  }

  /// Stage `output` after o: gate and output projection.
  void finish_row(Index b) {
    const Index width = pb_.heads * pb_.value_dim;
    Vectors o = make_vectors(pb_.queries, width);
    std::copy_n(o_.row(b), pb_.queries * width, o.value.data());
    std::copy_n(find("o")->row(b), pb_.queries * width, o.radius.data());
    if (pb_.output_gate) {
      const double* gate = in_.at("gate").row(b);
      const double rounding = phi(1, at_.fx.unit()) + at_.e_sigmoid * (1 + at_.fx.unit()) + 0x1p-50;  // binary64's own
      for (Index i = 0; i < pb_.queries * width; ++i) {
        const double sigmoid = 1 / (1 + std::exp(-gate[i]));
        o.value[i] *= sigmoid;
        const double before = o.radius[i];
        o.radius[i] = sigmoid * before * (1 + rounding) + rounding * std::fabs(o.value[i]) +
                      at_.fx.product_underflow() * (1 + std::fabs(o_.row(b)[i]) + before);
      }
      if (Tensor<double>* kept = find("o_gated")) std::copy_n(o.radius.data(), pb_.queries * width, kept->row(b));
    }
    if (Tensor<double>* kept = find("y")) {
      const Vectors y = multiply_bounded(at_, o, in_.at("w_o").data(), pb_.model_dim);
      std::copy_n(y.radius.data(), y.radius.size(), kept->row(b));
    }
  }

  const Setting& at_;
  double lambda_;            ///< 0: no probable bounds
  Bounds probable_;          ///< of logits and o, where wanted
  const HandedOver* given_;  ///< null: the kernel computes everything
  paths::Plan own_plan_;
  Setting own_;   ///< the explicit form in binary64: its bound says how far the logits here may be from exact
  Setting same_;  ///< the form at hand in binary64: the same of keys and queries
  const problem::Problem& pb_;
  paths::PathInputs<double> in_;
  Bounds out_;
  Tensor<double> o_;  ///< [B,S,H*d_v] exact o in binary64
};

}  // namespace

bool has_bounds(const paths::Plan& plan) {
  const problem::Precision& precision = plan.precision;
  const auto fits = [](scalar::Format format) { return format.kind != scalar::FormatKind::real; };
  return fits(precision.storage) && fits(precision.accumulate) && fits(precision.statistics);
}

Bounds error_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                    const std::set<std::string>& wanted, const FunctionErrors& functions, const Given& given) {
  if (!has_bounds(plan)) {
    throw Error("precision: no error bound for accumulation in " + scalar::to_string(plan.precision.accumulate) +
                "; allowed: fp16, bf16, fp32, fp64");
  }
  if (given.empty()) return BoundRun(Setting(problem, plan, form, functions), inputs, wanted, nullptr).run(wanted);
  const HandedOver handed(problem, inputs, plan, form, given);
  const paths::Plan remaining = HandedOver::remaining(problem, plan, given);
  return BoundRun(Setting(problem, remaining, form, functions), inputs, wanted, &handed).run(wanted);
}

Bounds instrumented_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                           const std::set<std::string>& wanted, const FunctionErrors& functions) {
  // A sum that is known better may leave a store less lucky in its neighbours: the smaller of the two holds.
  Bounds bounds = error_bounds(problem, inputs, plan, form, wanted, functions);
  Setting at(problem, plan, form, functions);
  at.follow_sums = true;
  for (const auto& [name, followed] : BoundRun(at, inputs, wanted, nullptr).run(wanted)) {
    Tensor<double>& bound = bounds.at(name);
    for (Index i = 0; i < bound.size(); ++i) bound[i] = followed[i] < bound[i] ? followed[i] : bound[i];
  }
  return bounds;
}

double ProbableBounds::miss() const { return 2 * std::exp(-lambda * lambda / 2); }

ProbableBounds probable_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                               const std::set<std::string>& wanted, double lambda, const FunctionErrors& functions) {
  const problem::Precision& precision = plan.precision;
  const bool modelled = problem.start == problem::Start::latent && precision.order.kind != scalar::SumOrder::Kind::tensor_core &&
                        precision.accumulate.precision >= 24 && precision.statistics.precision >= 24;
  ProbableBounds result{{}, {}, lambda};
  if (!modelled || !has_bounds(plan)) {
    result.rigorous = error_bounds(problem, inputs, plan, form, wanted, functions);
    return result;
  }
  const Setting at(problem, plan, form, functions);
  BoundRun run(at, inputs, wanted, nullptr, lambda);
  result.rigorous = run.run(wanted);
  result.probable = run.probable();
  return result;
}

}  // namespace equinorm::bounds
