// --seeds N: a case with several seeds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "commands/options.hpp"

namespace equinorm::commands {

/// The options of each run of a case: as they are for the problem's own seed, then with the `count` - 1 seeds after it.
std::vector<Options> with_seeds(const std::string& case_text, std::uint64_t count, const Options& options);

}  // namespace equinorm::commands
