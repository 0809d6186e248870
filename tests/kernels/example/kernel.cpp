// The smallest kernel: stage output of the absorbed form, o = u W_V, in bf16 with fp32 sums.
#include <equinorm/kernel.hpp>

using namespace equinorm::kernels;

constexpr const char* kDeclaration = R"({
  "equinorm": 1, "name": "o = u W_V", "path": "absorbed", "stages": ["output"],
  "outputs": {"o": {"dtype": "bf16"}}, "precision": {"storage": "bf16"}, "requires": {"attention": ["mla"], "start": ["latent"]}})";

void run(const Call& call) {
  const auto& p = call.problem;
  const View u = call.view("u"), w_v = call.view("w_v"), o = call.view("o");
  for (int64_t b = 0; b < p.batch; ++b)
    for (int64_t s = 0; s < p.queries; ++s)
      for (int64_t h = 0; h < p.heads; ++h)
        for (int64_t j = 0; j < p.value_dim; ++j) {
          float sum = 0;
          for (int64_t k = 0; k < p.latent; ++k) sum += u(b, s, h, k) * w_v(call.group_of(h), k, j);
          o(b, s, h, j) = sum;
        }
}

EQUINORM_KERNEL(kDeclaration, no_workspace, run)
