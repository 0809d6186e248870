// One block of keys against many queries: statistics, logits, softmax sums.
#pragma once

#include <vector>

#include "oracle/oracle.hpp"
#include "oracle/query.hpp"
#include "oracle/softmax_state.hpp"

namespace equinorm::oracle {

/// mla: the queries of all heads of a batch, absorbed (10): q_tilde = W_K g, cut into slices that multiply the latents exactly.
struct AbsorbedQueries {
  std::vector<Row> rows;       ///< q_tilde per head; hi and lo are what `slices` hold, up to `radius`
  Matrix slices;               ///< [r][heads x 5]
  std::vector<double> radius;  ///< per head: ||exact q_tilde - sum of its slices||
};

/// Queries [first, first + count) of one row, in order, heads within a query.
struct QueryBatch {
  Index b, first, count;
  std::vector<QueryHead> heads;  ///< [count][H]
  AbsorbedQueries absorbed;      ///< mla
};
/// Fills batch.absorbed from the heads.
void absorb_queries(const Model& model, QueryBatch& batch);

/// Stores x as element `at`; whatever is not finite gets an infinite radius.
void record(EnclosedTensor& tensor, Index at, const Enclosed& x);
void record_minus_infinity(EnclosedTensor& tensor, Index at);

/// Tensors that a pass over the keys fills; null: not wanted.
struct KeyOutputs {
  EnclosedTensor* logits = nullptr;
  EnclosedTensor *alpha_k = nullptr, *k_hat = nullptr, *k_deferred = nullptr, *k_rope_cached = nullptr;
};

/// Inverse statistics of the keys of one block, (5).
struct BlockStatistics {
  std::vector<BoundedBlock> alpha;  ///< [key_statistics]; 1 without norm
  BoundedBlock beta;                ///< of mla's RoPE block where it has a statistic of its own; else 1
};

/// Of all blocks of all rows: [batch][blocks].
struct KeyBlocks {
  std::vector<std::vector<BlockStatistics>> rows;
};

/// What a pass over the keys works with besides the block itself; one per thread.
struct Workspace {
  Rows keys, scores;
};

/// The block's statistics; keys of mla are materialised for it. `kept`, if not null, gets the raw content keys of all groups.
BlockStatistics block_statistics(const Model& model, const KeyBlock& block, Workspace& work, std::vector<Rows>* kept);

/// Stores what `outputs` asks for of a block; content: [groups], raw.
void record_keys(const Model& model, const KeyBlock& block, const std::vector<Rows>& content, const BlockStatistics& statistics,
                 const KeyOutputs& outputs);

/// Adds the tokens [first, last) of the batch's row to `states` ([count][H]). `known`: the statistics of the row's blocks, or null; the
/// bits are the same.
void attend(const Model& model, const QueryBatch& batch, Index first, Index last, const std::vector<BlockStatistics>* known,
            const KeyOutputs& outputs, std::vector<SoftmaxState>& states);

}  // namespace equinorm::oracle
