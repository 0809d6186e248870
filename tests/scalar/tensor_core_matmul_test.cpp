#include <catch2/catch.hpp>
#include <limits>

#include "scalar/emulated.hpp"
#include "scalar/error.hpp"
#include "scalar/rounding.hpp"
#include "scalar/tensor_core_oracle.hpp"

using namespace equinorm;
using namespace equinorm::scalar;
using namespace equinorm::scalar::tensor_oracle;

namespace {

constexpr std::uint64_t kSeed = 5113;
using Vector = std::vector<float>;

/// a is m x depth, b depth x n, out m x n.
struct Matrices {
  std::int64_t m, n, depth;
  Vector a, b, out;

  Matrices(std::int64_t rows, std::int64_t columns, std::int64_t terms)
      : m(rows), n(columns), depth(terms), a(size(m, depth)), b(size(depth, n)), out(size(m, n)) {}

  static std::size_t size(std::int64_t x, std::int64_t y) { return static_cast<std::size_t>(x * y); }

  Vector product(const Contraction& how, bool add) const {
    Vector result = out;
    matmul(how, m, n, depth, a.data(), depth, b.data(), n, result.data(), n, add);
    return result;
  }
  Vector transposed_product(const Contraction& how, bool add) const {
    Vector result = out, columns(b.size());
    for (std::int64_t k = 0; k < depth; ++k) {
      for (std::int64_t j = 0; j < n; ++j)
        columns[size(j, depth) + static_cast<std::size_t>(k)] = b[size(k, n) + static_cast<std::size_t>(j)];
    }
    matmul_transposed(how, m, n, depth, a.data(), depth, columns.data(), depth, result.data(), n, add);
    return result;
  }
  Vector expected(const TensorCore& unit, bool add) const {
    Vector result = out;
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        float& d = result[static_cast<std::size_t>(i * n + j)];
        d = tensor_core_dot(unit, add ? d : 0.0f, depth, a.data() + i * depth, 1, b.data() + j, n);
      }
    }
    return result;
  }
};

std::size_t differences(const Vector& x, const Vector& y) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < x.size(); ++i) count += std::bit_cast<std::uint32_t>(x[i]) != std::bit_cast<std::uint32_t>(y[i]);
  return count;
}

enum class Shape { alike, any, edges, specials, cancelling };

float pick(const Traits& t, Shape shape, Numbers& numbers) {
  switch (shape) {
    case Shape::alike:
    case Shape::cancelling:
      return numbers.near(t, static_cast<int>(numbers.below(6)) - 3);
    case Shape::any:
      return numbers.any(t);
    case Shape::edges:
      return numbers.edge(t, false);
    case Shape::specials:
      return numbers.edge(t, numbers.below(40) == 0);
  }
  return 0;
}

void fill(Matrices& x, const TensorCore& unit, Shape shape, Numbers& numbers) {
  const Traits in = traits(unit.input), out = traits(unit.rounding);
  for (float& v : x.a) v = pick(in, shape, numbers);
  for (float& v : x.b) v = pick(in, shape, numbers);
  for (float& v : x.out) v = pick(out, shape, numbers);
  if (shape != Shape::cancelling) return;
  for (std::size_t i = 1; i < x.a.size(); i += 2) x.a[i] = x.a[i - 1];
  for (std::size_t i = static_cast<std::size_t>(x.n); i < x.b.size(); ++i) {
    if (i / static_cast<std::size_t>(x.n) % 2 == 1) x.b[i] = -x.b[i - static_cast<std::size_t>(x.n)];
  }
}

Format format_of(TensorInput input) { return input == TensorInput::bf16 ? kBf16 : input == TensorInput::fp16 ? kFp16 : kFp32; }

Contraction contraction(const char* architecture, Format accumulate, Format operands) {
  return {accumulate, true, parse_order(std::string("tensor-core:") + architecture), false, operands};
}

}  // namespace

