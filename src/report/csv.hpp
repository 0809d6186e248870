// Every number of a report as one long CSV table.
#pragma once

#include <string>

#include "report/report.hpp"

namespace equinorm::report {

/// Columns section, case, arithmetic, form, tensor, quantity, x, value, with a heading line; one number or word a line, RFC 4180 quoting.
/// `x` is what the value belongs to where there is an axis (bits, ulp, n, factor). What is not finite reads inf, -inf or nan.
std::string to_csv(const Report& report);

}  // namespace equinorm::report
