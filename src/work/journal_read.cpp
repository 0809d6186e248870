// Journals as text, and reading them back.
#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "scalar/error.hpp"
#include "work/checksum.hpp"
#include "work/journal_text.hpp"

namespace equinorm::work {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr std::size_t kSumWidth = 16;

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) throw Error(path + ": cannot be read");
  return text;
}

/// What follows the checksum. Throws Error.
std::string checked(const std::string& path, std::size_t number, const std::string& line) {
  const auto damaged = [&](const char* why) { throw Error(fmt::format("{}: line {} is damaged: {}", path, number, why)); };
  if (line.size() <= kSumWidth || line[kSumWidth] != '\t') damaged("it does not begin with a checksum");
  std::string text = line.substr(kSumWidth + 1);
  if (line.substr(0, kSumWidth) != checksum_text(checksum(text))) damaged("its checksum is another");
  return text;
}

void read_header(const std::string& text, JournalContents& contents) {
  try {
    const Json json = Json::parse(text);
    if (json.at("equinorm_journal") != kFormat) throw Error(fmt::format("{}: not a journal of format {}", contents.path, kFormat));
    contents.shard = parse_shard(json.at("shard"));
    Header& header = contents.header;
    json.at("version").get_to(header.version), json.at("command").get_to(header.command), json.at("recipe").get_to(header.recipe);
    json.at("data").get_to(header.data), json.at("units").get_to(header.units);
  } catch (const Json::exception& error) {
    throw Error(fmt::format("{}: line 1 is not a journal's header: {}", contents.path, error.what()));
  }
}

std::string elsewhere(const char* what, const std::string& a, const std::string& here, const std::string& b, const std::string& there) {
  return fmt::format("{} by {} '{}', {} by '{}'; allowed: the same", here, what, a, there, b);
}

}  // namespace

std::string journal_line(const std::string& text) { return checksum_text(checksum(text)) + "\t" + text + "\n"; }

std::string header_text(const Header& header, const Shard& shard) {
  const Json json{{"equinorm_journal", kFormat}, {"version", header.version}, {"command", header.command}, {"shard", to_string(shard)},
                  {"recipe", header.recipe},     {"data", header.data},       {"units", header.units}};
  return json.dump();
}

std::string result_text(const std::string& id, const std::string& result) { return id + "\t" + result; }

std::string difference(const Header& a, const std::string& here, const Header& b, const std::string& there) {
  if (a.version != b.version) return elsewhere("version", a.version, here, b.version, there);
  if (a.command != b.command) return elsewhere("the command", a.command, here, b.command, there);
  if (a.data != b.data || a.units != b.units || a.recipe != b.recipe)
    return fmt::format("{} and {} speak of different problems or inputs: a file has changed; allowed: the same files", here, there);
  return {};
}

std::string journal_path(const std::string& folder, const Shard& shard) {
  const std::string name = shard.count == 1 ? "journal" : fmt::format("journal-{}-of-{}", shard.index, shard.count);
  return folder + "/" + name;
}

JournalContents read_journal(const std::string& path) {
  JournalContents contents;
  contents.path = path;
  const std::string text = slurp(path);
  std::unordered_map<std::string, std::size_t> places;
  std::size_t number = 0;
  for (std::size_t end; (end = text.find('\n', contents.bytes)) != std::string::npos; contents.bytes = end + 1) {
    const std::string line = checked(path, ++number, text.substr(contents.bytes, end - contents.bytes));
    if (number == 1) {
      read_header(line, contents);
      for (const std::string& id : contents.header.units) places.emplace(id, places.size());
      continue;
    }
    const std::size_t tab = line.find('\t');
    const auto place = places.find(line.substr(0, tab));
    if (tab == std::string::npos || place == places.end() || !contents.shard.holds(place->second))
      throw Error(fmt::format("{}: line {} is of '{}', which is no unit of this shard", path, number, line.substr(0, tab)));
    if (!contents.results.emplace(place->second, line.substr(tab + 1)).second)
      throw Error(fmt::format("{}: line {} has unit '{}' a second time", path, number, place->first));
  }
  return contents;
}

}  // namespace equinorm::work
