// `equinorm report`: the precision report.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "commands/arithmetics.hpp"
#include "commands/codec.hpp"
#include "commands/job.hpp"
#include "commands/memory.hpp"
#include "commands/progress.hpp"
#include "commands/publish.hpp"
#include "commands/reference.hpp"
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
  extra.insert(extra.end(), {"--out", "DIR"});
  return command_line("report", asked.cases, options, extra);
}

/// What one unit adds to a report.
struct ReportPart {
  std::vector<report::CaseReport> cases;
  std::vector<report::GrowthSeries> growth;
  std::optional<report::LogitControl> logit_control;
};
auto members(ReportPart& x) { return std::tie(x.cases, x.growth, x.logit_control); }

constexpr const char* kLogitControl = "logit control";

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
  Job job;
  job.command = made_by(asked, options);
  job.recipe = {"report", false, job.command};
  job.out = asked.out;
  for (const std::string& text : cases) {
    const problem::Problem problem = problem_of(text, options);
    for (const std::string& name : asked.formats) find_arithmetic(name, problem);
    check_memory(problem);
    const std::size_t place = job.units.size();
    job.units.push_back({unit_id(place, problem, "report"), place, 1e9 + 100 * work_of(problem), memory_needed(problem)});
    job.problems.push_back(problem::to_json(problem));
    if (problem.inputs.kind == "file") add_files(job, problem.inputs.path);
  }
  const auto add = [&](const std::string& id, double cost) { job.units.push_back({id, job.units.size(), cost, 0}); };
  for (const std::string& axis : growth_axes()) add("growth with " + axis, 2e9);
  add(kLogitControl, 5e8);
  job.seconds = [units = job.units, rates = std::make_shared<VerifyRates>()](std::size_t unit) {
    return rates->general_rate() * units.at(unit).cost;
  };
  job.run = [cases, &asked, &options](std::size_t unit, const UnitProgress& progress) {
    ReportPart part;
    double done = 0;
    const Step step = [&](const std::string& label) {
      progress.advance(done++ / static_cast<double>(report_case_steps(asked)));
      progress.begin(label);
    };
    if (unit < cases.size())
      part.cases.push_back(report_case(cases[unit], asked, options, step));
    else if (unit < cases.size() + growth_axes().size())
      part.growth = growth_along(growth_axes()[unit - cases.size()]);
    else
      part.logit_control = logit_control();
    return work::to_line(part);
  };
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
  for (const std::string& line : results) {
    auto part = work::from_line<ReportPart>(line);
    data.cases.insert(data.cases.end(), std::make_move_iterator(part.cases.begin()), std::make_move_iterator(part.cases.end()));
    data.growth.insert(data.growth.end(), part.growth.begin(), part.growth.end());
    if (part.logit_control) data.logit_control = std::move(part.logit_control);
  }
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
