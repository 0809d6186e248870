// Products of matrices of Reals in a stated order of summation.
#include <algorithm>
#include <utility>
#include <vector>

#include "scalar/error.hpp"
#include "scalar/real.hpp"

namespace equinorm::scalar {
namespace {

/// The products of one output element: a_k b_k for k in [0, depth).
struct Terms {
  const Real* a;
  std::int64_t a_stride;
  const Real* b;
  std::int64_t b_stride;

  mpfr_srcptr left(std::int64_t k) const { return a[k * a_stride].get(); }
  mpfr_srcptr right(std::int64_t k) const { return b[k * b_stride].get(); }
};

class Summation {
 public:
  Summation(int bits, const SumOrder& order, bool fused)
      : bits_(bits), order_(order), fused_(fused), product_(bits), total_(bits), block_(bits) {}

  void operator()(const Terms& terms, std::int64_t depth, Real& out, bool add) {
    if (!add) {
      out.reset(bits_);
    } else if (out.bits() != bits_) {
      out = round(out, bits_);
    }
    if (depth == 0) return;
    if (order_.kind == SumOrder::Kind::pairwise) {
      sum_pairwise(terms, depth);
    } else if (order_.kind == SumOrder::Kind::blocked) {
      sum_blocks(terms, depth);
    } else {
      chain(terms, 0, depth, out, !add);
      return;
    }
    if (add) {
      mpfr_add(out.writable(), out.get(), total_.get(), MPFR_RNDN);
    } else {
      mpfr_set(out.writable(), total_.get(), MPFR_RNDN);
    }
  }

 private:
  /// sum := the terms [first, last), added one after the other to sum, or to the first term if `fresh`.
  void chain(const Terms& terms, std::int64_t first, std::int64_t last, Real& sum, bool fresh) {
    mpfr_ptr s = sum.writable();
    std::int64_t k = first;
    if (fresh) {
      mpfr_mul(s, terms.left(k), terms.right(k), MPFR_RNDN);
      ++k;
    }
    for (; k < last; ++k) {
      if (fused_) {
        mpfr_fma(s, terms.left(k), terms.right(k), s, MPFR_RNDN);
      } else {
        mpfr_mul(product_.writable(), terms.left(k), terms.right(k), MPFR_RNDN);
        mpfr_add(s, s, product_.get(), MPFR_RNDN);
      }
    }
  }

  void sum_blocks(const Terms& terms, std::int64_t depth) {
    const std::int64_t size = std::min(order_.block, depth);
    chain(terms, 0, size, total_, true);
    for (std::int64_t first = size; first < depth; first += size) {
      chain(terms, first, std::min(first + size, depth), block_, true);
      mpfr_add(total_.writable(), total_.get(), block_.get(), MPFR_RNDN);
    }
  }

  /// Trees of 2^j terms wait on a stack, largest first; two of the same size merge. What is left merges from the right, which is the tree
  /// that splits at the largest power of two below the length.
  void sum_pairwise(const Terms& terms, std::int64_t depth) {
    std::size_t height = 0;
    for (std::int64_t k = 0; k < depth; ++k) {
      if (height == stack_.size()) stack_.emplace_back(bits_);
      mpfr_mul(stack_[height++].writable(), terms.left(k), terms.right(k), MPFR_RNDN);
      for (std::int64_t done = k + 1; done % 2 == 0; done /= 2) merge_top(height);
    }
    while (height > 1) merge_top(height);
    std::swap(total_, stack_.front());
  }

  void merge_top(std::size_t& height) {
    --height;
    mpfr_add(stack_[height - 1].writable(), stack_[height - 1].get(), stack_[height].get(), MPFR_RNDN);
  }

  int bits_;
  const SumOrder& order_;
  bool fused_;
  Real product_;
  Real total_;
  Real block_;
  std::vector<Real> stack_;
};

void check(const SumOrder& order, std::int64_t m, std::int64_t n, std::int64_t depth, bool leading_dimensions_suffice) {
  if (order.kind == SumOrder::Kind::tensor_core) throw Error("product of real matrices: order tensor-core is for 16-bit formats only");
  if (order.kind == SumOrder::Kind::blocked && order.block < 1)
    throw Error("product of real matrices: blocks of " + std::to_string(order.block) + " terms");
  if (m < 0 || n < 0 || depth < 0) throw Error("product of real matrices: negative size");
  if (!leading_dimensions_suffice) throw Error("product of real matrices: leading dimension below the length of a row");
  if (!mpfr_buildopt_tls_p()) throw Error("this MPFR library was built without thread safety (--enable-thread-safe)");
}

}  // namespace

void matmul(int bits, const SumOrder& order, bool fused, std::int64_t m, std::int64_t n, std::int64_t depth, const Real* a,
            std::int64_t lda, const Real* b, std::int64_t ldb, Real* out, std::int64_t ldo, bool add) {
  check(order, m, n, depth, lda >= depth && ldb >= n && ldo >= n);
  Summation summation(bits, order, fused);
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) summation({a + i * lda, 1, b + j, ldb}, depth, out[i * ldo + j], add);
  }
}

void matmul_transposed(int bits, const SumOrder& order, bool fused, std::int64_t m, std::int64_t n, std::int64_t depth, const Real* a,
                       std::int64_t lda, const Real* b, std::int64_t ldb, Real* out, std::int64_t ldo, bool add) {
  check(order, m, n, depth, lda >= depth && ldb >= depth && ldo >= n);
  Summation summation(bits, order, fused);
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) summation({a + i * lda, 1, b + j * ldb, 1}, depth, out[i * ldo + j], add);
  }
}

Real dot(int bits, const SumOrder& order, bool fused, std::int64_t n, const Real* x, std::int64_t x_stride, const Real* y,
         std::int64_t y_stride) {
  check(order, 1, 1, n, true);
  Real result;
  Summation(bits, order, fused)({x, x_stride, y, y_stride}, n, result, false);
  return result;
}

Real sum(int bits, const SumOrder& order, bool fused, std::int64_t n, const Real* x, std::int64_t stride) {
  const Real one = Real::from_integer(1, 1);
  return dot(bits, order, fused, n, x, stride, &one, 0);
}

}  // namespace equinorm::scalar
