#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "kernels/process.hpp"

namespace equinorm::kernels {
namespace {

/// Above what distributions hand out (users, containers), below what some programs take for negative.
constexpr unsigned kFirstUid = 1'900'000'000;
constexpr unsigned kNobody = 65534;

/// Whether this user namespace has a uid (containers often map only a few).
bool is_mapped(unsigned uid) {
  std::ifstream map("/proc/self/uid_map");
  unsigned long long inside = 0, outside = 0, count = 0;
  while (map >> inside >> outside >> count) {
    if (uid >= inside && uid - inside < count) return true;
  }
  return false;
}

}  // namespace

std::optional<unsigned> other_uid() {
  if (geteuid() != 0) return std::nullopt;
  const unsigned own = kFirstUid + static_cast<unsigned>(getpid()) % 4'194'304;
  for (const unsigned uid : {own, kNobody}) {
    if (is_mapped(uid)) return uid;
  }
  return std::nullopt;
}

std::string Isolation::description() const {
  std::vector<std::string> parts;
  parts.push_back(!pid_namespace    ? "no PID namespace of its own (not allowed here: it could signal this user's processes)"
                  : mount_namespace ? "own PID, IPC and mount namespace"
                                    : "own PID and IPC namespace");
  if (user_namespace) parts.push_back("made by a user namespace");
  parts.push_back(other_uid ? "a uid of its own" : "the judge's uid");
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string ProcessEnd::description() const {
  if (!signalled) return fmt::format("exit code {}", code);
  const char* name = sigdescr_np(code);
  return fmt::format("signal {} ({})", code, name == nullptr ? "unknown" : name);
}

}  // namespace equinorm::kernels
