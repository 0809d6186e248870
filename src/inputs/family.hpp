// The distribution of one input family: how each tensor of a problem is drawn.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inputs/random.hpp"
#include "inputs/rope_tables.hpp"
#include "problem/problem.hpp"
#include "problem/tensors.hpp"

namespace equinorm::inputs {

using problem::Problem;
using problem::Role;
using problem::TensorSpec;

/// Which token or query, and which head, a row of an activation tensor ([B,T,n] or [B,N,heads,n]) belongs to.
struct RowPlace {
  Index batch, position, head;
};
RowPlace place_of(const TensorSpec& spec, Index row);

/// Tensors with one row (or one row per group) for each token, that keys are made of: c, k_rope, k, x.
bool is_key_source(const TensorSpec& spec);

/// The base class draws the family "normal": activations N(0, 1); weights N(0, 1/fan_in), so that keys have RMS 1; gammas of random sign
/// and magnitude 0.5 to 1.5 (zero-centred ones 0.5 N(0, 1), times about sqrt(width) under an L2 norm, so that logits keep their size); sink
/// near the typical row maximum; gate N(0, 1). Every element depends on (seed, tensor name, index) alone. Values are unrounded.
class Family {
 public:
  /// `tables` may be empty where the problem does not rotate.
  Family(const Problem& problem, const RopeTables& tables) : problem_(problem), tables_(tables) {}
  virtual ~Family() = default;
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  /// Rows [first, first + count) of a tensor; a row is the last axis.
  void rows(const TensorSpec& spec, Index first, Index count, double* out) const;

  /// Whether 16-bit values are kept on the grid that fp16 and bf16 share. Families that need the range of the storage format say no.
  virtual bool common_grid() const { return true; }

 protected:
  /// Elements [begin, begin + count) before adjust.
  virtual void draw(const TensorSpec& spec, Index begin, Index count, double* out) const;
  /// Values of zero mean and unit variance.
  virtual void unit(const RandomStream& stream, Index begin, Index count, double* out) const;
  /// What the family does to one drawn row.
  virtual void adjust(const TensorSpec& spec, Index row, double* values) const;
  /// Size of the largest logit of a typical row, before the softcap.
  virtual double typical_maximum() const;

  RandomStream stream(std::string_view name) const { return {problem_.inputs.seed, name}; }
  /// Gammas of the latent norms are plain, whatever norm.weight says.
  bool zero_centred(const TensorSpec& spec) const;
  /// The softmax scale as a double.
  double scale() const;
  /// Elements that one QK statistic averages over, for the norm of the content block or head.
  Index norm_width() const;

  const Problem& problem_;
  const RopeTables& tables_;

 private:
  void draw_gammas(const TensorSpec& spec, Index begin, Index count, double* out) const;
};

/// One row of the catalogue of families.
struct FamilyRow {
  std::string_view name;
  std::string_view description;
  std::unique_ptr<Family> (*make)(const Problem&, const RopeTables&);
};

/// Every family, in the order in which they are listed for people.
const std::vector<FamilyRow>& family_table();

// Families of files of their own.
std::unique_ptr<Family> make_planted_key(const Problem& problem, const RopeTables& tables);
std::unique_ptr<Family> make_edge_logits(const Problem& problem, const RopeTables& tables);
std::unique_ptr<Family> make_small_tokens(const Problem& problem, const RopeTables& tables);
std::unique_ptr<Family> make_wide_tokens(const Problem& problem, const RopeTables& tables);
std::unique_ptr<Family> make_massive_channels(const Problem& problem, const RopeTables& tables);
std::unique_ptr<Family> make_anisotropic(const Problem& problem, const RopeTables& tables);
std::unique_ptr<Family> make_nullspace(const Problem& problem, const RopeTables& tables);
std::unique_ptr<Family> make_uniform(const Problem& problem, const RopeTables& tables);
std::unique_ptr<Family> make_integers(const Problem& problem, const RopeTables& tables);
std::unique_ptr<Family> make_zero_token(const Problem& problem, const RopeTables& tables);
std::unique_ptr<Family> make_constant(const Problem& problem, const RopeTables& tables);

}  // namespace equinorm::inputs
