// One kernel on one case: runs it, looks at its conduct, judges its outputs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "commands/options.hpp"
#include "kernels/runner.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

struct CheckSettings {
  kernels::Limits limits;
  int repeats = 3;
  std::string keep;  ///< folder; empty: nothing is kept
  bool explain = false;
  bool positions = false;  ///< with explicit positions, other than the default
  /// The kernel once more, in a process of its own: `explain` then runs on limits.threads of them at once. Null: on one.
  std::function<std::unique_ptr<kernels::Runner>()> open_again;
};

/// Bytes that it takes to judge a kernel on a case that it serves.
double judging_memory(const kernels::Declaration& declaration, const problem::Problem& problem);

/// Why such a case is not judged on this machine: it would take more than four fifths of the memory. "" where it is.
std::string no_room(const kernels::Declaration& declaration, const problem::Problem& problem);

/// A kernel is asked only for what it declares, and for what there is memory for: other problems give one `skipped` row. Handed-over
/// tensors are the exact ones, rounded to the declared dtype; the bounds are those of a kernel that gets them so. `step` is told what is
/// being done. Throws Error for a problem whose exact value does not exist.
verdict::CaseResult check_case(kernels::Runner& runner, problem::Problem problem, const CheckSettings& settings,
                               const std::function<void(const std::string&)>& step);

}  // namespace equinorm::commands
