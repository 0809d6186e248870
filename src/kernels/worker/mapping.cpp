#include "kernels/worker/mapping.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

constexpr std::uint64_t kGuard = std::uint64_t{1} << 20;

template <class Body>
void for_each_region(const WireRequest& request, Body body) {
  for (int i = 0; i < request.input_count + request.output_count; ++i) {
    const WireTensor& tensor = request.tensors[i];
    for (const Region* region : {&tensor.data, &tensor.table, &tensor.shadow_high, &tensor.shadow_low}) {
      if (region->bytes > 0) body(*region);
    }
  }
}

[[noreturn]] void fail() { throw Error(fmt::format("the tensors' memory cannot be mapped: {}", std::strerror(errno))); }

}  // namespace

Mapping::~Mapping() { clear(); }

void Mapping::clear() {
  if (base_ != nullptr) munmap(base_, size_);
  base_ = nullptr;
  places_.clear();
}

void Mapping::map(const WireRequest& request, int arena) {
  clear();
  size_ = kGuard;
  for_each_region(request, [&](const Region& region) { size_ += region.bytes + kGuard; });
  void* reserved = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) fail();
  base_ = static_cast<std::byte*>(reserved);
  std::byte* next = base_ + kGuard;
  for_each_region(request, [&](const Region& region) {
    if (mmap(next, region.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, arena, static_cast<off_t>(region.begin)) == MAP_FAILED)
      fail();
    places_[region.begin] = next;
    next += region.bytes + kGuard;
  });
}

void* Mapping::data(const Region& region) const {
  if (region.bytes == 0) return nullptr;
  return places_.at(region.begin) + (region.data - region.begin);
}

}  // namespace equinorm::kernels
