// Reports as pages: what is escaped, what is left out, what a missing gnuplot leaves.
#include "report/document.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "report/csv.hpp"
#include "report/figures.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"
#include "report/report_json.hpp"
#include "report/text_pieces.hpp"
#include "scalar/error.hpp"

namespace equinorm::report {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Document small_document() {
  Figure figure;
  figure.name = "one", figure.caption = "What <b> says & shows.", figure.program = "plot x";
  figure.data = {"", {"n", "word"}, {{"1", "a|b"}, {"2.5e-3", "<c>"}}, false};
  return {"A \"title\" <1>",
          {Heading{2, "1 < 2 & 3"}, Paragraph{"x_1 * y [z] `w`"}, Table{"T", {"k", "verdict"}, {{"1", "within"}, {"-", "violates"}}, true},
           figure}};
}

/// What stands between the tags `open` and `close`.
std::string between(const std::string& text, const std::string& open, const std::string& close) {
  const std::size_t begin = text.find(open);
  REQUIRE(begin != std::string::npos);
  const std::size_t end = text.find(close, begin);
  REQUIRE(end != std::string::npos);
  return text.substr(begin, end + close.size() - begin);
}

TEST_CASE("HTML without gnuplot: escaped, the figure skipped, its data open") {
  const std::string html = to_html(small_document(), {{}, "no gnuplot"});
  CHECK(
      between(html, "<body>", "</body>") ==
      "<body>\n<h1>A &quot;title&quot; &lt;1&gt;</h1>\n<h2>1 &lt; 2 &amp; 3</h2>\n<p>x_1 * y [z] `w`</p>\n"
      "<details><summary>T</summary>\n<div class=\"wide\"><table><caption>T</caption><thead><tr><th class=\"n\">k</th><th>verdict</th></tr>"
      "</thead>\n<tbody>\n<tr><td class=\"n\">1</td><td class=\" good\">within</td></tr>\n<tr><td class=\"n\">-</td><td class=\" "
      "bad\">violates</td></tr>\n</tbody></table></div>\n</details>\n"
      "<figure><p class=\"skipped\">figure skipped: no gnuplot</p><figcaption>Figure 1. What &lt;b&gt; says &amp; "
      "shows.</figcaption></figure>\n"
      "<div class=\"wide\"><table><thead><tr><th class=\"n\">n</th><th>word</th></tr></thead>\n<tbody>\n<tr><td "
      "class=\"n\">1</td><td>a|b</td>"
      "</tr>\n<tr><td class=\"n\">2.5e-3</td><td>&lt;c&gt;</td></tr>\n</tbody></table></div>\n</body>");
  CHECK(html.rfind("<!DOCTYPE html>", 0) == 0);
  CHECK(html.find("http") == std::string::npos);
  CHECK(html.find("<script") == std::string::npos);
}

TEST_CASE("HTML with a figure: the drawing inline, its data folded") {
  const std::string html = to_html(small_document(), {{{"one", "<svg><g/></svg>\n"}}, ""});
  CHECK(between(html, "<figure", "</figure>") ==
        "<figure role=\"img\" aria-label=\"Figure 1. What &lt;b&gt; says &amp; shows.\">\n<svg><g/></svg>\n<figcaption>Figure 1. What "
        "&lt;b&gt; "
        "says &amp; shows.</figcaption></figure>");
  CHECK(html.find("<summary>Data of figure 1</summary>") != std::string::npos);
  CHECK(html.find("skipped:") == std::string::npos);
}

TEST_CASE("Markdown with a figure and without") {
  CHECK(to_markdown(small_document(), {{{"one", "<svg/>"}}, ""}) ==
        "# A \"title\" &lt;1>\n\n## 1 &lt; 2 & 3\n\nx\\_1 \\* y \\[z\\] \\`w\\`\n\nT\n\n| k | verdict |\n|---:|---|\n| 1 | within |\n| - | "
        "violates "
        "|\n\n![Figure 1](figures/one.svg)\n\nFigure 1. What &lt;b> says & shows.\n\n| n | word |\n|---:|---|\n| 1 | a\\|b |\n| 2.5e-3 | "
        "&lt;c> "
        "|\n\n");
  const std::string bare = to_markdown(small_document(), {{}, "no gnuplot"});
  CHECK(bare.find("*figure skipped: no gnuplot*\n\nFigure 1.") != std::string::npos);
  CHECK(bare.find("![") == std::string::npos);
  CHECK(bare.find("| 2.5e-3 | &lt;c> |") != std::string::npos);
}

TEST_CASE("control characters never reach a page") {
  CHECK(markup_escaped("a\x01\nb\x7f<&>\"'") == "a &#10;b &lt;&amp;&gt;&quot;'");
  CHECK(plot_text("it's q_hat^2 {a} \\ `b`\n") == "'it''s q\\_hat\\^2 \\{a\\} \\\\  b  '");
}

TEST_CASE("an empty report has a title, a summary, and no other section") {
  Report report;
  report.command = "equinorm report --out DIR";
  const Document document = make_document(report);
  for (const Block& block : document.blocks) CHECK(std::holds_alternative<Paragraph>(block));
  CHECK(to_csv(report) == "section,case,arithmetic,form,tensor,quantity,x,value\r\n");
  CHECK(to_report_json(report).find("\"growth\": []") != std::string::npos);
}

/// A report with one thing of each kind, names that need escaping, numbers that are none.
Report full_report() {
  Report report;
  report.command = "equinorm report a --out DIR";
  CaseReport one;
  one.result.problem.name = "a,\"<b>\"";
  verdict::ExactCheck ladder;
  ladder.method = "precision ladder", ladder.verdict = verdict::Verdict::equal, ladder.rungs = {{24, -20.5}, {53, -kInfinity}};
  one.result.checks = {ladder};
  verdict::ErrorRow row;
  row.arithmetic = "bf16/fp32", row.path = "absorbed", row.tensor = "o", row.format = scalar::kBf16;
  row.error.max_abs = 1e-3, row.error.normwise = 1e-2, row.error.max_ulp = 0.5, row.bound = 2e-3, row.ratio = 0.5;
  row.verdict = verdict::Verdict::within;
  one.result.errors = {row};
  Histogram histogram{"bf16/fp32", "absorbed", "o", scalar::kBf16, 10, 1, 2, {{-3, 4}, {0, 3}}};
  one.histograms = {histogram};
  StorageRow o{"o", "absorbed", scalar::kBf16, 1e-6, 3e-3, 1e-5, 8e-3, "o", 1e-4, {}, {}, {}, {}, {}, true};
  StorageRow u = o, alpha = o, g = o, tilde = o;
  u.tensor = "u", u.yardstick = false, u.error = 6e-4, u.kappa_v = 2.5;
  alpha.tensor = "alpha_k", alpha.yardstick = false, alpha.error = 2e-3, alpha.predicted = 1.25e-4;
  g.tensor = "g", g.yardstick = false, g.error = kInfinity, g.bound = {};
  tilde.tensor = "q_tilde", tilde.yardstick = false, tilde.error = 0.1;
  one.storage = {u, alpha, g, tilde, o};
  one.result.sensitivity = {{"eps-1e-2", verdict::Verdict::violates, "o", true, 9},
                            {"tile-dropped", verdict::Verdict::within, "", false, 0.5}};
  report.cases = {one};
  report.cache = {{"paper", "bf16", "bf16", 16, 1024, 128, 32}};
  report.growth = {{"context", "fp32", "explicit", "o", {{64, 1e-7}, {256, 2e-7}}},
                   {"context", "fp32", "absorbed", "o", {{64, 0}, {256, kInfinity}}}};
  report.logit_control = LogitControl{"Somewhere.", 100, 30, {{1, 4, 4, 3}, {2, 16, 16, 3}}};
  report.tables = {{"Beside others", "c", {"rule", "says"}, {{"x", "accepts"}}}};
  return report;
}

TEST_CASE("advice follows from the numbers") {
  const std::string text = to_markdown(make_document(full_report()), {{}, "no gnuplot"});
  CHECK(text.find(
            "u: in bf16 it may be stored: the cost is lost beside the rounding of o (0.2 times that, absorbed form: error 6.0e-04 where "
            "all fp32 gives 1.0e-06, never above 8.0e-03).") != std::string::npos);
  CHECK(text.find("alpha\\_k: in bf16 it may be stored where o is") != std::string::npos);
  CHECK(text.find("g: in bf16 it must not be stored") != std::string::npos);
  CHECK(text.find("q\\_tilde: in bf16 it should stay in fp32") != std::string::npos);
  CHECK(text.find("\no: ") == std::string::npos);
}

TEST_CASE("every section of a full report is there, and every figure says where its data are") {
  const Document document = make_document(full_report());
  std::vector<std::string> headings;
  std::size_t figures = 0;
  for (const Block& block : document.blocks) {
    if (const auto* heading = std::get_if<Heading>(&block); heading != nullptr && heading->level == 2) headings.push_back(heading->text);
    if (const auto* figure = std::get_if<Figure>(&block)) {
      ++figures;
      CHECK_FALSE(figure->data.rows.empty());
      for (const std::vector<std::string>& row : figure->data.rows) CHECK(row.size() == figure->data.columns.size());
      CHECK(figure->name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
      CHECK(gnuplot_program(*figure).find("set terminal svg") == 0);
    }
    if (const auto* table = std::get_if<Table>(&block)) {
      for (const std::vector<std::string>& row : table->rows) CHECK(row.size() == table->columns.size());
    }
  }
  CHECK(figures == 6);
  CHECK(headings == std::vector<std::string>{"The same function?", "Measured error against rigorous bound, stage by stage",
                                             "Errors in units in the last place", "What may be stored in 16 bits", "Growth of the error",
                                             "Logit control", "What each case can catch", "Beside others", "Every verdict",
                                             "What the bounds rest on"});
}

TEST_CASE("bounds name their theorems, and say so where there is none") {
  const std::string text = to_markdown(make_document(full_report()), {{}, "no gnuplot"});
  CHECK(text.find("| logits | bounds/scores.hpp make\\_scores |") != std::string::npos);
  CHECK(text.find("not machine-checked: a model of random rounding errors |") != std::string::npos);
}

TEST_CASE("CSV quotes what needs it and keeps what is not finite") {
  const std::string csv = to_csv(full_report());
  CHECK(csv.find("exact,\"a,\"\"<b>\"\"\",precision ladder,,,log2_difference,53,-inf\r\n") != std::string::npos);
  CHECK(csv.find(",bf16/fp32,absorbed,o,elements_from_log2_ulp,-3,4\r\n") != std::string::npos);
  CHECK(csv.find(",bf16,absorbed,g,error,,inf\r\n") != std::string::npos);
  CHECK(csv.find("growth over context,,fp32,explicit,o,slope,,0.5\r\n") != std::string::npos);
  CHECK(csv.find("growth over context,,fp32,absorbed,o,grade,,-\r\n") != std::string::npos);
}

TEST_CASE("JSON writes null for what is no number") {
  const std::string json = to_report_json(full_report());
  CHECK(json.find("\"kappa_v\": 2.5") != std::string::npos);
  CHECK(json.find("\"rms_error\": null") != std::string::npos);
  CHECK(json.find("\"grade\": \"B\"") != std::string::npos);
  CHECK(json.find("inf") == std::string::npos);
}

TEST_CASE("slopes and grades") {
  const auto series = [](std::vector<GrowthPoint> points) { return GrowthSeries{"context", "fp32", "explicit", "o", std::move(points)}; };
  CHECK(fitted_slope(series({{1, 1}, {2, 2}, {4, 4}})) == Approx(1));
  CHECK(fitted_slope(series({{1, 8}, {4, 4}, {16, 2}, {64, 1}})) == Approx(-0.5));
  CHECK(fitted_slope(series({{1, 1}, {2, 0}, {4, 2}, {8, kInfinity}, {16, std::nan("")}})) == Approx(0.5));
  CHECK_FALSE(fitted_slope(series({{1, 1}})).has_value());
  CHECK_FALSE(fitted_slope(series({{2, 1}, {2, 3}})).has_value());
  CHECK(grade_of(-1.0) == "A");
  CHECK(grade_of(0.25) == "A");
  CHECK(grade_of(0.26) == "B");
  CHECK(grade_of(1.0) == "C");
  CHECK(grade_of(1.3) == "D");
  CHECK(grade_of({}) == "-");
}

TEST_CASE("what gnuplot draws is made fit for a page") {
  const std::string drawn =
      "<?xml version=\"1.0\"?>\n<!DOCTYPE svg>\n<svg width=\"9\"><circle id='gpDot'/><g id=\"a_plot_1\" fill=\"black\"><g id=\"b\"/><use "
      "xlink:href='#gpPt6'/></g>"
      "<path stroke='black'/></svg>\n";
  const std::string fit = inline_svg("a", drawn);
  CHECK(fit ==
        "<svg font-family=\"Helvetica Neue,Arial,sans-serif\" font-size=\"13\" width=\"9\"><circle id='a-gpDot'/><g "
        "fill=\"currentColor\"><g id=\"a-b\"/><use xlink:href='#a-gpPt6'/></g><path "
        "stroke='currentColor'/>"
        "</svg>\n");
  CHECK(svg_file(fit).find("prefers-color-scheme: dark") != std::string::npos);
  CHECK_THROWS_AS(inline_svg("a", "nothing"), Error);
}

TEST_CASE("columns of numbers are told from words") {
  const Table table{"", {"a", "b", "c", "d"}, {{"1", "x", "-", "2.50 %"}, {"1.5e-08", "2", "inf", "-"}}, false};
  CHECK(numeric_columns(table) == std::vector<bool>{true, false, true, true});
  CHECK(numeric_columns({"", {"a"}, {}, false}) == std::vector<bool>{false});
}

}  // namespace
}  // namespace equinorm::report
