// What can be said of a result, and the exit code that follows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace equinorm::verdict {

/// product rules: `equal` and `different` are decided without rounding; within, suspect, violates and undecided speak of a bound; then
/// structural failures of an output. `measured` carries no verdict: there is no bound yet. `skipped`: asked for, not done. A
/// value-initialised one is undecided. The last ones speak of how a kernel conducts itself: `kept` is what it should.
enum class Verdict : std::uint8_t {
  undecided,
  equal,
  different,
  within,
  suspect,
  violates,
  nonfinite,
  wrong_shape,
  missing,
  measured,
  skipped,
  kept,
  failed,  ///< the kernel itself says so
  crashed,
  timed_out,
  out_of_memory,
  misbehaved,  ///< did not answer as its interface asks
  unwritten,
  out_of_bounds,  ///< wrote or read where nothing of its own is
  changed_input,
  unsafe,  ///< raced, read what nothing had written, diverged at a barrier (virtual GPU)
  stale,   ///< gave the output of an earlier run
  nondeterministic,
  not_batch_invariant,
  not_split_invariant
};

std::string to_string(Verdict verdict);

/// equal, within, suspect and kept hold.
bool holds(Verdict verdict);
/// different, violates and every structural failure fail.
bool fails(Verdict verdict);

/// 1: something fails. 3: nothing fails, but something is undecided or skipped, or nothing was decided at all. 0: everything decided holds.
int exit_code(const std::vector<Verdict>& verdicts);

}  // namespace equinorm::verdict
