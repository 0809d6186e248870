// Limits and the uid of a stranger's program.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace equinorm::kernels {

struct Scene {
  long uid = -1;  ///< wanted; -1: the own one
  std::uint64_t file_bytes = 0, processes = 0;
  std::string working_directory;
  std::vector<std::string> must_read;
};

/// The uid that the program gets: the wanted one where it may be taken and can read every file; else the current one.
uid_t chosen_uid(const Scene& scene);

/// In the program's process: session, limits, uid, no new privileges, first to go when memory ends, dies with its parent.
void enter(const Scene& scene, uid_t uid);

}  // namespace equinorm::kernels
