// Growth of the error with a dimension.
#include <fmt/format.h>

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

std::vector<report::GrowthSeries> growth_series(std::string& setting, const Step& step) {
  const Problem base = base_problem();
  const std::vector<Axis> axes{{"context", nullptr, {64, 128, 256, 512, 1024, 2048, 4096}},
                               {"latent rank", &Problem::latent, {64, 128, 256, 512, 1024}},
                               {"head dim", &Problem::content_dim, {32, 64, 128, 256, 512}}};
  setting = fmt::format("Normal inputs in bf16, {} heads, T {}, r {}, d_c {}, d_r {}, sums in sequential order, {} seeds together.",
                        base.heads, base.max_context(), base.latent, base.content_dim, base.rope_dim, kSeeds);
  std::vector<report::GrowthSeries> all;
  for (const Axis& axis : axes) {
    step(fmt::format("growth with {}", axis.name));
    std::vector<report::GrowthSeries> series;
    for (const char* arithmetic : kArithmetics) {
      for (const char* path : {"explicit", "absorbed"}) {
        for (const char* name : kTensors) series.push_back({axis.name, arithmetic, path, name, {}});
      }
    }
    for (const Index n : axis.values) {
      Problem problem = base;
      if (axis.dim == nullptr) {
        problem.context = {n};
      } else {
        problem.*axis.dim = n;
      }
      add_points(problem, n, series);
    }
    for (report::GrowthSeries& one : series) all.push_back(std::move(one));
  }
  return all;
}

}  // namespace equinorm::commands
