#include "kernels/worker/scene.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

namespace equinorm::kernels {
namespace {

constexpr rlim_t kOpenFiles = 1024;
/// A recursion without end shall end as one, not by filling memory.
constexpr rlim_t kStack = rlim_t{64} << 20;

bool write_file(const char* path, const std::string& text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(file);
  return written;
}

void limit(int resource, rlim_t value) {
  rlimit now{};
  getrlimit(static_cast<__rlimit_resource>(resource), &now);
  const rlim_t bounded = value < now.rlim_cur ? value : now.rlim_cur;
  const rlimit wanted{bounded, bounded};
  setrlimit(static_cast<__rlimit_resource>(resource), &wanted);
}

/// Tries the uid out in a process of its own: can it be taken, and can it read everything?
bool can_be(uid_t uid, const std::vector<std::string>& files) {
  const pid_t trial = fork();
  if (trial == 0) {
    if (setgroups(0, nullptr) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) _exit(1);
    for (const std::string& file : files) {
      if (access(file.c_str(), R_OK) != 0) _exit(1);
    }
    _exit(0);
  }
  int status = -1;
  while (trial > 0 && waitpid(trial, &status, 0) < 0) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

uid_t chosen_uid(const Scene& scene) {
  if (scene.uid < 0) return getuid();
  const auto wanted = static_cast<uid_t>(scene.uid);
  return can_be(wanted, scene.must_read) ? wanted : getuid();
}

void enter(const Scene& scene, uid_t uid) {
  setsid();
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, scene.file_bytes);
  limit(RLIMIT_NOFILE, kOpenFiles);
  limit(RLIMIT_STACK, kStack);
  limit(RLIMIT_NPROC, scene.processes);
  write_file("/proc/self/oom_score_adj", "1000");
  if (uid != getuid() && (setgroups(0, nullptr) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)) _exit(126);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // After the change of uid, which clears it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  if (chdir(scene.working_directory.c_str()) != 0) _exit(126);
}

}  // namespace equinorm::kernels
