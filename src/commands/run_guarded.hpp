// The outermost frame of every command.
#pragma once

#include <functional>
#include <string>

#include "commands/options.hpp"

namespace equinorm::commands {

/// The text with control characters (a path may hold some) as '?', so that a message stays one line.
std::string one_line(std::string text);

/// Threads that the options ask for: without --threads all cores that this process may use; ranks that share a machine share them.
int threads_of(const Options& options);

/// Runs `body` with the number of threads that the options ask for. An Error becomes one line on stderr and exit code 2; running out of
/// memory too.
int run_guarded(const Options& options, const std::function<int()>& body);

}  // namespace equinorm::commands
