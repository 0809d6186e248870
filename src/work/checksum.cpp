#include "work/checksum.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "scalar/error.hpp"

namespace equinorm::work {
namespace {

constexpr std::uint64_t kWholeFile = std::uint64_t{16} << 20;
constexpr std::uint64_t kPiece = 64 << 10, kPieces = 256;

/// The bytes [begin, begin + length) of the file, continuing `state`.
std::uint64_t part_checksum(std::ifstream& file, std::uint64_t begin, std::uint64_t length, std::uint64_t state) {
  std::string buffer;
  file.seekg(static_cast<std::streamoff>(begin));
  while (length > 0 && file) {
    buffer.resize(static_cast<std::size_t>(std::min(length, kPiece)));
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    state = checksum(std::string_view(buffer).substr(0, static_cast<std::size_t>(file.gcount())), state);
    length -= buffer.size();
  }
  return state;
}

}  // namespace

std::string checksum_text(std::uint64_t sum) { return fmt::format("{:016x}", sum); }

std::uint64_t file_checksum(const std::string& path, std::uint64_t state) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(0, std::ios::end);
  const std::streamoff end = file ? static_cast<std::streamoff>(file.tellg()) : -1;
  if (end < 0) throw Error(path + ": cannot be read");
  const auto size = static_cast<std::uint64_t>(end);
  state = checksum(std::to_string(size), state);
  if (size <= kWholeFile) {
    state = part_checksum(file, 0, size, state);
  } else {
    for (std::uint64_t i = 0; i < kPieces; ++i) state = part_checksum(file, (size - kPiece) / (kPieces - 1) * i, kPiece, state);
  }
  if (!file) throw Error(path + ": cannot be read to its end");
  return state;
}

const std::string& version() {
  static const std::string text = [] {
    std::ifstream self("/proc/self/exe", std::ios::binary | std::ios::ate);
    const auto size = self ? static_cast<std::uint64_t>(self.tellg()) : 0;
    const std::uint64_t sum = part_checksum(self, 0, size, checksum({}));
    if (size == 0 || !self) throw Error("/proc/self/exe: cannot be read");
    return fmt::format("{} (executable {})", EQUINORM_VERSION, checksum_text(sum));
  }();
  return text;
}

}  // namespace equinorm::work
