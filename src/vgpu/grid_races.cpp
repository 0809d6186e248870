#include "vgpu/grid_races.hpp"

#include <algorithm>
#include <bit>

namespace equinorm::vgpu {

GridRaces::GridRaces(const Launch& launch) : shift_(race_granule(*launch.program, Space::global)) {
  for (const Function& function : launch.module->functions)
    for (const Instruction& instruction : function.body)
      for (const char* word : {".volatile", ".relaxed", ".acquire", ".release"})
        if (instruction.opcode.find(word) != std::string::npos) strong_lines_.insert(instruction.line);
}

void GridRaces::start_block() {
  if (block_ != 0) releases_.push_back(time_);
  ++block_;
  time_ = 1;
  known_.clear();
}

bool GridRaces::is_ordered(const Touch& touch) const {
  if (touch.block == kNobody || touch.block == block_) return true;
  const auto knows = [this](u32 block, u32 time) {
    const auto found = known_.find(block);
    return found != known_.end() && found->second >= time;
  };
  if (touch.block != kSeveral) return knows(touch.block, touch.time);
  for (u32 block = 1; block < block_; ++block)
    if (!knows(block, releases_[block - 1])) return false;
  return true;
}

const char* GridRaces::conflict(const Granule& granule, Kind kind) const {
  if (!is_ordered(granule.writer) && !(kind.strong && granule.written_strongly))
    return kind.writes ? "writes what another block wrote" : "reads what another block wrote";
  if (kind.writes && !is_ordered(granule.reader) && !(kind.strong && granule.read_strongly)) return "writes what another block read";
  return nullptr;
}

void GridRaces::touch(Warp& warp, const Decoded& d, int lane, const Spot& spot, u32 bytes, Kind kind) {
  if (spot.space != Space::global || spot.view.size < bytes || spot.offset > spot.view.size - bytes) return;
  for (u64 at = spot.offset >> shift_; at <= (spot.offset + bytes - 1) >> shift_; ++at) {
    const u64 per_page = kPageBytes >> shift_, page = at / per_page;
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (pages_[page] == nullptr) pages_[page] = std::make_unique<Granule[]>(per_page);
    Granule& granule = pages_[page][at % per_page];
    if (const char* what = conflict(granule, kind)) {
      report(warp, d, FindingKind::grid_race, lane, spot.offset + spot.view.base, bytes, Space::global, what);
      granule = {};  // said once; what follows is looked at afresh
    }
    if (kind.writes) {
      granule.writer = {block_, time_};
      granule.written_strongly = kind.strong;
      continue;
    }
    const bool is_first = granule.reader.block == kNobody;
    granule.reader = {is_first || granule.reader.block == block_ ? block_ : kSeveral, time_};
    granule.read_strongly = kind.strong && (is_first || granule.read_strongly);
  }
}

/// An acquire and a release at an address.
void GridRaces::synchronise(u64 address) {
  Clock& there = released_[address];
  const auto take = [](Clock& to, const Clock& from) {
    for (const auto& [block, time] : from) to[block] = std::max(to[block], time);
  };
  take(known_, there);
  take(there, known_);
  there[block_] = time_++;
}

void GridRaces::access(Warp& warp, const Decoded& d, u32 mask) {
  const bool is_store = d.shadow == ShadowOp::store, is_copy = d.shadow == ShadowOp::copy_async;
  if (d.shadow != ShadowOp::load && d.shadow != ShadowOp::atomic && !is_store && !is_copy) return;
  if (!is_copy && d.space != Space::global && d.space != Space::generic) return;
  const bool is_strong = d.shadow == ShadowOp::atomic || strong_lines_.contains(d.line);
  const u32* slots = slots_of(d);
  const u32 address_slot = is_copy                      ? slots[1]
                           : d.shadow == ShadowOp::load ? slots[d.count]
                                                        : slots[d.shadow == ShadowOp::atomic ? d.results : 0];
  const bool is_64 = is_copy ? d.second_is_64 : d.address_is_64;
  const u64 offset = static_cast<u64>(is_copy ? d.second_offset : d.offset);
  const u32 bytes = is_copy                        ? static_cast<u32>(d.immediate)
                    : d.shadow == ShadowOp::atomic ? static_cast<u32>(size_of(d.type))
                                                   : u32{d.source_bytes} * d.count;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int lane = std::countr_zero(rest);
    const u64 address = (is_64 ? warp.lanes<u64>(address_slot)[lane] : warp.lanes<u32>(address_slot)[lane]) + offset;
    const Spot spot = locate(warp, d, lane, is_copy ? Space::global : d.space, address);
    touch(warp, d, lane, spot, bytes, {is_store || d.shadow == ShadowOp::atomic, is_strong});
    if (is_strong && spot.space == Space::global) synchronise(spot.offset);
  }
}

}  // namespace equinorm::vgpu
