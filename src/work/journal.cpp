#include "work/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "scalar/error.hpp"
#include "work/journal_text.hpp"

namespace equinorm::work {
namespace {

namespace files = std::filesystem;

[[noreturn]] void fail(const std::string& path, const char* action) {
  throw Error(fmt::format("{}: cannot {}: {}", path, action, std::strerror(errno)));
}

/// A name that was just made in the folder outlives a crash of the machine.
void keep_name(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // a file system that does not know this
  fsync(descriptor);
  close(descriptor);
}

}  // namespace

Journal::Journal(const std::string& folder, const Header& header, const Shard& shard)
    : path_(journal_path(folder, shard)), header_(header) {
  std::error_code failure;
  files::create_directories(folder, failure);
  if (failure) throw Error(fmt::format("--resume: {}: cannot be made: {}", folder, failure.message()));
  descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(path_, "open");
  try {
    // Some network file systems know no locks; there the user has to take care.
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) throw Error(path_ + ": another process is writing it");
    JournalContents found = read_journal(path_);
    if (found.bytes == 0) {  // new, or killed before its first line was complete
      if (ftruncate(descriptor_, 0) != 0) fail(path_, "shorten");
      write_line(header_text(header_, shard));
      keep_name(folder);
      return;
    }
    const std::string why = difference(found.header, path_ + " was made", header_, "this run is");
    if (!why.empty()) throw Error("--resume: " + why);
    if (ftruncate(descriptor_, static_cast<off_t>(found.bytes)) != 0) fail(path_, "shorten");
    results_ = std::move(found.results);
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

Journal::~Journal() { close(descriptor_); }

void Journal::append(std::size_t unit, const std::string& result) { write_line(result_text(header_.units.at(unit), result)); }

void Journal::write_line(const std::string& text) {
  const std::string line = journal_line(text);
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t count = write(descriptor_, line.data() + done, line.size() - done);
    if (count < 0 && errno != EINTR) fail(path_, "write");
    if (count > 0) done += static_cast<std::size_t>(count);
  }
  if (fsync(descriptor_) != 0) fail(path_, "write to the disk");
}

}  // namespace equinorm::work
