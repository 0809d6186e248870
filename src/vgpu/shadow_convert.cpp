// Shadows of conversions.
#include <bit>
#include <cmath>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {

/// An integer of at most 32 bits is its own shadow.
void Shadows::convert_integer(Warp& warp, const Decoded& d, u32 mask) {
  double exact[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    const u64 bits = d.source_bytes == 2   ? warp.lanes<u16>(d.slot[1])[i]
                     : d.source_bytes == 8 ? warp.lanes<u64>(d.slot[1])[i]
                                           : warp.lanes<u32>(d.slot[1])[i];
    exact[i] = std::bit_cast<double>(vgpu::convert(bits, d.second_type, Type::f64, Rounding::nearest, false, false, false, false, false));
  }
  d.handler(warp, d, mask);
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const int half = d.register_bytes == 4 && size_of(d.type) == 2 ? 0 : -1;
    const double result = read_float(lane_bits(warp, d.slot[0], d.type, half, i), d.type);
    write(warp, d.slot[0], d.type, half, i, note(warp, d, i, {exact[i], 0.0}, result, d.type, true, {exact[i], 0.0}));
  }
}

/// cvt between floats; from an integer the shadow is the integer.
void Shadows::convert(Warp& warp, const Decoded& d, u32 mask) {
  if (store_.kind == ShadowKind::origins) return trace(warp, d, mask);
  const Type to = element_of(d.type);
  const bool is_pair = size_of(to) == 2 && size_of(d.type) == 4;
  if (!is_float(d.type) || d.to_integer || d.sat || d.relu ||
      (!is_float(d.second_type) && (size_of(d.second_type) > 4 || d.register_bytes > 4))) {
    d.handler(warp, d, mask);
    return drop(warp, d, mask);
  }
  if (!is_float(d.second_type)) return convert_integer(warp, d, mask);
  if (d.type == Type::f32 && size_of(d.second_type) == 2 && !state(warp, d.slot[1]).has_any(mask) &&
      (state(warp, d.slot[1]).lost & mask) == 0) {
    d.handler(warp, d, mask);  // exact
    launch_.report->shadow.operations += static_cast<u64>(std::popcount(mask));
    line(d).operations += static_cast<u64>(std::popcount(mask));
    return settle(warp, d, mask);
  }
  Pair shadow[2][kLanes], exact[2][kLanes];
  for (int h = 0; h < (is_pair ? 2 : 1); ++h)
    for (int i = 0; i < kLanes; ++i)
      if ((mask >> i & 1) != 0) {
        const Operand x = read(warp, d.slot[is_pair ? 2 - h : 1], d.second_type,
                               is_pair || d.source_bytes != 4 || size_of(d.second_type) == 4 ? -1 : 0, i);
        shadow[h][i] = x.shadow;
        exact[h][i] = x.value;
      }
  d.handler(warp, d, mask);
  for (int h = 0; h < (is_pair ? 2 : 1); ++h)
    for (int i = 0; i < kLanes; ++i)
      if ((mask >> i & 1) != 0) {
        const int half = is_pair ? h : d.register_bytes == 4 && size_of(to) == 2 ? 0 : -1;
        const double result = read_float(lane_bits(warp, d.slot[0], to, half, i), to);
        write(warp, d.slot[0], to, half, i, note(warp, d, i, exact[h][i], result, to, std::isfinite(exact[h][i].high), shadow[h][i]));
      }
}

}  // namespace equinorm::vgpu
