// The cases on which a third-party kernel is judged: axes that kernels in the wild get wrong.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace equinorm::commands {

/// A base case, as text for `check`, with some of its fields changed.
struct MatrixCase {
  std::string base;
  std::vector<std::pair<std::string, std::string>> fields;
};

/// "quick": a dozen small cases, seconds; "full": the whole matrix (batch, heads, groups, queries, context, mask, splits, norms, inputs
/// designed against the catalogue, contexts to 256k). Throws Error for another name.
std::vector<MatrixCase> check_matrix(const std::string& name);

}  // namespace equinorm::commands
