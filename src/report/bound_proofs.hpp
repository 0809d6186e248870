// What each bound in a report rests on: theorems that Coq has checked, and what it has not.
#pragma once

#include <span>

namespace equinorm::report {

/// One function of src/bounds. A test holds every row against the function's doc block, which names the same theorems, and against proofs/,
/// where each theorem names the function back.
struct BoundProof {
  const char* bounds;     ///< which bounds it takes part in: output names, or a kind of arithmetic
  const char* function;   ///< "bounds/scores.hpp make_scores"
  const char* theorems;   ///< "score_stages, soft_cap_error"; "" where there is none
  const char* unchecked;  ///< what is not machine-checked; "" where all of it is
};

/// Every function of src/bounds that states a bound or a prediction, in the order of the stages.
std::span<const BoundProof> bound_proofs();

}  // namespace equinorm::report
