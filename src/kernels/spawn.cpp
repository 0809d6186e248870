#include "kernels/spawn.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace equinorm::kernels {
namespace {

constexpr std::size_t kStackBytes = std::size_t{64} << 10;

/// Everything that the child needs between clone and exec, where it may allocate nothing.
struct Start {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const std::pair<int, int>* descriptors;  ///< (child's number, ours), both sorted by the child's number
  std::size_t count;
  int namespaces;
  char uid_map[48], gid_map[48];
  int error = 0;
  bool mounted = false;
};

/// System calls only.
bool write_small(const char* path, const char* text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const std::size_t size = std::strlen(text);
  const bool written = write(file, text, size) == static_cast<ssize_t>(size);
  close(file);
  return written;
}

/// Before exec, which takes a user namespace's privileges away.
bool furnish(Start& start) {
  if ((start.namespaces & CLONE_NEWUSER) != 0) {
    write_small("/proc/self/setgroups", "deny");
    if (!write_small("/proc/self/uid_map", start.uid_map) || !write_small("/proc/self/gid_map", start.gid_map)) return false;
  }
  if ((start.namespaces & CLONE_NEWNS) == 0) return true;
  // Where a container forbids these, its own /proc and /dev/shm stay.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return true;
  const bool own_proc = mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
  const bool own_memory = mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0;
  start.mounted = own_proc && own_memory;
  return true;
}

/// Runs in the child, in the parent's memory, while the parent waits (vfork): system calls only.
int child_main(void* argument) {
  auto& start = *static_cast<Start*>(argument);
  if (!furnish(start)) start.error = EPERM, _exit(127);
  // First all of them out of the way: a number of ours may be another's number in the child.
  int copies[32];
  int last = -1;
  for (std::size_t i = 0; i < start.count; ++i) {
    copies[i] = fcntl(start.descriptors[i].second, F_DUPFD, 64);
    if (copies[i] < 0) start.error = errno, _exit(127);
  }
  for (std::size_t i = 0; i < start.count; ++i) {
    const int number = start.descriptors[i].first;
    if (dup2(copies[i], number) < 0) start.error = errno, _exit(127);
    for (int between = last + 1; between < number; ++between) close(between);
    last = number;
  }
  close_range(static_cast<unsigned>(last + 1), ~0U, 0);
  execve(start.program, start.arguments, start.environment);
  start.error = errno;
  _exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> found;
  for (const std::string& text : texts) found.push_back(const_cast<char*>(text.c_str()));
  found.push_back(nullptr);
  return found;
}

}  // namespace

Spawned spawn(const std::string& program, const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
              const std::map<int, int>& descriptors, int namespaces) {
  const std::vector<std::pair<int, int>> wanted(descriptors.begin(), descriptors.end());
  const std::vector<char*> argument_list = pointers(arguments), environment_list = pointers(environment);
  Start start{program.c_str(), argument_list.data(), environment_list.data(), wanted.data(), wanted.size(), namespaces, {}, {}};
  std::snprintf(start.uid_map, sizeof(start.uid_map), "%u %u 1", getuid(), getuid());
  std::snprintf(start.gid_map, sizeof(start.gid_map), "%u %u 1", getgid(), getgid());
  void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return {.error = errno};
  // No handler of ours may run in the child, which shares our memory.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  const pid_t child =
      clone(child_main, static_cast<std::byte*>(stack) + kStackBytes, CLONE_VM | CLONE_VFORK | SIGCHLD | namespaces, &start);
  if (child < 0) start.error = errno;
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  munmap(stack, kStackBytes);
  if (child >= 0 && start.error != 0) {
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (start.error != 0) return {.error = start.error};
  return {.process = child, .mounted = start.mounted};
}

std::vector<std::string> child_environment(const std::map<std::string, std::string>& more) {
  std::map<std::string, std::string> all = more;
  for (const char* name : {"PATH", "LANG", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "EQUINORM_CUDA_DRIVER"}) {
    if (const char* value = std::getenv(name)) all.emplace(name, value);
  }
  std::vector<std::string> found;
  for (const auto& [name, value] : all) found.push_back(name + "=" + value);
  return found;
}

}  // namespace equinorm::kernels
