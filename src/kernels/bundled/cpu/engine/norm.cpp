#include "kernels/bundled/cpu/engine/norm.hpp"

#include <cmath>

namespace equinorm::kernels::cpu {
namespace {

void read_rows(const View& view, int axis, std::array<Index, EQUINORM_MAX_RANK>& at, float*& out) {
  const int last = view.rank() - 1;
  if (axis == last) {
    Index offset = 0;
    for (int a = 0; a < last; ++a) offset += at[static_cast<std::size_t>(a)] * view.raw().strides[a];
    equinorm_tensor row = view.raw();
    const std::size_t size = row.dtype == EQUINORM_F64 ? 8 : row.dtype == EQUINORM_F32 ? 4 : 2;
    row.data = static_cast<char*>(row.data) + offset * static_cast<Index>(size);
    row.rank = 1, row.shape[0] = view.dim(last), row.strides[0] = view.raw().strides[last];
    View(row).load(out);
    out += view.dim(last);
    return;
  }
  for (Index i = 0; i < view.dim(axis); ++i) {
    at[static_cast<std::size_t>(axis)] = i;
    read_rows(view, axis + 1, at, out);
  }
}

}  // namespace

Floats whole_tensor(const View& view) {
  Index count = 1;
  for (int axis = 0; axis < view.rank(); ++axis) count *= view.dim(axis);
  Floats values = floats(count);
  std::array<Index, EQUINORM_MAX_RANK> at{};
  float* out = values.data();
  if (count > 0) read_rows(view, 0, at, out);
  return values;
}

float inverse_norm(const Call& call, float sum_of_squares, Index width) {
  const float mean = call.problem.norm_kind == EQUINORM_NORM_RMS ? sum_of_squares / static_cast<float>(width) : sum_of_squares;
  return 1.0F / std::sqrt(mean + static_cast<float>(call.problem.eps));
}

Floats norm_weights(const Call& call, const char* name) {
  if (!normed(call) || call.problem.norm_weight == EQUINORM_WEIGHT_NONE) return {};
  Floats weights = whole_tensor(call.view(name));
  if (call.problem.norm_weight == EQUINORM_WEIGHT_ZERO_CENTRED) {
    for (float& w : weights) w = 1.0F + w;
  }
  return weights;
}

void scale_and_weigh(float* x, Index width, float alpha, const float* weight) {
  for (Index j = 0; j < width; ++j) x[j] *= alpha;
  if (weight == nullptr) return;
  for (Index j = 0; j < width; ++j) x[j] *= weight[j];
}

Rotation::Rotation(const Call& call) {
  const equinorm_problem& p = call.problem;
  if (p.rotated_dim == 0) return;
  pairs_ = p.rotated_dim / 2;
  first_ = !is_mla(call) && p.rope_last != 0 ? p.head_dim - p.rotated_dim : 0;
  interleaved_ = p.rope_layout == EQUINORM_ROPE_INTERLEAVED;
  cosines_ = whole_tensor(call.view("rope_cos"));
  sines_ = whole_tensor(call.view("rope_sin"));
}

void Rotation::turn(float* x, Index position) const {
  if (pairs_ == 0 || position < 0) return;
  const float* cosine = cosines_.data() + position * pairs_;
  const float* sine = sines_.data() + position * pairs_;
  for (Index i = 0; i < pairs_; ++i) {
    float& a = x[first_ + (interleaved_ ? 2 * i : i)];
    float& b = x[first_ + (interleaved_ ? 2 * i + 1 : i + pairs_)];
    const float turned = a * cosine[i] - b * sine[i];
    b = a * sine[i] + b * cosine[i];
    a = turned;
  }
}

}  // namespace equinorm::kernels::cpu
