// Attention weights of real checkpoints (Hugging Face names and layouts) as inputs of a problem.
#pragma once

#include <string>
#include <vector>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

struct ModelLayer {
  tensor::TensorMap inputs;        ///< everything that the problem needs
  std::vector<std::string> notes;  ///< what did not come from the checkpoint, one line each
};

/// `problem` as that layer's weights need it: start x; where the problem began at the latent, model_dim as in the file unless it is given,
/// and the latents normalised iff the file has norms for them. Throws Error for a layer without attention, or if the result is not a valid
/// problem.
problem::Problem problem_from_x(problem::Problem problem, const std::string& path, problem::Index layer);

/// Layer `layer` of the checkpoint at `path` (see WeightStore) as inputs of `problem`, whose start must be x and model_dim the model's
/// hidden size.
///
/// Linear weights are stored [out, in] there and are transposed, bit for bit, in the dtype of the file:
///   mla: kv_a_proj_with_mqa [r+d_r, hidden] -> w_dkv, w_kr.   kv_b_proj [H (d_c+d_v), r], per head content key then value -> w_k, w_v.
///        q_proj, or q_a_proj and q_b_proj, per head content then RoPE -> w_uq, or w_dq and w_uq.   kv_a_layernorm, q_a_layernorm ->
///        gamma_*_latent.
///   gqa: q_proj, k_proj, v_proj -> w_q, w_k, w_v.   q_norm, k_norm -> gamma_q, gamma_k.   With an output gate, q_proj [H 2d, hidden] holds
///   per
///        head the query then the gate (Qwen3-Next); `gate` is then x W_gate, rounded to the storage format.
///   both: o_proj [hidden, H d_v] -> w_o.
/// A problem with fewer heads than the file is the tensor-parallel slice that begins at head `first_head` (and its group).
/// x is drawn from problem.inputs (kind "file": normal), as are QK-norm weights that the checkpoint does not have (DeepSeek) and a sink;
/// RoPE tables are exact. mla weights of DeepSeek are meant for interleaved RoPE. Throws Error for other starts, wrong shapes, missing
/// tensors, unreadable dtypes, and projections with a bias, which no problem can express.
ModelLayer load_model_layer(const problem::Problem& problem, const std::string& path, problem::Index layer, problem::Index first_head = 0);

}  // namespace equinorm::inputs
