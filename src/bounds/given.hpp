// Tensors that a kernel is handed instead of computing them: how far they are from their exact values.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "bounds/queries.hpp"
#include "bounds/softmax_weights.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::bounds {

/// Output name -> format that the tensor is handed over in: alpha_k, k_rope_cached, k_hat, k_deferred, alpha_q, q_tilde, q_rope_hat,
/// q_hat, logits, p, u, o. What is handed over is the correctly rounded value of binary64's own: of this path, or of the other form where
/// this one does not define the tensor, in any order of sums.
using Given = std::map<std::string, scalar::Format>;

/// Puts what is handed over in the place of what a stage would have made. A number x that binary64 knows to E is handed over as
/// RN(x + E'), |E'| <= E, and binary64 knows it here as x + E'' likewise: radius 2 E and the rounding of a number that near. No error of an
/// earlier stage remains. Proof: given_radius, given_ratio, half_ulp_of_upper.
class HandedOver {
 public:
  /// error_bounds of some tensors of a form under a plan.
  using Shared = std::map<std::string, std::shared_ptr<const Tensor<double>>>;
  using BoundsOf = std::function<Shared(const paths::Plan&, PathKind, const std::set<std::string>&)>;
  /// `bounds_of` says what binary64 does not know. Throws Error for a name that no stage reads, or that the problem does not have.
  HandedOver(const problem::Problem& problem, const paths::Plan& plan, PathKind form, const Given& given, const BoundsOf& bounds_of);

  /// The plan that is left: alpha_q is inside a query that is handed over as q_hat, and outside q_tilde.
  static paths::Plan remaining(const problem::Problem& problem, paths::Plan plan, const Given& given);

  bool has(const char* name) const { return entries_.contains(name); }
  /// Whether nothing that is left to do under `at` reads errors of k0, since those of what is made of it are known.
  bool knows_keys(const Setting& at) const;
  /// Whether the other holds the same numbers.
  bool operator==(const HandedOver& other) const;

  /// Radii of what is handed over, ratios of rows 1. Proof: given_radius, given_ratio.
  void replace(RowKeys& row) const;
  void replace(const RowKeys& row, Index g, GroupKeys& keys) const;
  void replace(Index b, const std::vector<QueryIndex>& rows, Queries& queries) const;
  void replace(Index b, const std::vector<QueryIndex>& rows, Scores& scores) const;
  /// Radius of element `flat` of tensor `name`, whose value is about `value`. Proof: given_radius.
  double radius(const char* name, Index flat, double value) const;

 private:
  struct Entry {
    Rounding format;
    std::shared_ptr<const Tensor<double>> own;  ///< what binary64 does not know
  };
  const Entry& at(const char* name) const { return entries_.find(name)->second; }
  static Rounding::Held held(const Entry& entry, Index flat, double value);
  static void replace_rows(const Entry& entry, Index first, Index stride, Index offset, Vectors& x);

  const problem::Problem& problem_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace equinorm::bounds
