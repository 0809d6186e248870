#include "kernels/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "kernels/launch.hpp"
#include "kernels/process_tree.hpp"
#include "kernels/spawn.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

constexpr std::size_t kKeptOutput = std::size_t{32} << 10;
constexpr auto kStartTime = std::chrono::seconds(60);
constexpr auto kGoodbye = std::chrono::seconds(5);
/// Processes that others of the same uid may start meanwhile without a child's noticing.
constexpr int kOthersRoom = 256;
/// How often memory and processes are counted while one waits.
constexpr auto kWatchStep = std::chrono::milliseconds(25);

struct Pair {
  Descriptor ours, theirs;
};

Pair status_channel() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw Error(fmt::format("socketpair: {}", std::strerror(errno)));
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Pair output_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Error(fmt::format("pipe: {}", std::strerror(errno)));
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

/// Whether RLIMIT_NPROC counts the processes of a user namespace apart from those of its user outside.
bool counts_by_namespace() {
  utsname system{};
  int major = 0, minor = 0;
  uname(&system);
  return std::sscanf(system.release, "%d.%d", &major, &minor) == 2 && (major > 5 || (major == 5 && minor >= 14));
}

/// Processes and threads of a uid, wherever they come from.
int tasks_of_uid(unsigned uid) {
  int found = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    struct stat folder {};
    // A folder of n folders has n + 2 links.
    if (stat((entry.path() / "task").c_str(), &folder) == 0 && folder.st_uid == uid) found += static_cast<int>(folder.st_nlink) - 2;
  }
  return found;
}

std::vector<std::string> launch_arguments(const std::string& launcher, const SpawnOptions& options, int namespaces) {
  const std::optional<unsigned> uid = other_uid();
  // The limit counts every process of a uid: where it is not the program's alone, those that are there come on top.
  const bool alone = uid || ((namespaces & CLONE_NEWUSER) != 0 && counts_by_namespace());
  const int processes = options.processes + (alone ? 0 : tasks_of_uid(getuid()) + kOthersRoom);
  std::vector<std::string> arguments{launcher,
                                     "launch",
                                     uid ? std::to_string(*uid) : "-1",
                                     std::to_string(options.file_bytes),
                                     std::to_string(processes),
                                     options.working_directory,
                                     std::to_string(options.must_read.size())};
  arguments.insert(arguments.end(), options.must_read.begin(), options.must_read.end());
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  return arguments;
}

/// Bytes that can be read at once; a channel whose other end is closed counts as ready to poll, with none.
int unread(int descriptor) {
  int bytes = 0;
  return ioctl(descriptor, FIONREAD, &bytes) == 0 ? bytes : 0;
}

int milliseconds_until(Clock::time_point then) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(then - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 1000));
}

}  // namespace

std::string worker_program() {
  if (const char* given = std::getenv("EQUINORM_WORKER")) return given;
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {"equinorm-worker", "../equinorm-worker", "../libexec/equinorm-worker"}) {
    const std::filesystem::path candidate = folder / place;
    if (std::filesystem::is_regular_file(candidate, error)) return candidate.lexically_normal().string();
  }
  throw Error(fmt::format("no equinorm-worker beside {}; it is built with equinorm, EQUINORM_WORKER names it elsewhere", folder.string()));
}

ChildProcess::ChildProcess(const SpawnOptions& options) {
  if (options.arguments.empty()) throw Error("no program to start");
  for (const auto& [number, ours] : options.descriptors) {
    if (number < 0 || number >= kStatusDescriptor)
      throw Error(fmt::format("descriptor {} of a child; allowed: 0 to {}", number, kStatusDescriptor - 1));
  }
  start(options);
  try {
    await_start(options.arguments[0]);
  } catch (...) {
    kill();
    throw;
  }
}

ChildProcess::~ChildProcess() { kill(); }

void ChildProcess::start(const SpawnOptions& options) {
  Pair status = status_channel(), output = output_pipe();
  const Descriptor nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  std::map<int, int> descriptors = options.descriptors;
  descriptors.emplace(0, nothing.get());
  descriptors.emplace(1, output.theirs.get());
  descriptors.emplace(2, output.theirs.get());
  descriptors[kStatusDescriptor] = status.theirs.get();
  const std::vector<std::string> environment = child_environment(options.environment);
  const std::string launcher = worker_program();
  int spawn_error = 0;
  constexpr int kApart = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC;
  // As root; without privileges; where neither is allowed.
  for (const int namespaces : {kApart, kApart | CLONE_NEWUSER, 0}) {
    if (namespaces != 0 && !options.namespaces) continue;
    const Spawned spawned = spawn(launcher, launch_arguments(launcher, options, namespaces), environment, descriptors, namespaces);
    launcher_ = spawned.process;
    isolation_ = {.pid_namespace = (namespaces & CLONE_NEWPID) != 0,
                  .user_namespace = (namespaces & CLONE_NEWUSER) != 0,
                  .mount_namespace = spawned.mounted};
    spawn_error = spawned.error;
    const bool forbidden = spawn_error == EPERM || spawn_error == EINVAL || spawn_error == ENOSYS || spawn_error == ENOSPC;
    if (launcher_ > 0 || !forbidden) break;
  }
  if (launcher_ < 0) throw Error(fmt::format("cannot start {}: {}", launcher, std::strerror(spawn_error)));
  status_ = std::move(status.ours);
  output_ = std::move(output.ours);
}

