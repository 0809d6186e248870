// gnuplot as a child process.
#pragma once

#include <string>

namespace equinorm::commands {

/// What gnuplot wrote, or why it wrote nothing.
struct Drawing {
  std::string svg;
  std::string reason;  ///< empty: drawn; "no gnuplot"; what gnuplot complained of
};

/// Runs gnuplot on `program` (given on its standard input) and returns its standard output. Throws Error when no process can be made.
Drawing draw(const std::string& program);

}  // namespace equinorm::commands
