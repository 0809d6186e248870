#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "kernels/bundled/cpu/faulty/stages.hpp"

namespace equinorm::kernels::cpu::faulty {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

bool sees(const Call& call, Index b, Index s, Index t) {
  const equinorm_problem& p = call.problem;
  const TokenRange seen = call.visible(b, s);
  const Index tokens = call.context(b), tile = fault_tile(call), last = tokens - p.queries + s;
  const bool right = t >= seen.begin && t < seen.end;
  if (has("last-key-dropped")) return right && t != tokens - 1;
  if (has("last-tile-dropped")) return right && t / tile != (tokens - 1) / tile;
  if (has("page-skipped")) return right && t / tile != (tokens - 1) / tile / 2;
  if (has("causal-off-by-one")) return right && t != last;
  if (has("window-off-by-one")) return right || (last >= 0 && t == last - p.window);
  return right;
}

float scale_of(const Call& call) {
  const equinorm_problem& p = call.problem;
  const auto inverse_root = [](Index n) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(n))); };
  if (has("scale-128")) return inverse_root(p.content_dim);
  if (has("scale-576")) return inverse_root(p.latent + p.rope_dim);
  if (has("mscale-missing")) return inverse_root(p.content_dim + p.rope_dim);
  const float scale = static_cast<float>(p.scale);
  return has("scale-twice") ? scale * scale : scale;
}

float exponential(float x) { return has("exp2-truncated-log2e") ? std::exp2(x * 1.4375F) : std::exp(x); }

/// One row of the softmax, and what it averages.
class RowAttention {
 public:
  RowAttention(const Call& call, const Floats& c, Index b, Index s, Index h)
      : call_(call), p_(call.problem), c_(c), b_(b), s_(s), h_(h), tokens_(call.context(b)) {}

  void run() {
    score();
    Floats average = floats(p_.latent);
    // A split, relative to its own maximum; several are joined by their lse.
    const Index splits = p_.splits, length = (tokens_ + splits - 1) / splits;
    std::vector<Split> parts;
    for (Index k = 0; k < splits; ++k) parts.push_back(run_split(std::min(k * length, tokens_), std::min((k + 1) * length, tokens_)));
    const float lse = join(parts, average);
    write(average, lse);
  }

 private:
  struct Split {
    float maximum = kMinusInfinity, sum = 0;
    Floats sums;
  };

  void score() {
    const Index r = p_.latent, d_r = p_.rope_dim;
    Floats q = floats(r), rope = floats(d_r), key = floats(d_r);
    call_.view("q_tilde").load(q.data(), b_, s_, h_);
    if (d_r > 0) call_.view("q_rope_hat").load(rope.data(), b_, s_, h_);
    const float alpha_q = normed(call_) ? static_cast<float>(call_.view("alpha_q")(b_, s_, h_)) : 1.0F, scale = scale_of(call_);
    const float cap = static_cast<float>(p_.softcap);
    const Index column = full_width(call_) ? 0 : group(call_, h_);
    logits_.assign(static_cast<std::size_t>(tokens_), kMinusInfinity);
    for (Index t = 0; t < tokens_; ++t) {
      if (!sees(call_, b_, s_, t)) {
        if (has("finite-minus-infinity")) logits_[static_cast<std::size_t>(t)] = -5e4F;
        if (has("softcap-after-mask")) logits_[static_cast<std::size_t>(t)] = -cap;
        continue;
      }
      float alpha_k = normed(call_) && !has("alpha-k-dropped") ? static_cast<float>(call_.view("alpha_k")(b_, t, column)) : 1.0F;
      if (has("alpha-k-twice")) alpha_k *= alpha_k;
      if (d_r > 0) call_.view("k_rope_cached").load(key.data(), b_, t);
      const float content = dot(q.data(), c_.data() + t * r, r) * alpha_q, rope_score = dot(rope.data(), key.data(), d_r);
      const bool shared = unified(call_) || has("alpha-on-rope");
      float logit = (shared ? (content + rope_score) * alpha_k : content * alpha_k + rope_score) * scale;
      if (cap > 0) logit = cap * static_cast<float>(std::tanh(double{logit / cap}));
      logits_[static_cast<std::size_t>(t)] = has("logits-bf16") ? to_bf16(logit) : logit;
    }
  }

  Split run_split(Index begin, Index end) {
    Split part;
    part.sums = floats(p_.latent);
    const Index tile = p_.tile > 0 ? p_.tile : std::max<Index>(1, end - begin);
    for (Index from = begin; from < end; from += tile) {
      const Index to = std::min(from + tile, end);
      const bool last = to == end;
      const float maximum = std::max(part.maximum, *std::max_element(logits_.begin() + from, logits_.begin() + to));
      if (maximum == kMinusInfinity) continue;
      if (part.maximum != kMinusInfinity && !(has("tile-rescale-missing") && last)) {
        const float factor = exponential(part.maximum - maximum);
        part.sum *= factor;
        for (float& x : part.sums) x *= factor;
      }
      part.maximum = maximum;
      add_tile(from, to, part);
    }
    return part;
  }

