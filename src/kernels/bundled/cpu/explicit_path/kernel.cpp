// The explicit form from the latents to o: every key is materialised, k_hat and q_hat in fp32, and attended in two passes. o leaves in the
// storage format, rounded once.
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace {

using equinorm::kernels::Call;
using equinorm::kernels::no_workspace;
using namespace equinorm::kernels::cpu;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "explicit path, )" EQUINORM_STORAGE R"( on the CPU", "path": "explicit",
  "stages": ["cache_write", "query", "score", "softmax", "value"],
  "inputs": {},
  "outputs": {"alpha_k": {"dtype": "fp32"}, "k_hat": {"dtype": "fp32"}, "alpha_q": {"dtype": "fp32"}, "q_hat": {"dtype": "fp32"},
    "lse": {"dtype": "fp32"}, "o": {"dtype": ")" EQUINORM_STORAGE R"("}},
  "precision": {"storage": ")" EQUINORM_STORAGE R"("},
  "alpha_q": "query", "claims": ["bit-reproducible", "batch-invariant"],
  "requires": {"attention": ["mla"], "start": ["latent"]}
})";

void run(const Call& call) {
  cache_write(call, Form::explicit_keys);
  query(call, Form::explicit_keys);
  attend(call, Form::explicit_keys);
}

}  // namespace

EQUINORM_KERNEL(kDeclaration, no_workspace, run)
