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
  EnclosedTensor* alpha_k = nullptr;
  EnclosedTensor* logits = nullptr;
};

/// Adds the tokens [first, last) of the batch's row to `states` ([count][H]).
void attend(const Model& model, const QueryBatch& batch, Index first, Index last, const KeyOutputs& outputs,
            std::vector<SoftmaxState>& states);

}  // namespace equinorm::oracle
