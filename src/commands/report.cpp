// `equinorm report`: the precision report.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "commands/codec.hpp"
#include "commands/job.hpp"
#include "commands/progress.hpp"
#include "commands/publish.hpp"
#include "commands/report_case.hpp"
#include "commands/report_gnuplot.hpp"
#include "commands/report_parts.hpp"
#include "commands/verify_rates.hpp"
#include "problem/builtin.hpp"
#include "problem/problem_file.hpp"
#include "report/csv.hpp"
#include "report/figures.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"
#include "report/report_json.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

namespace files = std::filesystem;

/// The folder and its figures/, made where missing. Throws Error.
void make_folder(const std::string& folder) {
  std::error_code failure;
  files::create_directories(files::path(folder) / "figures", failure);
  if (failure) throw Error(fmt::format("--out: {}: cannot be made: {}", folder, failure.message()));
  check_writable((files::path(folder) / "report.html").string());
}

/// The command without --out, as it can be typed again.
std::string made_by(const ReportOptions& asked, const Options& options) {
  std::vector<std::string> extra;
  if (!asked.formats.empty()) extra.insert(extra.end(), {"--formats", fmt::format("{}", fmt::join(asked.formats, ","))});
  if (asked.sensitivity) extra.emplace_back("--sensitivity");
  if (asked.cut != ReportOptions{}.cut) extra.insert(extra.end(), {"--cut", fmt::format("{}", asked.cut)});
  extra.insert(extra.end(), {"--out", "DIR"});
  return command_line("report", asked.cases, options, extra);
}

/// What one unit adds to a report.
struct UnitResult {
  std::vector<CaseFindings> cases;  ///< one, or none
  std::vector<report::GrowthSeries> growth;
  std::optional<report::LogitControl> logit_control;
};
auto members(UnitResult& x) { return std::tie(x.cases, x.growth, x.logit_control); }

constexpr double kGrowthCost = 2e9, kLogitCost = 5e8;

/// Every case of a report, and what each unit is: a part of a case, then the growth with each axis, then logit control.
class ReportRun {
 public:
  ReportRun(const std::vector<std::string>& cases, const ReportOptions& asked, const Options& options) {
    for (const std::string& text : cases) cases_.emplace_back(text, asked, options);
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      for (std::size_t part = 0; part < cases_[i].parts().size(); ++part) parts_.emplace_back(i, part);
    }
  }

  void list(Job& job) const {
    std::size_t group = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto [index, part] = parts_[i];
      const ReportCase& one = cases_[index];
      const ReportPart& piece = one.parts()[part];
      const bool shares = part > 0 && piece.family == one.parts()[part - 1].family;
      group += i > 0 && !shares ? 1 : 0;
      double cost = 0;
      for (const CasePart& step : piece.steps) cost += step.cost;
      job.units.push_back({unit_id(index, one.problem(), piece.what), group, cost, piece.bytes});
    }
    const auto add = [&](const std::string& id, double cost) { job.units.push_back({id, ++group, cost, 0}); };
    for (const std::string& axis : growth_axes()) add("growth with " + axis, kGrowthCost);
    add("logit control", kLogitCost);
    for (const ReportCase& one : cases_) {
      job.problems.push_back(problem::to_json(one.problem()));
      if (one.problem().inputs.kind == "file") add_files(job, one.problem().inputs.path);
    }
  }

  double seconds(std::size_t unit, double cost, VerifyRates& rates) const {
    if (unit >= parts_.size()) return rates.general_rate() * cost;
    const ReportCase& one = cases_[parts_[unit].first];
    double total = 0;
    for (const CasePart& step : one.parts()[parts_[unit].second].steps) total += rates.seconds(one.problem(), like_verify(step));
    return total;
  }

  std::string run(std::size_t unit, const UnitProgress& progress) {
    UnitResult result;
    const std::size_t axis = unit - parts_.size();  // where the unit is no part
    if (unit < parts_.size())
      result.cases.push_back(run_part(unit, progress));
    else if (axis < growth_axes().size())
      result.growth = growth_along(growth_axes()[axis]);
    else
      result.logit_control = logit_control();
    return work::to_line(result);
  }

 private:
  CaseFindings run_part(std::size_t unit, const UnitProgress& progress) {
    const auto [index, part] = parts_[unit];
    if (last_ != index) cases_[last_].forget();
    last_ = index;
    ReportCase& one = cases_[index];
    double done = 0;
    CaseFindings findings = one.run(part, [&](const std::string& label) {
      progress.advance(done++ / static_cast<double>(one.parts()[part].steps.size()));
      progress.begin(label);
    });
    findings.case_index = index;
    return findings;
  }

  std::vector<ReportCase> cases_;
  std::vector<std::pair<std::size_t, std::size_t>> parts_;  ///< case and part of each unit
  std::size_t last_ = 0;                                    ///< the case whose inputs are kept
};

