// What a judgement says of a row of results.
#pragma once

#include "verdict/judge.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// What a row becomes when some elements have no finite bound and nothing else is wrong: only measured, or undecided. `undecided` is also
/// what becomes of an output of others where the bounds would let zeros pass (Judgement::blind).
enum class Unbounded : std::uint8_t { measured, undecided };

void apply_bound(const verdict::Judgement& judgement, Unbounded otherwise, verdict::ErrorRow& row);

}  // namespace equinorm::commands
