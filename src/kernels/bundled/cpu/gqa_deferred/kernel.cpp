// Grouped attention whose cached keys are weighted and rotated but not normalised: alpha_k multiplies the score. Everything in fp32,
// k_deferred too; o is rounded to the storage format; o_gated and y, made of the rounded o, leave in fp32.
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace {

using equinorm::kernels::Call;
using equinorm::kernels::no_workspace;
using namespace equinorm::kernels::cpu;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "grouped attention, deferred norm, )" EQUINORM_STORAGE R"( on the CPU", "path": "absorbed",
  "stages": ["cache_write", "query", "score", "softmax", "value", "output"],
  "inputs": {},
  "outputs": {"alpha_k": {"dtype": "fp32"}, "k_deferred": {"dtype": "fp32"}, "alpha_q": {"dtype": "fp32"}, "q_hat": {"dtype": "fp32"},
    "lse": {"dtype": "fp32"}, "o": {"dtype": ")" EQUINORM_STORAGE R"("}, "o_gated": {"dtype": "fp32"}, "y": {"dtype": "fp32"}},
  "precision": {"storage": ")" EQUINORM_STORAGE R"("},
  "alpha_q": "query", "claims": ["bit-reproducible", "batch-invariant"],
  "requires": {"attention": ["gqa"], "start": ["latent"]}
})";

void run(const Call& call) {
  cache_write(call, Form::absorbed);
  query(call, Form::absorbed);
  attend(call, Form::absorbed);
  output(call, Form::absorbed);
}

}  // namespace

EQUINORM_KERNEL(kDeclaration, no_workspace, run)
