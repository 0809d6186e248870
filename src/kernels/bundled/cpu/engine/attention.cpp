#include "kernels/bundled/cpu/engine/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace equinorm::kernels::cpu {
namespace {

/// Which tensor holds the keys of a form that keeps them.
const char* key_tensor(const Call& call) { return call.has("k_hat") ? "k_hat" : "k_deferred"; }

}  // namespace

std::vector<Task> attention_tasks(const Call& call, Form form) {
  const equinorm_problem& p = call.problem;
  const bool shared_keys = is_mla(call) && form == Form::absorbed;
  std::vector<Task> tasks;
  for (Index b = 0; b < p.batch; ++b) {
    for (Index h = 0; h < p.heads; ++h) {
      const Index g = shared_keys ? 0 : call.group_of(h);
      for (Index s = 0; s < p.queries; ++s) {
        if (tasks.empty() || tasks.back().b != b || tasks.back().g != g || static_cast<Index>(tasks.back().rows.size()) == kTaskRows)
          tasks.push_back({b, g, {}});
        tasks.back().rows.push_back({s, h});
      }
    }
  }
  return tasks;
}

Index value_width(const Call& call, Form form) {
  return is_mla(call) && form == Form::absorbed ? call.problem.latent : call.problem.value_dim;
}

Attention::Attention(const Call& call, Form form, const Task& task, bool alpha_on_score)
    : call_(call),
      p_(call.problem),
      absorbed_mla_(is_mla(call) && form == Form::absorbed),
      task_(task),
      content_(absorbed_mla_ ? p_.latent : content_block(call)),
      rope_(rope_block(call)),
      scale_(static_cast<float>(p_.scale)),
      cap_(static_cast<float>(p_.softcap)) {
  tokens_ = {std::numeric_limits<Index>::max(), 0};
  for (const QueryRow& row : task.rows) {
    const TokenRange seen = call.visible(task.b, row.s);
    sees_.push_back(seen);
    if (seen.empty()) continue;
    tokens_ = {std::min(tokens_.begin, seen.begin), std::max(tokens_.end, seen.end)};
  }
  if (tokens_.empty()) tokens_ = {};
  load_queries(alpha_on_score && !unified(call));
  if (form == Form::absorbed && normed(call)) {
    for (const QueryRow& row : task.rows) alpha_column_.push_back(full_width(call) ? 0 : call.group_of(row.h));
  }
  if (is_mla(call) && !absorbed_mla_) {
    const View w_v = call.view("w_v");
    w_v_ = floats(p_.latent * p_.value_dim);
    for (Index k = 0; k < p_.latent; ++k) w_v.load(w_v_.data() + k * p_.value_dim, task.g, k);
  }
}

void Attention::load_queries(bool alpha_on_score) {
  const Index width = content_ + rope_;
  queries_ = floats(rows() * width);
  for (Index i = 0; i < rows(); ++i) {
    const QueryRow at = task_.rows[static_cast<std::size_t>(i)];
    float* query = queries_.data() + i * width;
    if (!absorbed_mla_) {
      call_.view("q_hat").load(query, task_.b, at.s, at.h);
      continue;
    }
    call_.view("q_tilde").load(query, task_.b, at.s, at.h);
    if (rope_ > 0) call_.view("q_rope_hat").load(query + content_, task_.b, at.s, at.h);
    if (!normed(call_)) continue;
    const float alpha = call_.view("alpha_q")(task_.b, at.s, at.h);
    if (alpha_on_score) {
      alpha_q_.push_back(alpha);
    } else {
      scale_and_weigh(query, content_, alpha, nullptr);
    }
  }
}

