#include "oracle/oracle.hpp"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include "oracle/attend.hpp"
#include "problem/tensors.hpp"
#include "scalar/error.hpp"

namespace equinorm::oracle {
namespace {

/// Tokens of one task; sums of tasks are added in their order.
constexpr Index kChunk = 4 * kBlock;
/// Doubles that the sums of one task may take; more queries than fit see the keys in several passes.
constexpr Index kStateElements = Index{1} << 19;

/// Rounding mode and flushing are per thread, and a worker of the pool may differ from the caller: every task asks.
void check_arithmetic() {
  volatile double smallest = std::numeric_limits<double>::min();
  if (std::fegetround() != FE_TONEAREST || smallest / 2 == 0) {
    throw Error("oracle: the floating-point mode must round to nearest and keep subnormals");
  }
}

KeyBlocks all_statistics(const Model& model) {
  const Problem& p = model.problem;
  KeyBlocks result;
  for (Index b = 0; b < p.batch; ++b) {
    const Index tokens = p.context_of(b);
    std::vector<BlockStatistics>& row = result.rows.emplace_back(static_cast<std::size_t>((tokens + kBlock - 1) / kBlock));
    tbb::parallel_for(tbb::blocked_range<Index>(0, static_cast<Index>(row.size())), [&](const tbb::blocked_range<Index>& range) {
      check_arithmetic();
      Workspace work;
      for (Index i = range.begin(); i < range.end(); ++i) {
        const KeyBlock block = load_keys(model, b, i * kBlock, std::min(kBlock, tokens - i * kBlock));
        row[static_cast<std::size_t>(i)] = block_statistics(model, block, work, nullptr);
      }
    });
  }
  return result;
}

/// Whether `known` has the shape of the problem's keys.
void check_statistics(const Problem& p, const KeyBlocks& known) {
  bool fits = static_cast<Index>(known.rows.size()) == p.batch;
  for (Index b = 0; fits && b < p.batch; ++b) {
    const std::vector<BlockStatistics>& row = known.rows[static_cast<std::size_t>(b)];
    fits = static_cast<Index>(row.size()) == (p.context_of(b) + kBlock - 1) / kBlock &&
           (row.empty() || static_cast<Index>(row[0].alpha.size()) == p.key_statistics());
  }
  if (!fits) throw Error("oracle: the key statistics are those of another problem; allowed: the same batch, contexts and groups");
}

/// One call of enclose.
class Run {
 public:
  Run(const Problem& problem, const TensorMap& inputs, const std::set<std::string>& wanted, const KeyBlocks* known);
  Enclosures run();

 private:
  EnclosedTensor* find(const std::string& name) {
    const auto found = results_.find(name);
    return found == results_.end() ? nullptr : &found->second;
  }
  void run_batch(Index b, Index first, Index count, bool first_pass);
  std::vector<SoftmaxState> sum_keys(const QueryBatch& batch, const KeyOutputs& outputs);
  void finish_query(Index b, Index i, const QueryHead* heads, SoftmaxState* states);
  std::vector<Enclosed> finish_head(Index b, Index i, Index h, const QueryHead& head, SoftmaxState& state);
  void record_row(const std::string& name, Index first, const std::vector<Enclosed>& row);
  void record_weights(Index b, Index i, Index h, const SoftmaxState& state);

  const Problem& problem_;
  Model model_;
  QueryProjection projection_;
  const KeyBlocks* known_;  ///< null: statistics are computed on the way
  Enclosures results_;
  bool keep_logits_ = false;  ///< among the wanted ones, not for the weights alone
  bool needs_keys_ = false;
  std::vector<Dense> value_weights_;  ///< mla: w_v of every group
  Dense output_weights_;
};

Run::Run(const Problem& problem, const TensorMap& inputs, const std::set<std::string>& wanted, const KeyBlocks* statistics)
    : problem_(problem),
      model_((check_inputs(problem, inputs), problem), inputs, statistics == nullptr || wanted.empty() || wanted.contains("k_hat")),
      projection_(model_),
      known_(statistics) {
  std::set<std::string> known;
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) known.insert(spec.name);
  const std::set<std::string>& names = wanted.empty() ? known : wanted;
  for (const std::string& name : names) {
    if (!known.contains(name)) throw Error("oracle: '" + name + "' is no output of problem " + problem.name);
  }
  keep_logits_ = names.contains("logits");
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    if (!names.contains(spec.name) && !(spec.name == "logits" && names.contains("p"))) continue;
    using tensor::Tensor;
    EnclosedTensor result{Tensor<double>(spec.shape), Tensor<double>(spec.shape), Tensor<double>(spec.shape), Tensor<double>(spec.shape)};
    if (spec.name == "logits") std::fill_n(result.value.data(), result.value.size(), -kInfinity);
    static const std::set<std::string> of_queries{"alpha_q", "q_tilde", "q_hat", "q_rope_hat"};
    needs_keys_ = needs_keys_ || !of_queries.contains(spec.name);
    results_.emplace(spec.name, std::move(result));
  }
  const Problem& p = problem_;
  for (Index g = 0; p.is_mla() && g < p.groups; ++g) {
    value_weights_.push_back(read_matrix(inputs.at("w_v"), g * p.latent * p.value_dim, p.latent, p.value_dim, p.value_dim));
  }
  if (find("y") != nullptr) output_weights_ = read_matrix(inputs.at("w_o"), 0, p.heads * p.value_dim, p.model_dim, p.model_dim);
}

