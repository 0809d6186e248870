#include "report/report_json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "report/json.hpp"

namespace equinorm::report {
namespace {

using Json = nlohmann::ordered_json;

Json finite(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }
Json finite(const std::optional<double>& x) { return x ? finite(*x) : Json(nullptr); }

Json json_of(const Histogram& h) {
  Json counts = Json::array();
  for (const auto& [k, count] : h.counts) counts.push_back({{"from_log2_ulp", k}, {"elements", count}});
  return {{"arithmetic", h.arithmetic}, {"path", h.path},   {"tensor", h.tensor},       {"format", scalar::to_string(h.format)},
          {"elements", h.elements},     {"exact", h.exact}, {"nonfinite", h.nonfinite}, {"counts", counts}};
}

Json json_of(const StorageRow& row) {
  return {{"tensor", row.tensor},
          {"path", row.path},
          {"format", scalar::to_string(row.format)},
          {"error", finite(row.error)},
          {"error_all_fp32", finite(row.base_error)},
          {"bound", finite(row.bound)},
          {"bound_all_fp32", finite(row.base_bound)},
          {"seen_in", row.seen_in},
          {"rms_change", finite(row.moved)},
          {"predicted_rms_change", finite(row.predicted)},
          {"kappa_w", finite(row.kappa_w)},
          {"kappa_2", finite(row.kappa_2)},
          {"kappa_centred", finite(row.kappa_centred)},
          {"kappa_v", finite(row.kappa_v)},
          {"yardstick", row.yardstick}};
}

Json json_of(const CacheRow& row) {
  return {{"name", row.name},           {"storage", row.storage}, {"alpha_format", row.alpha_format}, {"groups", row.groups},
          {"latent_bytes", row.latent}, {"rope_bytes", row.rope}, {"alpha_bytes", row.alpha}};
}

Json json_of(const GrowthSeries& series) {
  Json points = Json::array();
  for (const GrowthPoint& point : series.points) points.push_back({{"n", point.n}, {"rms_error", finite(point.error)}});
  const std::optional<double> slope = fitted_slope(series);
  return {{"dimension", series.axis}, {"arithmetic", series.arithmetic}, {"path", series.path},     {"tensor", series.tensor},
          {"points", points},         {"slope", finite(slope)},          {"grade", grade_of(slope)}};
}

Json json_of(const LogitControl& control) {
  Json points = Json::array();
  for (const LogitPoint& p : control.points) {
    points.push_back({{"factor", p.factor}, {"no_norm", finite(p.none)}, {"qk_clip", finite(p.clip)}, {"qk_norm", finite(p.norm)}});
  }
  return {{"setting", control.setting}, {"threshold", control.threshold}, {"norm_limit", control.norm_limit}, {"max_abs_logit", points}};
}

template <class T>
Json list_of(const std::vector<T>& items) {
  Json list = Json::array();
  for (const T& item : items) list.push_back(json_of(item));
  return list;
}

}  // namespace

std::string to_report_json(const Report& report) {
  verdict::RunResult run;
  run.command = "report", run.seconds = report.seconds;
  for (const CaseReport& one : report.cases) run.cases.push_back(one.result);
  Json root{
      {"schema", "equinorm-report"}, {"schema_version", kSchemaVersion}, {"made_by", report.command}, {"run", Json::parse(to_json(run))}};
  Json cases = Json::array();
  for (const CaseReport& one : report.cases) {
    cases.push_back({{"case", one.result.problem.name},
                     {"histograms", list_of(one.histograms)},
                     {"storage", list_of(one.storage)},
                     {"storage_notes", one.storage_notes}});
  }
  root["cases"] = cases;
  root["cache"] = list_of(report.cache);
  root["growth_setting"] = report.growth_setting;
  root["growth"] = list_of(report.growth);
  root["logit_control"] = report.logit_control ? json_of(*report.logit_control) : Json(nullptr);
  Json tables = Json::array();
  for (const NamedTable& t : report.tables) tables.push_back({{"title", t.title}, {"columns", t.columns}, {"rows", t.rows}});
  root["tables"] = tables;
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace equinorm::report
