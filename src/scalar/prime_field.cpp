#include "scalar/prime_field.hpp"

#include <algorithm>
#include <memory>
#include <new>

#include "scalar/error.hpp"
#include "scalar/prime_field_body.hpp"
#include "scalar/simd.hpp"

namespace equinorm::scalar {
namespace {

using prime_field::Kernel;
using prime_field::Packing;

/// Block sizes: a panel of a (rows x kDepthBlock words) stays in L1, the packed block of b (at most 3 MiB, 1 MiB for one plane) in L2.
constexpr std::int64_t kDepthBlock = 512;
constexpr std::int64_t kColumnBlock = 256;
static_assert(kDepthBlock <= prime_field::kLazyTerms);

constexpr std::align_val_t kAlignment{64};
struct FreeAligned {
  void operator()(std::uint64_t* words) const { ::operator delete[](words, kAlignment); }
};
using Buffer = std::unique_ptr<std::uint64_t[], FreeAligned>;

Buffer allocate(std::int64_t words) { return Buffer(new (kAlignment) std::uint64_t[static_cast<std::size_t>(words)]); }

std::int64_t round_up(std::int64_t size, std::int64_t step) { return (size + step - 1) / step * step; }

const Kernel& kernel_now() {
#if defined(__x86_64__)
  const SimdLevel level = simd_level();
  if (level == SimdLevel::avx512) return prime_field::kAvx512Kernel;
  if (level == SimdLevel::avx2) return prime_field::kAvx2Kernel;
#endif
  return prime_field::kPortableKernel;
}

template <Packing packing>
void put(FieldElement element, std::uint64_t* place, std::int64_t plane) {
  if constexpr (packing == Packing::words) {
    *place = element.value;
  } else {
    place[0] = element.value & ((std::uint64_t{1} << 25) - 1);
    place[plane] = element.value >> 25;
    place[2 * plane] = place[0] + place[plane];
  }
}

/// panel(k, i) = source[i * across + k * along] for i < count, 0 for i in [count, width); k-major, in the kernel's planes. Reads along rows
/// of the source, whichever way they run.
template <Packing packing>
void pack(const FieldElement* source, std::int64_t across, std::int64_t along, std::int64_t count, std::int64_t width, std::int64_t depth,
          std::uint64_t* panel) {
  const std::int64_t plane = width * depth;
  if (count < width) std::fill_n(panel, plane * prime_field::planes(packing), 0);
  if (along == 1) {
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t k = 0; k < depth; ++k) put<packing>(source[i * across + k], panel + k * width + i, plane);
    }
  } else {
    for (std::int64_t k = 0; k < depth; ++k) {
      for (std::int64_t i = 0; i < count; ++i) put<packing>(source[i * across + k * along], panel + k * width + i, plane);
    }
  }
}

void store(const std::uint64_t* tile, std::int64_t tile_columns, std::int64_t rows, std::int64_t columns, FieldElement* out,
           std::int64_t ldo, bool accumulate) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const FieldElement sum{tile[i * tile_columns + j]};
      FieldElement& target = out[i * ldo + j];
      target = accumulate ? add(target, sum) : sum;
    }
  }
}

/// b(k, j) = data[k * along + j * across].
struct RightOperand {
  const FieldElement* data;
  std::int64_t across;
  std::int64_t along;
};

struct Target {
  FieldElement* data;
  std::int64_t stride;
};

/// Blocks of one product: the kernel and its packed operands.
class BlockProduct {
 public:
  BlockProduct(std::int64_t n, std::int64_t depth)
      : kernel_(kernel_now()),
        words_(std::min(depth, kDepthBlock) * prime_field::planes(kernel_.packing)),
        packed_a_(allocate(kernel_.rows * words_)),
        packed_b_(allocate(round_up(std::min(n, kColumnBlock), kernel_.columns) * words_)) {}

  /// out (+)= a b for at most kDepthBlock terms and kColumnBlock columns.
  void operator()(std::int64_t m, std::int64_t n, std::int64_t depth, const FieldElement* a, std::int64_t lda, RightOperand b, Target out,
                  bool accumulate) const {
    const auto pack_panel = kernel_.packing == Packing::words ? pack<Packing::words> : pack<Packing::limbs>;
    const std::int64_t panel = kernel_.columns * depth * prime_field::planes(kernel_.packing);
    for (std::int64_t j = 0; j < n; j += kernel_.columns) {
      pack_panel(b.data + j * b.across, b.across, b.along, std::min(kernel_.columns, n - j), kernel_.columns, depth,
                 packed_b_.get() + j / kernel_.columns * panel);
    }
    alignas(64) std::uint64_t tile[prime_field::kMaxTile];
    for (std::int64_t i = 0; i < m; i += kernel_.rows) {
      const std::int64_t rows = std::min(kernel_.rows, m - i);
      pack_panel(a + i * lda, lda, 1, rows, kernel_.rows, depth, packed_a_.get());
      for (std::int64_t j = 0; j < n; j += kernel_.columns) {
        kernel_.multiply(depth, packed_a_.get(), packed_b_.get() + j / kernel_.columns * panel, tile);
        store(tile, kernel_.columns, rows, std::min(kernel_.columns, n - j), out.data + i * out.stride + j, out.stride, accumulate);
      }
    }
  }

