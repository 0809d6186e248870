#include "oracle/product.hpp"

namespace equinorm::oracle {

Matrix::Matrix(const Dense& values) : columns_(transposed(values)) {
  double squares = 0;
  for (const double norm : values.column_norms) squares += norm * norm;
  norm_ = norm_from_squares(squares);
}

void Matrix::multiply(const Rows& in, Rows& out) const {
  out = Rows(columns(), true);
  for (Index j = 0; j < columns(); ++j) {
    kernels().dots(depth(), in.hi.data(), in.low(), columns_.values.data() + j * columns_.stride, nullptr, out.hi.data() + j * kBlock,
                   out.lo.data() + j * kBlock);
  }
  // Column j errs by at most kappa ||c|| ||W_j|| + r ||W_j||; the 2-norm over j turns ||W_j|| into the Frobenius norm.
  for (Index t = 0; t < kBlock; ++t) {
    out.radius[t] = dot_error(depth(), in.norm[t], in.radius[t], norm_, 0) + static_cast<double>(columns()) * 0x1p-1040;
  }
}

}  // namespace equinorm::oracle
