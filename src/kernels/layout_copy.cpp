// Tensors into their layouts and back.
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cstring>

#include "kernels/layout.hpp"

namespace equinorm::kernels {
namespace {

/// Calls body(first byte, bytes, run or null) for all of the buffer in order, runs and what lies between them, until it returns false.
template <class Body>
void for_each_stretch(const Layout& layout, Body body) {
  const std::size_t size = tensor::size_of(layout.dtype);
  std::size_t at = 0;
  for (const Run& run : layout.runs) {
    const std::size_t begin = static_cast<std::size_t>(run.physical) * size, count = static_cast<std::size_t>(run.count) * size;
    if (begin > at && !body(at, begin - at, nullptr)) return;
    if (!body(begin, count, &run)) return;
    at = begin + count;
  }
  if (layout.bytes() > at) body(at, layout.bytes() - at, static_cast<const Run*>(nullptr));
}

/// Bytes that one thread copies at a time.
constexpr std::size_t kPiece = std::size_t{512} << 10;

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
  const auto copy_runs = [&](const tbb::blocked_range<std::size_t>& range) {
    for (std::size_t i = range.begin(); i < range.end(); ++i) {
      const Run& run = layout.runs[i];
      const std::size_t bytes = run.past ? 0 : static_cast<std::size_t>(run.count) * size;
      if (bytes <= kPiece) {
        copy(run, 0, bytes);
        continue;
      }
      tbb::parallel_for(std::size_t{0}, bytes / kPiece + 1,
                        [&](std::size_t piece) { copy(run, piece * kPiece, std::min(kPiece, bytes - piece * kPiece)); });
    }
  };
  // Small tensors are not worth a second thread.
  const tbb::blocked_range<std::size_t> all(0, layout.runs.size());
  if (layout.bytes() <= 4 * kPiece)
    copy_runs(all);
  else
    tbb::parallel_for(all, copy_runs);
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

Gathered gather(const Layout& layout, const Poison& poison, const std::byte* buffer, std::uint64_t address) {
  const std::size_t size = tensor::size_of(layout.dtype);
  Gathered gathered{tensor::AnyTensor(layout.dtype, layout.shape)};
  std::byte* target = gathered.tensor.mutable_bytes();
  for (const Run& run : layout.runs) {
    if (run.past) continue;
    std::byte* to = target + static_cast<std::size_t>(run.logical) * size;
    const std::size_t offset = static_cast<std::size_t>(run.physical) * size;
    std::memcpy(to, buffer + offset, static_cast<std::size_t>(run.count) * size);
    // On the copy: whoever still writes the buffer cannot change what was looked at.
    if (gathered.unwritten >= 0) continue;
    const Index first = poison.find(to, run.count, size, address + offset);
    if (first < run.count) gathered.unwritten = run.logical + first;
  }
  return gathered;
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
