#include "inputs/sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <set>

#include "inputs/random.hpp"
#include "problem/tensors.hpp"

namespace equinorm::inputs {
namespace {

using problem::Index;
using problem::Problem;
using tensor::AnyTensor;

/// Indices to keep on each axis; an axis without an entry is kept whole.
using Selection = std::map<std::size_t, std::vector<Index>>;

std::vector<Index> range(Index begin, Index count) {
  std::vector<Index> result(static_cast<std::size_t>(count));
  std::iota(result.begin(), result.end(), begin);
  return result;
}

AnyTensor select(const AnyTensor& source, const Selection& selection) {
  tensor::Shape shape = source.shape();
  for (const auto& [axis, kept] : selection) shape.at(axis) = static_cast<Index>(kept.size());
  AnyTensor result(source.dtype(), shape);
  const std::size_t width = tensor::size_of(source.dtype());
  std::vector<Index> at(shape.size());
  for (Index flat = 0; flat < result.size(); ++flat) {
    Index rest = flat, from = 0;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      at[axis] = rest % shape[axis];
      rest /= shape[axis];
    }
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      const auto kept = selection.find(axis);
      from = from * source.shape()[axis] + (kept == selection.end() ? at[axis] : kept->second[static_cast<std::size_t>(at[axis])]);
    }
    std::memcpy(result.mutable_bytes() + static_cast<std::size_t>(flat) * width, source.bytes() + static_cast<std::size_t>(from) * width,
                width);
  }
  return result;
}

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

/// The part of one input tensor that the sample keeps, by its name and the table of problem/tensors.
Selection selection_of(const std::string& name, const Problem& p, const Choice& choice) {
  const std::vector<Index> row{choice.row}, query{choice.query}, head{choice.head}, group{choice.group};
  const auto columns = [](Index index, Index width) { return range(index * width, width); };
  const bool full = p.norm.scheme == problem::NormScheme::full_width;
  const Index d = p.key_dim();
  if (name == "c" || name == "k_rope" || name == "x") return {{0, row}, {1, choice.tokens}};
  if (name == "k" || name == "v") return {{0, row}, {1, choice.tokens}, {2, group}};
  if (name == "q" || name == "q_content" || name == "q_rope") return {{0, row}, {1, query}, {2, head}};
  if (name == "w_k" && !p.is_mla()) return {{1, columns(choice.group, d)}};
  if (name == "w_v" && !p.is_mla()) return {{1, columns(choice.group, p.value_dim)}};
  if (name == "w_k" || name == "w_v") return {{0, group}};
  if (name == "w_q" || name == "w_uq") return {{1, columns(choice.head, d)}};
  if (name == "w_o") return {{0, columns(choice.head, p.value_dim)}};
  if (name == "gate") return {{0, row}, {1, query}, {2, columns(choice.head, p.value_dim)}};
  if (name == "sink") return {{0, head}};
  if (full && name == "gamma_cq") return {{0, columns(choice.head, p.content_dim)}};
  if (full && name == "gamma_ck") return {{0, columns(choice.group, p.content_dim)}};
  if (full && name == "gamma_rq") return {{0, columns(choice.head, p.rope_dim)}};
  if (full && name == "gamma_q") return {{0, columns(choice.head, d)}};
  if (full && name == "gamma_k") return {{0, columns(choice.group, d)}};
  return {};
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
  for (const auto& [name, values] : inputs) {
    if (name != "positions_q" && name != "positions_k") sample.inputs.emplace(name, select(values, selection_of(name, problem, *choice)));
  }
  sample.inputs["positions_q"] =
      positions(inputs, "positions_q", choice->row, problem.queries, {choice->query}, {problem.query_position(choice->row, choice->query)});
  sample.inputs["positions_k"] = positions(inputs, "positions_k", choice->row, problem.max_context(), choice->tokens, choice->tokens);
  sample.description = fmt::format("head {}, {} of {} tokens", choice->head, choice->tokens.size(), problem.max_context());
  return sample;
}

}  // namespace equinorm::inputs
