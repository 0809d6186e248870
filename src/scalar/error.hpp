// The one exception type of the library.
#pragma once

#include <stdexcept>
#include <string>

namespace equinorm {

/// Misuse, bad input or a broken file. The message is one line that says what, where, and what is allowed.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

}  // namespace equinorm
