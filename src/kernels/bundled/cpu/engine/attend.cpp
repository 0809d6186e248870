// Score, softmax and value in two passes over the keys.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/bundled/cpu/engine/attention.hpp"
#include "kernels/bundled/cpu/engine/parallel.hpp"

namespace equinorm::kernels::cpu {
namespace {

constexpr Index kBlock = 128;  // tokens
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// Logits become exp(l - m), m the largest of them and the sink. Returns m and the sum, the sink's term in it; m = -inf: nothing to sum.
struct Softmax {
  float maximum, sum;
};

Softmax exponentiate(float* logits, TokenRange seen, std::optional<float> sink) {
  float maximum = sink.value_or(kMinusInfinity);
  for (Index t = seen.begin; t < seen.end; ++t) maximum = std::max(maximum, logits[t]);
  float sum = 0;
  for (Index t = seen.begin; t < seen.end; ++t) {
    logits[t] = std::exp(logits[t] - maximum);
    sum += logits[t];
  }
  if (sink) sum += std::exp(*sink - maximum);
  return {maximum, sum};
}

void write_probabilities(const Call& call, const Task& task, const QueryRow& row, TokenRange seen, const float* weights, float sum) {
  Floats p = floats(call.problem.context);
  for (Index t = seen.begin; t < seen.end; ++t) p[static_cast<std::size_t>(t)] = weights[t] / sum;
  call.view("p").store(p.data(), task.b, row.h, row.s);
}

void run_task(const Call& call, Form form, const Task& task) {
  Attention attention(call, form, task, false);
  const Index rows = attention.rows(), tokens = call.problem.context, width = value_width(call, form);
  const TokenRange range = attention.tokens();
  Floats scores(static_cast<std::size_t>(rows * tokens), kMinusInfinity), sums = floats(rows * width);
  for (Index begin = range.begin; begin < range.end; begin += kBlock)
    attention.score(begin, std::min(kBlock, range.end - begin), scores.data() + begin, tokens);
  std::vector<Softmax> softmax;
  for (Index i = 0; i < rows; ++i) {
    float* logits = scores.data() + i * tokens;
    const QueryRow row = task.rows[static_cast<std::size_t>(i)];
    const TokenRange seen = attention.sees(i);
    if (call.has("logits")) call.view("logits").store(logits, task.b, row.h, row.s);
    softmax.push_back(exponentiate(logits, seen, attention.sink(i)));
    // exp was not taken of what the row does not see.
    std::fill(logits, logits + std::min(seen.begin, tokens), 0.0F);
    std::fill(logits + std::max(seen.end, Index{0}), logits + tokens, 0.0F);
    if (call.has("p")) write_probabilities(call, task, row, seen, logits, softmax.back().sum);
  }
  for (Index begin = range.begin; begin < range.end; begin += kBlock)
    attention.add_values(begin, std::min(kBlock, range.end - begin), scores.data() + begin, tokens, sums.data());
  for (Index i = 0; i < rows; ++i) {
    const auto [maximum, sum] = softmax[static_cast<std::size_t>(i)];
    const bool empty = maximum == kMinusInfinity;
    float* average = sums.data() + i * width;
    for (Index j = 0; j < width && !empty; ++j) average[j] /= sum;
    attention.write(i, average, empty ? kMinusInfinity : maximum + std::log(sum));
  }
}

}  // namespace

void attend(const Call& call, Form form) {
  const std::vector<Task> tasks = attention_tasks(call, form);
  parallel_for(static_cast<Index>(tasks.size()), call.threads(),
               [&](Index i) { run_task(call, form, tasks[static_cast<std::size_t>(i)]); });
}

}  // namespace equinorm::kernels::cpu
