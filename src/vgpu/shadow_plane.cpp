#include "vgpu/shadow_plane.hpp"

#include <algorithm>
#include <cstring>

namespace equinorm::vgpu {

ShadowMemory::Page& ShadowMemory::page(u64 offset) {
  const u64 number = offset / kPageBytes;
  if (number >= pages_.size()) pages_.resize(number + 1);
  if (pages_[number] == nullptr) pages_[number] = std::make_unique<Page>();
  return *pages_[number];
}

const ShadowMemory::Page* ShadowMemory::find_page(u64 offset) const {
  const u64 number = offset / kPageBytes;
  return number < pages_.size() ? pages_[number].get() : nullptr;
}

void ShadowMemory::store(u64 offset, u64 bits, int bytes, Pair value) {
  forget(offset, bytes);
  if (bytes == 8) {
    wide_[offset] = {bits, value};
    return;
  }
  Page& where = page(offset);
  const auto put = [&](auto& numbers, u64 at) {
    using Plane = typename std::remove_reference_t<decltype(numbers)>::element_type;
    if (numbers == nullptr) numbers = std::make_unique<Plane>();
    numbers->high[at] = value.high;
    numbers->low[at] = value.low;
    numbers->bits[at] = static_cast<std::remove_reference_t<decltype(numbers->bits[0])>>(bits);
    numbers->known[at] = 1;
  };
  if (bytes == 4)
    put(where.words, offset % kPageBytes / 4);
  else
    put(where.halves, offset % kPageBytes / 2);
}

void ShadowMemory::forget(u64 offset, int bytes) {
  if (!wide_.empty()) wide_.erase(offset / 8 * 8);
  Page* where = offset / kPageBytes < pages_.size() ? pages_[offset / kPageBytes].get() : nullptr;
  if (where == nullptr) return;
  for (u64 at = offset; at < offset + static_cast<u64>(bytes); at += 2) {
    if (where->words != nullptr) where->words->known[at % kPageBytes / 4] = 0;
    if (where->halves != nullptr) where->halves->known[at % kPageBytes / 2] = 0;
  }
}

bool ShadowMemory::find(u64 offset, u64 bits, int bytes, Pair& value) const {
  if (bytes == 8) {
    const auto found = wide_.empty() ? wide_.end() : wide_.find(offset);
    if (found == wide_.end() || found->second.bits != bits) return false;
    value = found->second.value;
    return true;
  }
  const Page* where = find_page(offset);
  if (where == nullptr) return false;
  const auto look = [&](const auto& numbers, u64 at) {
    if (numbers == nullptr || numbers->known[at] == 0 || numbers->bits[at] != bits) return false;
    value = {numbers->high[at], numbers->low[at]};
    return true;
  };
  return bytes == 4 ? look(where->words, offset % kPageBytes / 4) : look(where->halves, offset % kPageBytes / 2);
}

void ShadowMemory::clear() {
  wide_.clear();
  for (const auto& one : pages_) {
    if (one == nullptr) continue;
    if (one->words != nullptr) std::memset(one->words->known, 0, sizeof one->words->known);
    if (one->halves != nullptr) std::memset(one->halves->known, 0, sizeof one->halves->known);
  }
}

u32 ShadowMemory::load_row(u64 offset, const u32* bits, Pairs& to) const {
  u32 known = 0;
  for (u32 done = 0; done < kLanes;) {
    const u64 at = (offset + 4 * done) % kPageBytes / 4;
    const u32 count = static_cast<u32>(std::min<u64>(kLanes - done, kPageBytes / 4 - at));
    if (const Page* where = find_page(offset + 4 * done); where != nullptr && where->words != nullptr) {
      const Words& words = *where->words;
      std::memcpy(to.high + done, words.high + at, count * sizeof(double));
      std::memcpy(to.low + done, words.low + at, count * sizeof(double));
      for (u32 i = 0; i < count; ++i)
        known |= static_cast<u32>(words.known[at + i] != 0 && words.bits[at + i] == bits[done + i]) << (done + i);
    }
    done += count;
  }
  return known;
}

void ShadowMemory::store_row(u64 offset, const u32* bits, u32 known, const Pairs& from) {
  if (!wide_.empty())
    for (u64 i = 0; i < 4 * kLanes; i += 4) wide_.erase((offset + i) / 8 * 8);
  for (u32 done = 0; done < kLanes;) {
    const u64 at = (offset + 4 * done) % kPageBytes / 4;
    const u32 count = static_cast<u32>(std::min<u64>(kLanes - done, kPageBytes / 4 - at));
    if (known != 0 || find_page(offset + 4 * done) != nullptr) {
      Page& where = page(offset + 4 * done);
      if (where.words == nullptr) where.words = std::make_unique<Words>();
      Words& words = *where.words;
      std::memcpy(words.high + at, from.high + done, count * sizeof(double));
      std::memcpy(words.low + at, from.low + done, count * sizeof(double));
      std::memcpy(words.bits + at, bits + done, count * sizeof(u32));
      for (u32 i = 0; i < count; ++i) words.known[at + i] = static_cast<u8>(known >> (done + i) & 1);
      if (where.halves != nullptr) std::memset(where.halves->known + 2 * at, 0, 2 * count);
    }
    done += count;
  }
}

bool ShadowMemory::has_halves(u64 offset, u64 bytes) const {
  for (u64 at = offset / kPageBytes; at <= (offset + bytes - 1) / kPageBytes; ++at)
    if (const Page* where = find_page(at * kPageBytes); where != nullptr && where->halves != nullptr) return true;
  return false;
}

bool ShadowMemory::is_empty(u64 offset, u64 bytes) const {
  if (!wide_.empty()) return false;
  for (u64 at = offset / kPageBytes; at <= (offset + bytes - 1) / kPageBytes; ++at)
    if (find_page(at * kPageBytes) != nullptr) return false;
  return true;
}

}  // namespace equinorm::vgpu
