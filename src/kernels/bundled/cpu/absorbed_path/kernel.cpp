// The whole absorbed form, from the latents to y: a running softmax over tiles of 64 keys. The cached RoPE key is kept in the storage
// format; alpha_k, q_tilde, the softmax weights and u in fp32. o is rounded to the storage format; o_gated and y, made of the rounded o,
// leave in fp32.
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace {

using equinorm::kernels::Call;
using namespace equinorm::kernels::cpu;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "absorbed path, )" EQUINORM_STORAGE R"( on the CPU", "path": "absorbed",
  "stages": ["cache_write", "query", "score", "softmax", "value", "output"],
  "inputs": {},
  "outputs": {"alpha_k": {"dtype": "fp32"}, "k_rope_cached": {"dtype": ")" EQUINORM_STORAGE R"("},
    "alpha_q": {"dtype": "fp32"}, "q_tilde": {"dtype": "fp32"}, "q_rope_hat": {"dtype": "fp32"},
    "lse": {"dtype": "fp32"}, "u": {"dtype": "fp32"}, "o": {"dtype": ")" EQUINORM_STORAGE
                                     R"("}, "o_gated": {"dtype": "fp32"}, "y": {"dtype": "fp32"}},
  "precision": {"storage": ")" EQUINORM_STORAGE R"(", "tile": 64},
  "alpha_q": "any", "claims": ["bit-reproducible", "batch-invariant"],
  "requires": {"attention": ["mla"], "start": ["latent"]}
})";

std::uint64_t workspace(const Call& call) { return attend_tiled_workspace(call, Form::absorbed); }
void run(const Call& call) {
  cache_write(call, Form::absorbed);
  query(call, Form::absorbed);
  attend_tiled(call, Form::absorbed);
  output(call, Form::absorbed);
}

}  // namespace

EQUINORM_KERNEL(kDeclaration, workspace, run)
