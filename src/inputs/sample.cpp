#include "inputs/sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "inputs/random.hpp"
#include "inputs/selection.hpp"
#include "problem/tensors.hpp"

namespace equinorm::inputs {
namespace {

using problem::Index;
using problem::Problem;
using tensor::AnyTensor;

/// What is kept of a problem.
struct Choice {
  Index row, head, group, query;
  std::vector<Index> tokens;
};

std::optional<Choice> choose(const Problem& problem, Index max_tokens, std::uint64_t seed) {
  Choice choice{};
  for (Index b = 0; b < problem.batch; ++b) {
    if (problem.context_of(b) == problem.max_context()) choice.row = b;
  }
  const Index length = problem.max_context();
  choice.query = problem.queries - 1;
  const Index window = problem.mask.kind == problem::MaskKind::window ? problem.mask.window : length;
  const Index first = std::max<Index>(0, length - window);
  if (length == 0) return std::nullopt;
  const RandomStream random(seed, "sample");
  choice.head = static_cast<Index>(random.bits(0) % static_cast<std::uint64_t>(problem.heads));
  choice.group = problem.group_of(choice.head);
  const Index wanted = std::min(max_tokens, length - first);
  std::set<Index> tokens{length - 1};
  if (wanted == length - first) {
    for (Index t = first; t < length; ++t) tokens.insert(t);
  }
  for (std::uint64_t draw = 1; static_cast<Index>(tokens.size()) < wanted; ++draw) {
    tokens.insert(first + static_cast<Index>(random.bits(draw) % static_cast<std::uint64_t>(length - first)));
  }
  choice.tokens.assign(tokens.begin(), tokens.end());
  return choice;
}

Problem smaller_problem(const Problem& problem, const Choice& choice) {
  Problem small = problem;
  small.batch = small.queries = small.heads = small.groups = 1;
  small.context = {static_cast<Index>(choice.tokens.size())};
  small.mask = {};
  small.mask.kind = problem::MaskKind::none;
  small.name += " (sample)";
  return small;
}

AnyTensor positions(const tensor::TensorMap& inputs, const std::string& name, Index row, Index length, const std::vector<Index>& kept,
                    const std::vector<Index>& defaults) {
  AnyTensor result(tensor::DType::i64, {1, static_cast<Index>(kept.size())});
  std::vector<std::int64_t> values = defaults;
  if (const auto given = inputs.find(name); given != inputs.end()) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(length));
    given->second.read_integers(row * length, length, all.data());
    for (std::size_t i = 0; i < kept.size(); ++i) values[i] = all[static_cast<std::size_t>(kept[i])];
  }
  std::memcpy(result.mutable_bytes(), values.data(), values.size() * sizeof(std::int64_t));
  return result;
}

}  // namespace

std::optional<Sample> sample_problem(const Problem& problem, const tensor::TensorMap& inputs, Index max_tokens, std::uint64_t seed) {
  const std::optional<Choice> choice = choose(problem, max_tokens, seed);
  if (!choice) return std::nullopt;
  Sample sample{smaller_problem(problem, *choice), {}, {}};
  const Selection kept{{choice->row}, {choice->query}, {choice->head}, {choice->group}, choice->tokens};
  for (const auto& [name, values] : inputs) {
    if (name != "positions_q" && name != "positions_k") sample.inputs.emplace(name, select(problem, name, values, kept));
  }
  sample.inputs["positions_q"] =
      positions(inputs, "positions_q", choice->row, problem.queries, {choice->query}, {problem.query_position(choice->row, choice->query)});
  sample.inputs["positions_k"] = positions(inputs, "positions_k", choice->row, problem.max_context(), choice->tokens, choice->tokens);
  sample.description = fmt::format("head {}, {} of {} tokens", choice->head, choice->tokens.size(), problem.max_context());
  return sample;
}

}  // namespace equinorm::inputs