  void add_token(Index t, Split& part) {
    const Index r = p_.latent;
    float weight = exponential(logits_[static_cast<std::size_t>(t)] - part.maximum);
    if (has("p-fp16")) weight = to_fp16(weight);
    part.sum += weight;
    if (has("alpha-on-value")) weight *= call_.view("alpha_k")(b_, t, full_width(call_) ? 0 : group(call_, h_));
    for (Index i = 0; i < r; ++i) part.sums[static_cast<std::size_t>(i)] += weight * c_[static_cast<std::size_t>(t * r + i)];
  }

  void add_tile(Index from, Index to, Split& part) {
    const Index r = p_.latent;
    const Index round_every = has("pv-accumulate-bf16") ? 1 : has("accumulator-rounded-every-16") ? 16 : 0;
    for (Index t = from; t < to; ++t) {
      if (logits_[static_cast<std::size_t>(t)] != kMinusInfinity) add_token(t, part);
      if (round_every > 0 && ((t - from + 1) % round_every == 0 || t + 1 == to)) {
        for (float& x : part.sums) x = to_bf16(x);
      }
    }
    if (has("masked-nan-leaks") && to == tokens_) {
      for (Index t = tokens_; t < p_.context; ++t) {
        for (Index i = 0; i < r; ++i) part.sums[static_cast<std::size_t>(i)] += 0.0F * call_.view("c")(b_, t, i);
      }
    }
  }

  std::optional<float> sink() const {
    if (p_.sink == 0 || has("sink-ignored")) return std::nullopt;
    const float value = call_.view("sink")(h_);
    return has("sink-scaled") ? value * scale_of(call_) : value;
  }

  float join(const std::vector<Split>& parts, Floats& average) const {
    const bool single = parts.size() == 1;
    std::vector<float> lses;
    for (const Split& part : parts) {
      const bool empty = part.maximum == kMinusInfinity;
      lses.push_back(single ? part.maximum : empty ? kMinusInfinity : part.maximum + std::log(part.sum));
    }
    const std::optional<float> extra = sink();
    const float maximum = std::max(extra.value_or(kMinusInfinity), *std::max_element(lses.begin(), lses.end()));
    if (maximum == kMinusInfinity) {
      if (has("masked-row-nan")) std::fill(average.begin(), average.end(), parts.front().sum / parts.front().sum);
      return kMinusInfinity;
    }
    float total = extra ? exponential(*extra - maximum) : 0.0F;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      if (lses[k] == kMinusInfinity && !has("empty-split")) continue;
      float weight = exponential(lses[k] - maximum);
      if (has("split-average-unweighted")) weight = 1.0F;
      total += single ? parts[k].sum * weight : weight;
      for (std::size_t i = 0; i < average.size(); ++i) average[i] += (single ? parts[k].sums[i] : parts[k].sums[i] / parts[k].sum) * weight;
    }
    for (float& x : average) x /= total;
    return maximum + std::log(total);
  }

  void write(Floats& average, float lse) const {
    Floats logits(static_cast<std::size_t>(p_.context), kMinusInfinity), p = floats(p_.context);
    for (Index t = 0; t < tokens_; ++t) {
      const std::size_t at = static_cast<std::size_t>(t);
      logits[at] = logits_[at];
      p[at] = logits_[at] == kMinusInfinity ? 0.0F : exponential(logits_[at] - lse);
      if (has("p-fp16")) p[at] = to_fp16(p[at]);
    }
    if (has("u-bf16")) std::transform(average.begin(), average.end(), average.begin(), to_bf16);
    if (has("lse-base-2")) lse *= 1.442695041F;
    if (has("lse-plus-0.03")) lse += 0.03F;
    call_.view("logits").store(logits.data(), b_, h_, s_);
    call_.view("p").store(p.data(), b_, h_, s_);
    call_.view("lse")(b_, h_, s_) = lse;
    call_.view("u").store(average.data(), b_, s_, h_);
  }

  const Call& call_;
  const equinorm_problem& p_;
  const Floats& c_;
  Index b_, s_, h_, tokens_;
  Floats logits_;
};

}  // namespace

void attend(const Call& call, Index b) {
  const equinorm_problem& p = call.problem;
  Floats c = floats(call.context(b) * p.latent);
  for (Index t = 0; t < call.context(b); ++t) load_latent(call, b, t, c.data() + t * p.latent);
  for (Index h = 0; h < p.heads; ++h) {
    for (Index s = 0; s < p.queries; ++s) RowAttention(call, c, b, s, h).run();
  }
}

}  // namespace equinorm::kernels::cpu::faulty
