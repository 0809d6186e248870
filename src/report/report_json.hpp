// A report as JSON for programs. The schema is SCHEMA.md beside this file.
#pragma once

#include <string>

#include "report/report.hpp"

namespace equinorm::report {

/// The run's JSON (to_json of its cases) with what a report adds. Numbers that JSON cannot hold are null.
std::string to_report_json(const Report& report);

}  // namespace equinorm::report
