// Grouped attention with normalised keys. Everything in fp32, k_hat too; o is rounded to the storage format; o_gated and y, made of the
// rounded o, leave in fp32.
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace {

using equinorm::kernels::Call;
using equinorm::kernels::no_workspace;
using namespace equinorm::kernels::cpu;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "grouped attention, explicit, )" EQUINORM_STORAGE R"( on the CPU", "path": "explicit",
  "stages": ["cache_write", "query", "score", "softmax", "value", "output"],
  "inputs": {},
  "outputs": {"alpha_k": {"dtype": "fp32"}, "k_hat": {"dtype": "fp32"}, "alpha_q": {"dtype": "fp32"}, "q_hat": {"dtype": "fp32"},
    "lse": {"dtype": "fp32"}, "o": {"dtype": ")" EQUINORM_STORAGE R"("}, "o_gated": {"dtype": "fp32"}, "y": {"dtype": "fp32"}},
  "precision": {"storage": ")" EQUINORM_STORAGE R"("},
  "alpha_q": "query", "claims": ["bit-reproducible", "batch-invariant"],
  "requires": {"attention": ["gqa"], "start": ["latent"]}
})";

void run(const Call& call) {
  cache_write(call, Form::explicit_keys);
  query(call, Form::explicit_keys);
  attend(call, Form::explicit_keys);
  output(call, Form::explicit_keys);
}

}  // namespace

EQUINORM_KERNEL(kDeclaration, no_workspace, run)
