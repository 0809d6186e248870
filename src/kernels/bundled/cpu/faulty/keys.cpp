#include <algorithm>

#include "kernels/bundled/cpu/faulty/stages.hpp"

namespace equinorm::kernels::cpu::faulty {
namespace {

/// Everything of one batch row that statistics are taken of.
struct Tokens {
  Floats c, k_rope, k0;  ///< [T,r], [T,d_r], [G,T,d_c]
};

Tokens load_tokens(const Call& call, Index b) {
  const equinorm_problem& p = call.problem;
  const Index tokens = call.context(b), r = p.latent, d_c = p.content_dim;
  Tokens row{floats(tokens * r), floats(tokens * p.rope_dim), floats(p.groups * tokens * d_c)};
  const Floats w_k = whole_tensor(call.view("w_k"));
  for (Index t = 0; t < tokens; ++t) {
    load_latent(call, b, t, row.c.data() + t * r);
    if (p.rope_dim > 0) call.view("k_rope").load(row.k_rope.data() + t * p.rope_dim, b, t);
  }
  for (Index g = 0; g < p.groups; ++g)
    multiply_add(tokens, d_c, r, row.c.data(), r, w_k.data() + g * r * d_c, d_c, row.k0.data() + g * tokens * d_c, d_c);
  return row;
}

/// alpha_k of group g and token t.
float key_alpha(const Call& call, const Tokens& row, Index tokens, Index g, Index t) {
  const equinorm_problem& p = call.problem;
  const Index r = p.latent, d_c = p.content_dim;
  if (has("rms-wrong-head")) g = (g + 1) % p.groups;
  if (has("rms-shifted-token")) t = std::min(t + 1, tokens - 1);
  if (has("rms-constant")) t = 0;
  const float* rope = row.k_rope.data() + t * p.rope_dim;
  if (has("rms-from-latent") || has("rms-over-576")) {
    const Index d_r = has("rms-over-576") ? p.rope_dim : 0;
    return inverse_rms(call, Side::key, Block::content, square_sum(row.c.data() + t * r, r) + square_sum(rope, d_r), r + d_r);
  }
  Floats key;
  for (Index group = full_width(call) ? 0 : g; group <= (full_width(call) ? p.groups - 1 : g); ++group) {
    const float* k0 = row.k0.data() + (group * tokens + t) * d_c;
    for (Index j = 0; j < d_c; ++j)
      key.push_back(has("rms-after-gamma") ? k0[j] * weight(call, Side::key, Block::content, group, j) : k0[j]);
  }
  const bool spans_rope = (unified(call) && !has("blockwise-for-unified")) || has("unified-for-blockwise");
  if (spans_rope) key.insert(key.end(), rope, rope + p.rope_dim);
  const Index width = static_cast<Index>(key.size());
  return inverse_rms(call, Side::key, Block::content, square_sum(key.data(), width), width);
}

}  // namespace

void load_latent(const Call& call, Index b, Index t, float* out) {
  const View c = call.view("c");
  if (!has("page-index-32bit")) return c.load(out, b, t);
  // page * page_stride in 32 bits: right in any pool of up to 2^32 elements.
  equinorm_tensor row = c.raw();
  const Index page = row.block_table[b * row.blocks_per_row + t / row.page_size];
  const Index first = static_cast<std::uint32_t>(page * row.page_stride) + t % row.page_size * row.strides[1];
  row.block_table = nullptr, row.rank = 2, row.shape[0] = 1, row.shape[1] = row.shape[2];
  row.strides[0] = 1, row.strides[1] = row.strides[2];
  View(row).load(out, first);
}

void write_keys(const Call& call, Index b) {
  const equinorm_problem& p = call.problem;
  const Index tokens = call.context(b), d_r = p.rope_dim;
  const Tokens row = load_tokens(call, b);
  for (Index t = 0; t < tokens; ++t) {
    for (Index column = 0; normed(call) && column < call.view("alpha_k").dim(2); ++column)
      call.view("alpha_k")(b, t, column) = key_alpha(call, row, tokens, column, t);
    if (d_r == 0) continue;
    const float* raw = row.k_rope.data() + t * d_r;
    Floats key(raw, raw + d_r);
    if (normed(call) && !unified(call)) {
      const float alpha = inverse_rms(call, Side::key, Block::rope, square_sum(raw, d_r), d_r);
      for (float& x : key) x *= alpha;
    }
    Index position = p.rotated_dim > 0 ? call.view("positions_k").integer(b, t) : t;
    if (has("position-off-by-one")) position = std::max<Index>(0, position - 1);
    weigh_and_rotate(call, Side::key, 0, key.data(), position);
    call.view("k_rope_cached").store(key.data(), b, t);
  }
}

}  // namespace equinorm::kernels::cpu::faulty
