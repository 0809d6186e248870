// The public acceptance rules on the outputs of a report's own run.
#include <algorithm>

#include "commands/arithmetics.hpp"
#include "commands/compare_rules.hpp"
#include "commands/report_parts.hpp"
#include "commands/run_form.hpp"

namespace equinorm::commands {

using problem::Problem;

void measure_rules(StorageViews& views, verdict::CaseResult& result) {
  const Problem& problem = views.problem();
  const scalar::Format storage = problem.precision.storage;
  const std::string name = storage == scalar::kFp16 ? "fp16/fp32" : storage == scalar::kBf16 ? "bf16/fp32" : "fp32";
  const auto measured = [&](const verdict::ErrorRow& row) { return row.arithmetic == name && row.path == "absorbed" && row.tensor == "o"; };
  const auto ours = std::find_if(result.errors.begin(), result.errors.end(), measured);
  if (ours == result.errors.end()) return;
  const NamedArithmetic arithmetic = find_arithmetic(name, problem);
  const tensor::TensorMap& inputs = views.given().inputs;
  const Doubles out = run_form(paths::PathKind::absorbed_form, arithmetic.plan, problem, inputs, {"o"});
  const scalar::Format format = format_of_output(arithmetic.plan, "o");
  tensor::AnyTensor stored(tensor::dtype_of(format), out.at("o").shape());
  stored.write(0, stored.size(), out.at("o").data());
  verdict::CaseResult judged;
  judged.errors.push_back(*ours);
  judged.errors.front().format = format;
  add_rule_rows({"all"}, problem, inputs, {{"o", stored}}, views.given().reference, judged);
  for (verdict::RuleRow& row : judged.rules) {
    row.run = name + ", absorbed", row.verdict = ours->verdict;
    result.rules.push_back(std::move(row));
  }
}

}  // namespace equinorm::commands
