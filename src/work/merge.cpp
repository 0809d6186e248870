// Results of shards, put together.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "scalar/error.hpp"
#include "work/journal.hpp"

namespace equinorm::work {
namespace {

namespace files = std::filesystem;

/// Paths of the journals in a folder, in name order. Throws Error where there is none.
std::vector<std::string> journals_in(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code failure;
  for (files::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    if (name == "journal" || name.starts_with("journal-")) paths.push_back(entry->path().string());
  }
  if (failure) throw Error(fmt::format("merge: {}: {}", folder, failure.message()));
  if (paths.empty()) throw Error(fmt::format("merge: {}: no journal in it; allowed: folders given to --resume", folder));
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// Says which units are missing, and what to do about it.
[[noreturn]] void refuse_missing(const std::vector<JournalContents>& journals, const std::set<std::size_t>& missing) {
  const Header& header = journals.front().header;
  const std::string of = fmt::format("merge: {} of {} units are missing, the first is '{}'", missing.size(), header.units.size(),
                                     header.units[*missing.begin()]);
  for (const JournalContents& journal : journals) {
    if (journal.shard.holds(*missing.begin()))
      throw Error(fmt::format("{}: {} is not complete; run its command again with --resume", of, journal.path));
  }
  const std::size_t count = journals.front().shard.count;
  throw Error(fmt::format("{}: there is no journal of shard {}/{}", of, *missing.begin() % count + 1, count));
}

}  // namespace

Merged merge_journals(const std::vector<std::string>& folders) {
  std::vector<JournalContents> journals;
  for (const std::string& folder : folders) {
    for (const std::string& path : journals_in(folder)) {
      journals.push_back(read_journal(path));
      if (journals.back().bytes == 0)
        throw Error(fmt::format("merge: {}: line 1 is not complete; run its command again with --resume", path));
    }
  }
  Merged merged{journals.front().header, {}};
  const std::size_t count = merged.header.units.size();
  std::vector<const JournalContents*> from(count);
  merged.results.resize(count);
  for (JournalContents& journal : journals) {
    const std::string why = difference(merged.header, journals.front().path + " was made", journal.header, journal.path);
    if (!why.empty()) throw Error("merge: " + why);
    for (auto& [unit, result] : journal.results) {
      if (from[unit] != nullptr)
        throw Error(fmt::format("merge: unit '{}' is in {} and in {}", merged.header.units[unit], from[unit]->path, journal.path));
      from[unit] = &journal, merged.results[unit] = std::move(result);
    }
  }
  std::set<std::size_t> missing;
  for (std::size_t unit = 0; unit < count; ++unit) {
    if (from[unit] == nullptr) missing.insert(unit);
  }
  if (!missing.empty()) refuse_missing(journals, missing);
  return merged;
}

}  // namespace equinorm::work