report::Plots draw_all(const report::Document& document, bool show) {
  Progress progress(static_cast<std::int64_t>(document.blocks.size()), show);
  report::Plots plots;
  for (const report::Block& block : document.blocks) {
    progress.advance();
    const auto* figure = std::get_if<report::Figure>(&block);
    if (figure == nullptr) continue;
    progress.begin("figure " + figure->name);
    const Drawing drawing = draw(report::gnuplot_program(*figure));
    if (drawing.reason.empty()) {
      plots.svg.emplace(figure->name, report::inline_svg(figure->name, drawing.svg));
    } else {
      plots.reason = drawing.reason;
      if (drawing.reason == "no gnuplot") return plots;
    }
  }
  return plots;
}

void write_all(const std::string& folder, const report::Report& data, const report::Document& document, const report::Plots& plots) {
  const auto write = [&](const std::string& name, const std::string& text) {
    write_text_file((files::path(folder) / name).string(), text);
  };
  for (const auto& [name, svg] : plots.svg) write(fmt::format("figures/{}.svg", name), report::svg_file(svg));
  write("report.csv", report::to_csv(data));
  write("report.json", report::to_report_json(data));
  write("report.md", report::to_markdown(document, plots));
  write("report.html", report::to_html(document, plots));
}

Job report_job(const ReportOptions& asked, const Options& options) {
  std::vector<std::string> cases = asked.cases;
  if (cases.empty()) {
    for (const problem::NamedSource& source : problem::builtin_cases()) cases.emplace_back(source.name);
  }
  const auto self = std::make_shared<ReportRun>(cases, asked, options);
  Job job;
  job.command = made_by(asked, options);
  job.recipe = {"report", false, job.command};
  job.out = asked.out;
  self->list(job);
  job.seconds = [self, units = job.units, rates = std::make_shared<VerifyRates>()](std::size_t unit) {
    return self->seconds(unit, units.at(unit).cost, *rates);
  };
  job.run = [self](std::size_t unit, const UnitProgress& progress) { return self->run(unit, progress); };
  return job;
}

}  // namespace

int report(const ReportOptions& asked, const Options& options) {
  return run_job(
      [&] {
        auto job = report_job(asked, options);  // finds what is wrong with the words before anything is made
        make_folder(asked.out);
        return job;
      },
      options);
}

int finish_report(const std::vector<std::string>& results, const std::string& command, const std::string& out, double seconds,
                  const Options& options) {
  make_folder(out);
  report::Report data;
  data.command = command;
  std::vector<CaseFindings> findings;
  for (const std::string& line : results) {
    auto part = work::from_line<UnitResult>(line);
    std::move(part.cases.begin(), part.cases.end(), std::back_inserter(findings));
    data.growth.insert(data.growth.end(), part.growth.begin(), part.growth.end());
    if (part.logit_control) data.logit_control = std::move(part.logit_control);
  }
  data.cases = gather_findings(std::move(findings));
  data.growth_setting = growth_setting();
  data.cache = cache_rows(data.cases);
  data.seconds = seconds;
  verdict::RunResult run;
  run.command = "report";
  for (const report::CaseReport& one : data.cases) {
    data.seconds += seconds > 0 ? 0 : one.result.seconds;
    run.cases.push_back(one.result);
    // What a case fails to catch says nothing against the forms.
    run.cases.back().sensitivity.clear();
  }
  run.seconds = data.seconds;
  const report::Document document = report::make_document(data);
  const report::Plots plots = draw_all(document, !options.quiet);
  write_all(out, data, document, plots);
  if (!options.quiet) {
    fmt::print("{}: report.html, report.md, report.json, report.csv; {} case{}, {} figures{} ({:.0f} s)\n", out, data.cases.size(),
               data.cases.size() == 1 ? "" : "s", plots.svg.size(), plots.reason.empty() ? "" : ", others skipped: " + plots.reason,
               run.seconds);
  }
  Options quiet = options;
  quiet.quiet = true;
  return publish(run, false, quiet);
}

}  // namespace equinorm::commands
