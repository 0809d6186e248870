// Argument checks shared by emulated.cpp and emulated_dot.cpp. Internal to this room.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "scalar/emulated.hpp"
#include "scalar/emulated_kernels.hpp"

namespace equinorm::scalar {

/// Throws Error unless a product by `how` can run in the carrier T and no size is negative.
template <class T>
void check_contraction(const Contraction& how, std::initializer_list<std::int64_t> sizes);

/// The order without its string; `any` is sequential. Throws Error for tensor-core orders and a block below 1.
TileOrder tile_order(const SumOrder& order);

/// What a tensor-core contraction does with operands that its unit does not take.
Contraction fallback_chain(Contraction how);

}  // namespace equinorm::scalar
