// What a user may write where the command line says CASE.
#pragma once

#include <string>

#include "problem/problem.hpp"

namespace equinorm::problem {

/// The problem named by `text`: a built-in case, a preset, a model's config.json (or the folder that holds it), or a problem file, in that
/// order. Throws Error naming close built-in names when it is none of these, or whatever is wrong with the file.
Problem resolve_case(const std::string& text);

}  // namespace equinorm::problem
