#include "kernels/spawn.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

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
  int error = 0;
};

/// Runs in the child, in the parent's memory, while the parent waits (vfork): system calls only.
int child_main(void* argument) {
  auto& start = *static_cast<Start*>(argument);
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

pid_t spawn(const std::string& program, const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
            const std::map<int, int>& descriptors, int namespaces) {
  const std::vector<std::pair<int, int>> wanted(descriptors.begin(), descriptors.end());
  const std::vector<char*> argument_list = pointers(arguments), environment_list = pointers(environment);
  Start start{program.c_str(), argument_list.data(), environment_list.data(), wanted.data(), wanted.size()};
  void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return -1;
  // No handler of ours may run in the child, which shares our memory.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  const pid_t child =
      clone(child_main, static_cast<std::byte*>(stack) + kStackBytes, CLONE_VM | CLONE_VFORK | SIGCHLD | namespaces, &start);
  const int clone_error = errno;
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  munmap(stack, kStackBytes);
  if (child < 0) {
    errno = clone_error;
    return -1;
  }
  if (start.error != 0) {
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    errno = start.error;
    return -1;
  }
  return child;
}

std::vector<std::string> child_environment(const std::map<std::string, std::string>& more) {
  std::map<std::string, std::string> all = more;
  for (const char* name : {"PATH", "LANG", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"}) {
    if (const char* value = std::getenv(name)) all.emplace(name, value);
  }
  std::vector<std::string> found;
  for (const auto& [name, value] : all) found.push_back(name + "=" + value);
  return found;
}

}  // namespace equinorm::kernels
