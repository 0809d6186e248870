// Stage cache_write: what is kept of each token.
#include <algorithm>
#include <optional>

#include "kernels/bundled/cpu/engine/norm.hpp"
#include "kernels/bundled/cpu/engine/parallel.hpp"
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace equinorm::kernels::cpu {
namespace {

constexpr Index kBlock = 64;  // tokens

std::optional<View> optional_view(const Call& call, const char* name) {
  return call.has(name) ? std::optional<View>(call.view(name)) : std::nullopt;
}

class KeyWriter {
 public:
  KeyWriter(const Call& call, Form form) : call_(call), p_(call.problem), form_(form), rotation_(call) {
    alpha_k_ = optional_view(call, "alpha_k");
    if (!is_mla(call)) {
      gamma_ = norm_weights(call, "gamma_k");
      return;
    }
    if (normed(call) || form == Form::explicit_keys) w_k_ = whole_tensor(call.view("w_k"));
    if (unified(call)) {
      // Content first. The absorbed form has the content's weights in its query.
      gamma_ = norm_weights(call, "gamma_k");
      if (!gamma_.empty()) rope_gamma_.assign(gamma_.begin() + p_.content_dim, gamma_.end());
    } else {
      if (form == Form::explicit_keys) gamma_ = norm_weights(call, "gamma_ck");
      if (rope_block(call) > 0) rope_gamma_ = norm_weights(call, "gamma_rk");
    }
  }

  void write_tokens(Index b, Index begin, Index count) const {
    if (is_mla(call_)) {
      write_mla(b, begin, count);
    } else {
      write_gqa(b, begin, count);
    }
  }

 private:
  Index position(Index b, Index t) const { return p_.rotated_dim > 0 ? call_.view("positions_k").integer(b, t) : t; }

  void write_mla(Index b, Index begin, Index count) const {
    const Index d_c = p_.content_dim, d_r = p_.rope_dim;
    const Floats k0 = project(b, begin, count);
    Floats rope = floats(d_r), alpha = floats(p_.groups);
    for (Index i = 0; i < count; ++i) {
      const Index t = begin + i;
      if (d_r > 0) call_.view("k_rope").load(rope.data(), b, t);
      if (normed(call_)) fill_mla_alpha(k0.data() + i * d_c, count * d_c, rope, alpha);
      if (alpha_k_) alpha_k_->store(alpha.data(), b, t);
      if (form_ == Form::absorbed) {
        if (d_r == 0) continue;
        // Unified: the statistic belongs to a group, so that it waits for the score.
        finish_rope(rope, normed(call_) && !unified(call_) ? rope_alpha(rope) : 1.0F, position(b, t));
        call_.view("k_rope_cached").store(rope.data(), b, t);
      } else {
        write_explicit_mla(b, t, k0.data() + i * d_c, count * d_c, rope, alpha);
      }
    }
  }

  /// k0 = c W_K (3), [G, count, d_c].
  Floats project(Index b, Index begin, Index count) const {
    const Index r = p_.latent, d_c = p_.content_dim;
    if (w_k_.empty()) return {};
    Floats c = floats(count * r), k0 = floats(p_.groups * count * d_c);
    const View latents = call_.view("c");
    for (Index i = 0; i < count; ++i) latents.load(c.data() + i * r, b, begin + i);
    for (Index g = 0; g < p_.groups; ++g)
      multiply_add(count, d_c, r, c.data(), r, w_k_.data() + g * r * d_c, d_c, k0.data() + g * count * d_c, d_c);
    return k0;
  }

  /// k0: the token's row of group 0; the other groups' lie `stride` apart.
  void fill_mla_alpha(const float* k0, Index stride, const Floats& rope, Floats& alpha) const {
    const Index d_c = p_.content_dim, d_r = unified(call_) ? p_.rope_dim : 0;
    const float rope_squares = dot(rope.data(), rope.data(), d_r);
    float all = 0;
    for (Index g = 0; g < p_.groups; ++g) {
      const float squares = dot(k0 + g * stride, k0 + g * stride, d_c);
      alpha[static_cast<std::size_t>(g)] = inverse_norm(call_, squares + rope_squares, d_c + d_r);
      all += squares;
    }
    if (full_width(call_)) std::fill(alpha.begin(), alpha.end(), inverse_norm(call_, all, p_.groups * d_c));
  }

  float rope_alpha(const Floats& rope) const { return inverse_norm(call_, dot(rope.data(), rope.data(), p_.rope_dim), p_.rope_dim); }

  void finish_rope(Floats& rope, float alpha, Index position) const {
    scale_and_weigh(rope.data(), p_.rope_dim, alpha, rope_gamma_.empty() ? nullptr : rope_gamma_.data());
    rotation_.turn(rope.data(), position);
  }

  /// k_hat (5) of every group: content, then the RoPE block.
  void write_explicit_mla(Index b, Index t, const float* k0, Index stride, const Floats& raw_rope, const Floats& alpha) const {
    const Index d_c = p_.content_dim, d_r = p_.rope_dim;
    Floats key = floats(d_c + d_r), rope;
    for (Index g = 0; g < p_.groups; ++g) {
      const float a = normed(call_) ? alpha[static_cast<std::size_t>(g)] : 1.0F;
      std::copy(k0 + g * stride, k0 + g * stride + d_c, key.begin());
      scale_and_weigh(key.data(), d_c, a, content_weight(g, d_c));
      if (d_r > 0 && (g == 0 || unified(call_))) {
        rope = raw_rope;
        finish_rope(rope, !normed(call_) ? 1.0F : unified(call_) ? a : rope_alpha(raw_rope), position(b, t));
      }
      std::copy(rope.begin(), rope.end(), key.begin() + d_c);
      call_.view("k_hat").store(key.data(), b, t, g);
    }
  }

  const float* content_weight(Index g, Index width) const {
    if (gamma_.empty()) return nullptr;
    return gamma_.data() + (full_width(call_) ? g * width : 0);
  }

  void write_gqa(Index b, Index begin, Index count) const {
    const Index d = p_.head_dim, groups = p_.groups;
    const View k = call_.view("k"), out = call_.view(form_ == Form::absorbed ? "k_deferred" : "k_hat");
    Floats keys = floats(groups * d), alpha(static_cast<std::size_t>(groups), 1.0F);
    for (Index t = begin; t < begin + count; ++t) {
      for (Index g = 0; g < groups; ++g) k.load(keys.data() + g * d, b, t, g);
      if (full_width(call_)) {
        std::fill(alpha.begin(), alpha.end(), inverse_norm(call_, dot(keys.data(), keys.data(), groups * d), groups * d));
      } else if (normed(call_)) {
        for (Index g = 0; g < groups; ++g)
          alpha[static_cast<std::size_t>(g)] = inverse_norm(call_, dot(keys.data() + g * d, keys.data() + g * d, d), d);
      }
      if (alpha_k_) alpha_k_->store(alpha.data(), b, t);
      for (Index g = 0; g < groups; ++g) {
        float* key = keys.data() + g * d;
        scale_and_weigh(key, d, form_ == Form::absorbed ? 1.0F : alpha[static_cast<std::size_t>(g)], content_weight(g, d));
        rotation_.turn(key, position(b, t));
        out.store(key, b, t, g);
      }
    }
  }

  const Call& call_;
  const equinorm_problem& p_;
  Form form_;
  Rotation rotation_;
  std::optional<View> alpha_k_;
  Floats w_k_, gamma_, rope_gamma_;
};

}  // namespace

void cache_write(const Call& call, Form form) {
  const KeyWriter writer(call, form);
  const Index blocks = (call.problem.context + kBlock - 1) / kBlock;
  parallel_for(call.problem.batch * blocks, call.threads(), [&](Index piece) {
    const Index b = piece / blocks, begin = piece % blocks * kBlock;
    const Index count = std::min(kBlock, call.context(b) - begin);
    if (count > 0) writer.write_tokens(b, begin, count);
  });
}

}  // namespace equinorm::kernels::cpu
