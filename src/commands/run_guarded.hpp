// The outermost frame of every command.
#pragma once

#include <functional>

#include "commands/options.hpp"

namespace equinorm::commands {

/// Runs `body` with the number of threads that the options ask for. An Error becomes one line on stderr and exit code 2; running out of memory too.
int run_guarded(const Options& options, const std::function<int()>& body);

}  // namespace equinorm::commands
