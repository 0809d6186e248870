// The stages of the attention path on a CPU, as the bundled kernels string them together. Each reads its inputs from the call's tensors and
// writes those of its outputs that the call has; a kernel that carries out several stages hands tensors over in its own output memory,
// rounded to the format that this memory is declared in. Everything between reading and writing a tensor is fp32.
#pragma once

#include "kernels/kernel.hpp"

namespace equinorm::kernels::cpu {

enum class Form { absorbed, explicit_keys };  ///< gqa: absorbed is the form whose keys wait for alpha_k

/// Absorbed mla: alpha_k, k_rope_cached. Explicit: k_hat, alpha_k. Deferred gqa: k_deferred, alpha_k.
void cache_write(const Call& call, Form form);

/// Absorbed mla: q_tilde (without alpha_q), alpha_q, q_rope_hat. Otherwise q_hat, alpha_q.
void query(const Call& call, Form form);

/// Stages score, softmax and value in two passes over the keys: logits of all tokens, their softmax, then the average. Writes lse, u
/// (absorbed mla) or o, and logits and p where the call has them.
void attend(const Call& call, Form form);

/// The same stages with a running softmax over tiles of problem.tile keys (0: 64), in problem.splits parts whose normalised averages are
/// joined by their lse. Writes lse and u or o. The partial results lie in the workspace.
void attend_tiled(const Call& call, Form form);
std::uint64_t attend_tiled_workspace(const Call& call, Form form);

/// u -> o (absorbed mla), o -> o_gated, (o_gated or o) -> y: those that the call has.
void output(const Call& call, Form form);

}  // namespace equinorm::kernels::cpu