TEST_CASE("matmul is the chain of blocks: unit x operands x shape x add x SIMD level") {
  CAPTURE(kSeed);
  Numbers numbers(kSeed);
  int round = 0;
  for (const char* architecture : {"sm_70", "sm_75", "sm_80", "sm_89", "sm_90", "sm_90:wgmma", "sm_100:tcgen05", "sm_120"}) {
    for (const TensorInput input : {TensorInput::fp16, TensorInput::bf16, TensorInput::tf32}) {
      for (const Format accumulate : {kFp32, kFp16}) {
        const TensorCore* unit = find_tensor_core(architecture, input, accumulate);
        if (unit == nullptr) continue;
        for (const Shape shape : {Shape::alike, Shape::any, Shape::edges, Shape::specials, Shape::cancelling}) {
          const auto up_to = [&](std::uint64_t most) { return 1 + static_cast<std::int64_t>(numbers.below(most)); };
          Matrices x(up_to(6), up_to(40), up_to(70));
          fill(x, *unit, shape, numbers);
          x.a[0] = input == TensorInput::tf32 ? 1 + 0x1p-10f : x.a[0];
          x.b[0] = input == TensorInput::tf32 ? 0x1p100f : x.b[0];  // neither is a number of a 16-bit format
          const bool add = ++round % 2 == 0;
          const Vector expected = x.expected(*unit, add);
          for (const SimdLevel level : levels()) {
            const ForcedSimdLevel forced(level);
            CAPTURE(architecture, static_cast<int>(input), to_string(accumulate), static_cast<int>(shape), add, to_string(level), x.m, x.n,
                    x.depth);
            const Contraction how = contraction(architecture, accumulate, format_of(input));
            CHECK(differences(x.product(how, add), expected) == 0);
            CHECK(differences(x.transposed_product(how, add), expected) == 0);
          }
          const Contraction how = contraction(architecture, accumulate, format_of(input));
          const float from_zero = tensor_core_dot(*unit, 0, x.depth, x.a.data(), 1, x.b.data(), x.n);
          CHECK(differences({dot(how, x.depth, x.a.data(), 1, x.b.data(), x.n)}, {from_zero}) == 0);
        }
      }
    }
  }
  CHECK(round > 100);
}

TEST_CASE("tensor_core_multiply is the chain of blocks on every unit and level; tf32 factors lose their low bits") {
  CAPTURE(kSeed);
  Numbers numbers(kSeed + 7);
  for (const TensorCore& unit : tensor_cores()) {
    for (const Shape shape : {Shape::alike, Shape::edges, Shape::specials}) {
      Matrices x(16, 8, unit.input >= TensorInput::e4m3 ? 32 : 16);
      fill(x, unit, shape, numbers);
      const auto expected = x.expected(unit, true);
      if (unit.input == TensorInput::tf32) {
        for (float& v : x.a) v = std::bit_cast<float>(std::bit_cast<std::uint32_t>(v) | static_cast<std::uint32_t>(numbers.below(0x2000)));
      }
      for (const SimdLevel level : levels()) {
        const ForcedSimdLevel forced(level);
        CAPTURE(unit.architecture, static_cast<int>(unit.input), static_cast<int>(shape), to_string(level));
        Vector out = x.out;
        tensor_core_multiply(unit, x.m, x.n, x.depth, x.a.data(), x.b.data(), out.data());
        CHECK(differences(out, unit.input == TensorInput::tf32 ? x.expected(unit, true) : expected) == 0);
        if (shape == Shape::alike) CHECK(differences(out, expected) == 0);
      }
    }
  }
}

TEST_CASE("large products take several groups of panels and give the same bits") {
  CAPTURE(kSeed);
  Numbers numbers(kSeed + 1);
  const TensorCore& unit = tensor_core("sm_90", TensorInput::bf16, kFp32);
  Matrices x(37, 301, 1000);
  fill(x, unit, Shape::alike, numbers);
  const Vector expected = x.expected(unit, false);
  for (const SimdLevel level : levels()) {
    const ForcedSimdLevel forced(level);
    CAPTURE(to_string(level));
    CHECK(differences(x.product(contraction("sm_90", kFp32, kBf16), false), expected) == 0);
  }
}

