#include "commands/memory.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "scalar/error.hpp"

namespace equinorm::commands {

void check_memory(const problem::Problem& problem) {
  // Logits and p of both forms in 8 bytes each; or logits of both forms, as computed and as doubles, beside two doubles of reference.
  constexpr double kBytesPerScore = 40;
  const double scores = static_cast<double>(problem.batch) * static_cast<double>(problem.heads) * static_cast<double>(problem.queries) *
                        static_cast<double>(problem.max_context());
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  const double needed = scores * kBytesPerScore, allowed = 0.8 * memory;
  if (needed <= allowed) return;
  constexpr double kGiB = 1 << 30;
  throw Error(fmt::format("{}: batch x heads x queries x context is {:.3g} scores, about {:.0f} GiB; allowed: {:.0f} GiB on this machine (fewer --queries or --heads)",
                          problem.name, scores, needed / kGiB, allowed / kGiB));
}

}  // namespace equinorm::commands
