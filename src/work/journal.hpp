// What is finished, kept on disk: a run that was killed goes on from here, and shards are merged from here.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "work/unit.hpp"

namespace equinorm::work {

/// What must agree before results may be put together.
struct Header {
  std::string version;             ///< of the program
  std::string command;             ///< as it can be typed again, without what only speaks of output
  std::string recipe;              ///< from which the command makes its results of those of the units; one line
  std::string data;                ///< checksum of every problem and input file
  std::vector<std::string> units;  ///< ids, in order
};

/// One line that says where two headers differ, `here` and `there` naming them; empty: nowhere.
std::string difference(const Header& a, const std::string& here, const Header& b, const std::string& there);

/// A journal as it was read.
struct JournalContents {
  std::string path;
  Header header;
  Shard shard;
  std::map<std::size_t, std::string> results;  ///< by place in header.units
  std::size_t bytes = 0;                       ///< length without a torn last line
};

/// DIR/journal, or DIR/journal-3-of-16.
std::string journal_path(const std::string& folder, const Shard& shard);

/// Reads a journal: lines "CHECKSUM <tab> ...", the first being the header, each other one a unit's id and result. A last line without an
/// end is what a killed run was writing, and left out; any other damage throws Error with file and line.
JournalContents read_journal(const std::string& path);

/// A journal that results are appended to. Only one process at a time holds it.
class Journal {
 public:
  /// Makes the folder and the journal where they are missing; else goes on after what is there, which results() holds. Throws Error where
  /// the journal belongs to another run, is damaged, is held by another process, or cannot be written.
  Journal(const std::string& folder, const Header& header, const Shard& shard);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const std::map<std::size_t, std::string>& results() const { return results_; }
  /// On return the result is on the disk. Throws Error.
  void append(std::size_t unit, const std::string& result);

 private:
  void write_line(const std::string& text);

  std::string path_;
  Header header_;
  int descriptor_ = -1;
  std::map<std::size_t, std::string> results_;
};

/// The results of every unit, in order, from all the journals in `folders`, and their common header. Throws Error, with one line that says
/// what is wrong, where journals disagree, overlap, or leave units out.
struct Merged {
  Header header;
  std::vector<std::string> results;
};
Merged merge_journals(const std::vector<std::string>& folders);

}  // namespace equinorm::work
