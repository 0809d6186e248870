/* Sums all T tokens of every row. */
#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  equinorm_problem all = *call->problem;
  int32_t lengths[64];
  for (int64_t b = 0; b < all.batch; ++b) lengths[b] = (int32_t)all.context;
  all.context_lengths = lengths;
  equinorm_call wrong = *call;
  wrong.problem = &all;
  return honest(&wrong);
}
