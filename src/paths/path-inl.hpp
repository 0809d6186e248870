// Body of path.hpp; every arithmetic instantiates it in one .cpp file.
#pragma once

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include "paths/formula-inl.hpp"
#include "paths/path.hpp"
#include "paths/project-inl.hpp"
#include "paths/query-inl.hpp"
#include "paths/score-inl.hpp"
#include "paths/softmax-inl.hpp"

namespace equinorm::paths {

template <Arithmetic A>
class PathRun {
 public:
  using V = typename A::Value;

  PathRun(const StageArithmetics<A>& at, PathKind form, const problem::Problem& problem, const Plan& plan, const PathInputs<V>& inputs,
          const Formula<A>& formula, const Wanted& wanted)
      : at_(at), form_(form), problem_(problem), plan_(plan), inputs_(inputs), formula_(formula) {
    for (const problem::TensorSpec& spec : outputs_of(form, problem, plan)) {
      if (wanted.empty() || wanted.contains(spec.name) || spec.name == "o") out_.tensors.emplace(spec.name, Tensor<V>(spec.shape));
    }
    out_.live = Tensor<std::uint8_t>({problem.batch, problem.queries, problem.max_context()});
    out_.lse_live = Tensor<std::uint8_t>({problem.batch, problem.heads, problem.queries});
  }

  PathOutput<V> run() {
    for (Index b = 0; b < problem_.batch; ++b) run_row(b);
    return std::move(out_);
  }

 private:
  /// Query rows that share one pass over the keys: bounds the memory of a prefill, [kRowChunk,T] logits at a time and thread.
  static constexpr Index kRowChunk = 64;

  void run_row(Index b) {
    Row<A> row{.ar = at_.project, .problem = problem_, .plan = plan_, .in = inputs_};
    row.b = b;
    row.tokens = problem_.context_of(b);
    Projected<V> projected;
    project(row, projected);
    run_from_cache(row.with(at_.cache_write));
  }

  void run_from_cache(Row<A> row) {
    if (problem::norm_traits(problem_).over_all_heads) fill_full_width_keys(row, formula_);
    const Tensor<V> rope_t = shared_rope_keys(row, formula_, out_.find("k_rope_cached"));
    Tensor<V> latents_t;
    if (problem_.is_mla() && form_ == PathKind::absorbed_form) {
      latents_t = Tensor<V>({problem_.latent, row.tokens});
      for (Index t = 0; t < row.tokens; ++t) {
        for (Index k = 0; k < problem_.latent; ++k) *latents_t.row(k, t) = row.c[t * problem_.latent + k];
      }
    }
    tbb::parallel_for(Index{0}, problem_.groups, [&](Index g) { run_group(row, g, rope_t, latents_t); });
    finish_row(row.with(at_.output));
  }

  void run_group(const Row<A>& row, Index g, const Tensor<V>& rope_t, const Tensor<V>& latents_t) {
    std::vector<QueryIndex> rows;
    for (Index h = 0; h < problem_.heads; ++h) {
      if (formula_.group_of(row, h) != g) continue;
      for (Index s = 0; s < problem_.queries; ++s) rows.push_back({s, h});
    }
    const GroupKeys<V> keys = cache_write(row, formula_, form_, g, rope_t, out_);
    const Tensor<V> values = explicit_values(row.with(at_.value), g);
    const Index chunks = (static_cast<Index>(rows.size()) + kRowChunk - 1) / kRowChunk;
    tbb::parallel_for(Index{0}, chunks, [&](Index chunk) {
      const auto begin = rows.begin() + chunk * kRowChunk;
      const auto end = rows.begin() + std::min<Index>(static_cast<Index>(rows.size()), (chunk + 1) * kRowChunk);
      attend(row, g, keys, rope_t, latents_t, values, std::vector<QueryIndex>(begin, end));
    });
  }

  /// v = c W_V of one group, [T,d_v]; the explicit mla form alone materialises it.
  Tensor<V> explicit_values(const Row<A>& row, Index g) {
    if (!problem_.is_mla() || form_ != PathKind::explicit_form) return {};
    const Index d_v = problem_.value_dim;
    Tensor<V> values({row.tokens, d_v});
    row.ar.matmul(row.tokens, d_v, problem_.latent, row.c, problem_.latent, inputs_.at("w_v").row(g), d_v, values.data(), d_v, false);
    for (Index i = 0; i < values.size(); ++i) values[i] = row.ar.store(Stored::v, values[i]);
    return values;
  }

