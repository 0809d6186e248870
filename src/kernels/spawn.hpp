// Starting `equinorm-worker launch` in namespaces of its own.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace equinorm::kernels {

struct Spawned {
  pid_t process = -1;
  int error = 0;         ///< errno of what failed where there is no process
  bool mounted = false;  ///< /proc and an empty /dev/shm are its own
};

/// Starts `program` with exactly these descriptors (child's number -> ours; every other one is closed), arguments and environment, in new
/// namespaces (clone's CLONE_NEW* bits). A user namespace maps our own uid and gid alone; it must come with a PID and a mount namespace.
Spawned spawn(const std::string& program, const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
              const std::map<int, int>& descriptors, int namespaces);

/// What a child's environment holds: PATH, LANG, CUDA_VISIBLE_DEVICES and LD_LIBRARY_PATH of ours, and `more`; as "NAME=value".
std::vector<std::string> child_environment(const std::map<std::string, std::string>& more);

}  // namespace equinorm::kernels
