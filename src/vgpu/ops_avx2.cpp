#include "vgpu/ops_table.hpp"

namespace equinorm::vgpu {

std::span<const Handler> handlers_avx2() { return kHandlers; }

}  // namespace equinorm::vgpu
