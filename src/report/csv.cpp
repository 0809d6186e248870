#include "report/csv.hpp"

#include <fmt/format.h>

#include <cmath>

namespace equinorm::report {
namespace {

std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

/// What a line is about.
struct Key {
  std::string section, name, arithmetic, path, tensor;
};

class Writer {
 public:
  void line(const Key& key, const char* quantity, const std::string& x, const std::string& value) {
    text_ += fmt::format("{},{},{},{},{},{},{},{}\r\n", field(key.section), field(key.name), field(key.arithmetic), field(key.path),
                         field(key.tensor), quantity, field(x), field(value));
  }
  void line(const Key& key, const char* quantity, const std::string& x, double value) {
    line(key, quantity, x, fmt::format("{:.9g}", value));
  }
  void line(const Key& key, const char* quantity, const std::optional<double>& value) {
    if (value) line(key, quantity, "", *value);
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_ = "section,case,arithmetic,form,tensor,quantity,x,value\r\n";
};

void add_case(const CaseReport& one, Writer& out) {
  const std::string& name = one.result.problem.name;
  for (const verdict::ExactCheck& check : one.result.checks) {
    const Key key{"exact", name, check.method, "", ""};
    out.line(key, "verdict", "", check.verdict == verdict::Verdict::measured ? "not run" : to_string(check.verdict));
    for (const verdict::LadderRung& rung : check.rungs) out.line(key, "log2_difference", std::to_string(rung.bits), rung.log2_difference);
  }
  for (const verdict::ErrorRow& row : one.result.errors) {
    const Key key{"error", name, row.arithmetic, row.path, row.tensor};
    out.line(key, "max_abs", "", row.error.max_abs);
    out.line(key, "max_ulp", "", row.error.max_ulp);
    out.line(key, "normwise", "", row.error.normwise);
    out.line(key, "nonfinite", "", static_cast<double>(row.error.nonfinite));
    out.line(key, "bound", row.bound);
    out.line(key, "error_over_bound", row.ratio);
    out.line(key, "judged_error", row.judged_error);
    out.line(key, "verdict", "", to_string(row.verdict));
  }
  for (const Histogram& h : one.histograms) {
    const Key key{"histogram", name, h.arithmetic, h.path, h.tensor};
    if (h.exact > 0) out.line(key, "elements_from_log2_ulp", "-inf", static_cast<double>(h.exact));
    for (const auto& [k, count] : h.counts) out.line(key, "elements_from_log2_ulp", std::to_string(k), static_cast<double>(count));
  }
  for (const StorageRow& row : one.storage) {
    const Key key{"storage", name, scalar::to_string(row.format), row.path, row.tensor};
    out.line(key, "error", "", row.error);
    out.line(key, "error_all_fp32", "", row.base_error);
    out.line(key, "bound", row.bound);
    out.line(key, "bound_all_fp32", row.base_bound);
    out.line(key, row.seen_in == "o" ? "rms_change_of_o" : "rms_change_of_logits", "", row.moved);
    out.line(key, "predicted_rms_change", row.predicted);
    out.line(key, "kappa_w", row.kappa_w);
    out.line(key, "kappa_2", row.kappa_2);
    out.line(key, "kappa_centred", row.kappa_centred);
    out.line(key, "kappa_v", row.kappa_v);
  }
}

}  // namespace

std::string to_csv(const Report& report) {
  Writer out;
  for (const CaseReport& one : report.cases) add_case(one, out);
  for (const CacheRow& row : report.cache) {
    const Key key{"cache", row.name, row.storage, row.alpha_format, "alpha_k"};
    out.line(key, "groups", "", static_cast<double>(row.groups));
    out.line(key, "latent_bytes", "", row.latent);
    out.line(key, "rope_bytes", "", row.rope);
    out.line(key, "alpha_bytes", "", row.alpha);
  }
  for (const GrowthSeries& series : report.growth) {
    const Key key{"growth over " + series.axis, "", series.arithmetic, series.path, series.tensor};
    for (const GrowthPoint& point : series.points) out.line(key, "rms_error", fmt::format("{:g}", point.n), point.error);
    out.line(key, "slope", fitted_slope(series));
    out.line(key, "grade", "", grade_of(fitted_slope(series)));
  }
  if (report.logit_control) {
    for (const LogitPoint& point : report.logit_control->points) {
      const std::string factor = fmt::format("{:g}", point.factor);
      for (const auto& [how, value] :
           {std::pair{"no norm", point.none}, std::pair{"QK-Clip", point.clip}, std::pair{"QK-norm", point.norm}}) {
        out.line({"logit control", "", how, "", "logits"}, "max_abs", factor, value);
      }
    }
  }
  return std::move(out).text();
}

}  // namespace equinorm::report
