// Score, softmax and value of the absorbed form over a paged cache: a running softmax over tiles, in as many splits as asked for, whose
// normalised averages are joined by their lse. alpha_q and alpha_k multiply the score tile before its maximum is taken (unified: alpha_q is
// in the RoPE query already, so that it multiplies q_tilde). All in fp32; u leaves in the storage format, rounded once.
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace {

using equinorm::kernels::Call;
using namespace equinorm::kernels::cpu;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "absorbed decode, tiled, split, paged, )" EQUINORM_STORAGE R"( on the CPU", "path": "absorbed",
  "stages": ["score", "softmax", "value"],
  "inputs": {
    "c": {"layout": "paged", "page_size": 64},
    "k_rope_cached": {"dtype": ")" EQUINORM_STORAGE R"(", "layout": "paged", "page_size": 64},
    "alpha_k": {"dtype": "fp32", "layout": "paged", "page_size": 64}},
  "outputs": {"lse": {"dtype": "fp32"}, "u": {"dtype": ")" EQUINORM_STORAGE R"("}},
  "precision": {"storage": ")" EQUINORM_STORAGE R"(", "tile": 64, "splits": 4},
  "alpha_q": "any", "claims": ["bit-reproducible", "batch-invariant"],
  "requires": {"attention": ["mla"], "start": ["latent"]}
})";

std::uint64_t workspace(const Call& call) { return attend_tiled_workspace(call, Form::absorbed); }
void run(const Call& call) { attend_tiled(call, Form::absorbed); }

}  // namespace

EQUINORM_KERNEL(kDeclaration, workspace, run)
