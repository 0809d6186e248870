#include <cmath>

#include "kernels/bundled/cpu/faulty/stages.hpp"

namespace equinorm::kernels::cpu::faulty {
namespace {

float faulty_eps(const Call& call) {
  if (has("eps-missing") || has("eps-outside-sqrt")) return 0.0F;
  if (has("eps-1e-5")) return 1e-5F;
  if (has("eps-1e-2")) return 1e-2F;
  return static_cast<float>(call.problem.eps);
}

void turn(const Call& call, float* x, Index position) {
  const equinorm_problem& p = call.problem;
  const Index pairs = p.rotated_dim / 2;
  if (pairs == 0 || position < 0 || has("rope-ignored")) return;
  bool interleaved = p.rope_layout == EQUINORM_ROPE_INTERLEAVED;
  if (has("rope-layout-swapped")) interleaved = !interleaved;
  const View cosine = call.view("rope_cos"), sine = call.view("rope_sin");
  for (Index i = 0; i < pairs; ++i) {
    float& a = x[interleaved ? 2 * i : i];
    float& b = x[interleaved ? 2 * i + 1 : i + pairs];
    const float c = cosine(position, i), s = sine(position, i), turned = a * c - b * s;
    b = a * s + b * c;
    a = turned;
  }
}

}  // namespace

float inverse_rms(const Call& call, Side side, Block block, float sum, Index width) {
  if (has(side == Side::query ? "q-norm-skipped" : "k-norm-skipped")) return 1.0F;
  if (has("rms-over-192") && block == Block::content) width += call.problem.rope_dim;
  const bool mean = call.problem.norm_kind == EQUINORM_NORM_RMS && !has("l2-for-rms");
  const float statistic = (mean ? sum / static_cast<float>(width) : sum) + faulty_eps(call);
  if (has("eps-outside-sqrt")) return 1.0F / (std::sqrt(statistic) + static_cast<float>(call.problem.eps));
  const float alpha = 1.0F / std::sqrt(statistic);
  return has("alpha-bf16") && side == Side::key && block == Block::content ? to_bf16(alpha) : alpha;
}

float square_sum(const float* x, Index width) {
  const bool in_bf16 = has("sum-of-squares-bf16"), in_fp16 = has("fp16-sum-of-squares-overflow");
  float sum = 0;
  for (Index j = 0; j < width; ++j) {
    sum += x[j] * x[j];
    if (in_bf16) sum = to_bf16(sum);
    if (in_fp16) sum = to_fp16(sum);
  }
  return sum;
}

float weight(const Call& call, Side side, Block block, Index owner, Index j) {
  const equinorm_problem& p = call.problem;
  if (!normed(call) || p.norm_weight == EQUINORM_WEIGHT_NONE) return 1.0F;
  const bool query = side == Side::query, content = block == Block::content;
  if (has("gamma-k-dropped") && !query) return 1.0F;
  if (has("gamma-q-dropped") && query) return 1.0F;
  const char* name = unified(call) ? (query ? "gamma_q" : "gamma_k")
                     : content     ? (query ? "gamma_cq" : "gamma_ck")
                                   : (query ? "gamma_rq" : "gamma_rk");
  Index at = unified(call) && !content ? p.content_dim + j : j;
  if (full_width(call) && (query || content)) at += owner * (content ? p.content_dim : p.rope_dim);
  float gamma = call.view(name)(at);
  if (p.norm_weight == EQUINORM_WEIGHT_ZERO_CENTRED && !has("gamma-one-minus")) gamma = 1.0F + gamma;
  if (has("gamma-one-plus")) gamma = 1.0F + gamma;
  return has("gamma-k-twice") && !query ? gamma * gamma : gamma;
}

void weigh_and_rotate(const Call& call, Side side, Index owner, float* x, Index position) {
  const bool weights_last = has("rope-before-norm");
  if (weights_last) turn(call, x, position);
  for (Index j = 0; j < call.problem.rope_dim; ++j) x[j] *= weight(call, side, Block::rope, owner, j);
  if (!weights_last) turn(call, x, position);
}

}  // namespace equinorm::kernels::cpu::faulty
