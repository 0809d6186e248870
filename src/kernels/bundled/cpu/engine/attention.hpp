// Queries that share their keys, and the logits and values of these keys: what both ways to carry out score, softmax and value stand on.
#pragma once

#include <optional>
#include <vector>

#include "kernels/bundled/cpu/engine/norm.hpp"
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace equinorm::kernels::cpu {

struct QueryRow {
  Index s, h;
};

/// At most kTaskRows query rows of one batch row: in the absorbed mla form of any heads, as all share the latents, otherwise of one group.
struct Task {
  Index b = 0, g = 0;
  std::vector<QueryRow> rows;
};
inline constexpr Index kTaskRows = 64;
std::vector<Task> attention_tasks(const Call& call, Form form);

/// Width of what is averaged: r in the absorbed mla form, otherwise d_v.
Index value_width(const Call& call, Form form);

class Attention {
 public:
  /// alpha_on_score: alpha_q multiplies the content score; else the query. (Unified: the query, whose RoPE block has it already.)
  Attention(const Call& call, Form form, const Task& task, bool alpha_on_score);

  Index rows() const { return static_cast<Index>(task_.rows.size()); }
  TokenRange sees(Index row) const { return sees_[static_cast<std::size_t>(row)]; }
  /// The tokens that some row sees: there is none among them that none sees.
  TokenRange tokens() const { return tokens_; }

  /// logits[i * stride + t - begin] = cap(scale (content + rope)) for begin <= t < begin + count; -inf where row i does not see t.
  void score(Index begin, Index count, float* logits, Index stride);
  /// sums[rows,value_width] += p[i * stride + t - begin] value_t; `begin` and `count` as in score.
  void add_values(Index begin, Index count, const float* p, Index stride, float* sums);

  /// The sink of a row's head.
  std::optional<float> sink(Index row) const;
  /// Writes average (u or o) and lse of a row.
  void write(Index row, const float* average, float lse) const;

 private:
  void load_queries(bool alpha_on_score);
  void load_keys(Index begin, Index count);
  float finish(float content, float rope, Index row, Index t) const;

  const Call& call_;
  const equinorm_problem& p_;
  bool absorbed_mla_;
  const Task& task_;
  std::vector<TokenRange> sees_;
  TokenRange tokens_;
  Index content_, rope_;
  Floats queries_;  ///< [rows, content + rope]
  Floats alpha_q_;  ///< [rows]; empty: inside the query, or none
  Index loaded_ = -1;
  Floats keys_, keys_t_;             ///< of the loaded tokens: [count, content + rope] and transposed
  Floats alpha_k_;                   ///< [count, statistics]; empty: inside the keys, or none
  std::vector<Index> alpha_column_;  /// of each row
  Floats w_v_;                       ///< [r, d_v] of the group, explicit mla
  float scale_, cap_;
};

}  // namespace equinorm::kernels::cpu
