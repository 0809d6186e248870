#include "vgpu/journal.hpp"

#include <algorithm>
#include <bit>

namespace equinorm::vgpu {

void Undo::keep(u64 page) {
  const std::lock_guard lock(mutex_);
  const auto [kept, is_new] = pages_.try_emplace(page);
  if (!is_new) return;
  const u64 at = page * View::kPage;
  std::copy_n(view_.data + at, size_of(page), kept->second.data.data());
  std::copy_n(view_.state + at, size_of(page), kept->second.state.data());
}

void Undo::restore() {
  for (const auto& [page, kept] : pages_) {
    const u64 at = page * View::kPage;
    std::copy_n(kept.data.data(), size_of(page), view_.data + at);
    std::copy_n(kept.state.data(), size_of(page), view_.state + at);
    view_.settled[page] = 0;
  }
}

void note_global(Warp& warp, u64 offset, u64 bytes, bool is_write) {
  if (warp.journal != nullptr) warp.journal->note(offset, bytes, is_write);
}

void Journal::note(u64 offset, u64 bytes, bool is_write) {
  const u64 unit = is_write ? 1 : View::kReadGranule, end = (offset + bytes - 1) / unit;
  for (u64 at = offset / unit; at <= end;) {
    const u64 bit = at % 64, count = std::min(end - at + 1, 64 - bit), page = at * unit / View::kPage;
    if (is_write && written_[page] == nullptr) {
      undo_.keep(page);
      written_[page] = &bytes_.emplace_back();
      pages_.push_back(page);
    }
    u64& word = is_write ? (*written_[page])[at % View::kPage / 64] : read_[page];
    word |= ~u64{0} >> (64 - count) << bit;
    at += count;
  }
}

/// The granules of which a byte is set.
u64 Journal::granules_of(const Bytes& bytes) {
  u64 granules = 0;
  for (u64 i = 0; i < 64; ++i) {
    const u64 at = i * View::kReadGranule;
    granules |= u64{(bytes[at / 64] >> at % 64 & ((u64{1} << View::kReadGranule) - 1)) != 0} << i;
  }
  return granules;
}

bool Journal::wrote_what_touched(const Journal& other) const {
  return std::any_of(pages_.begin(), pages_.end(), [&](u64 page) {
    const Bytes &mine = *written_[page], *theirs = other.written_[page];
    if (other.read_[page] != 0 && (other.read_[page] & granules_of(mine)) != 0) return true;
    for (std::size_t i = 0; theirs != nullptr && i < mine.size(); ++i)
      if ((mine[i] & (*theirs)[i]) != 0) return true;
    return false;
  });
}

}  // namespace equinorm::vgpu
