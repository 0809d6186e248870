// The stages of the attention path and the tensors that pass between them: what a kernel that implements some of them reads and writes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "problem/names.hpp"
#include "problem/problem.hpp"
#include "problem/tensors.hpp"

namespace equinorm::kernels {

using problem::Index;
using problem::PathKind;
using problem::Problem;

enum class Stage : std::uint8_t { project, cache_write, query, score, softmax, value, output };

inline constexpr problem::NameTable<Stage, 7> kStageNames{{{Stage::project, "project"},
                                                           {Stage::cache_write, "cache_write"},
                                                           {Stage::query, "query"},
                                                           {Stage::score, "score"},
                                                           {Stage::softmax, "softmax"},
                                                           {Stage::value, "value"},
                                                           {Stage::output, "output"}}};

/// Consecutive stages, both ends included.
struct StageRun {
  Stage first = Stage::score, last = Stage::value;

  bool contains(Stage stage) const { return first <= stage && stage <= last; }
};

/// What a run of stages reads from outside and what it can write, in data-flow order. Handed-over tensors (outputs of earlier stages) are
/// listed in `handed_over`, the problem's own inputs in `inputs`; positions_q and positions_k are among them, filled with their defaults
/// where the problem has none. Tensors of `project` (c, k_rope, q_content, q_rope, q, k, v) pass on unjudged: they are no outputs.
struct StageTensors {
  std::vector<problem::TensorSpec> inputs, handed_over, outputs;
};

/// Throws Error where the problem has no such stage (project without x), or where the stages before the run would have to hand over
/// something that is no output of the problem (a run from cache_write or query on, of a problem that starts at x).
///
/// The RoPE tables have `table_rows` rows: explicit positions may lie beyond the context. 0: as many as default positions need.
StageTensors tensors_of(const Problem& problem, PathKind form, StageRun run, Index table_rows = 0);

}  // namespace equinorm::kernels
