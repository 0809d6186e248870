// Stage query of the absorbed form: q_tilde without alpha_q, alpha_q, and the rotated RoPE query, all computed and written in fp32.
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace {

using equinorm::kernels::Call;
using equinorm::kernels::no_workspace;
using namespace equinorm::kernels::cpu;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "query absorption, )" EQUINORM_STORAGE R"( on the CPU", "path": "absorbed",
  "stages": ["query"],
  "inputs": {},
  "outputs": {"q_tilde": {"dtype": "fp32"}, "alpha_q": {"dtype": "fp32"}, "q_rope_hat": {"dtype": "fp32"}},
  "precision": {"storage": ")" EQUINORM_STORAGE R"("},
  "alpha_q": "any", "claims": ["bit-reproducible", "batch-invariant"],
  "requires": {"attention": ["mla"], "start": ["latent"]}
})";

void run(const Call& call) { query(call, Form::absorbed); }

}  // namespace

EQUINORM_KERNEL(kDeclaration, no_workspace, run)
