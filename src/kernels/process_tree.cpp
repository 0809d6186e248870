#include "kernels/process_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "kernels/descriptor.hpp"

namespace equinorm::kernels {
namespace {

/// A small file of /proc; empty where it cannot be read.
std::string read_proc(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[4096];
  while (file.is_open()) {
    const ssize_t count = read(file.get(), buffer, sizeof(buffer));
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

void append_children(pid_t process, std::vector<pid_t>& out) {
  const std::string tasks = "/proc/" + std::to_string(process) + "/task";
  DIR* folder = opendir(tasks.c_str());
  if (folder == nullptr) return;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    const std::string children = read_proc(tasks + "/" + entry->d_name + "/children");
    for (const char* at = children.c_str(); *at != 0;) {
      char* next = nullptr;
      const long child = std::strtol(at, &next, 10);
      if (next == at) break;
      out.push_back(static_cast<pid_t>(child));
      at = next + std::strspn(next, " \n");
    }
  }
  closedir(folder);
}

/// The number of kB behind `key` in the text of smaps_rollup, in bytes.
std::uint64_t field(const std::string& text, const char* key) {
  const std::size_t at = text.find(key);
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + std::strlen(key), nullptr, 10) * 1024;
}

}  // namespace

std::vector<pid_t> process_tree(pid_t root, std::size_t limit) {
  std::vector<pid_t> found{root};
  for (std::size_t i = 0; i < found.size() && found.size() < limit; ++i) append_children(found[i], found);
  return found;
}

std::uint64_t resident_bytes(pid_t process, std::uint64_t enough) {
  const std::string folder = "/proc/" + std::to_string(process);
  // statm: total, resident, shared (file and shared memory), in pages.
  const std::string statm = read_proc(folder + "/statm");
  char* at = nullptr;
  std::strtoull(statm.c_str(), &at, 10);
  const std::uint64_t resident = std::strtoull(at, &at, 10) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  if (resident <= enough) return resident;
  const std::string rollup = read_proc(folder + "/smaps_rollup");
  // Not readable (another user's, no privileges): the upper bound without what is shared with files.
  if (rollup.find("Pss_Anon:") == std::string::npos) {
    const std::uint64_t shared = std::strtoull(at, nullptr, 10) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    return resident - (shared < resident ? shared : resident);
  }
  return field(rollup, "Pss_Anon:") + field(rollup, "Pss_Shmem:");
}

}  // namespace equinorm::kernels
