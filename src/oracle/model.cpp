#include "oracle/model.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>

#include "problem/norm_traits.hpp"
#include "problem/tensors.hpp"
#include "scalar/error.hpp"

namespace equinorm::oracle {
namespace {

using problem::NormWeight;

std::vector<double> read_all(const tensor::AnyTensor& tensor) {
  std::vector<double> values(static_cast<std::size_t>(tensor.size()));
  tensor.read(0, tensor.size(), values.data());
  return values;
}

/// gamma, 1 + gamma or 1 of every element of every head (or group).
std::vector<Enclosed> head_weights(const Problem& p, const TensorMap& inputs, Side side) {
  const bool query = side == Side::query, wide = problem::norm_traits(p).over_all_heads;
  const Index heads = query ? p.heads : p.groups, width = p.key_dim();
  std::vector<Enclosed> weights(static_cast<std::size_t>(heads * width), Enclosed{1, 0, 0});
  if (!problem::norm_traits(p).normed || p.norm.weight == NormWeight::none) return weights;
  /// Dims [begin, end) of each head have tensor `name`, with a part for each head or one part for all.
  const auto fill = [&](const std::string& name, Index begin, Index end, bool per_head) {
    if (begin == end) return;
    const std::vector<double> gamma = read_all(inputs.at(name));
    for (Index h = 0; h < heads; ++h) {
      for (Index j = begin; j < end; ++j) {
        const Enclosed value{gamma[static_cast<std::size_t>((per_head ? h * (end - begin) : 0) + j - begin)], 0, 0};
        weights[static_cast<std::size_t>(h * width + j)] = p.norm.weight == NormWeight::zero_centred ? add<One>({1, 0, 0}, value) : value;
      }
    }
  };
  if (!p.is_mla() || problem::norm_traits(p).spans_rope) {
    fill(query ? "gamma_q" : "gamma_k", 0, width, wide);
  } else {
    fill(query ? "gamma_cq" : "gamma_ck", 0, p.content_dim, wide);
    fill(query ? "gamma_rq" : "gamma_rk", p.content_dim, width, wide && query);  // one RoPE key for all groups
  }
  return weights;
}

}  // namespace

HeadLayout head_layout(const Problem& p) {
  if (p.is_mla()) return {p.content_dim, p.rope_dim, p.content_dim};
  const Index turned = p.rotated_dim();
  return {p.head_dim - turned, turned, p.rope.part == problem::RopePart::last ? p.head_dim - turned : 0};
}

Pair rope_pair(const Problem& p, Index i) {
  if (p.rope.layout == problem::RopeLayout::half) return {i, i + p.rotated_dim() / 2};
  return {2 * i, 2 * i + 1};
}

void check_inputs(const Problem& p, const TensorMap& inputs) {
  const auto table = inputs.find("rope_cos");
  const Index rows = table != inputs.end() && !table->second.shape().empty() ? table->second.shape()[0] : problem::default_table_rows(p);
  for (const problem::TensorSpec& spec : problem::input_tensors(p, rows)) {
    const auto found = inputs.find(spec.name);
    if (found == inputs.end()) {
      if (spec.optional) continue;
      throw Error("oracle: input " + spec.name + " is missing; needed is shape " + tensor::to_string(spec.shape));
    }
    if (found->second.shape() != spec.shape) {
      throw Error("oracle: input " + spec.name + " has shape " + tensor::to_string(found->second.shape()) + "; allowed is " +
                  tensor::to_string(spec.shape));
    }
  }
  problem::check_positions(p, inputs.contains("positions_q"));
}

Model::Model(const Problem& p, const TensorMap& tensors, bool keys)
    : problem(p), inputs(tensors), layout(head_layout(p)), scale(enclose_scale(p)), eps(enclose_decimal(p.norm.eps)) {
  normed = problem::norm_traits(p).normed;
  joint = !p.is_mla() || problem::norm_traits(p).spans_rope || !normed;
  cap = enclose_decimal(p.softcap);
  inverse_cap = p.softcap.is_zero() ? cap : enclose_rational(1 / p.softcap.value());
  weights_[0] = head_weights(p, inputs, Side::key);
  weights_[1] = head_weights(p, inputs, Side::query);
  key_positions_ = has("positions_k") ? &input("positions_k") : nullptr;
  query_positions_ = has("positions_q") ? &input("positions_q") : nullptr;
  if (p.is_mla()) {
    key_matrices.resize(static_cast<std::size_t>(p.groups));
    tbb::parallel_for(Index{0}, p.groups, [&](Index g) {
      key_matrices[static_cast<std::size_t>(g)] =
          Matrix(read_matrix(input("w_k"), g * p.latent * p.content_dim, p.latent, p.content_dim, p.content_dim), keys);
    });
    if (from_x()) {
      latent_matrix = Matrix(read_matrix(input("w_dkv"), 0, p.model_dim, p.latent, p.latent));
      if (p.rope_dim > 0) rope_matrix = Matrix(read_matrix(input("w_kr"), 0, p.model_dim, p.rope_dim, p.rope_dim));
      if (p.norm.latent_norm) latent_gamma = read_all(input("gamma_kv_latent"));
    }
  } else if (from_x()) {
    for (Index g = 0; g < p.groups; ++g) {
      key_matrices.emplace_back(read_matrix(input("w_k"), g * p.head_dim, p.model_dim, p.head_dim, p.groups * p.head_dim));
      value_matrices.emplace_back(read_matrix(input("w_v"), g * p.value_dim, p.model_dim, p.value_dim, p.groups * p.value_dim));
    }
  }
}

Enclosed Model::mean_factor(Index n, bool always_rms) const {
  switch (always_rms ? problem::NormKind::rms : problem.norm.kind) {
    case problem::NormKind::l2:
      return {1, 0, 0};
    case problem::NormKind::rms:
      break;
  }
  return div<One>({1, 0, 0}, {static_cast<double>(n), 0, 0});
}

Index Model::position(Side side, Index b, Index i) const {
  if (const tensor::AnyTensor* positions = side == Side::query ? query_positions_ : key_positions_; positions != nullptr) {
    std::int64_t value = 0;
    positions->read_integers(b * (side == Side::query ? problem.queries : problem.max_context()) + i, 1, &value);
    return value;
  }
  return side == Side::query ? problem.query_position(b, i) : i;
}

Model::Range Model::visible(Index b, Index i) const {
  const Index tokens = problem.context_of(b), after = problem.query_position(b, i) + 1;
  if (problem.mask.kind == problem::MaskKind::none) return {0, tokens};
  const Index last = std::clamp<Index>(after, 0, tokens);
  if (problem.mask.kind == problem::MaskKind::causal) return {0, last};
  return {std::clamp<Index>(after - problem.mask.window, 0, last), last};
}

std::vector<Enclosed> normalise_latent(const Model& model, const std::vector<Enclosed>& z, const std::vector<double>& gamma) {
  Enclosed squares{0, 0, 0};
  for (const Enclosed& value : z) squares = add<One>(squares, mul<One>(value, value));
  const Enclosed inverse = inverse_sqrt<One>(add<One>(mul<One>(squares, model.mean_factor(static_cast<Index>(z.size()), true)), model.eps));
  std::vector<Enclosed> result;
  for (std::size_t m = 0; m < z.size(); ++m) result.push_back(mul<One>(mul<One>(z[m], inverse), gamma[m]));
  return result;
}

}  // namespace equinorm::oracle
