// Stage query: q_hat (9), or the absorbed q_tilde (10) and the RoPE query beside it.
#include <algorithm>

#include "kernels/bundled/cpu/engine/norm.hpp"
#include "kernels/bundled/cpu/engine/parallel.hpp"
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace equinorm::kernels::cpu {
namespace {

class QueryWriter {
 public:
  QueryWriter(const Call& call, Form form)
      : call_(call),
        p_(call.problem),
        absorbed_mla_(is_mla(call) && form == Form::absorbed),
        rotation_(call),
        content_(content_block(call)) {
    const bool whole = !is_mla(call) || unified(call);
    gamma_q_ = norm_weights(call, whole ? "gamma_q" : "gamma_cq");
    if (absorbed_mla_) {
      gamma_k_ = norm_weights(call, whole ? "gamma_k" : "gamma_ck");
      w_k_ = whole_tensor(call.view("w_k"));
    }
    if (rope_block(call) == 0) return;
    if (!whole) {
      rope_gamma_ = norm_weights(call, "gamma_rq");
    } else if (!gamma_q_.empty()) {
      rope_gamma_.assign(gamma_q_.begin() + content_, gamma_q_.end());
    }
  }

  /// Every head of one query.
  void write(Index b, Index s) const {
    const Index heads = p_.heads, d_r = rope_block(call_);
    Floats q = floats(heads * content_), rope = floats(heads * d_r);
    for (Index h = 0; h < heads; ++h) {
      call_.view(is_mla(call_) ? "q_content" : "q").load(q.data() + h * content_, b, s, h);
      if (d_r > 0) call_.view("q_rope").load(rope.data() + h * d_r, b, s, h);
    }
    const Index position = p_.rotated_dim > 0 ? call_.view("positions_q").integer(b, s) : 0;
    const Floats alpha = alphas(q, rope), rope_alpha = rope_alphas(rope, alpha);
    for (Index h = 0; h < heads; ++h) {
      float* rope_query = rope.data() + h * d_r;
      if (d_r > 0) {
        scale_and_weigh(rope_query, d_r, rope_alpha[static_cast<std::size_t>(h)], weight(rope_gamma_, h, d_r));
        rotation_.turn(rope_query, position);
      }
      if (normed(call_) && call_.has("alpha_q")) call_.view("alpha_q")(b, s, h) = alpha[static_cast<std::size_t>(h)];
      if (absorbed_mla_) {
        absorb(b, s, h, q.data() + h * content_);
        if (d_r > 0) call_.view("q_rope_hat").store(rope_query, b, s, h);
      } else {
        write_explicit(b, s, h, q.data() + h * content_, alpha[static_cast<std::size_t>(h)], rope_query, position);
      }
    }
  }

 private:
  const float* weight(const Floats& weights, Index owner, Index width) const {
    if (weights.empty()) return nullptr;
    return weights.data() + (full_width(call_) ? owner * width : 0);
  }

  Floats alphas(const Floats& q, const Floats& rope) const {
    const Index heads = p_.heads, d_r = unified(call_) ? rope_block(call_) : 0;
    Floats alpha(static_cast<std::size_t>(heads), 1.0F);
    if (full_width(call_)) {
      std::fill(alpha.begin(), alpha.end(), inverse_norm(call_, dot(q.data(), q.data(), heads * content_), heads * content_));
    } else if (normed(call_)) {
      for (Index h = 0; h < heads; ++h) {
        const float* head = q.data() + h * content_;
        const float* head_rope = rope.data() + h * d_r;
        alpha[static_cast<std::size_t>(h)] =
            inverse_norm(call_, dot(head, head, content_) + dot(head_rope, head_rope, d_r), content_ + d_r);
      }
    }
    return alpha;
  }

  Floats rope_alphas(const Floats& rope, const Floats& alpha) const {
    const Index heads = p_.heads, d_r = rope_block(call_);
    if (unified(call_) || !normed(call_) || d_r == 0) return alpha;
    Floats own = floats(heads);
    for (Index h = 0; h < heads; ++h) {
      const float* head = rope.data() + h * d_r;
      own[static_cast<std::size_t>(h)] = inverse_norm(call_, dot(head, head, d_r), d_r);
    }
    if (full_width(call_)) std::fill(own.begin(), own.end(), inverse_norm(call_, dot(rope.data(), rope.data(), heads * d_r), heads * d_r));
    return own;
  }

  /// q_tilde = (q gamma_q gamma_k) W_K^T (10), q being overwritten.
  void absorb(Index b, Index s, Index h, float* q) const {
    const Index d_c = p_.content_dim, r = p_.latent, g = call_.group_of(h);
    scale_and_weigh(q, d_c, 1.0F, weight(gamma_q_, h, d_c));
    scale_and_weigh(q, d_c, 1.0F, weight(gamma_k_, g, d_c));
    Floats q_tilde = floats(r);
    for (Index k = 0; k < r; ++k) q_tilde[static_cast<std::size_t>(k)] = dot(q, w_k_.data() + (g * r + k) * d_c, d_c);
    call_.view("q_tilde").store(q_tilde.data(), b, s, h);
  }

  void write_explicit(Index b, Index s, Index h, float* q, float alpha, const float* rope, Index position) const {
    const Index d_r = rope_block(call_);
    scale_and_weigh(q, content_, alpha, weight(gamma_q_, h, content_));
    if (!is_mla(call_)) rotation_.turn(q, position);
    Floats joined(q, q + content_);
    joined.insert(joined.end(), rope, rope + d_r);
    call_.view("q_hat").store(joined.data(), b, s, h);
  }

  const Call& call_;
  const equinorm_problem& p_;
  bool absorbed_mla_;
  Rotation rotation_;
  Index content_;
  Floats gamma_q_, gamma_k_, rope_gamma_, w_k_;
};

}  // namespace

void query(const Call& call, Form form) {
  const QueryWriter writer(call, form);
  const Index queries = call.problem.queries;
  parallel_for(call.problem.batch * queries, call.threads(), [&](Index piece) { writer.write(piece / queries, piece % queries); });
}

}  // namespace equinorm::kernels::cpu
