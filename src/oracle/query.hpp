// Queries before the keys are seen.
#pragma once

#include <vector>

#include "oracle/model.hpp"

namespace equinorm::oracle {

/// One head of one query.
struct QueryHead {
  Row content;                ///< q gamma_q gamma_k over the content dims: (10) without W_K
  Row rope;                   ///< weighted and turned, not normalised
  std::vector<Enclosed> hat;  ///< q_hat (9), [key_dim]; rotated dims without a position are 0
  Enclosed alpha, beta;       ///< inverse statistics of the content (or only) block and of the RoPE block; 1 without norm
  LogitCoefficients score;    ///< scale alpha, scale beta
};

/// What project needs of the weights once per problem.
class QueryProjection {
 public:
  explicit QueryProjection(const Model& model);
  /// The H raw queries of query i of row b, [H][key_dim].
  std::vector<std::vector<Enclosed>> raw(const Model& model, Index b, Index i) const;

 private:
  Dense down_, up_;
  std::vector<double> gamma_;
};

/// The heads of query i of row b, (9). A query without a position is not turned: it sees nothing.
std::vector<QueryHead> make_query(const Model& model, const QueryProjection& projection, Index b, Index i);

}  // namespace equinorm::oracle
