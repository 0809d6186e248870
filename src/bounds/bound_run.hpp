// One pass over a problem: bounds of what is wanted under one setting, group by group, some tokens at a time.
//
// Every radius is told from what binary64 makes of the exact quantities (centre_dot and its like: its own roundings are in), and how far
// that is from exact comes on top (told_from_centre).
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "bounds/bounds.hpp"
#include "bounds/kept.hpp"
#include "bounds/probable.hpp"
#include "bounds/values.hpp"

namespace equinorm::bounds {

/// Far below any format's unit, far above what certified enclosures are known to: an exact zero can be decided.
inline constexpr double kDecidable = 0x1p-460;

/// Far below binary64's unit, above what certified enclosures know a number to, of its row's largest: where a kernel only copies its
/// inputs, multiplies zeros, or rounds a number that is known exactly, the bound needs this much more for an enclosure of positive width to
/// be held to it. A larger bound is a bound all the same; what slips through is no more than 2^-22 of binary64's own unit.
constexpr double kKnown = 0x1p-75;

/// Raises the bounds of one row by kKnown of its largest value, and by kDecidable.
void raise(const double* value, Index width, double* bound);

/// A run, its batch row, group and chunk of query rows.
using RunPlace = std::tuple<std::size_t, Index, Index, Index>;

/// What the runs of all plans of a problem share.
struct Common {
  Common(const problem::Problem& problem, const tensor::TensorMap& inputs, std::size_t runs);
  Common(const Common&) = delete;

  const problem::Problem& problem;
  paths::PathInputs<double> in;
  paths::Plan own_plan;
  Setting own;  ///< the explicit form in binary64: its bound says how far the logits here may be from exact
  /// What binary64 itself may lose in the logits, [n,T]: the same whatever the plan, so of run 0. Not of problems with very many scores.
  Kept<RunPlace, Tensor<double>> own_errors;
  /// Scores of the runs so far, for a later one that differs in its softmax alone. Not of problems with many scores.
  Kept<RunPlace, Scores> scores;
};

/// Sources and keys of some tokens of a batch row.
struct RowBlock {
  RowBlock(const Setting& at, const Common& common, std::shared_ptr<const Sources> of, Index b, const Tokens& tokens,
           const std::vector<SquareSums>& sums);

  std::shared_ptr<const Sources> sources;
  RowKeys row;
};

/// As error_bounds, and beside it probable bounds where lambda > 0.
class BoundRun {
 public:
  /// `given`: null where the kernel computes everything. `token_block`: tokens looked at at a time.
  BoundRun(const Setting& at, Common& common, const std::set<std::string>& wanted, const HandedOver* given, double lambda = 0,
           Index token_block = kTokenBlock);

  /// Shares its scores with every run of that number, which is not 0: one that differs from this in its softmax alone. What is wanted of
  /// keys may then be left at 0 in all but the first.
  void share_scores(std::size_t number) { number_ = number; }
  Bounds run();
  /// After run: probable bounds of logits and o, beside the rigorous ones of the same element.
  Bounds probable() { return std::move(probable_); }

 private:
  /// Query rows that share one pass over the keys.
  static constexpr Index kRowChunk = 64;

  /// One batch row.
  struct Row {
    Index b;
    RowSources sources, own_sources;
    std::vector<Tokens> blocks;
    std::vector<SquareSums> sums, own_sums;  ///< full_width, where there are several blocks
    LatentLengths lengths;
    std::unique_ptr<RowBlock> only, own_only;  ///< where there is one block, for all groups
  };
  /// Keys of one group in one block, as the kernel holds them, and as binary64 does where that is wanted.
  struct KeyBlock {
    std::unique_ptr<RowBlock> made, own_made;  ///< where they are not the row's
    const RowKeys *row = nullptr, *own_row = nullptr;
    GroupKeys keys, own;
    GroupKeys same;  ///< of the form at hand in binary64, where errors of keys are wanted
  };
  /// Some query rows of one group.
  struct Chunk {
    Index g, number;
    std::vector<QueryIndex> rows;
    const KeyBlock* only;  ///< where there is one block
    const Values& values;
  };

  bool wants(std::initializer_list<const char*> names) const;
  Tensor<double>* find(const char* name);
  bool is_given(const char* name) const { return given_ != nullptr && given_->has(name); }

  void run_row(Index b);
  void run_group(const Row& row, Index g);
  void run_chunk(const Row& row, const Chunk& chunk);
  std::vector<SquareSums> all_sums(const Setting& at, const RowSources& sources, const Row& row) const;
  std::unique_ptr<RowBlock> make_rows(const Row& row, std::size_t block) const;
  std::unique_ptr<RowBlock> make_own_rows(const Row& row, std::size_t block, const RowBlock& beside) const;
  KeyBlock make_keys(const Row& row, Index g, std::size_t block, bool with_own) const;
  Scores all_scores(const Row& row, const Chunk& chunk, const Queries& queries);
  Scores make_all_scores(const Row& row, const Chunk& chunk, const Queries& queries);
  void attend(const Row& row, const Chunk& chunk, const Queries& queries, const Scores& scores);
  void keep_average(const Row& row, const Chunk& chunk, const std::vector<RowWeights>& weights, const AverageBound& average,
                    const Tensor<double>& expanded);
  Tensor<double> latent_part(const Row& row, const Chunk& chunk, const Scores& scores, const std::vector<RowWeights>& weights);
  Tensor<double> expand(Index g, const Tensor<double>& through, const Tensor<double>& held) const;
  RowWeights weights_of(Index b, const Scores& scores, Index i, const QueryIndex& at_query) const;
  void finish_row(Index b);

  void keep_rope(const RowKeys& row, const RowKeys& own);
  void keep_keys(const KeyBlock& block, Index g);
  void keep_queries(const Row& row, const Chunk& chunk, const Queries& queries);
  void keep_scores(const Row& row, const Scores& scores, const RowWeights& weights, Index i, const QueryIndex& at_query);
  void keep_probable(const Chunk& chunk, const Queries& queries, const Scores& scores, const std::vector<RowWeights>& weights,
                     const AverageBound& average);

  const Setting& at_;
  paths::Plan same_plan_;
  Setting same_;  ///< the form at hand in binary64: its bounds say how far the keys and queries here may be from exact
  Common& common_;
  const std::set<std::string>& wanted_;
  double lambda_;  ///< 0: no probable bounds
  Index token_block_;
  std::size_t number_ = 0;  ///< of runs with the same scores; 0: of none
  KeyNeeds needs_;
  Bounds probable_;          ///< of logits and o, where wanted
  const HandedOver* given_;  ///< null: the kernel computes everything
  const problem::Problem& pb_;
  const paths::PathInputs<double>& in_;
  bool average_, latent_, weights_, scores_, queries_, keys_;  ///< what of the later stages is wanted
  bool keeps_keys_, keeps_queries_;                            ///< whether any of them is wanted itself
  Bounds out_;
  Tensor<double> o_;  ///< [B,S,H*d_v] exact o in binary64
};

}  // namespace equinorm::bounds
