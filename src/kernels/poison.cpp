#include "kernels/poison.hpp"

#include <algorithm>
#include <cstring>

namespace equinorm::kernels {
namespace {

constexpr std::size_t kPeriod = std::size_t{1} << 16;

/// splitmix64 (Steele, Lea, Flood 2014).
std::uint64_t mixed(std::uint64_t state) {
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
  state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
  return state ^ (state >> 31);
}

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <class T>
std::int64_t find_equal(const std::byte* a, const std::byte* b, std::int64_t count) {
  constexpr std::int64_t kBlock = 256;
  for (std::int64_t begin = 0; begin < count; begin += kBlock) {
    const std::int64_t size = std::min(kBlock, count - begin);
    const std::byte *x = a + begin * static_cast<std::int64_t>(sizeof(T)), *y = b + begin * static_cast<std::int64_t>(sizeof(T));
    unsigned equal = 0;
    for (std::int64_t i = 0; i < size; ++i) equal |= load<T>(x + i * sizeof(T)) == load<T>(y + i * sizeof(T)) ? 1U : 0U;
    if (equal == 0) continue;
    for (std::int64_t i = 0; i < size; ++i) {
      if (load<T>(x + i * sizeof(T)) == load<T>(y + i * sizeof(T))) return begin + i;
    }
  }
  return count;
}

/// Calls body(pattern, offset, bytes) for the pieces of [0, bytes) within which the table does not wrap, until it returns false.
template <class Body>
void for_each_piece(const std::vector<std::byte>& table, std::size_t bytes, std::uint64_t address, Body body) {
  for (std::size_t offset = 0; offset < bytes;) {
    const std::size_t phase = static_cast<std::size_t>((address + offset) % kPeriod);
    const std::size_t size = std::min(bytes - offset, kPeriod - phase);
    if (!body(table.data() + phase, offset, size)) return;
    offset += size;
  }
}

}  // namespace

Poison::Poison(std::uint64_t seed, PoisonKind kind) : table_(kPeriod) {
  const std::uint64_t first = kind == PoisonKind::unwritten ? 0xfff8 : 0x7ff8;
  for (std::size_t at = 0; at < kPeriod; at += 2) {
    const auto word = static_cast<std::uint16_t>(first + mixed(seed + 0x9e3779b97f4a7c15 * (at + 1)) % 7);
    std::memcpy(table_.data() + at, &word, 2);
  }
}

void Poison::fill(std::byte* to, std::size_t bytes, std::uint64_t address) const {
  for_each_piece(table_, bytes, address, [to](const std::byte* pattern, std::size_t offset, std::size_t size) {
    std::memcpy(to + offset, pattern, size);
    return true;
  });
}

std::size_t Poison::intact(const std::byte* at, std::size_t bytes, std::uint64_t address) const {
  std::size_t found = bytes;
  for_each_piece(table_, bytes, address, [&](const std::byte* pattern, std::size_t offset, std::size_t size) {
    if (std::memcmp(at + offset, pattern, size) == 0) return true;
    found = offset;
    while (at[found] == pattern[found - offset]) ++found;
    return false;
  });
  return found;
}

std::int64_t Poison::find(const std::byte* at, std::int64_t count, std::size_t element_bytes, std::uint64_t address) const {
  std::int64_t found = count;
  for_each_piece(table_, static_cast<std::size_t>(count) * element_bytes, address,
                 [&](const std::byte* pattern, std::size_t offset, std::size_t size) {
                   const auto begin = static_cast<std::int64_t>(offset / element_bytes);
                   const auto elements = static_cast<std::int64_t>(size / element_bytes);
                   const std::byte* here = at + offset;
                   const std::int64_t first = element_bytes == 2   ? find_equal<std::uint16_t>(here, pattern, elements)
                                              : element_bytes == 4 ? find_equal<std::uint32_t>(here, pattern, elements)
                                                                   : find_equal<std::uint64_t>(here, pattern, elements);
                   if (first == elements) return true;
                   found = begin + first;
                   return false;
                 });
  return found;
}

}  // namespace equinorm::kernels
