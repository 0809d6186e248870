// One block of keys against many queries: statistics, logits, softmax sums.
#pragma once

#include <vector>

#include "oracle/oracle.hpp"
#include "oracle/query.hpp"
#include "oracle/softmax_state.hpp"

namespace equinorm::oracle {

/// Queries [first, first + count) of one row, in order, heads within a query.
struct QueryBatch {
  Index b, first, count;
  std::vector<QueryHead> heads;  ///< [count][H]
};

/// Stores x as element `at`; whatever is not finite gets an infinite radius.
void record(EnclosedTensor& tensor, Index at, const Enclosed& x);
void record_minus_infinity(EnclosedTensor& tensor, Index at);

/// Tensors that a pass over the keys fills; null: not wanted.
struct KeyOutputs {
  EnclosedTensor* logits = nullptr;
  EnclosedTensor *alpha_k = nullptr, *k_hat = nullptr, *k_deferred = nullptr, *k_rope_cached = nullptr;
};

/// ||k||^2 of the blocks that share a statistic turned into inverse statistics, (5).
struct KeyStatistics {
  std::vector<BoundedBlock> alpha;  ///< [key_statistics]; 1 without norm
  BoundedBlock beta;                ///< of mla's RoPE block where it has a statistic of its own; else 1
};

/// Stores what `outputs` asks for of a block; content: [groups], raw.
void record_keys(const Model& model, const KeyBlock& block, const std::vector<Rows>& content, const KeyStatistics& statistics,
                 const KeyOutputs& outputs);

/// Adds the tokens [first, last) of the batch's row to `states` ([count][H]).
void attend(const Model& model, const QueryBatch& batch, Index first, Index last, const KeyOutputs& outputs,
            std::vector<SoftmaxState>& states);

}  // namespace equinorm::oracle
