#include "kernels/private_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "kernels/process.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "equinorm-process-";

std::string temporary_folder() {
  const char* given = std::getenv("TMPDIR");
  return given != nullptr && given[0] == '/' ? given : "/tmp";
}

/// An open folder with the lock that its judge holds; not open where another one holds it or it is no folder of ours.
Descriptor lock(const std::string& path) {
  Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat opened {
  }, there{};
  const bool ours = folder.is_open() && fstat(folder.get(), &opened) == 0 && opened.st_uid == geteuid() &&
                    flock(folder.get(), LOCK_EX | LOCK_NB) == 0 &&
                    // Still there under this name, now that it is locked.
                    lstat(path.c_str(), &there) == 0 && there.st_ino == opened.st_ino;
  return ours ? std::move(folder) : Descriptor();
}

/// Removes everything, also what a child made unreadable for its own uid.
void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return;
  const fs::file_status status = fs::symlink_status(path, error);
  if (fs::is_directory(status)) {
    fs::permissions(path, fs::perms::owner_all, error);
    for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) remove_tree(at->path());
  }
  fs::remove(path, error);
}

void remove_left_behind(const std::string& parent) {
  std::error_code error;
  for (fs::directory_iterator at(parent, error), end; !error && at != end; at.increment(error)) {
    if (at->path().filename().string().rfind(kPrefix, 0) == 0 && lock(at->path()).is_open()) remove_tree(at->path());
  }
}

[[noreturn]] void fail(const std::string& what) {
  throw Error(fmt::format("{}: {}; TMPDIR names another folder", what, std::strerror(errno)));
}

}  // namespace

PrivateFolder::PrivateFolder() {
  const std::string parent = temporary_folder();
  remove_left_behind(parent);
  // Another judge may take a folder for one left behind in the moment before it is locked.
  for (int attempt = 0; attempt < 100 && !lock_.is_open(); ++attempt) {
    path_ = parent + "/" + kPrefix + "XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) fail(fmt::format("no private folder in {}", parent));
    lock_ = lock(path_);
  }
  if (!lock_.is_open()) fail(fmt::format("no private folder in {}", parent));
  const std::optional<unsigned> uid = other_uid();
  const bool made = chmod(path_.c_str(), 0711) == 0 && mkdir(work().c_str(), 0700) == 0 && chmod(work().c_str(), 0700) == 0 &&
                    (!uid || chown(work().c_str(), *uid, static_cast<gid_t>(-1)) == 0);
  if (!made) {
    const int reason = errno;
    remove_tree(path_);
    errno = reason;
    fail(path_);
  }
}

PrivateFolder::~PrivateFolder() { remove_tree(path_); }

}  // namespace equinorm::kernels
