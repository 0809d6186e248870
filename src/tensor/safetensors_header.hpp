// The JSON header of a safetensors file, in and out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.hpp"

namespace equinorm::tensor {

/// One tensor as the header states it; nothing is checked against the file's size yet.
struct HeaderEntry {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  ///< first byte, counted from the end of the header
  std::uint64_t end = 0;
};

struct Header {
  std::vector<HeaderEntry> entries;
  std::map<std::string, std::string> metadata;
};

/// Parses the header text. Throws Error naming `origin` for anything but one JSON object whose members are tensors
/// {dtype: string, shape: [non-negative integers], data_offsets: [begin, end]} or `__metadata__` {string: string}; duplicates are errors
/// too.
Header parse_header(std::string_view text, const std::string& origin);

/// The header text, padded with spaces to a multiple of 8 bytes. Throws Error for names or metadata that are not UTF-8.
std::string print_header(const Header& header);

/// `text` in double quotes, fit for a one-line message: control characters escaped, at most 120 bytes.
std::string in_quotes(std::string_view text);

}  // namespace equinorm::tensor
