// Score, softmax and value with a running softmax over tiles, in splits joined by their lse.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/bundled/cpu/engine/attention.hpp"
#include "kernels/bundled/cpu/engine/parallel.hpp"

namespace equinorm::kernels::cpu {
namespace {

constexpr Index kDefaultTile = 64;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// What a split knows of one row: relative to its maximum (-inf: no token) the sum and the average's numerator.
struct Partial {
  float& maximum;
  float& sum;
  float* average;  ///< [width]
};

/// The partial results of one task and split in the workspace: maxima [rows], sums [rows], averages [rows, width].
class Partials {
 public:
  Partials(const Call& call, Index width, Index task, Index split)
      : width_(width),
        floats_(call.workspace_floats(size(width) * sizeof(float) * static_cast<std::uint64_t>(task * call.problem.splits + split),
                                      size(width))) {}

  static std::uint64_t size(Index width) { return static_cast<std::uint64_t>(kTaskRows * (width + 2)); }
  Partial row(Index i) const { return {floats_[i], floats_[kTaskRows + i], averages() + i * width_}; }
  float* averages() const { return floats_ + 2 * kTaskRows; }

 private:
  Index width_;
  float* floats_;
};

/// Weights of one tile of one row in place of its logits; what was summed before is rescaled to the new maximum.
void weigh_tile(float* logits, Index count, Index width, Partial state) {
  const float maximum = std::max(state.maximum, *std::max_element(logits, logits + count));
  if (maximum == kMinusInfinity) {
    std::fill(logits, logits + count, 0.0F);
    return;
  }
  if (state.maximum != kMinusInfinity && state.maximum != maximum) {
    const float factor = std::exp(state.maximum - maximum);
    state.sum *= factor;
    for (Index j = 0; j < width; ++j) state.average[j] *= factor;
  }
  float tile_sum = 0;
  for (Index t = 0; t < count; ++t) {
    logits[t] = std::exp(logits[t] - maximum);  // 0 where masked
    tile_sum += logits[t];
  }
  state.sum += tile_sum;
  state.maximum = maximum;
}

void run_split(const Call& call, Form form, const Task& task, TokenRange split, const Partials& partials) {
  Attention attention(call, form, task, true);
  const Index rows = attention.rows(), width = value_width(call, form);
  const Index tile = call.problem.tile > 0 ? call.problem.tile : kDefaultTile;
  for (Index i = 0; i < rows; ++i) {
    const Partial state = partials.row(i);
    state.maximum = kMinusInfinity, state.sum = 0;
    std::fill(state.average, state.average + width, 0.0F);
  }
  const TokenRange range{std::max(split.begin, attention.tokens().begin), std::min(split.end, attention.tokens().end)};
  Floats weights = floats(rows * tile);
  for (Index begin = range.begin; begin < range.end; begin += tile) {
    const Index count = std::min(tile, range.end - begin);
    attention.score(begin, count, weights.data(), tile);
    for (Index i = 0; i < rows; ++i) weigh_tile(weights.data() + i * tile, count, width, partials.row(i));
    attention.add_values(begin, count, weights.data(), tile, partials.averages());
  }
}

/// One split: the sink joins its sum.
void finish_single(const Attention& attention, Index i, Index width, Partial state) {
  if (const std::optional<float> sink = attention.sink(i)) {
    const float maximum = std::max(state.maximum, *sink);
    const float factor = state.maximum == kMinusInfinity ? 0.0F : std::exp(state.maximum - maximum);
    state.sum = state.sum * factor + std::exp(*sink - maximum);
    for (Index j = 0; j < width; ++j) state.average[j] *= factor;
    state.maximum = maximum;
  }
  const bool empty = state.maximum == kMinusInfinity;
  for (Index j = 0; j < width && !empty; ++j) state.average[j] /= state.sum;
  attention.write(i, state.average, empty ? kMinusInfinity : state.maximum + std::log(state.sum));
}

/// Several: average = sum_k w_k average_k / sum_k w_k with w_k = exp(lse_k - max), the sink being one more lse without an average.
void join_splits(const Attention& attention, Index i, Index width, const std::vector<Partials>& partials) {
  std::vector<float> lses;
  for (const Partials& split : partials) {
    const Partial state = split.row(i);
    lses.push_back(state.maximum == kMinusInfinity ? kMinusInfinity : state.maximum + std::log(state.sum));
  }
  const std::optional<float> sink = attention.sink(i);
  const float maximum = std::max(sink.value_or(kMinusInfinity), *std::max_element(lses.begin(), lses.end()));
  Floats average = floats(width);
  if (maximum == kMinusInfinity) return attention.write(i, average.data(), kMinusInfinity);
  float total = sink ? std::exp(*sink - maximum) : 0.0F;
  for (std::size_t k = 0; k < lses.size(); ++k) {
    if (lses[k] == kMinusInfinity) continue;  // a split without a token has no average
    const float weight = std::exp(lses[k] - maximum);
    const Partial state = partials[k].row(i);
    total += weight;
    for (Index j = 0; j < width; ++j) average[static_cast<std::size_t>(j)] += state.average[j] / state.sum * weight;
  }
  for (float& x : average) x /= total;
  attention.write(i, average.data(), maximum + std::log(total));
}

}  // namespace

std::uint64_t attend_tiled_workspace(const Call& call, Form form) {
  const std::uint64_t pieces = attention_tasks(call, form).size() * static_cast<std::uint64_t>(call.problem.splits);
  return pieces * Partials::size(value_width(call, form)) * sizeof(float);
}

void attend_tiled(const Call& call, Form form) {
  const std::vector<Task> tasks = attention_tasks(call, form);
  const Index splits = call.problem.splits, width = value_width(call, form);
  parallel_for(static_cast<Index>(tasks.size()) * splits, call.threads(), [&](Index piece) {
    const Task& task = tasks[static_cast<std::size_t>(piece / splits)];
    const Index tokens = call.context(task.b), length = (tokens + splits - 1) / splits, k = piece % splits;
    const TokenRange split{std::min(k * length, tokens), std::min((k + 1) * length, tokens)};
    run_split(call, form, task, split, Partials(call, width, piece / splits, k));
  });
  parallel_for(static_cast<Index>(tasks.size()), call.threads(), [&](Index at) {
    const Attention attention(call, form, tasks[static_cast<std::size_t>(at)], true);
    std::vector<Partials> partials;
    for (Index k = 0; k < splits; ++k) partials.emplace_back(call, width, at, k);
    for (Index i = 0; i < attention.rows(); ++i) {
      if (splits == 1) {
        finish_single(attention, i, width, partials.front().row(i));
      } else {
        join_splits(attention, i, width, partials);
      }
    }
  });
}

}  // namespace equinorm::kernels::cpu
