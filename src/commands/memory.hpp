// Refuses work that cannot fit, before it starts.
#pragma once

#include <string>

#include "problem/problem.hpp"

namespace equinorm::commands {

/// Numbers in all inputs.
double input_numbers(const problem::Problem& problem);

/// Throws Error when `bytes`, which `what` of the problem takes, are more than four fifths of this machine's memory.
void check_fits(const problem::Problem& problem, const std::string& what, double bytes);

/// What a command keeps of each of the B H S T scores and of each input number, in bytes.
enum class Keeping {
  measured,   ///< verify, compare: both forms' scores, as computed and as doubles, beside a reference
  certified,  ///< generate --reference: enclosures of logits and p, and their stored form
  judged,     ///< check: the inputs and their reversed copy; what is handed over or judged is counted by too_many_numbers
};

/// Bytes that scores and inputs take; everything else is smaller by a dimension.
double memory_needed(const problem::Problem& problem, Keeping keeping = Keeping::measured);

/// Why scores and inputs do not fit: they would take more than four fifths of this machine's memory; everything else is smaller by a
/// dimension. "" where they do.
std::string too_large(const problem::Problem& problem, Keeping keeping = Keeping::measured);
/// Throws that as an Error.
void check_memory(const problem::Problem& problem, Keeping keeping = Keeping::measured);

/// Of each number that is enclosed, handed over or judged: the oracle's four doubles, the bound, and two copies in the kernel's format.
inline constexpr double kBytesPerNumber = 48;

/// Why that many numbers cannot be enclosed, handed over and judged on this machine, by the same measure; "" where they can.
std::string too_many_numbers(double numbers);

}  // namespace equinorm::commands
