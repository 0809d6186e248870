#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {

class Shadows {};
void run_with_shadow(Shadows&, Warp& warp, const Decoded& instruction, u32 mask) { instruction.handler(warp, instruction, mask); }
void start_block(Shadows&, Block&) {}

}  // namespace equinorm::vgpu
