#include <algorithm>

#include "kernels/bundled/cpu/faulty/stages.hpp"

namespace equinorm::kernels::cpu::faulty {
namespace {

/// 1/S of the content block of a query, or of the whole one.
float query_alpha(const Call& call, Index b, Index s, Index h) {
  const equinorm_problem& p = call.problem;
  Floats query;
  for (Index head = full_width(call) ? 0 : h; head <= (full_width(call) ? p.heads - 1 : h); ++head) {
    for (Index j = 0; j < p.content_dim; ++j) query.push_back(call.view("q_content")(b, s, head, j));
  }
  if ((unified(call) && !has("blockwise-for-unified")) || has("unified-for-blockwise")) {
    for (Index j = 0; j < p.rope_dim; ++j) query.push_back(call.view("q_rope")(b, s, h, j));
  }
  const Index width = static_cast<Index>(query.size());
  return inverse_rms(call, Side::query, Block::content, square_sum(query.data(), width), width);
}

float query_rope_alpha(const Call& call, Index b, Index s, Index h) {
  const equinorm_problem& p = call.problem;
  Floats query;
  for (Index head = full_width(call) ? 0 : h; head <= (full_width(call) ? p.heads - 1 : h); ++head) {
    for (Index j = 0; j < p.rope_dim; ++j) query.push_back(call.view("q_rope")(b, s, head, j));
  }
  const Index width = static_cast<Index>(query.size());
  return inverse_rms(call, Side::query, Block::rope, square_sum(query.data(), width), width);
}

/// Writes head h of query s, made of head `from_h` of query `from_s`.
void write_query(const Call& call, const Floats& w_k, Index b, Index s, Index h, Index from_s, Index from_h) {
  const equinorm_problem& p = call.problem;
  const Index r = p.latent, d_c = p.content_dim, d_r = p.rope_dim, g = group(call, h);
  const float alpha = normed(call) ? query_alpha(call, b, from_s, from_h) : 1.0F;
  if (normed(call)) call.view("alpha_q")(b, s, h) = alpha;
  Floats factors = floats(d_c), q_tilde = floats(r), rope = floats(d_r);
  call.view("q_content").load(factors.data(), b, from_s, from_h);
  for (Index j = 0; j < d_c; ++j)
    factors[static_cast<std::size_t>(j)] *= weight(call, Side::query, Block::content, h, j) * weight(call, Side::key, Block::content, g, j);
  for (Index k = 0; k < r; ++k) {
    const float sum = dot(factors.data(), w_k.data() + (g * r + k) * d_c, d_c);
    q_tilde[static_cast<std::size_t>(k)] = has("q-tilde-bf16") ? to_bf16(sum) : sum;
  }
  call.view("q_tilde").store(q_tilde.data(), b, s, h);
  if (d_r == 0) return;
  call.view("q_rope").load(rope.data(), b, from_s, from_h);
  const float rope_alpha = !normed(call) ? 1.0F : unified(call) ? alpha : query_rope_alpha(call, b, from_s, from_h);
  for (float& x : rope) x *= rope_alpha;
  weigh_and_rotate(call, Side::query, h, rope.data(), p.rotated_dim > 0 ? call.view("positions_q").integer(b, s) : 0);
  call.view("q_rope_hat").store(rope.data(), b, s, h);
}

}  // namespace

void write_queries(const Call& call, Index b) {
  const equinorm_problem& p = call.problem;
  const Floats w_k = whole_tensor(call.view("w_k"));
  for (Index s = 0; s < p.queries; ++s) {
    for (Index h = 0; h < p.heads; ++h) {
      Index from_s = s, from_h = h;
      if (has("heads-swapped") && h < 2) from_h = 1 - h;
      if (has("rows-swapped") && s < 2) from_s = 1 - s;
      if (has("qlen-rows-equal")) from_s = p.queries - 1;
      write_query(call, w_k, b, s, h, from_s, from_h);
    }
  }
}

}  // namespace equinorm::kernels::cpu::faulty