 private:
  const Kernel& kernel_;
  std::int64_t words_;
  Buffer packed_a_;
  Buffer packed_b_;
};

void multiply(std::int64_t m, std::int64_t n, std::int64_t depth, const FieldElement* a, std::int64_t lda, RightOperand b, Target out,
              bool accumulate) {
  if (m == 0 || n == 0) return;
  if (depth == 0) {
    for (std::int64_t i = 0; i < m && !accumulate; ++i) std::fill_n(out.data + i * out.stride, n, FieldElement{});
    return;
  }
  const BlockProduct multiply_block(n, depth);
  for (std::int64_t j = 0; j < n; j += kColumnBlock) {
    for (std::int64_t k = 0; k < depth; k += kDepthBlock) {
      multiply_block(m, std::min(kColumnBlock, n - j), std::min(kDepthBlock, depth - k), a + k, lda,
                     {b.data + j * b.across + k * b.along, b.across, b.along}, {out.data + j, out.stride}, accumulate || k > 0);
    }
  }
}

void check_shape(std::int64_t m, std::int64_t n, std::int64_t depth, bool leading_dimensions_suffice) {
  if (m < 0 || n < 0 || depth < 0) throw Error("product of field matrices: negative size");
  if (!leading_dimensions_suffice) throw Error("product of field matrices: leading dimension below the length of a row");
}

}  // namespace

FieldElement FieldElement::from_integer(std::int64_t integer) {
  if (integer >= 0) return field_reduce(static_cast<std::uint64_t>(integer));
  return neg(field_reduce(-static_cast<std::uint64_t>(integer)));
}

FieldElement FieldElement::from_rational(const Rational& rational) {
  const mpq_srcptr fraction = rational.backend().data();
  const FieldElement denominator{mpz_fdiv_ui(mpq_denref(fraction), kFieldPrime)};
  if (denominator.value == 0)
    throw Error("fraction " + rational.str() + " in the prime field: the prime 2^50 - 27 divides its denominator");
  return mul({mpz_fdiv_ui(mpq_numref(fraction), kFieldPrime)}, inverse(denominator));
}

FieldElement inverse(FieldElement a) {
  if (a.value == 0) throw Error("inverse in the prime field: 0 has none");
  return pow(a, kFieldPrime - 2);
}

FieldElement dot(std::int64_t length, const FieldElement* a, std::int64_t a_stride, const FieldElement* b, std::int64_t b_stride) {
  __extension__ using Wide = unsigned __int128;
  constexpr std::int64_t kBlock = std::int64_t{1} << 13;  // sums of 2^13 products stay below 2^113, their upper words below 2^63
  FieldElement total;
  for (std::int64_t first = 0; first < length; first += kBlock) {
    Wide sum = 0;
    const std::int64_t last = std::min(first + kBlock, length);
    for (std::int64_t k = first; k < last; ++k) sum += static_cast<Wide>(a[k * a_stride].value) * b[k * b_stride].value;
    const FieldElement high = mul(field_reduce(static_cast<std::uint64_t>(sum >> 50)), {27});
    total = add(total, add(high, field_reduce(static_cast<std::uint64_t>(sum) & ((std::uint64_t{1} << 50) - 1))));
  }
  return total;
}

void matmul(std::int64_t m, std::int64_t n, std::int64_t depth, const FieldElement* a, std::int64_t lda, const FieldElement* b,
            std::int64_t ldb, FieldElement* out, std::int64_t ldo, bool add) {
  check_shape(m, n, depth, lda >= depth && ldb >= n && ldo >= n);
  multiply(m, n, depth, a, lda, {b, 1, ldb}, {out, ldo}, add);
}

void matmul_transposed(std::int64_t m, std::int64_t n, std::int64_t depth, const FieldElement* a, std::int64_t lda, const FieldElement* b,
                       std::int64_t ldb, FieldElement* out, std::int64_t ldo, bool add) {
  check_shape(m, n, depth, lda >= depth && ldb >= depth && ldo >= n);
  multiply(m, n, depth, a, lda, {b, ldb, 1}, {out, ldo}, add);
}

}  // namespace equinorm::scalar