TEST_CASE("the rational model agrees with matmul where the lanes do all the work") {
  CAPTURE(kSeed);
  Numbers numbers(kSeed + 2);
  for (const char* architecture : {"sm_70", "sm_80", "sm_90"}) {
    for (const Format accumulate : {kFp32, kFp16}) {
      const TensorCore& unit = tensor_core(architecture, TensorInput::fp16, accumulate);
      Matrices x(2, 16, 50);
      fill(x, unit, Shape::alike, numbers);
      const Vector computed = x.product(contraction(architecture, accumulate, kFp16), true);
      for (std::int64_t i = 0; i < x.m * x.n; ++i) {
        Vector a, b;
        for (std::int64_t k = 0; k < x.depth; ++k) {
          a.push_back(x.a[static_cast<std::size_t>(i / x.n * x.depth + k)]);
          b.push_back(x.b[static_cast<std::size_t>(k * x.n + i % x.n)]);
        }
        const auto place = static_cast<std::size_t>(i);
        CHECK(differences({computed[place]}, {tensor_oracle::dot(unit, x.out[place], a, b)}) == 0);
      }
    }
  }
}

TEST_CASE("the exponent of a zero, to the bit: one number at a time and in the lanes") {
  int checked = 0;
  for (const TensorCore& unit : tensor_cores()) {
    const bool fp16 = unit.rounding == TensorRounding::fp16 && unit.input == TensorInput::fp16 && unit.zero_exponent > -100;
    const bool bf16 = unit.input == TensorInput::bf16;
    if (unit.instruction != TensorInstruction::mma || !(fp16 || bf16)) continue;
    // With c = 0 the last bit kept is 2^(zero_exponent - F). It lifts 2^-25, a tie of fp16, and it takes 2^-149 below fp32's numbers.
    for (const int last : {unit.zero_exponent - unit.fraction, unit.zero_exponent - unit.fraction - 1}) {
      const bool kept = last == unit.zero_exponent - unit.fraction;
      const Vector a{fp16 ? 0x1p-12f : 0x1p-75f, std::ldexp(fp16 ? 1.0f : -1.0f, last / 2)};
      const Vector column{fp16 ? 0x1p-13f : 0x1p-74f, std::ldexp(1.0f, last - last / 2)};
      const float expected = fp16 ? (kept ? 0x1p-24f : 0.0f) : (kept ? 0.0f : 0x1p-149f);
      CAPTURE(unit.architecture, fp16, last);
      CHECK(tensor_core_block(unit, 0, a, column) == expected);
      CHECK(tensor_oracle::block(unit, 0, a, column) == expected);
      Matrices x(1, 20, 2);
      x.a = a;
      for (std::size_t j = 0; j < 40; ++j) x.b[j] = column[j / 20];
      for (const SimdLevel level : levels()) {
        const ForcedSimdLevel forced(level);
        const Contraction how = contraction(std::string(unit.architecture).c_str(), fp16 ? kFp16 : kFp32, format_of(unit.input));
        CHECK(x.product(how, false) == Vector(20, expected));
      }
      ++checked;
    }
  }
  CHECK(checked >= 20);
}

TEST_CASE("the format is the declared one if it holds all operands, else the narrowest that does") {
  // 2^-20 is subnormal in fp16, where its exponent -14 hides 2^-40 behind 2^-38 (L = 16, F = 25), and normal in bf16.
  const Vector a{0x1p-20f, 0x1p-20f}, b{1, 0x1p-20f};
  const auto product = [&](Format operands, float first) {
    const Vector x{first, a[1]};
    return dot(contraction("sm_90", kFp32, operands), 2, x.data(), 1, b.data(), 1);
  };
  CHECK(product(kFp16, a[0]) == 0x1p-20f);
  CHECK(product(kFp32, a[0]) == 0x1p-20f);
  CHECK(product(kBf16, a[0]) == 0x1p-20f + 0x1p-40f);
  CHECK(product(kFp16, 0x1p-30f) == 0x1p-30f + 0x1p-40f);  // no fp16 number
  // 1 + 2^-10 is no bf16 number, 2^-30 no fp16 number: tf32.
  const Vector x{1 + 0x1p-10f, 0x1p-30f, 0x1p-27f}, ones(3, 1.0f);
  CHECK(dot(contraction("sm_90", kFp32, kBf16), 3, x.data(), 1, ones.data(), 1) == 1 + 0x1p-10f);
}

