// Programs of strangers: started with as little as possible, watched, killed with everything that they started, always reaped.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernels/descriptor.hpp"

namespace equinorm::kernels {

using Clock = std::chrono::steady_clock;

/// What is started, and what it is given. Beside this it inherits nothing: no other descriptor, no other variable of the environment.
struct SpawnOptions {
  std::vector<std::string> arguments;  ///< [0]: the program's path (no search in PATH)
  /// Added to PATH, LANG, CUDA_VISIBLE_DEVICES and LD_LIBRARY_PATH, which are handed on; wins over them.
  std::map<std::string, std::string> environment{};
  /// The child's number (0 to 15) -> our descriptor. Number 0 is /dev/null, 1 and 2 are captured (output()) where they are not given.
  std::map<int, int> descriptors{};
  std::string working_directory = "/";
  /// Files that the program must be able to read. It runs under another uid where that is allowed and these are readable to others.
  std::vector<std::string> must_read{};
  std::uint64_t file_bytes = std::uint64_t{1} << 30;  ///< RLIMIT_FSIZE: largest file that it may write
  int processes = 512;                                ///< RLIMIT_NPROC (threads count too)
  bool namespaces = true;                             ///< false: as on a system that allows none
};

/// How far the child is kept away, as it came out on this system.
struct Isolation {
  bool pid_namespace = false;    ///< sees and can signal its own processes only; killed as a whole
  bool user_namespace = false;   ///< made without privileges, by way of a user namespace
  bool mount_namespace = false;  ///< /proc, /dev/shm and SysV shared memory of its own
  bool other_uid = false;
  unsigned uid = 0;
  /// "own PID and mount namespace, a uid of its own", or what is missing and why it matters.
  std::string description() const;
};

/// How a child ended.
struct ProcessEnd {
  bool signalled = false;
  int code = 0;                     ///< exit code, or signal
  std::uint64_t peak_resident = 0;  ///< bytes, of the largest of its processes
  /// "signal 11 (Segmentation fault)", "exit code 3".
  std::string description() const;
};

/// Processes that live below one, itself included.
struct ProcessUsage {
  int processes = 0;
  std::uint64_t resident = 0;  ///< bytes of anonymous and shared memory that they hold in RAM (each shared page counted once)
};

/// Until when one waits, and what the child may hold meanwhile.
struct WaitLimits {
  Clock::time_point deadline;
  std::uint64_t memory = ~std::uint64_t{0};  ///< resident bytes of all its processes
  int processes = 1024;                      ///< more of them are a fork bomb
};

enum class WaitEvent : std::uint8_t { ready, ended, deadline, memory, processes };

/// The uid that children get where the judge may give one away: one of its own per judge, so that RLIMIT_NPROC counts this judge's children
/// alone. A folder for them belongs to it. Empty: children keep the judge's uid.
std::optional<unsigned> other_uid();

/// The program equinorm-worker: EQUINORM_WORKER, or beside the running program. Throws Error where there is none.
std::string worker_program();

/// One started program. Not copyable; its end kills and reaps whatever is left.
class ChildProcess {
 public:
  /// Starts the program. Throws Error where it cannot be started (absent, not executable, out of processes).
  explicit ChildProcess(const SpawnOptions& options);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  const Isolation& isolation() const { return isolation_; }

  /// Waits until `descriptor` shows one of poll's `events` or hangs up (-1: waits for the end alone), the program has ended, or a limit is
  /// reached; collects its output meanwhile. Kills nothing. An end is reported after what can still be read from `descriptor`.
  WaitEvent wait(int descriptor, short events, const WaitLimits& limits);

  /// Kills the program and all that it started, and reaps them. Returns when they are gone.
  void kill();

  /// How it ended; none while it runs.
  const std::optional<ProcessEnd>& end() const { return end_; }

  /// What it and its children hold now.
  ProcessUsage usage() const;

  /// What it wrote to standard output and error: the first and the last 32 KiB.
  std::string output();

 private:
  void start(const SpawnOptions& options);
  void await_start(const std::string& program);
  void read_status();
  void drain_output();
  void reap();

  pid_t launcher_ = -1;
  Descriptor status_, output_;
  Isolation isolation_;
  std::optional<ProcessEnd> end_;
  std::string head_, tail_;
  std::uint64_t dropped_ = 0;
};

}  // namespace equinorm::kernels
