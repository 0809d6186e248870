// Who lives below a process, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace equinorm::kernels {

/// `root` and every process below it that is alive, parents first; at most `limit` of them.
std::vector<pid_t> process_tree(pid_t root, std::size_t limit = 65536);

/// Bytes of anonymous and shared memory of a process in RAM, a page that n processes share as 1/n. Reads the small file statm first and
/// returns its upper bound where that is at most `enough`. 0 for a process that is gone.
std::uint64_t resident_bytes(pid_t process, std::uint64_t enough = 0);

}  // namespace equinorm::kernels
