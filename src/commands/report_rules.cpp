// The public acceptance rules on the outputs of a report's own run.
#include <algorithm>
#include <cmath>

#include "commands/arithmetics.hpp"
#include "commands/block_outputs.hpp"
#include "commands/compare_rules.hpp"
#include "commands/report_parts.hpp"
#include "commands/run_form.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;
using tensor::Tensor;

const std::vector<std::string> kAllRules{"all"};

scalar::Format format_of(const Problem& problem) { return format_of_output(find_arithmetic(rules_arithmetic(problem), problem).plan, "o"); }

std::vector<double> numbers(const Tensor<double>& values) { return {values.data(), values.data() + values.size()}; }

std::vector<verdict::RuleRow> rows_of(const Problem& problem, const Tensor<double>& values, const Tensor<double>& exact,
                                      const RuleMaterial& material) {
  std::vector<verdict::RuleRow> rows = rule_rows(kAllRules, problem, "o", format_of(problem), values, exact, material);
  for (verdict::RuleRow& row : rows) row.run = rules_arithmetic(problem) + ", absorbed";
  return rows;
}

}  // namespace

std::string rules_arithmetic(const Problem& problem) {
  const scalar::Format storage = problem.precision.storage;
  return storage == scalar::kFp16 ? "fp16/fp32" : storage == scalar::kBf16 ? "bf16/fp32" : "fp32";
}

void measure_rules(const BlockViews& of, CaseFindings& findings) {
  const Problem& problem = of.views.problem();
  const StorageView& given = of.views.given();
  const NamedArithmetic arithmetic = find_arithmetic(rules_arithmetic(problem), problem);
  const Doubles out = run_form(paths::PathKind::absorbed_form, arithmetic.plan, problem, given.inputs, {"o"});
  const Tensor<double>& exact = given.reference.at("o").value;
  const scalar::Format format = format_of(problem);
  tensor::AnyTensor stored(tensor::dtype_of(format), exact.shape());
  stored.write(0, stored.size(), out.at("o").data());
  Tensor<double> values(exact.shape());
  stored.read(0, stored.size(), values.data());
  const RuleMaterial material = rule_material(kAllRules, problem, given.inputs, format);
  if (of.block.whole()) {
    findings.found.result.rules = rows_of(problem, values, exact, material);
    return;
  }
  findings.rules.push_back({of.block.row,
                            of.block.first_head,
                            of.block.heads,
                            numbers(values),
                            numbers(exact),
                            numbers(material.naive),
                            numbers(material.magnitude),
                            {*material.max_query, *material.max_key, *material.max_value}});
}

std::vector<verdict::RuleRow> judged_rules(const Problem& problem, const std::vector<RuleSample>& samples) {
  const tensor::Shape shape{problem.batch, problem.queries, problem.heads, problem.value_dim};
  Tensor<double> output(shape), exact(shape), naive(shape), magnitude(shape);
  RuleMaterial material;
  const auto larger = [](std::optional<double>& most, double x) { most = std::fmax(most.value_or(x), x); };
  for (const RuleSample& sample : samples) {
    const inputs::Block block{sample.batch_row, sample.first_head, sample.heads};
    const auto put = [&](const std::vector<double>& numbers, Tensor<double>& whole) {
      Tensor<double> part({1, problem.queries, sample.heads, problem.value_dim});
      if (numbers.size() != static_cast<std::size_t>(part.size())) return;
      std::copy(numbers.begin(), numbers.end(), part.data());
      put_block(problem, block, "o", part, whole);
    };
    put(sample.output, output), put(sample.exact, exact), put(sample.naive, naive), put(sample.magnitude, magnitude);
    larger(material.max_query, sample.extremes.at(0)), larger(material.max_key, sample.extremes.at(1));
    larger(material.max_value, sample.extremes.at(2));
  }
  if (!samples.empty() && !samples.front().naive.empty()) material.naive = std::move(naive);
  material.magnitude = std::move(magnitude);
  return rows_of(problem, output, exact, material);
}

}  // namespace equinorm::commands
