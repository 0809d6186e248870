// Shows a finished run and writes the files that were asked for.
#pragma once

#include "commands/options.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// Prints the run (summary table, or every case in full), writes --json and --junit files (to a temporary name, then renamed), and returns
/// the exit code of the run's verdicts.
int publish(const verdict::RunResult& run, bool in_full, const Options& options);

/// Throws Error where `path` cannot become a file: so that a long run does not end in a surprise. An empty path is fine.
void check_writable(const std::string& path);
/// check_writable of --json and --junit.
void check_result_paths(const Options& options);

/// Writes `text` so that `path` is either complete or untouched. Throws Error.
void write_text_file(const std::string& path, const std::string& text);

}  // namespace equinorm::commands