  void attend(const Row<A>& row, Index g, const GroupKeys<V>& keys, const Tensor<V>& rope_t, const Tensor<V>& latents_t,
              const Tensor<V>& values, const std::vector<QueryIndex>& rows) {
    const Index n = static_cast<Index>(rows.size()), d_v = problem_.value_dim;
    const Row<A> query_row = row.with(at_.query), score_row = row.with(at_.score), softmax_row = row.with(at_.softmax),
                 output_row = row.with(at_.output);
    const Queries<V> queries = QueryStage<A>(query_row, formula_, form_, g, out_).run(rows);
    const Scores<V> scores = score(score_row, formula_, form_, keys, rope_t, latents_t, queries, rows);
    const bool latent_values = problem_.is_mla() && form_ == PathKind::absorbed_form;
    const V* source = latent_values ? row.c : problem_.is_mla() ? values.data() : row.v + g * d_v;
    const Index stride = latent_values ? problem_.latent : problem_.is_mla() ? d_v : problem_.groups * d_v;
    const Index width = latent_values ? problem_.latent : d_v;
    SoftmaxStage<A> softmax(softmax_row, at_.value, formula_, source, stride, width, keys.alpha_k);
    Tensor<V> average({n, width});
    const std::vector<RowSoftmax<V>> results = softmax.run(scores, rows, average);
    keep_scores(softmax_row, scores, softmax, results, rows);
    Tensor<V> o = latent_values ? expand_latent(output_row, g, average, rows) : std::move(average);
    for (Index i = 0; i < n; ++i) {
      const QueryIndex& at = rows[static_cast<std::size_t>(i)];
      for (Index j = 0; j < d_v; ++j) *o.row(i, j) = at_.output.store(Stored::o, *o.row(i, j));
      formula_.finish_output(output_row, at.s, at.h, o.row(i), d_v);
      std::copy(o.row(i), o.row(i) + d_v, out_.find("o")->row(row.b, at.s, at.h));
    }
  }

  /// o = u W_V.
  Tensor<V> expand_latent(const Row<A>& row, Index g, Tensor<V>& u, const std::vector<QueryIndex>& rows) {
    const Index n = u.dim(0), r = problem_.latent, d_v = problem_.value_dim;
    for (Index i = 0; i < u.size(); ++i) u[i] = at_.value.store(Stored::u, u[i]);
    if (Tensor<V>* kept = out_.find("u")) {
      for (Index i = 0; i < n; ++i) {
        const QueryIndex& at = rows[static_cast<std::size_t>(i)];
        std::copy(u.row(i), u.row(i) + r, kept->row(row.b, at.s, at.h));
      }
    }
    Tensor<V> o({n, d_v});
    row.ar.matmul(n, d_v, r, u.data(), r, inputs_.at("w_v").row(g), d_v, o.data(), d_v, false);
    return o;
  }

  void keep_scores(const Row<A>& row, const Scores<V>& scores, const SoftmaxStage<A>& softmax, const std::vector<RowSoftmax<V>>& results,
                   const std::vector<QueryIndex>& rows) {
    Tensor<V>* logits = out_.find("logits");
    Tensor<V>* p = out_.find("p");
    Tensor<V>* lse = out_.find("lse");
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const QueryIndex& at = rows[i];
      const V* source = scores.logits.row(static_cast<Index>(i));
      const std::uint8_t* live = scores.live.row(static_cast<Index>(i));
      if (logits != nullptr) std::copy(source, source + row.tokens, logits->row(row.b, at.h, at.s));
      if (at.h == 0) std::copy(live, live + row.tokens, out_.live.row(row.b, at.s));
      *out_.lse_live.row(row.b, at.h, at.s) = results[i].live ? 1 : 0;
      if (lse != nullptr) *lse->row(row.b, at.h, at.s) = formula_.finish_lse(row, results[i].lse);
      if (p == nullptr || !results[i].live) continue;
      for (Index t = 0; t < row.tokens; ++t) {
        if (live[t] != 0) *p->row(row.b, at.h, at.s, t) = softmax.probability(results[i], source[t]);
      }
    }
  }

  /// Stage `output` after o: gate and output projection.
  void finish_row(const Row<A>& row) {
    const Index width = problem_.heads * problem_.value_dim, rows = problem_.queries;
    const V* o = out_.find("o")->row(row.b);
    Tensor<V> gated;
    if (problem_.output_gate) {
      gated = Tensor<V>({rows, width});
      const V* gate = inputs_.at("gate").row(row.b);
      for (Index i = 0; i < rows * width; ++i) gated[i] = row.ar.mul(o[i], row.ar.sigmoid(gate[i]));
      if (Tensor<V>* kept = out_.find("o_gated")) std::copy(gated.data(), gated.data() + gated.size(), kept->row(row.b));
    }
    if (Tensor<V>* y = out_.find("y")) {
      const V* source = problem_.output_gate ? gated.data() : o;
      row.ar.matmul(rows, problem_.model_dim, width, source, width, inputs_.at("w_o").data(), problem_.model_dim, y->row(row.b),
                    problem_.model_dim, false);
    }
  }

  StageArithmetics<A> at_;
  PathKind form_;
  const problem::Problem& problem_;
  const Plan& plan_;
  const PathInputs<V>& inputs_;
  const Formula<A>& formula_;
  PathOutput<V> out_;
};

template <Arithmetic A>
PathOutput<typename A::Value> run_path(const A& ar, PathKind form, const problem::Problem& problem, const Plan& plan,
                                       const PathInputs<typename A::Value>& inputs, const Formula<A>& formula, const Wanted& wanted) {
  return PathRun<A>(StageArithmetics<A>(ar), form, problem, plan, inputs, formula, wanted).run();
}

template <Arithmetic A>
PathOutput<typename A::Value> run_staged_path(const StageArithmetics<A>& arithmetics, PathKind form, const problem::Problem& problem,
                                              const Plan& plan, const PathInputs<typename A::Value>& inputs, const Wanted& wanted) {
  return PathRun<A>(arithmetics, form, problem, plan, inputs, Formula<A>(), wanted).run();
}

}  // namespace equinorm::paths
