// Small pieces that the text reports share.
#pragma once

#include <string>

#include "report/terminal.hpp"
#include "verdict/results.hpp"

namespace equinorm::report {

/// "1.3e-05", "0", "-" for nothing measured.
std::string number(double x);
/// "[0,3,17]".
std::string index_text(const std::vector<verdict::Index>& index);
/// The verdict, green where it holds, red where it fails, yellow otherwise.
std::string coloured(verdict::Verdict verdict, std::size_t width, const Style& style);
std::string bold(const std::string& text, const Style& style);
/// For HTML and XML, in text and between double quotes; line ends stay, other control characters become blanks.
std::string markup_escaped(const std::string& text);
/// What an exact check found, on one line.
std::string check_details(const verdict::ExactCheck& check);
/// "all 41 exact checks hold ..." and the exit code's meaning.
std::string closing_text(const verdict::RunResult& run, const Style& style);
std::string reproduction_text(const verdict::CaseResult& result);
/// Details and reproduction line of every failing or undecided check of a case.
std::string failures_text(const verdict::CaseResult& result, const Style& style);

}  // namespace equinorm::report