void ChildProcess::await_start(const std::string& program) {
  const Clock::time_point deadline = Clock::now() + kStartTime;
  pollfd waiting{status_.get(), POLLIN, 0};
  while (poll(&waiting, 1, milliseconds_until(deadline)) <= 0) {
    if (Clock::now() >= deadline) throw Error(fmt::format("{}: was not started within {} s", program, kStartTime.count()));
  }
  LaunchStatus message;
  const ssize_t size = recv(status_.get(), &message, sizeof(message), MSG_DONTWAIT);
  if (size != sizeof(message) || message.magic != LaunchStatus::kMagic || message.kind != LaunchStatus::started) {
    drain_output();
    throw Error(fmt::format("{}: the launcher ended before it ran it: {}", program, output()));
  }
  if (message.error != 0) throw Error(fmt::format("cannot run {}: {}", program, std::strerror(message.error)));
  isolation_.uid = message.uid;
  isolation_.other_uid = message.uid != getuid();
}

WaitEvent ChildProcess::wait(int descriptor, short events, const WaitLimits& limits) {
  Clock::time_point watch = Clock::now() + kWatchStep;
  for (;;) {
    pollfd waiting[3] = {{descriptor, events, 0}, {output_.get(), POLLIN, 0}, {status_.get(), POLLIN, 0}};
    poll(waiting, 3, milliseconds_until(std::min(watch, limits.deadline)));
    if ((waiting[1].revents & (POLLIN | POLLHUP)) != 0) drain_output();
    const bool closed = (waiting[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
    if ((waiting[0].revents & events) != 0 && !(closed && unread(descriptor) == 0)) return WaitEvent::ready;
    if (end_ || (waiting[2].revents & (POLLIN | POLLHUP)) != 0) {
      if (!end_) read_status();
      return WaitEvent::ended;
    }
    // Its end of the channel is closed, yet it lives: its end or the deadline comes.
    if (closed) descriptor = -1;
    const Clock::time_point now = Clock::now();
    if (now >= limits.deadline) return WaitEvent::deadline;
    if (now < watch) continue;
    watch = now + kWatchStep;
    // One more than allowed, and the launcher: a bomb must not grow while we count it.
    const std::vector<pid_t> tree = process_tree(launcher_, static_cast<std::size_t>(limits.processes) + 2);
    if (tree.size() > static_cast<std::size_t>(limits.processes) + 1) return WaitEvent::processes;
    std::uint64_t at_most = 0;
    for (const pid_t process : tree) at_most += resident_bytes(process, ~std::uint64_t{0});
    if (at_most > limits.memory && usage().resident > limits.memory) return WaitEvent::memory;
  }
}

void ChildProcess::read_status() {
  LaunchStatus message;
  const ssize_t size = recv(status_.get(), &message, sizeof(message), MSG_DONTWAIT);
  ProcessEnd end{.signalled = true, .code = SIGKILL};
  if (size == sizeof(message) && message.magic == LaunchStatus::kMagic && message.kind == LaunchStatus::ended) {
    end.signalled = WIFSIGNALED(message.wait_status);
    end.code = end.signalled ? WTERMSIG(message.wait_status) : WEXITSTATUS(message.wait_status);
    end.peak_resident = message.peak_resident;
  }
  end_ = end;
  drain_output();
  reap();
}

void ChildProcess::kill() {
  if (launcher_ < 0) return;
  if (!isolation_.pid_namespace) {
    // Without a namespace the launcher itself clears up below it, once it sees our end of the channel closed.
    status_.reset();
    const Clock::time_point deadline = Clock::now() + kGoodbye;
    siginfo_t gone{};
    while (Clock::now() < deadline && gone.si_pid == 0) {
      waitid(P_PID, static_cast<id_t>(launcher_), &gone, WEXITED | WNOHANG | WNOWAIT);
      if (gone.si_pid == 0) poll(nullptr, 0, 1);
    }
  }
  ::kill(launcher_, SIGKILL);
  if (!end_) end_ = ProcessEnd{.signalled = true, .code = SIGKILL};
  drain_output();
  reap();
}

void ChildProcess::reap() {
  // The first process of a PID namespace is gone only when all others of it are.
  while (launcher_ >= 0 && waitpid(launcher_, nullptr, 0) < 0 && errno == EINTR) {
  }
  launcher_ = -1;
  status_.reset();
}

ProcessUsage ChildProcess::usage() const {
  ProcessUsage used;
  if (launcher_ < 0) return used;
  const std::vector<pid_t> tree = process_tree(launcher_);
  used.processes = static_cast<int>(tree.size()) - 1;
  for (const pid_t process : tree) used.resident += resident_bytes(process);
  return used;
}

void ChildProcess::drain_output() {
  char buffer[16384];
  // Bounded: a program that writes without end must not keep us here.
  for (int round = 0; output_.is_open() && round < 64; ++round) {
    const ssize_t count = read(output_.get(), buffer, sizeof(buffer));
    if (count == 0) output_.reset();
    if (count <= 0) return;
    const std::string_view text(buffer, static_cast<std::size_t>(count));
    const std::size_t to_head = std::min(text.size(), kKeptOutput - head_.size());
    head_.append(text.substr(0, to_head));
    tail_.append(text.substr(to_head));
    if (tail_.size() > 2 * kKeptOutput) {
      dropped_ += tail_.size() - kKeptOutput;
      tail_.erase(0, tail_.size() - kKeptOutput);
    }
  }
}

std::string ChildProcess::output() {
  drain_output();
  return dropped_ == 0 ? head_ + tail_ : fmt::format("{}\n[{} bytes left out]\n{}", head_, dropped_, tail_);
}

}  // namespace equinorm::kernels
