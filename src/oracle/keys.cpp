#include "oracle/keys.hpp"

#include <cmath>

#include "scalar/error.hpp"

namespace equinorm::oracle {
namespace {

Values empty_values(Index width, Index count) {
  Values values;
  values.stride = (width + 7) / 8 * 8;
  values.hi.resize(static_cast<std::size_t>(count * values.stride));
  return values;
}

/// `width` exact values of each token, `pitch` apart.
Values read_values(const tensor::AnyTensor& tensor, Index first, Index count, Index width, Index pitch) {
  Values values = empty_values(width, count);
  for (Index t = 0; t < count; ++t) tensor.read(first + t * pitch, width, values.hi.data() + t * values.stride);
  values.largest = kernels().largest(count * values.stride, values.hi.data());
  return values;
}

/// Exact values as Rows; norms filled.
Rows to_rows(const Values& values, Index count, Index width) {
  Rows rows(width, false);
  for (Index begin = 0; begin < width; begin += 8) {  // a few cache lines at a time
    for (Index t = 0; t < count; ++t) {
      for (Index j = begin; j < std::min(begin + 8, width); ++j) {
        rows.hi[static_cast<std::size_t>(j * kBlock + t)] = values.hi[static_cast<std::size_t>(t * values.stride + j)];
      }
    }
  }
  BoundedBlock squares;
  measure(rows, squares);
  return rows;
}

Rows read_rows(const tensor::AnyTensor& tensor, Index first, Index count, Index width, Index pitch) {
  return to_rows(read_values(tensor, first, count, width, pitch), count, width);
}

Values to_values(const Rows& rows, Index count) {
  Values values = empty_values(rows.dim, count);
  const bool pairs = !rows.exact();
  if (pairs) values.low.resize(values.hi.size());
  for (Index begin = 0; begin < rows.dim; begin += 8) {
    for (Index t = 0; t < count; ++t) {
      for (Index j = begin; j < std::min(begin + 8, rows.dim); ++j) {
        const auto to = static_cast<std::size_t>(t * values.stride + j), from = static_cast<std::size_t>(j * kBlock + t);
        values.hi[to] = rows.hi[from];
        if (pairs) values.low[to] = rows.lo[from];
      }
    }
  }
  values.largest = kernels().largest(count * values.stride, values.hi.data());
  for (Index t = 0; t < count; ++t) values.radius = rows.radius[t] <= values.radius ? values.radius : rows.radius[t];
  return values;
}

/// The latent norm of every token.
void normalise(const Model& model, Index count, Rows& latent) {
  std::fill_n(latent.low, kBlock / kGroup, true);
  std::vector<Enclosed> z(static_cast<std::size_t>(latent.dim));
  for (Index t = 0; t < count; ++t) {
    for (Index m = 0; m < latent.dim; ++m) {
      const auto at = static_cast<std::size_t>(m * kBlock + t);
      z[static_cast<std::size_t>(m)] = {latent.hi[at], latent.lo[at], latent.radius[t]};
    }
    const std::vector<Enclosed> result = normalise_latent(model, z, model.latent_gamma);
    const Row row = make_row(result);
    for (Index m = 0; m < latent.dim; ++m) {
      const auto at = static_cast<std::size_t>(m * kBlock + t);
      latent.hi[at] = row.hi[static_cast<std::size_t>(m)];
      latent.lo[at] = row.lo[static_cast<std::size_t>(m)];
    }
    latent.radius[t] = row.radius;
  }
}

/// cos and sin of every token's position, [pairs][kBlock].
struct Tables {
  std::vector<double> cosine, sine;
};

Tables read_tables(const Model& model, const KeyBlock& block) {
  const Index pairs = model.problem.rotated_dim() / 2;
  Tables tables{std::vector<double>(static_cast<std::size_t>(pairs * kBlock)),
                std::vector<double>(static_cast<std::size_t>(pairs * kBlock))};
  if (pairs == 0) return tables;
  const tensor::AnyTensor &cosines = model.input("rope_cos"), &sines = model.input("rope_sin");
  std::vector<double> row(static_cast<std::size_t>(pairs));
  for (Index t = 0; t < block.count; ++t) {
    const Index position = model.position(Side::key, block.b, block.first + t);
    if (position < 0 || position >= cosines.shape()[0]) {
      throw Error("oracle: position " + std::to_string(position) + " of key " + std::to_string(block.first + t) +
                  " has no row in the RoPE tables (" + std::to_string(cosines.shape()[0]) + ")");
    }
    for (const bool sine : {false, true}) {
      (sine ? sines : cosines).read(position * pairs, pairs, row.data());
      std::vector<double>& target = sine ? tables.sine : tables.cosine;
      for (Index i = 0; i < pairs; ++i) target[static_cast<std::size_t>(i * kBlock + t)] = row[static_cast<std::size_t>(i)];
    }
  }
  return tables;
}

/// Weights and turns a raw RoPE block of group g in place.
void turn(const Model& model, const Tables& tables, Index g, Rows& rope) {
  rope.lo.resize(rope.hi.size());
  std::fill_n(rope.low, kBlock / kGroup, true);
  const Index turned = model.problem.rotated_dim() / 2, pairs = (rope.dim + 1) / 2;
  alignas(64) double squared[kBlock] = {}, spare_hi[kBlock] = {}, spare_lo[kBlock] = {};
  const auto weight = [&](Index j) { return model.weight(Side::key, g, model.layout.rope_begin + j); };
  for (Index i = 0; i < pairs; ++i) {
    const bool turns = i < turned;
    const Pair pair = turns ? rope_pair(model.problem, i) : Pair{2 * i, 2 * i + 1};
    const bool alone = pair.second >= rope.dim;
    double *xh = rope.hi.data() + pair.first * kBlock, *xl = rope.lo.data() + pair.first * kBlock;
    double* yh = alone ? spare_hi : rope.hi.data() + pair.second * kBlock;
    double* yl = alone ? spare_lo : rope.lo.data() + pair.second * kBlock;
    kernels().turn(weight(pair.first), alone ? Enclosed{0, 0, 0} : weight(pair.second), turns ? tables.cosine.data() + i * kBlock : nullptr,
                   turns ? tables.sine.data() + i * kBlock : nullptr, rope.radius, xh, xl, yh, yl, squared);
  }
  // Squares of radii below 2^-530 may underflow.
  for (Index t = 0; t < kBlock; ++t) rope.radius[t] = norm_from_squares(squared[t]);
  BoundedBlock unused;
  measure(rope, unused);
}

void add_rope(const Model& model, const Tables& tables, Index g, Rows raw, KeyBlock& block) {
  measure(raw, block.rope_squares.emplace_back());
  turn(model, tables, g, raw);
  block.rope.push_back(std::move(raw));
}

/// Dims of `head` that `dims(j)` names, j < count.
template <class Dims>
Rows pick(const Rows& head, Index count, const Dims& dims) {
  const bool pairs = !head.exact();
  Rows part(count, pairs);
  for (Index j = 0; j < count; ++j) {
    const Index from = dims(j) * kBlock;
    std::copy_n(head.hi.begin() + from, kBlock, part.hi.begin() + j * kBlock);
    if (pairs) std::copy_n(head.lo.begin() + from, kBlock, part.lo.begin() + j * kBlock);
  }
  std::copy_n(head.radius, kBlock, part.radius);
  return part;
}

void load_gqa(const Model& model, const Tables& tables, KeyBlock& block) {
  const Problem& p = model.problem;
  const Index token = block.b * p.max_context() + block.first;
  Rows x;
  SlicedRows sliced;
  if (model.from_x()) {
    x = read_rows(model.input("x"), token * p.model_dim, block.count, p.model_dim, p.model_dim);
    sliced = slice(x);
  }
  for (Index g = 0; g < p.groups; ++g) {
    Rows key, value;
    if (model.from_x()) {
      model.key_matrices[static_cast<std::size_t>(g)].multiply(x, sliced, key);
      model.value_matrices[static_cast<std::size_t>(g)].multiply(x, sliced, value);
    } else {
      key = read_rows(model.input("k"), (token * p.groups + g) * p.head_dim, block.count, p.head_dim, p.groups * p.head_dim);
      value = read_rows(model.input("v"), (token * p.groups + g) * p.value_dim, block.count, p.value_dim, p.groups * p.value_dim);
    }
    const HeadLayout& layout = model.layout;
    block.content.push_back(pick(key, layout.content, [&](Index j) { return layout.content_dim(j); }));
    measure(block.content.back(), block.squares.emplace_back());
    if (layout.rope > 0) add_rope(model, tables, g, pick(key, layout.rope, [&](Index j) { return layout.rope_begin + j; }), block);
    block.values.push_back(to_values(value, block.count));
  }
}

}  // namespace

KeyBlock load_keys(const Model& model, Index b, Index first, Index count) {
  const Problem& p = model.problem;
  KeyBlock block{b, first, count, {}, {}, {}, {}, {}, {}, {}};
  const Tables tables = read_tables(model, block);
  const Index token = b * p.max_context() + first;
  if (!p.is_mla()) {
    load_gqa(model, tables, block);
    return block;
  }
  Rows rope;
  if (model.from_x()) {
    const Rows x = read_rows(model.input("x"), token * p.model_dim, count, p.model_dim, p.model_dim);
    const SlicedRows sliced = slice(x);
    model.latent_matrix.multiply(x, sliced, block.latent);
    if (!model.latent_gamma.empty()) normalise(model, count, block.latent);
    BoundedBlock unused;
    measure(block.latent, unused);
    block.values.push_back(to_values(block.latent, count));
    if (p.rope_dim > 0) model.rope_matrix.multiply(x, sliced, rope);
  } else {
    block.values.push_back(read_values(model.input("c"), token * p.latent, count, p.latent, p.latent));
    block.latent = to_rows(block.values.back(), count, p.latent);
    if (p.rope_dim > 0) rope = read_rows(model.input("k_rope"), token * p.rope_dim, count, p.rope_dim, p.rope_dim);
  }
  if (p.rope_dim > 0) add_rope(model, tables, 0, std::move(rope), block);
  block.latent_slices = slice(block.latent);
  return block;
}

}  // namespace equinorm::oracle
