// From the results of all units to what a command shows and returns.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "commands/options.hpp"

namespace equinorm::commands {

/// What the end of a command needs besides the results of its units; it travels with them in a journal.
struct Recipe {
  std::string kind;      ///< "verify", "hunt", "check", "report"
  bool in_full = false;  ///< verify: cases were named, so each is told in full
  std::string made_by;   ///< report: the command
};
inline auto members(Recipe& x) { return std::tie(x.kind, x.in_full, x.made_by); }

/// Publishes and returns the exit code. `out` is the folder of a report; `seconds` the wall time, or 0: the sum over the cases. A further
/// command that is spread over units has its row here.
int finish(const Recipe& recipe, const std::vector<std::string>& results, const std::string& out, double seconds, const Options& options);

int finish_verify(const std::vector<std::string>& results, bool in_full, double seconds, const Options& options);
int finish_hunt(const std::vector<std::string>& results, const Options& options);
int finish_check(const std::vector<std::string>& results, double seconds, const Options& options);
int finish_report(const std::vector<std::string>& results, const std::string& made_by, const std::string& out, double seconds,
                  const Options& options);

}  // namespace equinorm::commands
