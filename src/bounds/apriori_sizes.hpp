// The sizes that closed forms of logits are written in, measured in a problem's data.
#pragma once

#include "bounds/apriori.hpp"
#include "bounds/scores.hpp"

namespace equinorm::bounds {

/// Of the keys of one group.
struct KeyMeasures {
  Tensor<double> projected;              ///< mla, [T,d_c]: |c| |W_K|
  std::vector<double> projected_length;  ///< mla, [T]: no smaller than its length
  std::vector<double> rho;               ///< [T] of alpha_k as stored; 0 without a norm
  Weights gamma;                         ///< of the content
  double most_w = 0;                     ///< mla: largest |W_K|
  double most_gamma_q = 1, most_gamma_rope = 1;
};

/// Sizes of all keys of a group, and rho by apriori_rho.
KeyMeasures measure_keys(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const GroupKeys& keys,
                         Sizes sizes);

/// Of the logit of query row i and token t. What underflow adds is not machine-checked.
LogitSizes logit_sizes(const Setting& at, Sizes sizes, const RowKeys& row, const GroupKeys& keys, const KeyMeasures& measures,
                       const Queries& queries, Index i, Index t);

/// What a sum of `width` products of numbers of at most `most` loses besides its relative error. Proof: dot_flushed_error, unit_truncated.
double sum_lost(const Setting& at, Index width, double most);

}  // namespace equinorm::bounds
