#include "report/json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "report/explanation.hpp"

namespace equinorm::report {
namespace {

using Json = nlohmann::ordered_json;

Json finite(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }

Json json_of(const problem::Problem& p) {
  return {{"name", p.name},
          {"attention", problem::to_string(p.attention)},
          {"norm",
           {{"scheme", problem::to_string(p.norm.scheme)},
            {"kind", problem::to_string(p.norm.kind)},
            {"weight", problem::to_string(p.norm.weight)},
            {"eps", p.norm.eps.text()}}},
          {"batch", p.batch},
          {"queries", p.queries},
          {"context", p.context},
          {"heads", p.heads},
          {"groups", p.groups},
          {"key_dim", p.key_dim()},
          {"value_dim", p.value_dim},
          {"inputs", {{"kind", p.inputs.kind}, {"seed", p.inputs.seed}}}};
}

Json json_of(const verdict::ExactCheck& check) {
  Json json{{"method", check.method},
            {"verdict", check.verdict == verdict::Verdict::measured ? "not run" : to_string(check.verdict)},
            {"scope", check.scope},
            {"elements", check.elements},
            {"seconds", check.seconds}};
  if (check.false_equal_log2 < 0) json["false_equal_log2"] = check.false_equal_log2;
  if (check.difference) {
    const verdict::FirstDifference& d = *check.difference;
    json["first_difference"] = {
        {"stage", d.stage}, {"tensor", d.tensor}, {"index", d.index}, {"explicit", d.explicit_value}, {"absorbed", d.absorbed_value}};
  }
  if (!check.rungs.empty()) {
    json["slope"] = check.slope;
    for (const verdict::LadderRung& rung : check.rungs) {
      Json entry{{"bits", rung.bits}, {"log2_difference", finite(rung.log2_difference)}};
      if (!std::isfinite(rung.log2_difference) && !(rung.log2_difference < 0)) entry["nonfinite"] = true;
      json["rungs"].push_back(std::move(entry));
    }
  }
  return json;
}

Json json_of(const verdict::ErrorRow& row) {
  const verdict::ErrorStatistics& e = row.error;
  return {{"arithmetic", row.arithmetic},
          {"path", row.path},
          {"tensor", row.tensor},
          {"format", scalar::to_string(row.format)},
          {"elements", e.elements},
          {"nonfinite", e.nonfinite},
          {"max_abs", finite(e.max_abs)},
          {"max_relative", finite(e.max_relative)},
          {"max_ulp", finite(e.max_ulp)},
          {"normwise", finite(e.normwise)},
          {"worst_index", e.worst},
          {"bound", row.bound ? finite(*row.bound) : Json(nullptr)},
          {"error_over_bound", row.ratio ? finite(*row.ratio) : Json(nullptr)},
          {"judged_error", row.judged_error ? finite(*row.judged_error) : Json(nullptr)},
          {"unbounded", row.unbounded},
          {"verdict", to_string(row.verdict)},
          {"detail", row.detail.empty() ? Json(nullptr) : Json(row.detail)},
          {"main_stage", row.main_stage.empty() ? Json(nullptr) : Json(row.main_stage)}};
}

Json json_of(const verdict::DifferenceRow& row) {
  return {{"arithmetic", row.arithmetic},
          {"tensor", row.tensor},
          {"nonfinite", row.difference.nonfinite},
          {"max_abs", finite(row.difference.max_abs)},
          {"normwise", finite(row.difference.normwise)},
          {"bound", row.bound ? finite(*row.bound) : Json(nullptr)}};
}

Json json_of(const verdict::MutantRow& row) {
  return {{"mutant", row.mutant},
          {"verdict", to_string(row.verdict)},
          {"caught_by", row.caught_by},
          {"by_output", row.by_output},
          {"error_over_bound", finite(row.ratio)}};
}

Json json_of(const verdict::RuleRow& row) {
  const bool applies = row.result.outcome != verdict::RuleOutcome::not_applicable;
  return {{"tensor", row.tensor},
          {"rule", row.rule},
          {"outcome", to_string(row.result.outcome)},
          {"figure", applies ? finite(row.result.figure) : Json(nullptr)},
          {"threshold", applies ? finite(row.result.threshold) : Json(nullptr)},
          {"detail", row.result.detail}};
}

Json json_of(const verdict::HuntResult& hunt, const std::vector<verdict::ErrorRow>& errors) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < hunt.rows.size(); ++i) {
    const verdict::HuntRow& row = hunt.rows[i];
    const auto ratio = [](const std::optional<double>& value) { return value ? finite(*value) : Json(nullptr); };
    rows.push_back({{"path", errors[i].path},
                    {"tensor", errors[i].tensor},
                    {"start_ulp", finite(row.start_ulp)},
                    {"worst_ulp", finite(row.worst_ulp)},
                    {"start_error_over_bound", ratio(row.start_ratio)},
                    {"worst_error_over_bound", ratio(row.worst_ratio)}});
  }
  return {{"budget", hunt.budget},      {"rows", rows},
          {"kept_row", hunt.worst_row}, {"evaluations", hunt.evaluations},
          {"unscored", hunt.unscored},  {"restarts", hunt.restarts},
          {"file", hunt.file},          {"seconds", hunt.seconds}};
}

Json json_of(const verdict::ConductRow& row) {
  return {{"what", row.what}, {"verdict", to_string(row.verdict)}, {"detail", row.detail}, {"seconds", row.seconds}};
}

Json json_of(const verdict::FaultRow& row) {
  return {{"fault", row.fault}, {"sentence", row.sentence}, {"tensors", row.tensors}, {"distance_over_bound", finite(row.distance)}};
}

Json json_of(const verdict::CaseResult& result);

template <class T>
Json list_of(const std::vector<T>& items) {
  Json list = Json::array();
  for (const T& item : items) list.push_back(json_of(item));
  return list;
}

Json json_of(const verdict::CaseResult& result) {
  Json json{{"problem", json_of(result.problem)},
            {"mutant", result.mutant.empty() ? Json(nullptr) : Json(result.mutant)},
            {"exact_checks", list_of(result.checks)},
            {"reference", result.reference.empty() ? Json(nullptr) : Json(result.reference)},
            {"errors", list_of(result.errors)},
            {"differences", list_of(result.differences)},
            {"sensitivity", list_of(result.sensitivity)},
            {"notes", result.notes},
            {"reproduce", result.reproduce},
            {"seconds", result.seconds}};
  if (result.hunt) json["hunt"] = json_of(*result.hunt, result.errors);
  if (!result.rules.empty()) json["rules"] = list_of(result.rules);
  if (result.explanation) json["explanation"] = explanation_json(result);
  if (!result.faults.empty()) json["known_faults"] = list_of(result.faults);
  if (!result.origins.empty()) json["origins"] = origins_json(result);
  if (!result.kernel.empty()) json["kernel"] = {{"name", result.kernel}, {"conduct", list_of(result.conduct)}};
  return json;
}

}  // namespace

std::string to_json(const verdict::RunResult& run) {
  const Json json{{"schema", "equinorm-run"},    {"schema_version", kSchemaVersion}, {"command", run.command},
                  {"exit_code", exit_code(run)}, {"seconds", run.seconds},           {"cases", list_of(run.cases)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace equinorm::report
