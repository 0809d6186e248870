// The problem file: JSON in, JSON out, single fields changed.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "problem/json.hpp"
#include "problem/problem.hpp"

namespace equinorm::problem {

/// Reads one problem and validates it. Missing keys take the defaults of Problem (scheme per_head for gqa); numbers such as eps stay the
/// decimals that were written. Throws Error, `origin: field is value; allowed: ...` on one line, for bad JSON, unknown keys, wrong types
/// and every rule of validate().
Problem parse_problem(std::string_view json, std::string origin);
Problem parse_problem(const JsonValue& root, std::string origin);

/// parse_problem of a file; `inputs.path` is taken relative to the file's folder. Throws Error also when the file cannot be read.
Problem load_problem(const std::string& path);

/// The canonical problem file: parse_problem(to_json(p)) equals p, decimals with their text. Keys of the other kind of attention, an empty
/// note and tensors in their default format are left out.
std::string to_json(const Problem& problem);

/// Sets keys of the problem file by dotted name ("norm.scheme") or by the short names of the command line (seed, eps, storage, ...) all at
/// once, then validates. Values are JSON, or plain words; a context may be written 5,0,17. A key that only makes sense with the value
/// replaced goes with it: attention takes the other kind's dims and the scheme, mask.kind the window, inputs.kind the path. Throws Error,
/// `problem` unchanged.
void override_fields(Problem& problem, const std::vector<std::pair<std::string, std::string>>& fields);
void override_field(Problem& problem, std::string_view field, std::string_view value);

}  // namespace equinorm::problem