Enclosures Run::run() {
  const Problem& p = problem_;
  const Index width = p.is_mla() ? p.latent : p.value_dim;
  const Index step = std::clamp<Index>(kStateElements / (p.heads * width), 1, p.queries);
  KeyBlocks computed;
  if (known_ == nullptr && needs_keys_ && step < p.queries) {  // several passes over the keys
    computed = all_statistics(model_);
    known_ = &computed;
  }
  for (Index b = 0; b < p.batch; ++b) {
    for (Index first = 0; first < p.queries; first += step) run_batch(b, first, std::min(step, p.queries - first), first == 0);
  }
  if (!keep_logits_) results_.erase("logits");
  return std::move(results_);
}

void Run::run_batch(Index b, Index first, Index count, bool first_pass) {
  QueryBatch batch{b, first, count, {}, {}};
  std::vector<std::vector<QueryHead>> queries(static_cast<std::size_t>(count));
  tbb::parallel_for(Index{0}, count, [&](Index i) {
    check_arithmetic();
    queries[static_cast<std::size_t>(i)] = make_query(model_, projection_, b, first + i);
  });
  for (std::vector<QueryHead>& heads : queries) std::move(heads.begin(), heads.end(), std::back_inserter(batch.heads));
  if (needs_keys_) absorb_queries(model_, batch);
  std::vector<SoftmaxState> states(batch.heads.size());
  KeyOutputs outputs{find("logits")};
  if (first_pass) outputs = {find("logits"), find("alpha_k"), find("k_hat"), find("k_deferred"), find("k_rope_cached")};
  if (needs_keys_) states = sum_keys(batch, outputs);
  tbb::parallel_for(Index{0}, count, [&](Index i) {
    check_arithmetic();
    finish_query(b, first + i, &batch.heads[static_cast<std::size_t>(i * problem_.heads)],
                 &states[static_cast<std::size_t>(i * problem_.heads)]);
  });
}

/// Chunks of tokens side by side, their sums joined in token order: the bits do not depend on the number of threads.
std::vector<SoftmaxState> Run::sum_keys(const QueryBatch& batch, const KeyOutputs& outputs) {
  const Index tokens = problem_.context_of(batch.b);
  std::vector<SoftmaxState> states(batch.heads.size());
  using Partial = std::shared_ptr<std::vector<SoftmaxState>>;
  Index next = 0;
  const auto feed = [&](tbb::flow_control& control) -> Index {
    if (next >= tokens) {
      control.stop();
      return 0;
    }
    const Index first = next;
    next += kChunk;
    return first;
  };
  const auto work = [&](Index first) -> Partial {
    check_arithmetic();
    auto partial = std::make_shared<std::vector<SoftmaxState>>(states.size());
    const std::vector<BlockStatistics>* statistics = known_ != nullptr ? &known_->rows[static_cast<std::size_t>(batch.b)] : nullptr;
    attend(model_, batch, first, std::min(first + kChunk, tokens), statistics, outputs, *partial);
    return partial;
  };
  const auto join = [&](const Partial& partial) {
    for (std::size_t at = 0; at < states.size(); ++at) states[at].add((*partial)[at]);
  };
  const auto in_flight = static_cast<std::size_t>(2 * tbb::this_task_arena::max_concurrency());
  tbb::parallel_pipeline(in_flight, tbb::make_filter<void, Index>(tbb::filter_mode::serial_in_order, feed) &
                                        tbb::make_filter<Index, Partial>(tbb::filter_mode::parallel, work) &
                                        tbb::make_filter<Partial, void>(tbb::filter_mode::serial_in_order, join));
  return states;
}

void Run::record_row(const std::string& name, Index first, const std::vector<Enclosed>& row) {
  EnclosedTensor* tensor = find(name);
  if (tensor == nullptr) return;
  for (std::size_t j = 0; j < row.size(); ++j) record(*tensor, first + static_cast<Index>(j), row[j]);
}

