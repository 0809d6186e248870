// Stage output of the absorbed form: o = u W_V, the sigmoid gate, y = concat_h(o) W_O. All in fp32; o is rounded to the storage format,
// and what follows is made of the rounded o; o_gated and y leave in fp32.
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace {

using equinorm::kernels::Call;
using equinorm::kernels::no_workspace;
using namespace equinorm::kernels::cpu;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "output, )" EQUINORM_STORAGE R"( on the CPU", "path": "absorbed",
  "stages": ["output"],
  "inputs": {},
  "outputs": {"o": {"dtype": ")" EQUINORM_STORAGE R"("}, "o_gated": {"dtype": "fp32"}, "y": {"dtype": "fp32"}},
  "precision": {"storage": ")" EQUINORM_STORAGE R"("},
  "alpha_q": "any", "claims": ["bit-reproducible", "batch-invariant"],
  "requires": {"attention": ["mla"], "start": ["latent"]}
})";

void run(const Call& call) { output(call, Form::absorbed); }

}  // namespace

EQUINORM_KERNEL(kDeclaration, no_workspace, run)
