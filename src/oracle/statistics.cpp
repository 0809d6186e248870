// Inverse statistics of a block's keys.
#include "oracle/attend.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::oracle {
namespace {

BoundedBlock ones() {
  BoundedBlock block{};
  std::fill_n(block.hi, kBlock, 1.0);
  return block;
}

void add_to(BoundedBlock& sum, const BoundedBlock& more) {
  for (Index t = 0; t < kBlock; ++t) {
    const Enclosed s = add<One>({sum.hi[t], sum.lo[t], sum.radius[t]}, {more.hi[t], more.lo[t], more.radius[t]});
    sum.hi[t] = s.hi;
    sum.lo[t] = s.lo;
    sum.radius[t] = s.radius;
  }
}

/// (5): alpha_k from the squares of the content blocks of all groups.
BlockStatistics from_squares(const Model& model, const KeyBlock& block, std::vector<BoundedBlock> squares) {
  const Problem& p = model.problem;
  BlockStatistics statistics{{}, ones()};
  Index width = model.layout.content;
  if (model.joint && model.layout.rope > 0) {
    for (std::size_t g = 0; g < squares.size(); ++g) add_to(squares[g], block.rope_squares[p.is_mla() ? 0 : g]);
  }
  if (model.joint) width = p.key_dim();
  if (problem::norm_traits(p).over_all_heads) {
    for (std::size_t g = 1; g < squares.size(); ++g) add_to(squares[0], squares[g]);
    squares.resize(1);
    width *= p.groups;
  }
  statistics.alpha.resize(squares.size());
  for (std::size_t g = 0; g < squares.size(); ++g) {
    kernels().statistic(squares[g], model.mean_factor(width), model.eps, statistics.alpha[g]);
  }
  if (problem::norm_traits(p).own_rope_statistic && p.is_mla() && model.layout.rope > 0) {
    kernels().statistic(block.rope_squares[0], model.mean_factor(model.layout.rope), model.eps, statistics.beta);
  }
  return statistics;
}

}  // namespace

BlockStatistics block_statistics(const Model& model, const KeyBlock& block, Workspace& work, std::vector<Rows>* kept) {
  const Problem& p = model.problem;
  std::vector<BoundedBlock> squares = block.squares;
  if (kept != nullptr && !p.is_mla()) *kept = block.content;
  if (p.is_mla() && (model.normed || kept != nullptr)) {
    for (const Matrix& matrix : model.key_matrices) {
      matrix.multiply(block.latent, block.latent_slices, work.keys);
      measure(work.keys, squares.emplace_back());
      if (kept != nullptr) kept->push_back(work.keys);
    }
  }
  if (model.normed) return from_squares(model, block, std::move(squares));
  return {std::vector<BoundedBlock>(static_cast<std::size_t>(p.key_statistics()), ones()), ones()};
}

}  // namespace equinorm::oracle
