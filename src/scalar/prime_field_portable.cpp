// 2 x 2 tile of 128-bit sums: 4096 products below 2^100 stay below 2^112.
#include "scalar/prime_field.hpp"
#include "scalar/prime_field_body.hpp"

namespace equinorm::scalar::prime_field {
namespace {

__extension__ using Wide = unsigned __int128;

/// x < 2^112: x = 27 h + l with h < 2^62, which is reduced before it is multiplied.
std::uint64_t reduce(Wide x) {
  const FieldElement high = field_reduce(static_cast<std::uint64_t>(x >> 50));
  const std::uint64_t low = static_cast<std::uint64_t>(x) & ((std::uint64_t{1} << 50) - 1);
  return field_reduce(27 * high.value + low).value;
}

void multiply(std::int64_t depth, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* tile) {
  Wide s00 = 0;
  Wide s01 = 0;
  Wide s10 = 0;
  Wide s11 = 0;
  for (std::int64_t k = 0; k < depth; ++k) {
    const Wide b0 = b[2 * k];
    const Wide b1 = b[2 * k + 1];
    s00 += a[2 * k] * b0;
    s01 += a[2 * k] * b1;
    s10 += a[2 * k + 1] * b0;
    s11 += a[2 * k + 1] * b1;
  }
  tile[0] = reduce(s00);
  tile[1] = reduce(s01);
  tile[2] = reduce(s10);
  tile[3] = reduce(s11);
}

}  // namespace

const Kernel kPortableKernel{2, 2, Packing::words, multiply};

}  // namespace equinorm::scalar::prime_field
