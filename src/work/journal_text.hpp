// Lines of a journal.
#pragma once

#include <string>

#include "work/journal.hpp"

namespace equinorm::work {

/// The line with its checksum in front and its end.
std::string journal_line(const std::string& text);

/// The first line of a journal, without checksum.
std::string header_text(const Header& header, const Shard& shard);

/// A unit's line, without checksum.
std::string result_text(const std::string& id, const std::string& result);

}  // namespace equinorm::work
