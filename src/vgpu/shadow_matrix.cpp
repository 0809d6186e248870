// mma.sync with rounding removed: D = C + A B in pairs of doubles.
#include <cmath>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {

void Shadows::matrix(Warp& warp, const Decoded& d, u32 mask) {
  const std::string_view pattern = rows()[static_cast<std::size_t>(d.row)].pattern;
  const bool tf32 = pattern.find(".tf32") != std::string_view::npos, bf16 = pattern.find(".bf16") != std::string_view::npos;
  const bool half_output = d.type == Type::f16;
  const int depth = pattern.find("k16") != std::string_view::npos ? 16 : pattern.find("k8") != std::string_view::npos ? 8 : 4;
  const int per = tf32 ? 1 : 2, step = 4 * per, a_count = 16 * depth / (kLanes * per), results = half_output ? 2 : 4;
  const Type input = tf32 ? Type::f32 : bf16 ? Type::bf16 : Type::f16;
  const u32* slots = slots_of(d);
  static thread_local Operand a[16][16], b[16][8], c[16][8];
  for (int i = 0; i < kLanes; ++i)
    for (int h = 0; h < per; ++h) {
      const int half = tf32 ? -1 : h;
      for (int r = 0; r < a_count; ++r)
        a[i / 4 + 8 * (r % 2)][i % 4 * per + step * (r / 2) + h] = read(warp, slots[results + r], input, half, i);
      for (int r = 0; r < a_count / 2; ++r) b[i % 4 * per + step * r + h][i / 4] = read(warp, slots[results + a_count + r], input, half, i);
    }
  const int c_at = results + a_count + a_count / 2;
  const auto element = [&](int i, int e) { return std::pair(i / 4 + e / 2 * 8, i % 4 * 2 + e % 2); };
  for (int i = 0; i < kLanes; ++i)
    for (int e = 0; e < 4; ++e) {
      const auto [m, n] = element(i, e);
      c[m][n] = half_output ? read(warp, slots[c_at + e / 2], Type::f16, e % 2, i) : read(warp, slots[c_at + e], Type::f32, -1, i);
    }
  d.handler(warp, d, mask);
  for (int i = 0; i < kLanes; ++i)
    for (int e = 0; e < 4; ++e) {
      const auto [m, n] = element(i, e);
      Pair shadow = c[m][n].shadow, exact = c[m][n].value;
      bool finite = std::isfinite(exact.high);
      for (int k = 0; k < depth; ++k) {
        shadow = add(shadow, multiply(a[m][k].shadow, b[k][n].shadow));
        exact = add(exact, multiply(a[m][k].value, b[k][n].value));
        finite &= std::isfinite(a[m][k].value.high) && std::isfinite(b[k][n].value.high);
      }
      const Type output = half_output ? Type::f16 : Type::f32;
      const u32 number = slots[half_output ? e / 2 : e];
      if (!half_output) note(warp, d, i, exact, warp.lanes<float>(number)[i], output, finite);
      write(warp, number, output, half_output ? e % 2 : -1, i, shadow);
    }
}

}  // namespace equinorm::vgpu
