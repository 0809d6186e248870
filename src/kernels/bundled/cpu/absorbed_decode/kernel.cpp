// Score, softmax and value of the absorbed form in two passes over the latents. alpha_q multiplies q_tilde, alpha_k the content score. All
// in fp32; the cached RoPE key comes in the storage format, u leaves in it, rounded once.
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace {

using equinorm::kernels::Call;
using equinorm::kernels::no_workspace;
using namespace equinorm::kernels::cpu;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "absorbed decode, two passes, )" EQUINORM_STORAGE R"( on the CPU", "path": "absorbed",
  "stages": ["score", "softmax", "value"],
  "inputs": {"k_rope_cached": {"dtype": ")" EQUINORM_STORAGE R"("}},
  "outputs": {"logits": {"dtype": "fp32"}, "p": {"dtype": "fp32"}, "lse": {"dtype": "fp32"}, "u": {"dtype": ")" EQUINORM_STORAGE R"("}},
  "precision": {"storage": ")" EQUINORM_STORAGE R"("},
  "alpha_q": "query", "claims": ["bit-reproducible", "batch-invariant"],
  "requires": {"attention": ["mla"], "start": ["latent"]}
})";

void run(const Call& call) { attend(call, Form::absorbed); }

}  // namespace

EQUINORM_KERNEL(kDeclaration, no_workspace, run)