TEST_CASE("operands that no unit takes run as a sequential fused chain") {
  CAPTURE(kSeed);
  Numbers numbers(kSeed + 3);
  Matrices x(3, 20, 30);
  fill(x, tensor_core("sm_90", TensorInput::fp16, kFp32), Shape::alike, numbers);
  const auto is_chain = [&](const char* architecture, Format accumulate, bool add) {
    Contraction chain{accumulate, true, parse_order("sequential"), false};
    const Vector expected = x.product(chain, add);
    return differences(x.product(contraction(architecture, accumulate, kFp16), add), expected) == 0;
  };
  CHECK(!is_chain("sm_90", kFp32, false));
  x.b[7] = 1 + 0x1p-23f;
  CHECK(is_chain("sm_90", kFp32, false));
  x.b[7] = 1 + 0x1p-10f;
  x.b[8] = 0x1p-30f;
  CHECK(!is_chain("sm_90", kFp32, false));  // tf32
  CHECK(is_chain("sm_70", kFp32, false));   // which sm_70 has not
  x.b[8] = 1;
  CHECK(!is_chain("sm_90", kFp16, false));
  for (float& v : x.out) v = 1;
  CHECK(!is_chain("sm_90", kFp16, true));
  x.out[3] = 1 + 0x1p-11f;
  CHECK(is_chain("sm_90", kFp16, true));
}

TEST_CASE("doubles run as the floats they are, or as the chain") {
  CAPTURE(kSeed);
  Numbers numbers(kSeed + 4);
  Matrices x(3, 20, 50);
  fill(x, tensor_core("sm_90", TensorInput::bf16, kFp32), Shape::alike, numbers);
  const auto product = [&](const Contraction& how, const std::vector<double>& b, bool add) {
    const std::vector<double> a(x.a.begin(), x.a.end());
    std::vector<double> out(x.out.begin(), x.out.end());
    matmul(how, x.m, x.n, x.depth, a.data(), x.depth, b.data(), x.n, out.data(), x.n, add);
    return out;
  };
  std::vector<double> b(x.b.begin(), x.b.end());
  const Contraction how = contraction("sm_90", kFp32, kBf16), chain{kFp32, true, {}, false};
  for (const bool add : {false, true}) {
    const Vector expected = x.product(how, add);
    CHECK(product(how, b, add) == std::vector<double>(expected.begin(), expected.end()));
    CHECK(product(how, b, add) != product(chain, b, add));
  }
  const std::vector<double> a(x.a.begin(), x.a.end());
  const float in_floats = dot(how, x.depth, x.a.data(), 1, x.b.data(), x.n);
  CHECK(dot(how, x.depth, a.data(), 1, b.data(), x.n) == double{in_floats});
  b[5] += 0x1p-40;
  CHECK(product(how, b, false) == product(chain, b, false));
}

TEST_CASE("tensor-core contractions that are refused") {
  const float x = 1;
  float out = 0;
  const auto run = [&](const char* architecture, Format accumulate) {
    matmul(contraction(architecture, accumulate, kFp16), 1, 1, 1, &x, 1, &x, 1, &out, 1, false);
  };
  CHECK_THROWS_WITH(run("sm_1", kFp32), Catch::Contains("sm_1") && Catch::Contains("sm_90"));
  CHECK_THROWS_AS(run("sm_90", kBf16), Error);
  const double wide = 1;
  CHECK_THROWS_AS(dot(contraction("sm_90", kFp64, kFp16), 1, &wide, 1, &wide, 1), Error);
  CHECK_THROWS_WITH(sum(contraction("sm_90", kFp32, kFp16), 0, &x, 1), Catch::Contains("tensor-core:sm_90"));
  CHECK_NOTHROW(run("sm_90", kFp32));
  CHECK(out == 1);
}
