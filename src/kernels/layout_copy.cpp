// Tensors into their layouts and back.
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernels/layout.hpp"

namespace equinorm::kernels {
namespace {

/// Calls body(first byte, bytes, run or null) for all of the buffer in order, runs and what lies between them, until it returns false. Of a
/// wide layout's gaps only their ends.
template <class Body>
void for_each_stretch(const Layout& layout, Body body) {
  const std::size_t size = tensor::size_of(layout.dtype);
  std::size_t at = 0;
  const auto gap = [&](std::size_t begin, std::size_t bytes) {
    const Run* const none = nullptr;
    if (!layout.wide || bytes <= 2 * kNearBytes) return body(begin, bytes, none);
    return body(begin, kNearBytes, none) && body(begin + bytes - kNearBytes, kNearBytes, none);
  };
  for (const Run& run : layout.runs) {
    const std::size_t begin = static_cast<std::size_t>(run.physical) * size, count = static_cast<std::size_t>(run.count) * size;
    if (begin > at && !gap(at, begin - at)) return;
    if (!body(begin, count, &run)) return;
    at = begin + count;
  }
  if (layout.bytes() > at) gap(at, layout.bytes() - at);
}

/// Bytes that one thread copies at a time.
constexpr std::size_t kPiece = std::size_t{512} << 10;
/// Elements that are copied, then looked at.
constexpr Index kLooked = 2048;

/// Calls body(first byte, bytes) for the pieces of a buffer, on several threads where it is large.
template <class Body>
void for_each_piece(std::size_t bytes, Body body) {
  if (bytes <= kPiece) return body(std::size_t{0}, bytes);
  tbb::parallel_for(std::size_t{0}, (bytes + kPiece - 1) / kPiece,
                    [&](std::size_t piece) { body(piece * kPiece, std::min(kPiece, bytes - piece * kPiece)); });
}

/// Calls body(run) for all of them, on several threads where the buffer is large: small tensors are not worth a second one.
template <class Body>
void for_each_run(const Layout& layout, Body body) {
  const auto some = [&](const tbb::blocked_range<std::size_t>& range) {
    for (std::size_t i = range.begin(); i < range.end(); ++i) body(layout.runs[i]);
  };
  const tbb::blocked_range<std::size_t> all(0, layout.runs.size());
  if (layout.resident_bytes() <= 4 * kPiece)
    some(all);
  else
    tbb::parallel_for(all, some);
}

const std::byte* source(const Layout& layout, const tensor::AnyTensor& tensor, const Run& run) {
  return tensor.bytes() + static_cast<std::size_t>(run.logical) * tensor::size_of(layout.dtype);
}

}  // namespace

void lay_out(const Layout& layout, const tensor::AnyTensor& tensor, const Poison& poison, std::byte* buffer, std::uint64_t address,
             bool gaps_hold) {
  if (!gaps_hold) {
    for_each_stretch(layout, [&](std::size_t begin, std::size_t bytes, const Run* run) {
      if (run == nullptr || run->past) poison.fill(buffer + begin, bytes, address + begin);
      return true;
    });
  }
  const std::size_t size = tensor::size_of(layout.dtype);
  const auto copy = [&](const Run& run, std::size_t first, std::size_t bytes) {
    std::memcpy(buffer + static_cast<std::size_t>(run.physical) * size + first, source(layout, tensor, run) + first, bytes);
  };
  for_each_run(layout, [&](const Run& run) {
    if (run.past) return;
    for_each_piece(static_cast<std::size_t>(run.count) * size, [&](std::size_t begin, std::size_t bytes) { copy(run, begin, bytes); });
  });
}

std::size_t first_change(const Layout& layout, const tensor::AnyTensor& tensor, const Poison& poison, const std::byte* buffer,
                         std::uint64_t address) {
  std::size_t found = layout.bytes();
  for_each_stretch(layout, [&](std::size_t begin, std::size_t bytes, const Run* run) {
    if (run == nullptr || run->past) {
      const std::size_t intact = poison.intact(buffer + begin, bytes, address + begin);
      if (intact < bytes) found = begin + intact;
      return intact == bytes;
    }
    const std::byte* expected = source(layout, tensor, *run);
    if (std::memcmp(buffer + begin, expected, bytes) == 0) return true;
    found = begin + static_cast<std::size_t>(std::mismatch(expected, expected + bytes, buffer + begin).first - expected);
    return false;
  });
  return found;
}

std::size_t first_gap_change(const Layout& layout, const Poison& poison, const std::byte* buffer, std::uint64_t address) {
  std::size_t found = layout.bytes();
  for_each_stretch(layout, [&](std::size_t begin, std::size_t bytes, const Run* run) {
    if (run != nullptr) return true;
    const std::size_t intact = poison.intact(buffer + begin, bytes, address + begin);
    if (intact < bytes) found = begin + intact;
    return intact == bytes;
  });
  return found;
}

void poison_output(const Layout& layout, const Poison& poison, std::byte* buffer, std::uint64_t address) {
  // By plain stores: past the caches it takes longer (measured, 8 MiB), and the kernel writes there next.
  for_each_piece(layout.bytes(), [&](std::size_t begin, std::size_t bytes) { poison.fill(buffer + begin, bytes, address + begin); });
}

Index gather(const Layout& layout, const Poison& poison, const std::byte* buffer, std::uint64_t address, std::byte* target) {
  const std::size_t size = tensor::size_of(layout.dtype);
  const Index all = tensor::element_count(layout.shape);
  std::atomic<Index> unwritten{all};
  const auto take = [&](const Run& run, Index first, Index count) {
    std::byte* to = target + static_cast<std::size_t>(run.logical + first) * size;
    const std::size_t offset = static_cast<std::size_t>(run.physical + first) * size;
    std::memcpy(to, buffer + offset, static_cast<std::size_t>(count) * size);
    const Index found = poison.find(to, count, size, address + offset);
    if (found == count) return;
    Index before = unwritten;
    while (run.logical + first + found < before && !unwritten.compare_exchange_weak(before, run.logical + first + found)) {
    }
  };
  for_each_run(layout, [&](const Run& run) {
    if (run.past) {
      std::memset(target + static_cast<std::size_t>(run.logical) * size, 0, static_cast<std::size_t>(run.count) * size);
      return;
    }
    for_each_piece(static_cast<std::size_t>(run.count) * size, [&](std::size_t begin, std::size_t bytes) {
      // Small enough to be in the nearest cache when it is looked at.
      const auto last = static_cast<Index>((begin + bytes) / size);
      for (auto at = static_cast<Index>(begin / size); at < last; at += kLooked) take(run, at, std::min(kLooked, last - at));
    });
  });
  return unwritten < all ? unwritten.load() : -1;
}

Index logical_at(const Layout& layout, std::size_t byte) {
  const auto element = static_cast<Index>(byte / tensor::size_of(layout.dtype));
  const auto after =
      std::upper_bound(layout.runs.begin(), layout.runs.end(), element, [](Index at, const Run& run) { return at < run.physical; });
  if (after == layout.runs.begin()) return -1;
  const Run& run = *(after - 1);
  return element < run.physical + run.count ? run.logical + element - run.physical : -1;
}

}  // namespace equinorm::kernels
