// The whole absorbed form once more, plainly written, with every fault of the catalogue at the place where real kernels have it. Faults
// that a stage does not have leave it right.
#pragma once

#include "kernels/bundled/cpu/engine/norm.hpp"
#include "kernels/bundled/cpu/faulty/faults.hpp"

namespace equinorm::kernels::cpu::faulty {

enum class Side { query, key };
enum class Block { content, rope };

/// 1/S of a sum of squares over `width` numbers.
float inverse_rms(const Call& call, Side side, Block block, float sum, Index width);
/// sum_j x_j^2.
float square_sum(const float* x, Index width);
/// gamma of an element, 1 + gamma, or 1.
float weight(const Call& call, Side side, Block block, Index head_or_group, Index j);
/// Weights and rotation of a RoPE block.
void weigh_and_rotate(const Call& call, Side side, Index owner, float* x, Index position);

/// The latent of token t, [r].
void load_latent(const Call& call, Index b, Index t, float* out);

void write_keys(const Call& call, Index b);
void write_queries(const Call& call, Index b);
void attend(const Call& call, Index b);
void write_outputs(const Call& call, Index b);

/// Tile and page of the tile and page faults: 64 keys, or 4 where the longest row is shorter than two such tiles.
inline Index fault_tile(const Call& call) { return call.problem.context >= 128 ? 64 : 4; }
inline Index group(const Call& call, Index head) { return has("wrong-group") ? head % call.problem.groups : call.group_of(head); }

}  // namespace equinorm::kernels::cpu::faulty
