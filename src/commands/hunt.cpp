#include "commands/hunt.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "inputs/generate.hpp"
#include "problem/tensors.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;
using tensor::TensorMap;
using verdict::ErrorRow;

constexpr double kNone = -std::numeric_limits<double>::infinity();
constexpr double kLongest = 7 * 24 * 3600.0;

/// Ratios of all rows, then their errors in ulp.
std::vector<double> scores_of(const std::vector<ErrorRow>& rows) {
  std::vector<double> scores;
  for (const ErrorRow& row : rows) scores.push_back(row.ratio.value_or(kNone));
  for (const ErrorRow& row : rows) scores.push_back(std::isnan(row.error.max_ulp) ? kNone : row.error.max_ulp);
  return scores;
}

/// The n-th fresh inputs: the families in turn, a new seed each; tables and positions are those of `start`.
TensorMap fresh_inputs(const Problem& problem, scalar::Format format, const TensorMap& start, std::int64_t n) {
  static const std::vector<std::pair<std::string, std::string>> families = inputs::input_families();
  Problem drawn = problem;
  drawn.precision.storage = format;
  drawn.inputs.seed = problem.inputs.seed + static_cast<std::uint64_t>(n);
  for (std::size_t attempt = 0; attempt < families.size(); ++attempt) {
    drawn.inputs.kind = families[(static_cast<std::size_t>(n) + attempt) % families.size()].first;
    try {
      TensorMap fresh = inputs::generate_inputs(drawn);
      for (const problem::TensorSpec& spec : problem::input_tensors(problem, 1)) {
        if (spec.role != problem::Role::rope_table && spec.role != problem::Role::positions) continue;
        if (const auto found = start.find(spec.name); found != start.end()) fresh[spec.name] = found->second;
      }
      return fresh;
    } catch (const Error&) {
      continue;  // this family cannot serve the problem
    }
  }
  return start;
}

std::optional<double> given(double score) { return score > kNone ? std::optional(score) : std::nullopt; }

}  // namespace

search::Budget parse_budget(const std::string& text) {
  const auto refuse = [&]() -> search::Budget {
    throw Error(fmt::format(
        "--hunt: '{}' is not a budget; allowed: seconds, minutes or hours up to a week (60s, 5m, 1h) or evaluations (2000e)", text));
  };
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, code] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (code != std::errc() || end - rest != 1 || !(number > 0) || !(number <= 1e15)) return refuse();
  if (*rest == 'e') {
    if (number != std::floor(number)) return refuse();
    return {static_cast<std::int64_t>(number), 0};
  }
  const double unit = *rest == 's' ? 1 : *rest == 'm' ? 60 : *rest == 'h' ? 3600 : 0;
  if (!(unit > 0) || !(number * unit <= kLongest)) return refuse();
  return {0, number * unit};
}

Hunted hunt(const Problem& problem, scalar::Format format, const TensorMap& start, const Evaluate& evaluate, const search::Budget& budget,
            const std::function<void(double)>& progress) {
  const std::vector<ErrorRow> first = evaluate(start);
  if (first.empty()) throw Error(fmt::format("--hunt: {} has no output with a bound in this arithmetic", problem.name));
  const std::size_t count = first.size();
  const auto objective = [&](const TensorMap& inputs) {
    try {
      return scores_of(evaluate(inputs));
    } catch (const Error&) {
      return std::vector<double>(2 * count, kNone);  // no exact outputs: a zero row with eps 0
    }
  };
  const search::Outcome outcome = search::maximise(
      problem, format, start, [&](std::int64_t n) { return fresh_inputs(problem, format, start, n); }, objective, budget,
      problem.inputs.seed, progress);
  Hunted hunted;
  verdict::HuntResult& result = hunted.result;
  result.evaluations = outcome.evaluations, result.unscored = outcome.unscored, result.restarts = outcome.restarts;
  result.seconds = outcome.seconds;
  std::size_t worst = 0;
  for (std::size_t i = 0; i < count; ++i) {
    hunted.rows.push_back(evaluate(outcome.best[i].inputs).at(i));
    result.rows.push_back({given(outcome.start[i]), given(outcome.best[i].score), outcome.start[count + i], outcome.best[count + i].score});
    const bool fails_more = fails(hunted.rows[i].verdict) && !fails(hunted.rows[worst].verdict);
    const bool fails_less = !fails(hunted.rows[i].verdict) && fails(hunted.rows[worst].verdict);
    if (fails_more || (!fails_less && outcome.best[i].score > outcome.best[worst].score)) worst = i;
  }
  result.worst_row = static_cast<verdict::Index>(worst);
  hunted.worst = outcome.best[worst].inputs;
  return hunted;
}

}  // namespace equinorm::commands
