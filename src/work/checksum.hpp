// A 64-bit checksum against torn and damaged data; no defence against malice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace equinorm::work {

/// FNV-1a, 64 bits; `state` continues an earlier one. Source: Fowler, Noll, Vo.
constexpr std::uint64_t checksum(std::string_view bytes, std::uint64_t state = 0xcbf29ce484222325) {
  for (const char byte : bytes) state = (state ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return state;
}

/// 16 hexadecimal digits.
std::string checksum_text(std::uint64_t sum);

/// The checksum of a file, continuing `state`: all of it, or, above 16 MiB, its size and 256 pieces of 64 KiB spread over it, as a
/// checkpoint has too many bytes to read twice. Throws Error if it cannot be read.
std::uint64_t file_checksum(const std::string& path, std::uint64_t state);

/// "0.1.0 (executable 5a1c...)": results of two builds are never mixed. Throws Error where the running file cannot be read.
const std::string& version();

}  // namespace equinorm::work
