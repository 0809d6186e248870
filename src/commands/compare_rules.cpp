#include "commands/compare_rules.hpp"

#include <algorithm>
#include <cmath>

#include "paths/load_inputs.hpp"
#include "paths/mutants.hpp"
#include "paths/path.hpp"
#include "paths/project-inl.hpp"
#include "paths/rounded_arithmetic.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;
using tensor::Index;
using tensor::Tensor;
using verdict::Rule;
using verdict::RuleCase;
using Wide = paths::RoundedArithmetic<double>;
using Row = paths::Row<Wide>;

std::vector<const Rule*> rules_of(const std::vector<std::string>& names) {
  std::vector<const Rule*> chosen;
  const auto choose = [&](const Rule& rule) {
    if (std::find(chosen.begin(), chosen.end(), &rule) == chosen.end()) chosen.push_back(&rule);
  };
  for (const std::string& name : names) {
    if (name == "all") {
      for (const Rule& rule : verdict::rules()) choose(rule);
    } else {
      choose(verdict::find_rule(name));
    }
  }
  return chosen;
}

/// Explicit form with 16-bit tensors and fp32 sums: every tensor is stored in `format`, as in a tensor library's plain implementation.
Tensor<double> naive_output(const Problem& problem, const tensor::TensorMap& inputs, scalar::Format format) {
  paths::Plan plan;
  plan.precision.storage = problem.precision.storage;
  plan.precision.stored.fill(format);
  const paths::RoundedArithmetic<float> ar(plan);
  const auto values = paths::load_inputs(ar, problem, inputs);
  const auto formula = paths::make_formula<paths::RoundedArithmetic<float>>("");
  const auto out = paths::run_path(ar, paths::PathKind::explicit_form, problem, plan, values, *formula, {"o"});
  const Tensor<float>& o = out.at("o");
  Tensor<double> result(o.shape());
  std::copy(o.data(), o.data() + o.size(), result.data());
  return result;
}

/// The attention's own operands, in binary64.
class Operands {
 public:
  Operands(const Problem& problem, const tensor::TensorMap& inputs)
      : problem_(problem), plan_(paths::Plan{}), ar_(wide()), inputs_(paths::load_inputs(ar_, problem, inputs)) {
    const auto formula = paths::make_formula<Wide>("");
    out_ = paths::run_path(ar_, paths::PathKind::explicit_form, problem, plan_, inputs_, *formula, {"p", "q_hat", "k_hat"});
  }

  double max_query() const { return largest(out_.at("q_hat")); }
  double max_key() const { return largest(out_.at("k_hat")); }

  /// sum_t p_t |v_tj| for every element of o, and the largest |v_tj|.
  Tensor<double> magnitude(double* max_value) const {
    Tensor<double> result({problem_.batch, problem_.queries, problem_.heads, problem_.value_dim});
    *max_value = 0;
    for (Index b = 0; b < problem_.batch; ++b) {
      Row row{.ar = ar_, .problem = problem_, .plan = plan_, .in = inputs_};
      row.b = b, row.tokens = problem_.context_of(b);
      paths::Projected<double> projected;
      paths::project(row, projected);
      for (Index g = 0; g < problem_.groups; ++g) {
        Tensor<double> values = values_of(row, g);
        for (Index i = 0; i < values.size(); ++i) *max_value = std::fmax(*max_value, values[i] = std::fabs(values[i]));
        for (Index h = 0; h < problem_.heads; ++h) {
          if (problem_.group_of(h) == g) add_head(b, h, values, result);
        }
      }
    }
    return result;
  }

 private:
  static Wide wide() {
    paths::Plan plan;
    plan.precision.storage = plan.precision.accumulate = plan.precision.statistics = scalar::kFp64;
    plan.precision.stored.fill(scalar::kFp64);
    return Wide(plan);
  }
  static double largest(const Tensor<double>& values) {
    double result = 0;
    for (Index i = 0; i < values.size(); ++i) result = std::fmax(result, std::fabs(values[i]));
    return result;
  }

