// `--dry-run`: what a run would cost.
#pragma once

#include "commands/job.hpp"

namespace equinorm::commands {

/// Prints the units of a shard with their expected time and memory, the sum, and how long `ranks` processes would take. Returns 0.
int show_plan_of_cost(const Job& job, const work::Shard& shard, int ranks);

}  // namespace equinorm::commands
