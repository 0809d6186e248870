// What the tests of this room share.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "problem/problem_file.hpp"
#include "scalar/error.hpp"

namespace equinorm::problem {

/// The message of the Error that `action` throws, or "" when it throws none.
template <class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(message.find('\n') == std::string::npos);  // every error is one line
    return message;
  }
  return "";
}

inline std::string parse_error(const std::string& json) {
  return error_of([&] { (void)parse_problem(json, "p.json"); });
}

}  // namespace equinorm::problem
