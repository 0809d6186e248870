#include "vgpu/ops_table.hpp"

namespace equinorm::vgpu {

std::span<const Handler> handlers_portable() { return kHandlers; }

}  // namespace equinorm::vgpu
