// `equinorm-worker launch`: the first process of a stranger's namespace. It takes privileges away, starts the program, collects orphans,
// says how the program ended, and takes everything down with it, also when the judge is gone.
#include "kernels/launch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/process_tree.hpp"
#include "kernels/worker/scene.hpp"

namespace equinorm::kernels {
namespace {

struct LaunchArguments {
  Scene scene;
  char** program = nullptr;
};

LaunchArguments parse(int count, char** arguments) {
  LaunchArguments parsed;
  if (count < 7) _exit(2);
  parsed.scene.uid = std::strtol(arguments[1], nullptr, 10);
  parsed.scene.file_bytes = std::strtoull(arguments[2], nullptr, 10);
  parsed.scene.processes = std::strtoull(arguments[3], nullptr, 10);
  parsed.scene.working_directory = arguments[4];
  const int files = std::atoi(arguments[5]);
  if (files < 0 || files >= count - 6) _exit(2);
  for (int i = 0; i < files; ++i) parsed.scene.must_read.push_back(arguments[6 + i]);
  parsed.program = arguments + 6 + files;
  return parsed;
}

void send_status(const LaunchStatus& status) { send(kStatusDescriptor, &status, sizeof(status), MSG_NOSIGNAL); }

/// What the program's process says before it becomes the program: (errno, uid), once exec has failed; nothing where it succeeds.
struct Refusal {
  int error = 0;
};

/// Never returns: the program, or a refusal on `report`.
[[noreturn]] void become(const LaunchArguments& launch, int report, uid_t uid) {
  enter(launch.scene, uid);
  execv(launch.program[0], launch.program);
  const Refusal refusal{errno};
  if (write(report, &refusal, sizeof(refusal)) < 0) _exit(126);
  _exit(127);
}

/// Everything that lives below us, until nothing does. In a PID namespace our end does the same.
void kill_descendants(pid_t program) {
  // A group at one stroke: a bomb forks faster than one can walk its tree. What has left the group is walked.
  kill(-program, SIGKILL);
  for (int round = 0; round < 1000; ++round) {
    const std::vector<pid_t> tree = process_tree(getpid());
    if (tree.size() <= 1) return;
    for (std::size_t i = 1; i < tree.size(); ++i) kill(tree[i], SIGKILL);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    poll(nullptr, 0, 1);
  }
}

/// Waits for the end of `program` or of the judge; returns true for the former.
bool watch(pid_t program, int signals) {
  for (;;) {
    pollfd waiting[2] = {{signals, POLLIN, 0}, {kStatusDescriptor, POLLRDHUP, 0}};
    poll(waiting, 2, -1);
    signalfd_siginfo info;
    while (read(signals, &info, sizeof(info)) > 0) {
    }
    int status = 0;
    rusage used{};
    for (pid_t gone = 0; (gone = wait4(-1, &status, WNOHANG, &used)) > 0;) {
      if (gone != program) continue;
      LaunchStatus ended{.kind = LaunchStatus::ended, .wait_status = status};
      ended.peak_resident = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
      kill_descendants(program);
      send_status(ended);
      return true;
    }
    if ((waiting[1].revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0) return false;
  }
}

/// Starts the program and says so. Returns its process id.
pid_t start(const LaunchArguments& launch) {
  const uid_t uid = chosen_uid(launch.scene);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) _exit(2);
  const pid_t program = fork();
  if (program == 0) become(launch, report[1], uid);
  close(report[1]);
  LaunchStatus started{.uid = uid};
  Refusal refusal;
  if (program < 0)
    started.error = errno;
  else if (read(report[0], &refusal, sizeof(refusal)) == sizeof(refusal))
    started.error = refusal.error;
  close(report[0]);
  send_status(started);
  return program;
}

}  // namespace

int launch_main(int count, char** arguments) {
  const LaunchArguments launch = parse(count, arguments);
  fcntl(kStatusDescriptor, F_SETFD, FD_CLOEXEC);
  // Its own session: signals of the judge's terminal do not reach it, nor do the program's signals to its group reach the judge.
  setsid();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_DUMPABLE, 0);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &child, nullptr);
  const int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  const pid_t program = start(launch);
  if (program < 0) return 2;
  if (!watch(program, signals)) kill_descendants(program);
  return 0;
}

}  // namespace equinorm::kernels
