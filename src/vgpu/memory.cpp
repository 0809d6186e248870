#include "vgpu/memory.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "scalar/error.hpp"

namespace equinorm::vgpu {

void Region::resize(std::uint64_t size) {
  data_.resize(size + View::kSlack);
  const std::uint64_t pages = size / View::kPage + 1;
  state_.resize(pages * View::kPage + View::kSlack);
  settled_.resize(pages);
  size_ = size;
}

void Region::mark(std::uint64_t offset, std::uint64_t bytes, ByteState state) {
  if (bytes == 0) return;
  std::memset(state_.data() + offset, state, bytes);
  const std::uint64_t first = offset / View::kPage, last = (offset + bytes - 1) / View::kPage;
  if (state != kWritten) std::memset(settled_.data() + first, 0, last - first + 1);
}

GlobalMemory::GlobalMemory() { region_.resize(kRedZone); }

std::uint64_t GlobalMemory::allocate(std::uint64_t bytes) {
  if (bytes > kLargest || end_ + bytes + 2 * kRedZone > kLargest)
    throw Error("device memory: " + std::to_string(bytes) + " bytes more than " + std::to_string(end_) + " exceed " +
                std::to_string(kLargest));
  const std::uint64_t offset = end_;
  end_ = (offset + bytes + 2 * kRedZone - 1) / kRedZone * kRedZone;
  region_.resize(end_);
  region_.mark(offset, bytes, kUnwritten);
  const std::uint64_t address = kGlobalWindow + offset;
  allocations_[address] = {address, bytes, false};
  return address;
}

void GlobalMemory::free(std::uint64_t address) {
  const auto found = allocations_.find(address);
  if (found == allocations_.end() || found->second.is_free) throw Error("device memory: free of an address that is not allocated");
  found->second.is_free = true;
  region_.mark(address - kGlobalWindow, found->second.bytes, kForbidden);
}

std::uint64_t GlobalMemory::offset_of(std::uint64_t address, std::uint64_t bytes) const {
  const Allocation* found = nearest(address);
  if (found == nullptr || found->is_free || address < found->address || bytes > found->bytes ||
      address - found->address > found->bytes - bytes)
    throw Error("device memory: host access to " + std::to_string(bytes) + " bytes that lie in no allocation");
  return address - kGlobalWindow;
}

void GlobalMemory::write(std::uint64_t address, std::span<const std::byte> bytes) {
  const std::uint64_t offset = offset_of(address, bytes.size());
  if (bytes.empty()) return;
  std::memcpy(region_.view().data + offset, bytes.data(), bytes.size());
  region_.mark(offset, bytes.size(), kWritten);
}

void GlobalMemory::read(std::uint64_t address, std::span<std::byte> bytes) const {
  const std::uint64_t offset = offset_of(address, bytes.size());
  if (!bytes.empty()) std::memcpy(bytes.data(), region_.view().data + offset, bytes.size());
}

std::uint64_t GlobalMemory::count_unwritten(std::uint64_t address, std::uint64_t bytes) const {
  const std::uint8_t* state = region_.view().state + offset_of(address, bytes);
  return static_cast<std::uint64_t>(std::count(state, state + bytes, kUnwritten));
}

const GlobalMemory::Allocation* GlobalMemory::nearest(std::uint64_t address) const {
  auto found = allocations_.upper_bound(address);
  if (found != allocations_.end() && found->first - address <= kRedZone / 2) return &found->second;
  if (found == allocations_.begin()) return nullptr;
  return &std::prev(found)->second;
}

}  // namespace equinorm::vgpu
