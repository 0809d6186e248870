// Growth of the error with a dimension.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "commands/arithmetics.hpp"
#include "commands/report_parts.hpp"
#include "commands/run_form.hpp"
#include "inputs/generate.hpp"
#include "oracle/oracle.hpp"
#include "problem/builtin.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;
using tensor::Index;
using tensor::Tensor;

constexpr std::uint64_t kSeeds = 2;
constexpr std::array kArithmetics{"fp32", "bf16/fp32"};
constexpr std::array kTensors{"logits", "o"};

struct Axis {
  const char* name;
  Index Problem::*dim;  ///< null: the context
  std::vector<Index> values;
};

std::vector<Axis> axes() {
  return {{"context", nullptr, {64, 128, 256, 512, 1024, 2048, 4096}},
          {"latent rank", &Problem::latent, {64, 128, 256, 512, 1024}},
          {"head dim", &Problem::content_dim, {32, 64, 128, 256, 512}}};
}

Problem base_problem() {
  Problem problem = problem::find_builtin("paper-tp8").value();
  problem.heads = problem.groups = 2;
  problem.context = {256};
  problem.precision.order = {};
  return problem;
}

struct Squares {
  double error = 0, value = 0;
};

Squares squares_of(const Tensor<double>& values, const oracle::EnclosedTensor& exact) {
  Squares sums;
  for (Index i = 0; i < values.size(); ++i) {
    if (std::isinf(exact.value[i]) && values[i] == exact.value[i]) continue;
    const double error = (values[i] - exact.value[i]) - exact.low[i];
    sums.error += error * error, sums.value += exact.value[i] * exact.value[i];
  }
  return sums;
}

/// Adds one point of every series of an axis, in the order arithmetic, form, tensor.
void add_points(Problem problem, Index n, std::vector<report::GrowthSeries>& series) {
  std::vector<Squares> sums(series.size());
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    problem.inputs.seed = seed;
    const tensor::TensorMap inputs = inputs::generate_inputs(problem);
    const std::set<std::string> names(kTensors.begin(), kTensors.end());
    const oracle::Enclosures exact = oracle::enclose(problem, inputs, names);
    std::size_t at = 0;
    for (const char* arithmetic : kArithmetics) {
      const paths::Plan plan = find_arithmetic(arithmetic, problem).plan;
      for (const auto form : {paths::PathKind::explicit_form, paths::PathKind::absorbed_form}) {
        const Doubles out = run_form(form, plan, problem, inputs, names);
        for (const char* name : kTensors) {
          const Squares more = squares_of(out.at(name), exact.at(name));
          sums[at].error += more.error, sums[at].value += more.value;
          ++at;
        }
      }
    }
  }
  for (std::size_t i = 0; i < series.size(); ++i) {
    series[i].points.push_back({static_cast<double>(n), sums[i].value > 0 ? std::sqrt(sums[i].error / sums[i].value) : 0});
  }
}

}  // namespace

std::string growth_setting() {
  const Problem base = base_problem();
  return fmt::format("Normal inputs in bf16, {} heads, T {}, r {}, d_c {}, d_r {}, sums in sequential order, {} seeds together.",
                     base.heads, base.max_context(), base.latent, base.content_dim, base.rope_dim, kSeeds);
}

const std::vector<std::string>& growth_axes() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> found;
    for (const Axis& axis : axes()) found.emplace_back(axis.name);
    return found;
  }();
  return names;
}

std::vector<report::GrowthSeries> growth_along(const std::string& name) {
  const std::vector<Axis> all = axes();
  const Axis& axis = *std::find_if(all.begin(), all.end(), [&](const Axis& one) { return one.name == name; });
  std::vector<report::GrowthSeries> series;
  for (const char* arithmetic : kArithmetics) {
    for (const char* path : {"explicit", "absorbed"}) {
      for (const char* tensor : kTensors) series.push_back({axis.name, arithmetic, path, tensor, {}});
    }
  }
  for (const Index n : axis.values) {
    Problem problem = base_problem();
    if (axis.dim == nullptr) {
      problem.context = {n};
    } else {
      problem.*axis.dim = n;
    }
    add_points(problem, n, series);
  }
  return series;
}

}  // namespace equinorm::commands
