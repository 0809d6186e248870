// Shadow values: what registers and memory would hold if nothing were ever rounded, as double-double numbers beside the values. Private to the room.
//
// A register slot has up to two shadows a lane: number 0 belongs to the whole slot (a binary32 or binary64 number), or numbers 0 and 1 to the lower
// and upper half of a packed pair. Instructions of which table.inc says `none` drop the shadows of what they write; an operand without shadow
// starts again from its value.
#pragma once

#include <memory>
#include <unordered_map>

#include "vgpu/launch.hpp"

namespace equinorm::vgpu {

struct Pair {
  double high = 0, low = 0;
};

/// Shadows in global memory, for the granules of 2 bytes that hold one; each remembers the bits that it belongs to.
class ShadowMemory {};

/// Runs an instruction for the lanes of the mask, values and shadows.
void run_with_shadow(Shadows& shadows, Warp& warp, const Decoded& instruction, u32 mask);
/// Forgets the registers and the shared memory of the last block.
void start_block(Shadows& shadows, Block& block);

}  // namespace equinorm::vgpu
