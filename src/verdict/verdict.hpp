// What can be said of a result, and the exit code that follows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace equinorm::verdict {

/// product rules: `equal` and `different` are decided without rounding; within, suspect, violates and undecided speak of a bound; then
/// structural failures of an output. `measured` carries no verdict: there is no bound yet. `skipped`: asked for, not done. A
/// value-initialised one is undecided.
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
  skipped
};

std::string to_string(Verdict verdict);

/// equal, within and suspect hold.
bool holds(Verdict verdict);
/// different, violates and every structural failure fail.
bool fails(Verdict verdict);

/// 1: something fails. 3: nothing fails, but something is undecided or skipped, or nothing was decided at all. 0: everything decided holds.
int exit_code(const std::vector<Verdict>& verdicts);

}  // namespace equinorm::verdict
