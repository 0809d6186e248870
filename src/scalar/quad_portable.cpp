#include <cmath>

#include "scalar/quad_body.hpp"

namespace equinorm::scalar::wide {
namespace {

void accumulate(std::int64_t depth, const double* a, const double* b, double* s, double* c) {
  double sum = *s;
  double correction = *c;
  for (std::int64_t k = 0; k < depth; ++k) {
    const double p = a[k] * b[k];
    const double e = std::fma(a[k], b[k], -p);
    const double next = sum + p;
    const double part = next - sum;
    const double sigma = (sum - (next - part)) + (p - part);
    sum = next;
    correction += sigma + e;
  }
  *s = sum;
  *c = correction;
}

}  // namespace

const Kernel kPortableKernel{1, 1, accumulate};

}  // namespace equinorm::scalar::wide
