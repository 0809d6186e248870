// The shadows that a Device holds between launches.
#include <bit>

#include "vgpu/device.hpp"
#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {
namespace {

/// The number at an address.
u64 stored_bits(const GlobalMemory& memory, u64 address, Type type) {
  u64 bits = 0;
  memory.read(address, std::as_writable_bytes(std::span(&bits, 1)).first(static_cast<std::size_t>(size_of(type))));
  return bits;
}

}  // namespace

void Device::set_shadow(u64 address, Type type, double high, double low) {
  const Pair exact{high, shadows_->kind == ShadowKind::plain_double ? 0.0 : low};
  if (shadows_->kind == ShadowKind::origins) shadows_->use(ShadowKind::double_double, 0);
  shadows_->memory.store(address - kGlobalWindow, stored_bits(memory_, address, type), size_of(type),
                         shadows_->wide != nullptr ? shadows_->wide->from_pair(exact) : exact);
}

ShadowValue Device::shadow(u64 address, Type type) const {
  const u64 bits = stored_bits(memory_, address, type);
  Pair found;
  if (shadows_->kind != ShadowKind::origins && shadows_->memory.find(address - kGlobalWindow, bits, size_of(type), found)) {
    ShadowValue value{found.high, found.low, true, 0.0, {}};
    if (shadows_->wide != nullptr) shadows_->wide->expand(found, value.high, value.low, value.rest, value.radius);
    return value;
  }
  const u64 wide = convert(bits, type, Type::f64, Rounding::nearest, false, false, false, false, false);
  return {std::bit_cast<double>(wide), 0.0, false, 0.0, {}};
}

std::optional<Origin> Device::origin(u64 address, Type type) const {
  Pair found;
  if (shadows_->kind != ShadowKind::origins ||
      !shadows_->memory.find(address - kGlobalWindow, stored_bits(memory_, address, type), size_of(type), found))
    return std::nullopt;
  const u64 number = origin_of(found);
  return number == 0 || number > shadows_->origins.size() ? std::nullopt : std::optional(shadows_->origins[number - 1]);
}

}  // namespace equinorm::vgpu
