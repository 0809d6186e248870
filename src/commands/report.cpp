// `equinorm report`: the precision report.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <filesystem>

#include "commands/arithmetics.hpp"
#include "commands/memory.hpp"
#include "commands/progress.hpp"
#include "commands/publish.hpp"
#include "commands/report_gnuplot.hpp"
#include "commands/report_parts.hpp"
#include "problem/builtin.hpp"
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
std::string command_line(const ReportOptions& asked, const Options& options) {
  std::vector<std::string> extra;
  for (std::size_t i = 1; i < asked.cases.size(); ++i) extra.push_back(asked.cases[i]);
  if (!asked.formats.empty()) extra.insert(extra.end(), {"--formats", fmt::format("{}", fmt::join(asked.formats, ","))});
  if (asked.sensitivity) extra.emplace_back("--sensitivity");
  extra.insert(extra.end(), {"--out", "DIR"});
  if (asked.cases.empty()) {
    std::string line = reproduction_line("report", "CASES", options, extra);
    return line.erase(line.find(" CASES"), 6);
  }
  return reproduction_line("report", asked.cases.front(), options, extra);
}

report::Plots draw_all(const report::Document& document, Progress& progress) {
  report::Plots plots;
  for (const report::Block& block : document.blocks) {
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

}  // namespace

int report(const ReportOptions& asked, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::string> cases = asked.cases;
  if (cases.empty()) {
    for (const problem::NamedSource& source : problem::builtin_cases()) cases.emplace_back(source.name);
  }
  check_result_paths(options);
  for (const std::string& text : cases) {
    const problem::Problem problem = problem_of(text, options);
    for (const std::string& name : asked.formats) find_arithmetic(name, problem);
    check_memory(problem);
  }
  make_folder(asked.out);
  report::Report data;
  data.command = command_line(asked, options);
  verdict::RunResult run;
  run.command = "report";
  report::Plots plots;
  {
    const std::int64_t steps = report_case_steps(asked) * static_cast<std::int64_t>(cases.size()) + kGrowthSteps + 1;
    Progress progress(steps, !options.quiet);
    bool first = true;
    const Step step = [&](const std::string& label) {
      if (!first) progress.advance();
      first = false;
      progress.begin(label);
    };
    for (const std::string& text : cases) data.cases.push_back(report_case(text, asked, options, step));
    data.cache = cache_rows(data.cases);
    data.growth = growth_series(data.growth_setting, step);
    step("logit control");
    data.logit_control = logit_control();
    data.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    plots = draw_all(report::make_document(data), progress);
  }
  const report::Document document = report::make_document(data);
  write_all(asked.out, data, document, plots);
  for (const report::CaseReport& one : data.cases) {
    run.cases.push_back(one.result);
    // What a case fails to catch says nothing against the forms.
    run.cases.back().sensitivity.clear();
  }
  run.seconds = data.seconds;
  if (!options.quiet) {
    fmt::print("{}: report.html, report.md, report.json, report.csv; {} case{}, {} figures{} ({:.0f} s)\n", asked.out, data.cases.size(),
               data.cases.size() == 1 ? "" : "s", plots.svg.size(), plots.reason.empty() ? "" : ", others skipped: " + plots.reason,
               run.seconds);
  }
  Options quiet = options;
  quiet.quiet = true;
  return publish(run, false, quiet);
}

}  // namespace equinorm::commands
