#include "kernels/arena.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kAlignment = 256;

std::uint64_t up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

Region ArenaPlan::add(std::uint64_t bytes, bool at_end) {
  const std::uint64_t room = up(bytes, kPage);
  Region region{bytes_, room + 2 * kPage, bytes_ + kPage, bytes};
  if (at_end) region.data += room - up(bytes, kAlignment);
  bytes_ += region.bytes;
  return region;
}

Arena::Arena(std::uint64_t bytes, ArenaAccess others)
    : file_(memfd_create("equinorm-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING)), bytes_(up(bytes + 1, kPage)) {
  if (!file_.is_open() || ftruncate(file_.get(), static_cast<off_t>(bytes_)) != 0 ||
      fcntl(file_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
    throw Error(fmt::format("{} bytes of memory for a kernel's tensors: {}", bytes_, std::strerror(errno)));
  void* base = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  if (base == MAP_FAILED) throw Error(fmt::format("{} bytes of memory for a kernel's tensors: {}", bytes_, std::strerror(errno)));
  base_ = static_cast<std::byte*>(base);
  // Our own mapping, made before, stays writable.
  if (others == ArenaAccess::read_only) read_only_ = fcntl(file_.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0;
  fcntl(file_.get(), F_ADD_SEALS, F_SEAL_SEAL);
}

Arena::~Arena() { munmap(base_, bytes_); }

void fence(Arena& arena, const Region& region, const Poison& poison) {
  const std::uint64_t end = region.begin + region.bytes, data_end = region.data + region.data_bytes;
  poison.fill(arena.at(region.begin), region.data - region.begin, region.begin);
  poison.fill(arena.at(data_end), end - data_end, data_end);
}

std::int64_t breach(Arena& arena, const Region& region, const Poison& poison) {
  const std::uint64_t end = region.begin + region.bytes, data_end = region.data + region.data_bytes;
  const std::uint64_t behind = poison.intact(arena.at(data_end), end - data_end, data_end);
  if (behind < end - data_end) return static_cast<std::int64_t>(behind) + 1;
  const std::uint64_t before = poison.intact(arena.at(region.begin), region.data - region.begin, region.begin);
  if (before < region.data - region.begin) return static_cast<std::int64_t>(region.begin + before) - static_cast<std::int64_t>(region.data);
  return 0;
}

}  // namespace equinorm::kernels