  /// v of one group, [T,d_v].
  Tensor<double> values_of(const Row& row, Index g) const {
    const Index d_v = problem_.value_dim;
    Tensor<double> values({row.tokens, d_v});
    if (problem_.is_mla()) {
      ar_.matmul(row.tokens, d_v, problem_.latent, row.c, problem_.latent, inputs_.at("w_v").row(g), d_v, values.data(), d_v, false);
    } else {
      for (Index t = 0; t < row.tokens; ++t) std::copy_n(row.v + (t * problem_.groups + g) * d_v, d_v, values.row(t));
    }
    return values;
  }

  void add_head(Index b, Index h, const Tensor<double>& values, Tensor<double>& result) const {
    for (Index s = 0; s < problem_.queries; ++s) {
      const double* p = out_.at("p").row(b, h, s);
      double* sums = result.row(b, s, h);
      for (Index t = 0; t < values.dim(0); ++t) {
        for (Index j = 0; j < values.dim(1); ++j) sums[j] += p[t] * values.row(t)[j];
      }
    }
  }

  const Problem& problem_;
  paths::Plan plan_;
  Wide ar_;
  paths::PathInputs<double> inputs_;
  paths::PathOutput<double> out_;
};

}  // namespace

void check_rule_names(const std::vector<std::string>& names) { rules_of(names); }

RuleMaterial rule_material(const std::vector<std::string>& names, const Problem& problem, const tensor::TensorMap& inputs,
                           scalar::Format format) {
  const std::vector<const Rule*> rules = rules_of(names);
  const auto any = [&](bool Rule::*need) { return std::any_of(rules.begin(), rules.end(), [&](const Rule* rule) { return rule->*need; }); };
  const bool sixteen_bits = format == scalar::kFp16 || format == scalar::kBf16;
  RuleMaterial material;
  if (any(&Rule::needs_naive) && sixteen_bits) material.naive = naive_output(problem, inputs, format);
  if (!any(&Rule::needs_magnitude) && !any(&Rule::needs_extremes)) return material;
  const Operands operands(problem, inputs);
  double max_value = 0;
  material.magnitude = operands.magnitude(&max_value);
  material.max_query = operands.max_query(), material.max_key = operands.max_key(), material.max_value = max_value;
  return material;
}

std::vector<verdict::RuleRow> rule_rows(const std::vector<std::string>& names, const Problem& problem, const std::string& tensor,
                                        scalar::Format format, const Tensor<double>& values, const Tensor<double>& exact,
                                        const RuleMaterial& material) {
  RuleCase about;
  about.tensor = tensor;
  about.format = format;
  about.input_format = problem.precision.storage;
  about.keys = problem.max_context();
  about.key_dim = problem.key_dim();
  about.scale = Wide(paths::Plan{}).scale(problem::softmax_scale(problem));
  about.softcap = !problem.softcap.is_zero();
  if (!material.naive.empty()) about.naive = &material.naive;
  if (!material.magnitude.empty()) about.magnitude = &material.magnitude;
  about.max_query = material.max_query, about.max_key = material.max_key, about.max_value = material.max_value;
  std::vector<verdict::RuleRow> rows;
  for (const Rule* rule : rules_of(names)) rows.push_back({tensor, std::string(rule->id), apply_rule(*rule, values, exact, about)});
  return rows;
}

void add_rule_rows(const std::vector<std::string>& names, const Problem& problem, const tensor::TensorMap& inputs,
                   const tensor::TensorMap& outputs, const verdict::Reference& reference, verdict::CaseResult& result) {
  check_rule_names(names);
  for (const verdict::ErrorRow& row : result.errors) {
    if (names.empty() || row.verdict == verdict::Verdict::wrong_shape || row.verdict == verdict::Verdict::missing) continue;
    const tensor::AnyTensor& output = outputs.at(row.tensor);
    Tensor<double> values(output.shape());
    output.read(0, output.size(), values.data());
    const RuleMaterial material = row.tensor == "o" ? rule_material(names, problem, inputs, row.format) : RuleMaterial{};
    for (verdict::RuleRow& said : rule_rows(names, problem, row.tensor, row.format, values, reference.at(row.tensor).value, material))
      result.rules.push_back(std::move(said));
  }
}

}  // namespace equinorm::commands
