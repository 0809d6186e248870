#include "commands/mutant_run.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "commands/arithmetics.hpp"
#include "paths/load_inputs.hpp"
#include "paths/path.hpp"
#include "paths/rounded_arithmetic.hpp"

namespace equinorm::commands {
namespace {

using paths::Index;
using Single = paths::RoundedArithmetic<float>;

std::string arithmetic_of(const problem::Problem& problem) {
  const scalar::Format storage = problem.precision.storage;
  return storage == scalar::kFp16 || storage == scalar::kBf16 ? scalar::to_string(storage) + "/fp32" : "fp32";
}

/// Elements that are not finite, and the first of them.
std::pair<Index, Index> nonfinite(const tensor::Tensor<float>& values) {
  Index count = 0, first = -1;
  for (Index i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    if (count++ == 0) first = i;
  }
  return {count, first};
}

}  // namespace

verdict::ErrorRow run_structural_mutant(const paths::Mutant& mutant, const problem::Problem& problem, const tensor::TensorMap& inputs,
                                        const problem::Problem& whole, Index& right_nonfinite) {
  NamedArithmetic arithmetic = find_arithmetic(arithmetic_of(problem), problem);
  if (mutant.adjust != nullptr) mutant.adjust(whole, arithmetic.plan);
  const Single ar(arithmetic.plan);
  auto values = paths::load_inputs(ar, problem, inputs);
  paths::poison_unseen(problem, std::numeric_limits<float>::quiet_NaN(), values);
  const auto run = [&](std::string_view id) {
    return paths::run_path(ar, paths::PathKind::absorbed_form, problem, arithmetic.plan, values, *paths::make_formula<Single>(id), {"o"});
  };
  const auto right = run(""), faulty = run(mutant.id);
  const auto [count, first] = nonfinite(faulty.at("o"));
  right_nonfinite = nonfinite(right.at("o")).first;
  verdict::ErrorRow row;
  row.arithmetic = arithmetic.name;
  row.path = "absorbed";
  row.tensor = "o";
  row.format = format_of_output(arithmetic.plan, "o");
  row.error.elements = faulty.at("o").size();
  row.error.nonfinite = count;
  if (first >= 0) row.error.worst = tensor::unravel(faulty.at("o").shape(), first);
  settle_structural(right_nonfinite, row);
  return row;
}

void settle_structural(Index right_nonfinite, verdict::ErrorRow& row) {
  const Index count = row.error.nonfinite;
  row.verdict = count > 0 && right_nonfinite == 0 ? verdict::Verdict::nonfinite : verdict::Verdict::undecided;
  row.detail = fmt::format("{} of {} elements are not finite, without the fault {}", count, row.error.elements, right_nonfinite);
}

std::string why_not_exact(const paths::Mutant& mutant) {
  if (mutant.expects(paths::kExact)) return "";
  if (mutant.expects(paths::kReal)) return "the exact arithmetics keep e^lse, in which this fault has no form: the ladder must show it";
  if (mutant.expects(paths::kStructural))
    return "exact checks have no NaN: the fault is run in floating point, with NaN where no query looks";
  return "exact checks cannot show a fault of the arithmetic alone; the bounds of the declared arithmetic must";
}

}  // namespace equinorm::commands