void Attention::load_keys(Index begin, Index count) {
  if (loaded_ == begin) return;
  loaded_ = begin;
  const Index width = content_ + rope_;
  keys_.resize(static_cast<std::size_t>(count * width));
  keys_t_.resize(keys_.size());
  for (Index i = 0; i < count; ++i) {
    float* key = keys_.data() + i * width;
    if (absorbed_mla_) {
      call_.view("c").load(key, task_.b, begin + i);
      if (rope_ > 0) call_.view("k_rope_cached").load(key + content_, task_.b, begin + i);
    } else {
      call_.view(key_tensor(call_)).load(key, task_.b, begin + i, task_.g);
    }
  }
  transpose(keys_.data(), count, width, keys_t_.data());
  if (alpha_column_.empty()) return;
  const View alpha_k = call_.view("alpha_k");
  const Index statistics = alpha_k.dim(2);
  alpha_k_.resize(static_cast<std::size_t>(count * statistics));
  for (Index i = 0; i < count; ++i) alpha_k.load(alpha_k_.data() + i * statistics, task_.b, begin + i);
}

/// Eqs. (12) and (13), scale, soft-cap. t counts from the first loaded token.
float Attention::finish(float content, float rope, Index row, Index t) const {
  float joined = alpha_q_.empty() ? content : content * alpha_q_[static_cast<std::size_t>(row)];
  const bool one_statistic = unified(call_);
  if (one_statistic) joined += rope;
  if (!alpha_column_.empty()) {
    const Index statistics = full_width(call_) ? 1 : p_.groups;
    joined *= alpha_k_[static_cast<std::size_t>(t * statistics + alpha_column_[static_cast<std::size_t>(row)])];
  }
  if (!one_statistic) joined += rope;
  const float logit = joined * scale_;
  // The tangent in binary64, rounded once.
  return cap_ == 0.0F ? logit : cap_ * static_cast<float>(std::tanh(double{logit / cap_}));
}

void Attention::score(Index begin, Index count, float* logits, Index stride) {
  load_keys(begin, count);
  const Index width = content_ + rope_;
  Floats content = floats(rows() * count), rope = floats(rows() * count);
  multiply_add(rows(), count, content_, queries_.data(), width, keys_t_.data(), count, content.data(), count);
  multiply_add(rows(), count, rope_, queries_.data() + content_, width, keys_t_.data() + content_ * count, count, rope.data(), count);
  for (Index i = 0; i < rows(); ++i) {
    const TokenRange seen = sees(i);
    for (Index t = 0; t < count; ++t) {
      const std::size_t at = static_cast<std::size_t>(i * count + t);
      const bool live = begin + t >= seen.begin && begin + t < seen.end;
      logits[i * stride + t] = live ? finish(content[at], rope[at], i, t) : -std::numeric_limits<float>::infinity();
    }
  }
}

void Attention::add_values(Index begin, Index count, const float* p, Index stride, float* sums) {
  if (absorbed_mla_) {
    load_keys(begin, count);
    multiply_add(rows(), content_, count, p, stride, keys_.data(), content_ + rope_, sums, content_);
    return;
  }
  const Index d_v = p_.value_dim;
  Floats values = floats(count * d_v);
  if (is_mla(call_)) {
    Floats latents = floats(count * p_.latent);
    for (Index i = 0; i < count; ++i) call_.view("c").load(latents.data() + i * p_.latent, task_.b, begin + i);
    multiply_add(count, d_v, p_.latent, latents.data(), p_.latent, w_v_.data(), d_v, values.data(), d_v);
  } else {
    for (Index i = 0; i < count; ++i) call_.view("v").load(values.data() + i * d_v, task_.b, begin + i, task_.g);
  }
  multiply_add(rows(), d_v, count, p, stride, values.data(), d_v, sums, d_v);
}

std::optional<float> Attention::sink(Index row) const {
  if (p_.sink == 0) return std::nullopt;
  return static_cast<float>(call_.view("sink")(task_.rows[static_cast<std::size_t>(row)].h));
}

void Attention::write(Index row, const float* average, float lse) const {
  const QueryRow at = task_.rows[static_cast<std::size_t>(row)];
  call_.view(absorbed_mla_ ? "u" : "o").store(average, task_.b, at.s, at.h);
  if (call_.has("lse")) call_.view("lse")(task_.b, at.h, at.s) = lse;
}

}  // namespace equinorm::kernels::cpu
