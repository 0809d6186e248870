// How far a catalogued fault reaches: what of a problem must stay together for it to be the same fault on a part.
#pragma once

#include <string_view>

#include "problem/block.hpp"

namespace equinorm::paths {

/// What must not be cut apart, for blocks_of: on a block of its own such a mutant, in the plan that it asks for on the whole problem, makes
/// the elements that it makes there on the whole. Nothing for most; the heads of a row where the fault mixes heads or goes by their number;
/// everything where it goes by the longest row of a batch. Throws Error for an unknown id; "" is the right form.
problem::Together reach_of(std::string_view mutant_id, const problem::Problem& problem);

}  // namespace equinorm::paths
