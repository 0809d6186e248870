#include "tensor/any_tensor.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

namespace equinorm::tensor {
namespace {

using Catch::Matchers::Contains;

/// The value of a 16-bit pattern from its fields: the definition, not an implementation of it.
double value_of_fields(unsigned bits, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const double fraction = static_cast<double>(bits & ((1U << fraction_bits) - 1));
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  const double significand = exponent == 0 ? fraction : fraction + std::ldexp(1.0, fraction_bits);
  return sign * std::ldexp(significand, std::max(exponent, 1) - bias - fraction_bits);
}

TEST_CASE("every 16-bit pattern reads as its value and writes back as itself") {
  for (const auto& [dtype, exponent_bits] : {std::pair(DType::f16, 5), std::pair(DType::bf16, 8)}) {
    AnyTensor tensor(dtype, {65536});
    for (unsigned bits = 0; bits < 65536; ++bits) {
      const auto pattern = static_cast<std::uint16_t>(bits);
      std::memcpy(tensor.mutable_bytes() + 2 * bits, &pattern, 2);
    }
    std::vector<double> values(65536);
    tensor.read(0, 65536, values.data());
    AnyTensor copy(dtype, {65536});
    copy.write(0, 65536, values.data());
    for (unsigned bits = 0; bits < 65536; ++bits) {
      const double expected = value_of_fields(bits, exponent_bits);
      CAPTURE(to_string(dtype), bits);
      if (std::isnan(expected)) {
        REQUIRE(std::isnan(values[bits]));
        continue;
      }
      REQUIRE(values[bits] == expected);
      REQUIRE(std::signbit(values[bits]) == std::signbit(expected));
      REQUIRE(std::memcmp(copy.bytes() + 2 * bits, tensor.bytes() + 2 * bits, 2) == 0);
    }
  }
}

TEST_CASE("writing rounds to nearest, ties to even, once") {
  // 1 + 2^-8 + 2^-40 lies above a bf16 tie; through float it would fall on the tie and round down.
  const std::array<double, 4> values{1 + 0x1p-8 + 0x1p-40, 1 + 0x1p-8, 1 + 3 * 0x1p-8, 1e300};
  AnyTensor bf16(DType::bf16, {4});
  bf16.write(0, 4, values.data());
  CHECK(bf16.at(0) == 1 + 0x1p-7);
  CHECK(bf16.at(1) == 1);
  CHECK(bf16.at(2) == 1 + 0x1p-6);
  CHECK(std::isinf(bf16.at(3)));
  AnyTensor fp16(DType::f16, {4});
  fp16.write(1, 1, values.data());
  CHECK(fp16.at(0) == 0);
  CHECK(fp16.at(1) == 1 + 0x1p-8);
}

TEST_CASE("integers are read exactly and converted by nearest-even") {
  for (const DType dtype : {DType::i64, DType::i32}) {
    AnyTensor tensor(dtype, {2, 2});
    const std::array<double, 4> values{-3, 2.5, 3.5, 1 << 30};
    tensor.write(0, 4, values.data());
    std::array<std::int64_t, 4> out{};
    tensor.read_integers(0, 4, out.data());
    CHECK(out == std::array<std::int64_t, 4>{-3, 2, 4, 1 << 30});
    const double too_large = dtype == DType::i32 ? 0x1p31 : 0x1p63;
    CHECK_THROWS_WITH(tensor.write(0, 1, &too_large), Contains("does not fit"));
    const double nan = std::nan("");
    CHECK_THROWS_AS(tensor.write(0, 1, &nan), Error);
  }
  AnyTensor large(DType::i64, {1});
  const std::int64_t odd = (std::int64_t{1} << 62) + 1;
  std::memcpy(large.mutable_bytes(), &odd, 8);
  std::int64_t out = 0;
  large.read_integers(0, 1, &out);
  CHECK(out == odd);
  CHECK_THROWS_WITH(AnyTensor(DType::f32, {1}).read_integers(0, 1, &out), Contains("F32"));
}

TEST_CASE("views may be unaligned and cannot be written") {
  std::array<std::byte, 13> raw{};
  const std::array<float, 3> values{1.5F, -2.0F, 0x1p-149F};
  std::memcpy(raw.data() + 1, values.data(), 12);
  AnyTensor view(DType::f32, {3}, raw.data() + 1, nullptr);
  for (Index i = 0; i < 3; ++i) CHECK(view.at(i) == values[static_cast<std::size_t>(i)]);
  const double value = 1;
  CHECK_THROWS_WITH(view.write(0, 1, &value), Contains("view"));
  CHECK_THROWS_AS(view.mutable_bytes(), Error);
  CHECK_THROWS_AS(view.at(3), Error);
  CHECK_THROWS_AS(view.at(-1), Error);
}

TEST_CASE("a tensor keeps the owner of its bytes alive") {
  auto owner = std::make_shared<std::array<double, 1>>(std::array<double, 1>{42});
  const std::weak_ptr<const void> watched = owner;
  {
    const AnyTensor first(DType::f64, {1}, reinterpret_cast<const std::byte*>(owner->data()), owner);
    const AnyTensor copy = first;
    owner.reset();
    CHECK(copy.at(0) == 42);
    CHECK_FALSE(watched.expired());
  }
  CHECK(watched.expired());
}

TEST_CASE("shapes, names and dtypes") {
  CHECK(to_string(Shape{1, 4096, 512}) == "[1,4096,512]");
  CHECK(index_string({2, 3, 4}, 23) == "[1,2,3]");
  CHECK_THROWS_WITH(AnyTensor(DType::f32, {2, -1}), Contains("[2,-1]"));
  CHECK(AnyTensor(DType::f64, {0, 3}).byte_size() == 0);
  CHECK(AnyTensor(DType::f16, {}).size() == 1);
  CHECK(dtype_of(scalar::kFp16) == DType::f16);
  CHECK(dtype_of(scalar::kBf16) == DType::bf16);
  CHECK(dtype_of(scalar::kFp32) == DType::f32);
  CHECK(dtype_of(scalar::kFp64) == DType::f64);
  CHECK_THROWS_WITH(dtype_of({scalar::FormatKind::real, 100}), Contains("real:100"));
}

}  // namespace
}  // namespace equinorm::tensor
