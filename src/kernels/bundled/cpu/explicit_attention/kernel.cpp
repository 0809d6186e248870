// Score, softmax and value of the explicit form, given q_hat and k_hat in the storage format: two passes, values c W_V made block by block
// and never rounded below fp32. o leaves in the storage format, rounded once.
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace {

using equinorm::kernels::Call;
using equinorm::kernels::no_workspace;
using namespace equinorm::kernels::cpu;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "explicit attention, )" EQUINORM_STORAGE R"( on the CPU", "path": "explicit",
  "stages": ["score", "softmax", "value"],
  "inputs": {"k_hat": {"dtype": ")" EQUINORM_STORAGE R"("}, "q_hat": {"dtype": ")" EQUINORM_STORAGE R"("}},
  "outputs": {"logits": {"dtype": "fp32"}, "p": {"dtype": "fp32"}, "lse": {"dtype": "fp32"}, "o": {"dtype": ")" EQUINORM_STORAGE R"("}},
  "precision": {"storage": ")" EQUINORM_STORAGE R"("},
  "alpha_q": "query", "claims": ["bit-reproducible", "batch-invariant"],
  "requires": {"attention": ["mla"], "start": ["latent"]}
})";

void run(const Call& call) { attend(call, Form::explicit_keys); }

}  // namespace

EQUINORM_KERNEL(kDeclaration, no_workspace, run)
