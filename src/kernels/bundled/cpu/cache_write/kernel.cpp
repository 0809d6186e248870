// Stage cache_write of the absorbed form: alpha_k in fp32 and the rotated RoPE key in the storage format. c W_K, the statistics and the
// rotation are fp32; k_rope_cached is rounded once, when it is written.
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace {

using equinorm::kernels::Call;
using equinorm::kernels::no_workspace;
using namespace equinorm::kernels::cpu;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "cache write, )" EQUINORM_STORAGE R"( on the CPU", "path": "absorbed",
  "stages": ["cache_write"],
  "inputs": {},
  "outputs": {"alpha_k": {"dtype": "fp32"}, "k_rope_cached": {"dtype": ")" EQUINORM_STORAGE R"("}},
  "precision": {"storage": ")" EQUINORM_STORAGE R"("},
  "alpha_q": "any", "claims": ["bit-reproducible", "batch-invariant"],
  "requires": {"attention": ["mla"], "start": ["latent"]}
})";

void run(const Call& call) { cache_write(call, Form::absorbed); }

}  // namespace

EQUINORM_KERNEL(kDeclaration, no_workspace, run)
