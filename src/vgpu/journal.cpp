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

void Journal::note(u64 offset, u64 bytes, u64 size, bool is_write) {
  if (size < bytes || offset > size - bytes) return;  // will not be done
  const u64 end = offset + bytes;
  for (u64 page = offset / View::kPage; page <= (end - 1) / View::kPage; ++page) {
    if (!is_write) {
      read_[page] = 1;
      continue;
    }
    if (written_[page] == nullptr) {
      undo_.keep(page);
      written_[page] = std::make_unique<Bytes>();
    }
    const u64 first = std::max(offset, page * View::kPage) % View::kPage,
              count = std::min(end, (page + 1) * View::kPage) - page * View::kPage - first;
    for (u64 at = first; at < first + count;) {
      const u64 here = std::min(first + count - at, 64 - at % 64);
      (*written_[page])[at / 64] |= (here == 64 ? ~u64{0} : (u64{1} << here) - 1) << at % 64;
      at += here;
    }
  }
}

void Journal::access(Warp& warp, const Decoded& d, u32 mask) {
  const bool is_store = d.shadow == ShadowOp::store, is_copy = d.shadow == ShadowOp::copy_async;
  if (d.shadow != ShadowOp::load && !is_store && !is_copy) return;
  if (!is_copy && (d.space == Space::shared || d.space == Space::param || d.space == Space::local)) return;
  const u32* slots = slots_of(d);
  const u32 slot = is_copy ? slots[1] : is_store ? slots[0] : slots[d.count];
  const bool is_64 = is_copy ? d.second_is_64 : d.address_is_64;
  const u64 offset = static_cast<u64>(is_copy ? d.second_offset : d.offset), size = warp.global.size;
  const u64 bytes = is_copy ? static_cast<u64>(d.immediate) : u64{d.source_bytes} * d.count;
  if (is_64 && mask == kAllLanes && d.space != Space::generic) {
    const u64* a = warp.lanes<u64>(slot);
    const u64 step = a[1] - a[0];
    u64 difference = step == 0 || step == bytes ? 0 : 1;
    for (u64 i = 0; i < kLanes; ++i) difference |= a[i] - a[0] - i * step;
    if (difference == 0) return note(a[0] + offset - kGlobalWindow, step == 0 ? bytes : bytes * kLanes, size, is_store);
  }
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int lane = std::countr_zero(rest);
    const u64 address = (is_64 ? warp.lanes<u64>(slot)[lane] : warp.lanes<u32>(slot)[lane]) + offset;
    const Spot spot = locate(warp, d, lane, is_copy ? Space::global : d.space, address);
    if (spot.space == Space::global) note(spot.offset, bytes, size, is_store);
  }
}

bool Journal::meet(const Journal& writer, const Journal& other) {
  for (u64 page = 0; page < writer.written_.size(); ++page) {
    if (writer.written_[page] == nullptr) continue;
    if (other.read_[page] != 0) return true;
    if (other.written_[page] == nullptr) continue;
    for (std::size_t i = 0; i < writer.written_[page]->size(); ++i)
      if (((*writer.written_[page])[i] & (*other.written_[page])[i]) != 0) return true;
  }
  return false;
}

bool Journal::conflicts_with(const Journal& other) const { return meet(*this, other) || meet(other, *this); }

}  // namespace equinorm::vgpu