/// p_t = exp(l_t) / sum, from the kept logits.
void Run::record_weights(Index b, Index i, Index h, const SoftmaxState& state) {
  const Problem& p = problem_;
  const EnclosedTensor& logits = results_.at("logits");
  const Index row = ((b * p.heads + h) * p.queries + i) * p.max_context();
  const Model::Range seen = model_.visible(b, i);
  for (Index t = seen.first; t < seen.last; ++t) {
    const Index at = row + t;
    const Exponential<One> e = exponential<One>({logits.value[at], logits.low[at], logits.low_radius[at]});
    const Enclosed mantissa = add<One>(e.fraction, {1, 0, 0});
    const double shift = e.exponent - state.exponent;
    const Enclosed weight =
        shift >= -1000 ? scale<One>(mantissa, power_of_two(shift)) : Enclosed{0, 0, mantissa.radius * 0x1p-999 + 0x1p-998};
    record(results_.at("p"), at, div<One>(weight, state.total));
  }
}

/// u, o and the rest of one head; returns what goes into y.
std::vector<Enclosed> Run::finish_head(Index b, Index i, Index h, const QueryHead& head, SoftmaxState& state) {
  const Problem& p = problem_;
  const Index place = (b * p.queries + i) * p.heads + h;
  if (EnclosedTensor* alpha = find("alpha_q"); alpha != nullptr) record(*alpha, place, head.alpha);
  record_row("q_hat", place * p.key_dim(), head.hat);
  if (p.is_mla()) record_row("q_rope_hat", place * p.rope_dim, {head.hat.begin() + p.content_dim, head.hat.end()});
  if (find("q_tilde") != nullptr) {
    record_row("q_tilde", place * p.latent, times(head.content, model_.key_matrices[static_cast<std::size_t>(p.group_of(h))].transpose()));
  }
  const auto width = static_cast<std::size_t>(p.is_mla() ? p.latent : p.value_dim);
  const bool empty = state.exponent == -kInfinity;
  if (p.sink) {
    const double sink = model_.input("sink").at(h);
    state.add_sink({sink, 0, 0});
  }
  if (EnclosedTensor* lse = find("lse"); lse != nullptr) {
    const Index at = (b * p.heads + h) * p.queries + i;
    if (empty && !p.sink) {
      record_minus_infinity(*lse, at);
    } else {
      record(*lse, at, add<One>(log_near(state.total, std::log(state.total.hi)), multiple_of_ln2<One>(state.exponent)));
    }
  }
  std::vector<Enclosed> combined(width, Enclosed{0, 0, 0});
  if (!empty) {
    for (std::size_t m = 0; m < width; ++m) combined[m] = div<One>({state.hi[m], state.lo[m], state.radius}, state.total);
    if (find("p") != nullptr) record_weights(b, i, h, state);
  }
  record_row("u", place * p.latent, p.is_mla() ? combined : std::vector<Enclosed>{});
  std::vector<Enclosed> o(static_cast<std::size_t>(p.value_dim), Enclosed{0, 0, 0});
  if (!empty) o = p.is_mla() ? times(make_row(combined), value_weights_[static_cast<std::size_t>(p.group_of(h))]) : combined;
  record_row("o", place * p.value_dim, o);
  if (p.output_gate && !empty) {
    for (std::size_t j = 0; j < o.size(); ++j) {
      o[j] = mul<One>(o[j], sigmoid({model_.input("gate").at(place * p.value_dim + static_cast<Index>(j)), 0, 0}));
    }
  }
  record_row("o_gated", place * p.value_dim, o);
  return o;
}

void Run::finish_query(Index b, Index i, const QueryHead* heads, SoftmaxState* states) {
  const Problem& p = problem_;
  std::vector<Enclosed> all;
  for (Index h = 0; h < p.heads; ++h) {
    const std::vector<Enclosed> o = finish_head(b, i, h, heads[h], states[h]);
    all.insert(all.end(), o.begin(), o.end());
  }
  if (find("y") == nullptr) return;
  const bool zero = std::all_of(all.begin(), all.end(), [](const Enclosed& x) { return x.hi == 0 && x.radius == 0; });
  if (!zero) record_row("y", (b * p.queries + i) * p.model_dim, times(make_row(all), output_weights_));
}

}  // namespace

KeyStatistics::KeyStatistics(const Problem& problem, const TensorMap& inputs) {
  check_arithmetic();
  check_inputs(problem, inputs);
  blocks_ = std::make_shared<const KeyBlocks>(all_statistics(Model(problem, inputs, true)));
}

Enclosures enclose(const Problem& problem, const TensorMap& inputs, const std::set<std::string>& wanted, const KeyStatistics* statistics) {
  check_arithmetic();
  if (statistics != nullptr) check_statistics(problem, statistics->blocks());
  return Run(problem, inputs, wanted, statistics != nullptr ? &statistics->blocks() : nullptr).run();
}

}  // namespace equinorm::oracle
