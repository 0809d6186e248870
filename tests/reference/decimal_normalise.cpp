#include "reference/decimal_stages.hpp"

namespace equinorm::reference {
namespace {

using problem::NormScheme;

/// A run of dims [begin, end) that shares one statistic.
struct Block {
  Index begin, end;
};

/// A scheme that the compiler does not find here has no reference yet: say above all of mla what becomes of the RoPE block.
std::vector<Block> blocks(const Problem& problem) {
  switch (problem.norm.scheme) {
    case NormScheme::blockwise:
    case NormScheme::full_width:
      if (problem.is_mla()) return {{0, problem.content_dim}, {problem.content_dim, problem.key_dim()}};
      break;
    case NormScheme::unified:
    case NormScheme::per_head:
    case NormScheme::none:
      break;
  }
  return {{0, problem.key_dim()}};
}

/// S(z) of a block of head h: over that head, or under full width over the block of all heads. MLA's key RoPE block exists once, not per
/// group.
Number statistic(const Problem& problem, Side side, const Tensor<Number>& raw, Index b, Index i, Index h, Block block) {
  if (problem.norm.scheme == NormScheme::none) return 1;
  const bool single_rope_key = side == Side::key && problem.is_mla() && block.begin > 0;
  const bool all_heads = problem.norm.scheme == NormScheme::full_width && !single_rope_key;
  const Index first = all_heads ? 0 : h, last = all_heads ? raw.dim(2) - 1 : h;
  Number squares = 0;
  Index count = 0;
  for (Index head = first; head <= last; ++head)
    for (Index j = block.begin; j < block.end; ++j) {
      squares += raw.row(b, i, head)[j] * raw.row(b, i, head)[j];
      ++count;
    }
  switch (problem.norm.kind) {
    case problem::NormKind::rms:
      squares /= Number(count);
      break;
    case problem::NormKind::l2:
      break;
  }
  return sqrt(squares + to_number(problem.norm.eps));
}

/// Position of query or key i of row b; negative only where a default position is.
Index position(const Problem& problem, const TensorMap& inputs, Side side, Index b, Index i) {
  const std::string name = side == Side::query ? "positions_q" : "positions_k";
  if (inputs.count(name) != 0) return static_cast<Index>(input(inputs, name, {b, i}));
  return side == Side::query ? problem.context_of(b) - problem.queries + i : i;
}

/// Turns one head by (cos, sin) of its position, or marks its rotated dims undefined where there is no position.
void rotate_head(const Problem& problem, const TensorMap& inputs, Index row, Number* z) {
  const Index n = problem.rotated_dim();
  const bool last_dims = problem.is_mla() || problem.rope.part == problem::RopePart::last;
  Number* turned = z + (last_dims ? problem.key_dim() - problem.rope_dim : 0);
  for (Index i = 0; i < n / 2; ++i) {
    const bool interleaved = problem.rope.layout == problem::RopeLayout::interleaved;
    Number& a = turned[interleaved ? 2 * i : i];
    Number& b = turned[interleaved ? 2 * i + 1 : i + n / 2];
    if (row < 0) {
      a = b = undefined();
      continue;
    }
    const Number cosine = input(inputs, "rope_cos", {row, i}), sine = input(inputs, "rope_sin", {row, i});
    const Number x = a, y = b;
    a = x * cosine - y * sine;
    b = x * sine + y * cosine;
  }
}

bool token_exists(const Problem& problem, Side side, Index b, Index i) {
  return side == Side::query ? query_exists(problem, b, i) : i < problem.context_of(b);
}

}  // namespace

Number weight(const Problem& problem, const TensorMap& inputs, Side side, Index h, Index j) {
  if (problem.norm.scheme == NormScheme::none || problem.norm.weight == problem::NormWeight::none) return 1;
  const std::string suffix = side == Side::query ? "q" : "k";
  const bool full_width = problem.norm.scheme == NormScheme::full_width;
  const Index d_c = problem.content_dim, d_r = problem.rope_dim;
  Number gamma;
  if (!problem.is_mla() || problem.norm.scheme == NormScheme::unified) {
    gamma = input(inputs, "gamma_" + suffix, {full_width ? h * problem.head_dim + j : j});
  } else if (j < d_c) {
    gamma = input(inputs, "gamma_c" + suffix, {full_width ? h * d_c + j : j});
  } else {
    gamma = input(inputs, "gamma_r" + suffix, {full_width && side == Side::query ? h * d_r + j - d_c : j - d_c});
  }
  return problem.norm.weight == problem::NormWeight::zero_centred ? 1 + gamma : gamma;
}

Normalised normalise(const Problem& problem, const TensorMap& inputs, Side side, const Tensor<Number>& raw) {
  const Index statistics = side == Side::query ? problem.heads : problem.norm.scheme == NormScheme::full_width ? 1 : problem.groups;
  Normalised result{undefined_tensor({raw.dim(0), raw.dim(1), statistics}), undefined_tensor(raw.shape()), undefined_tensor(raw.shape())};
  for (Index b = 0; b < raw.dim(0); ++b)
    for (Index i = 0; i < raw.dim(1); ++i)
      for (Index h = 0; h < raw.dim(2) && token_exists(problem, side, b, i); ++h)
        for (const Block block : blocks(problem)) {
          if (block.begin == block.end) continue;
          const Number s = statistic(problem, side, raw, b, i, h, block);
          if (block.begin == 0 && h < statistics) result.alpha.row(b, i)[h] = 1 / s;
          for (Index j = block.begin; j < block.end; ++j) {
            result.weighted.row(b, i, h)[j] = raw.row(b, i, h)[j] * weight(problem, inputs, side, h, j);
            result.hat.row(b, i, h)[j] = result.weighted.row(b, i, h)[j] / s;
          }
        }
  return result;
}

Tensor<Number> rotate(const Problem& problem, const TensorMap& inputs, Side side, const Tensor<Number>& heads) {
  Tensor<Number> turned = heads;
  for (Index b = 0; b < heads.dim(0); ++b)
    for (Index i = 0; i < heads.dim(1); ++i)
      for (Index h = 0; h < heads.dim(2) && token_exists(problem, side, b, i); ++h)
        rotate_head(problem, inputs, position(problem, inputs, side, b, i), turned.row(b, i, h));
  return turned;
}

}  // namespace equinorm::reference
