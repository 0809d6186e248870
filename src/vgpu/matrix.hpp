// Which matrix unit of scalar/tensor_core.hpp an mma.sync runs on. Private to the room.
#pragma once

#include "scalar/tensor_core.hpp"
#include "vgpu/handler.hpp"

namespace equinorm::vgpu {

/// The unit behind mma.sync of sm_TARGET: that of the newest architecture in scalar's table that is no newer than the target. Null if it
/// has none for these formats.
const scalar::TensorCore* matrix_unit(int target, scalar::TensorInput input, bool fp16_output);

/// matrix_unit of one decoded mma.sync.
const scalar::TensorCore* matrix_unit(int target, const Decoded& instruction);

/// A matrix product of 16 rows and 8 columns: c (16 x 8 bit patterns) becomes c + a b, a of 16 x depth and b of depth x 8 numbers,
/// row-major, on the unit of the launch's target.
void multiply_matrices(const Warp& warp, const Decoded& instruction, int depth, const float* a, const float* b, u32* c);

}  // namespace equinorm::vgpu
