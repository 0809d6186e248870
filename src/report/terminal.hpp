// A run as text for people: plain when piped, coloured on a terminal, at most 120 columns.
#pragma once

#include <string>

#include "verdict/results.hpp"

namespace equinorm::report {

struct Style {
  bool colour = false;
  bool verbose = false;  ///< every tensor, not only the last output
};

/// One row per case and form: exact verdicts, then the normwise error in each arithmetic. Failures are told in full below the table.
std::string summary_text(const verdict::RunResult& run, const Style& style);

/// Every check and every error row of every case.
std::string full_text(const verdict::RunResult& run, const Style& style);

/// One line for a case: "mla blockwise rms, B 1 S 1 T 4096, H 16 G 16, r 512 d_c 128 d_r 64 d_v 128, inputs normal seed 1 in bf16".
std::string describe(const problem::Problem& problem);

}  // namespace equinorm::report
