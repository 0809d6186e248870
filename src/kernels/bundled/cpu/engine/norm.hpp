// Norms and rotations that stages cache_write and query share. All in fp32.
#pragma once

#include <vector>

#include "kernels/bundled/cpu/engine/matmul.hpp"
#include "kernels/kernel.hpp"

namespace equinorm::kernels::cpu {

using Floats = std::vector<float>;

inline Floats floats(Index count) { return Floats(static_cast<std::size_t>(count)); }

inline bool normed(const Call& call) { return call.problem.norm_scheme != EQUINORM_NORM_NONE; }
inline bool unified(const Call& call) { return call.problem.norm_scheme == EQUINORM_NORM_UNIFIED; }
inline bool full_width(const Call& call) { return call.problem.norm_scheme == EQUINORM_NORM_FULL_WIDTH; }
inline bool is_mla(const Call& call) { return call.problem.attention == EQUINORM_MLA; }
/// Width of the RoPE block of its own that an mla head has.
inline Index rope_block(const Call& call) { return is_mla(call) ? call.problem.rope_dim : 0; }
/// Width of a head's part that stands before the RoPE block: all of a gqa head.
inline Index content_block(const Call& call) { return is_mla(call) ? call.problem.content_dim : call.problem.head_dim; }

/// Every number of a tensor, in logical order. Not for paged ones.
Floats whole_tensor(const View& view);

/// alpha = 1/S, S = sqrt(sum / width + eps) (rms), sqrt(sum + eps) (l2).
float inverse_norm(const Call& call, float sum_of_squares, Index width);

/// The weights of a norm: gamma, or 1 + gamma; empty where the problem has none.
Floats norm_weights(const Call& call, const char* name);

/// x_j * alpha, then * weight_j (null: not), j < width.
void scale_and_weigh(float* x, Index width, float alpha, const float* weight);

/// Turns the rotated dims of x (an mla RoPE block, or a gqa head) at `position`; not at a negative one, whose query sees nothing.
class Rotation {
 public:
  explicit Rotation(const Call& call);
  void turn(float* x, Index position) const;

 private:
  Index pairs_ = 0, first_ = 0;
  bool interleaved_ = false;
  Floats cosines_, sines_;
};

}  // namespace equinorm::kernels::cpu
