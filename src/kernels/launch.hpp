// Between the judge and `equinorm-worker launch`, which sets the scene for a stranger's program and watches over it.
#pragma once

#include <cstdint>

namespace equinorm::kernels {

/// The launcher's end of the status channel (a SOCK_SEQPACKET socket). The program itself does not get it.
inline constexpr int kStatusDescriptor = 16;

/// Arguments, in this order: launch, the wanted uid (or -1), file bytes, processes, working directory, number of files that must be
/// readable, those files, then the program and its arguments.

/// The launcher sends `started` once the program runs or could not be run, `ended` once it has ended.
struct LaunchStatus {
  static constexpr std::uint32_t kMagic = 0x65716e6c;
  enum Kind : std::uint32_t { started = 1, ended = 2 };
  std::uint32_t magic = kMagic;
  std::uint32_t kind = started;
  std::int32_t error = 0;           ///< started: errno of execve, 0: it runs
  std::uint32_t uid = 0;            ///< started: of the program
  std::int32_t wait_status = 0;     ///< ended: as waitpid gives it
  std::uint64_t peak_resident = 0;  ///< ended: bytes
};

/// Runs the launcher's side. Returns the exit code of the launcher.
int launch_main(int count, char** arguments);

}  // namespace equinorm::kernels
