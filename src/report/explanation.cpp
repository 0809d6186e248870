#include "report/explanation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/text_pieces.hpp"

namespace equinorm::report {
namespace {

using Json = nlohmann::ordered_json;
using verdict::RoundingLine;
using verdict::RoundingRow;

constexpr std::size_t kLinesShown = 5;

Json finite(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }

/// "file:line" of the innermost place, and of the outermost where that is another one.
std::string short_place(const std::string& place) {
  const std::string separator = " inlined at ";
  const std::size_t first = place.find(separator), last = place.rfind(separator);
  const auto name = [](const std::string& path) { return path.substr(path.find_last_of('/') + 1); };
  if (first == std::string::npos) return name(place);
  return name(place.substr(0, first)) + " in " + name(place.substr(last + separator.size()));
}

std::string rounding_text(const RoundingRow& row) {
  std::string text =
      fmt::format("    {}: rounding moves it by {} at most (largest value {})\n", row.tensor, number(row.error), number(row.largest));
  const std::size_t shown = std::min(kLinesShown, row.lines.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const RoundingLine& line = row.lines[i];
    text += fmt::format("      {:>9} of it by {}", number(line.reaches), short_place(line.place));
    if (line.operations > 0)
      text += fmt::format(" ({} results, up to {:.3g} ulp each, {} in all)", line.operations, line.largest_ulp, number(line.introduced));
    text += "\n";
  }
  if (row.lines.size() > shown) {
    text += fmt::format("      {:>9} or less by each of {} further lines\n", number(row.lines[shown].reaches), row.lines.size() - shown);
  }
  return text + fmt::format("      {:>9} by what no line accounts for\n", number(row.rest));
}

}  // namespace

std::string explanation_text(const verdict::CaseResult& result) {
  std::string text;
  if (result.explanation) {
    const verdict::Explanation& found = *result.explanation;
    if (found.departure) {
      const verdict::Departure& d = *found.departure;
      text += fmt::format("\n  first departs from the formula: {}{}, written at {} by {}{}\n", d.tensor, d.element, short_place(d.written),
                          d.thread, d.computed.empty() ? "" : ", computed at " + short_place(d.computed));
    }
    if (!found.rounding.empty()) text += fmt::format("\n  where the rounding comes from ({})\n", found.arithmetic);
    for (const RoundingRow& row : found.rounding) text += rounding_text(row);
    for (const verdict::BranchRow& row : found.branches)
      text += fmt::format("    {} comparisons at {} come out otherwise without rounding\n", row.count, short_place(row.place));
    if (!found.rounding.empty() && found.branches.empty()) text += "    every comparison comes out as without rounding\n";
  }
  if (!result.origins.empty()) text += "\n  where NaN and infinities come from\n";
  for (const verdict::OriginRow& row : result.origins)
    text += fmt::format("    {}{}: {}\n", row.tensor, row.element,
                        row.origin.empty() ? "not known: it came through instructions that are not followed" : row.origin);
  return text;
}

Json explanation_json(const verdict::CaseResult& result) {
  if (!result.explanation) return nullptr;
  const verdict::Explanation& found = *result.explanation;
  Json json{{"arithmetic", found.arithmetic}, {"rounding", Json::array()}, {"branches", Json::array()}, {"departure", nullptr}};
  for (const RoundingRow& row : found.rounding) {
    Json lines = Json::array();
    for (const RoundingLine& line : row.lines)
      lines.push_back({{"place", line.place},
                       {"operations", line.operations},
                       {"largest_ulp", finite(line.largest_ulp)},
                       {"introduced", finite(line.introduced)},
                       {"reaches", finite(line.reaches)}});
    json["rounding"].push_back({{"tensor", row.tensor},
                                {"error", finite(row.error)},
                                {"largest", finite(row.largest)},
                                {"rest", finite(row.rest)},
                                {"lines", lines}});
  }
  for (const verdict::BranchRow& row : found.branches) json["branches"].push_back({{"place", row.place}, {"count", row.count}});
  if (found.departure) {
    const verdict::Departure& d = *found.departure;
    json["departure"] = {
        {"tensor", d.tensor}, {"element", d.element}, {"written", d.written}, {"computed", d.computed}, {"thread", d.thread}};
  }
  return json;
}

Json origins_json(const verdict::CaseResult& result) {
  Json list = Json::array();
  for (const verdict::OriginRow& row : result.origins)
    list.push_back({{"tensor", row.tensor}, {"element", row.element}, {"place", row.place}, {"origin", row.origin}});
  return list;
}

}  // namespace equinorm::report
