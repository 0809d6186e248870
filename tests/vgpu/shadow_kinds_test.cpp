// Kinds of shadows: plain doubles, balls and arbitrary precision; intervals of approximate functions; origins; errors line by line.
#include <mpfr.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "vgpu/study_kernels.hpp"

using namespace vgpu_tests;
using Catch::Contains;

namespace {

Options shadows_of(ShadowKind kind) {
  Options options;
  options.shadows = true;
  options.shadow_kind = kind;
  return options;
}

struct Number {
  Number() { mpfr_init2(value, 640); }
  explicit Number(double x) : Number() { mpfr_set_d(value, x, MPFR_RNDN); }
  explicit Number(const ShadowValue& shadow) : Number(shadow.high) {
    mpfr_add_d(value, value, shadow.low, MPFR_RNDN);
    for (const double part : shadow.rest) mpfr_add_d(value, value, part, MPFR_RNDN);
  }
  Number(const Number& other) : Number() { mpfr_set(value, other.value, MPFR_RNDN); }
  Number& operator=(const Number& other) {
    mpfr_set(value, other.value, MPFR_RNDN);
    return *this;
  }
  ~Number() { mpfr_clear(value); }
  mpfr_t value;
};

/// |shadow - exact|, rounded up.
double distance(const ShadowValue& shadow, const Number& exact) {
  Number x(shadow);
  mpfr_sub(x.value, x.value, exact.value, MPFR_RNDA);
  return std::fabs(mpfr_get_d(x.value, MPFR_RNDA));
}

/// The rows that run_rmsnorm normalises, by MPFR at 640 bits.
std::vector<Number> exact_rmsnorm(int rows, int dim) {
  const auto x = random_floats(static_cast<std::size_t>(rows * dim), 1), weight = random_floats(static_cast<std::size_t>(dim), 2);
  std::vector<Number> all;
  for (int r = 0; r < rows; ++r) {
    Number sum(0.0);
    for (int i = 0; i < dim; ++i) {
      Number square(static_cast<double>(x[static_cast<std::size_t>(r * dim + i)]));
      mpfr_sqr(square.value, square.value, MPFR_RNDN);
      mpfr_add(sum.value, sum.value, square.value, MPFR_RNDN);
    }
    mpfr_div_si(sum.value, sum.value, dim, MPFR_RNDN);
    mpfr_add_d(sum.value, sum.value, static_cast<double>(1e-6f), MPFR_RNDN);
    mpfr_rec_sqrt(sum.value, sum.value, MPFR_RNDN);
    for (int i = 0; i < dim; ++i) {
      Number y = sum;
      mpfr_mul_d(y.value, y.value, static_cast<double>(x[static_cast<std::size_t>(r * dim + i)]), MPFR_RNDN);
      mpfr_mul_d(y.value, y.value, static_cast<double>(weight[static_cast<std::size_t>(i)]), MPFR_RNDN);
      all.push_back(y);
    }
  }
  return all;
}

/// One binary32 operation on %f1 and %f2, loaded from a[0] and a[1], into %f3, stored to c[0]; its shadow.
struct One {
  float value;
  ShadowValue shadow;
  LaunchReport report;
  std::optional<Origin> origin;
};
One run_one(const std::string& operation, float a, float b, const Options& options) {
  const Module module = parse_module(
      body_of("ld.global.f32 %f1, [%rd1];\nld.global.f32 %f2, [%rd1+4];\n" + operation + "\nst.global.f32 [%rd3], %f3;"), "one.ptx");
  Device device;
  const std::vector<float> inputs{a, b};
  const auto from = device.upload(std::span<const float>(inputs)), to = device.allocate(4);
  const std::vector<Argument> arguments{Argument::pointer(from), Argument::pointer(from), Argument::pointer(to), Argument::pointer(from)};
  One one;
  one.report = device.launch(module, "test", Grid{}, arguments, options);
  one.value = device.download<float>(to, 1)[0];
  one.shadow = device.shadow(to, Type::f32);
  one.origin = device.origin(to, Type::f32);
  return one;
}

}  // namespace

TEST_CASE("RMSNorm: each kind agrees with 640 bits to its own precision, and rigorous ones hold the exact value") {
  const Module module = kernel_module("rmsnorm", 80);
  const std::vector<Number> exact = exact_rmsnorm(2, 200);
  struct Expected {
    ShadowKind kind;
    double least, most;  // bits
  };
  for (const auto& [kind, least, most] : {Expected{ShadowKind::plain_double, 48, 60}, Expected{ShadowKind::double_double, 95, 115},
                                          Expected{ShadowKind::ball, 115, 140}, Expected{ShadowKind::arbitrary, 305, 330}}) {
    const Study study = run_rmsnorm(module, shadows_of(kind), 2, 200);
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      REQUIRE(study.shadow[i].known);
      const double error = distance(study.shadow[i], exact[i]);
      worst = std::max(worst, error);
      largest = std::max(largest, std::fabs(study.shadow[i].high));
      if (kind == ShadowKind::ball || kind == ShadowKind::arbitrary) CHECK(error <= study.shadow[i].radius);
    }
    const double bits = -std::log2(worst / largest);
    INFO("kind " << static_cast<int>(kind) << ": " << bits << " bits");
    CHECK(bits > least);
    CHECK(bits < most);
    CHECK(study.report.findings.empty());
    CHECK(study.report.shadow.restarts == 0);
  }
}

TEST_CASE("values are the same bits with every kind of shadow, in every study kernel; the kinds agree") {
  for (const StudyKernel& kernel : kStudies) {
    const Module module = kernel_module(kernel.name, 80);
    const Study pairs = kernel.run(module, shadows_of(ShadowKind::double_double));
    for (const ShadowKind kind : {ShadowKind::plain_double, ShadowKind::ball, ShadowKind::origins}) {
      if (kind == ShadowKind::ball && std::string(kernel.name) == "absorbed_decode") continue;  // 10 million operations
      const Study study = kernel.run(module, shadows_of(kind));
      INFO(kernel.name << ", kind " << static_cast<int>(kind));
      CHECK(std::memcmp(pairs.out.data(), study.out.data(), 4 * pairs.out.size()) == 0);
      if (kind == ShadowKind::origins) continue;
      REQUIRE(study.shadow.size() == pairs.shadow.size());
      double worst = 0;
      for (std::size_t i = 0; i < study.shadow.size(); ++i) {
        REQUIRE(study.shadow[i].known == pairs.shadow[i].known);
        worst = std::max(worst, std::fabs(study.shadow[i].high - pairs.shadow[i].high));
        if (kind == ShadowKind::ball)
          CHECK(std::fabs((study.shadow[i].high - pairs.shadow[i].high) + (study.shadow[i].low - pairs.shadow[i].low)) < 1e-25);
      }
      CHECK(worst < 1e-13);
    }
  }
}

TEST_CASE("an interval holds every perturbed result, and is no wider than the bound") {
  Options interval = shadows_of(ShadowKind::ball);
  interval.approximation = Approximation::interval;
  for (const char* operation : {"ex2.approx.f32 %f3, %f1;", "rsqrt.approx.f32 %f3, %f1;", "lg2.approx.f32 %f3, %f1;",
                                "rcp.approx.f32 %f3, %f1;", "div.full.f32 %f3, %f2, %f1;", "sin.approx.f32 %f3, %f1;"}) {
    for (const float x : {0.3f, 1.7f, 5.25f}) {
      const One wide = run_one(operation, x, 2.5f, interval);
      INFO(operation << " of " << x);
      CHECK_THAT(wide.report.arithmetic, Contains("all that their bounds allow"));
      CHECK(wide.shadow.radius > 0x1p-25 * std::fabs(wide.shadow.high));
      CHECK(wide.shadow.radius < 2.6 * 0x1p-23 * std::fabs(wide.shadow.high));
      int moved = 0;
      for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Options perturbed;
        perturbed.approximation = Approximation::perturbed;
        perturbed.seed = seed;
        const float value = run_one(operation, x, 2.5f, perturbed).value;
        moved += value != wide.value ? 1 : 0;
        CHECK(std::fabs((static_cast<double>(value) - wide.shadow.high) - wide.shadow.low) <= wide.shadow.radius);
      }
      CHECK(moved > 5);
    }
  }
  CHECK_THROWS_WITH(run_one("ex2.approx.f32 %f3, %f1;", 1, 1,
                            [] {
                              Options options = shadows_of(ShadowKind::double_double);
                              options.approximation = Approximation::interval;
                              return options;
                            }()),
                    Contains("ball or arbitrary"));
}

TEST_CASE("infinities in balls behave as in doubles") {
  const Options ball = shadows_of(ShadowKind::ball);
  const float infinity = INFINITY;
  CHECK(run_one("ex2.approx.f32 %f3, %f1;", -infinity, 0, ball).shadow.high == 0.0);
  CHECK(run_one("max.f32 %f3, %f1, %f2;", -infinity, 0.1f, ball).shadow.high == static_cast<double>(0.1f));
  CHECK(run_one("add.rn.f32 %f3, %f1, %f2;", infinity, 0.1f, ball).shadow.high == HUGE_VAL);
  CHECK(std::isnan(run_one("sub.rn.f32 %f3, %f1, %f2;", infinity, infinity, ball).shadow.high));
  CHECK(run_one("rcp.rn.f32 %f3, %f1;", -0.0f, 0, ball).shadow.high == -HUGE_VAL);
}

TEST_CASE("wide numbers are collected: many more operations than the pool keeps") {
  // 40,000 rounds of 32 lanes make 2.6 million numbers.
  const std::string body =
      "mov.u32 %r2, 0;\nmov.f32 %f1, 0f3F800000;\nmov.f32 %f2, 0f3F800001;\nrcp.rn.f32 %f3, %f2;\n"
      "LOOP:\nadd.rn.f32 %f1, %f1, %f3;\nmul.rn.f32 %f1, %f1, %f3;\nadd.u32 %r2, %r2, 1;\nsetp.lt.u32 %p1, %r2, 40000;\n@%p1 bra LOOP;\n"
      "add.u64 %rd10, %rd3, %rd9;\nst.global.f32 [%rd10], %f1;";
  const Ran plain = run_body(body, {}, {}, 32, 32);
  const Ran ran = run_body(body, {}, {}, 32, 32, shadows_of(ShadowKind::ball));
  CHECK(ran.report.finished);
  CHECK(ran.out == plain.out);
}

TEST_CASE("a NaN is traced through arithmetic, shuffles and shared memory to the line and thread that made it") {
  const Options options = shadows_of(ShadowKind::origins);
  const std::string body =
      "cvt.rn.f32.u32 %f1, %r1;\nsub.rn.f32 %f2, %f1, %f1;\nmov.f32 %f3, 0f3F800000;\nsetp.eq.u32 %p1, %r1, 5;\n"
      "@%p1 div.rn.f32 %f3, %f2, %f2;\nshfl.sync.bfly.b32 %f4, %f3, 1, 31, -1;\nadd.rn.f32 %f5, %f4, %f1;\n"
      "add.u64 %rd10, %rd3, %rd9;\nst.global.f32 [%rd10], %f5;";
  const Module module = parse_module(body_of(body), "test.ptx");
  Device device;
  const auto out = device.allocate(128);
  Grid grid;
  grid.threads = {32, 1, 1};
  const std::vector<Argument> arguments(4, Argument::pointer(out));
  const LaunchReport report = device.launch(module, "test", grid, arguments, options);
  REQUIRE(report.finished);
  const auto values = device.download<float>(out, 32);
  for (std::uint64_t i = 0; i < 32; ++i) {
    const std::optional<Origin> origin = device.origin(out + 4 * i, Type::f32);
    CHECK(std::isnan(values[i]) == (i == 4));
    REQUIRE(origin.has_value() == (i == 4));
    if (!origin) continue;
    CHECK(origin->what == "a NaN from finite numbers");
    CHECK(origin->opcode == "div");
    CHECK(origin->thread[0] == 5);
    CHECK_THAT(to_string(*origin), Contains("thread (5,0,0)"));
  }
  // -inf - -inf of a row that sees nothing, and a NaN that came in.
  CHECK(run_one("sub.rn.f32 %f3, %f1, %f2;", -INFINITY, -INFINITY, options).origin->what == "a NaN from infinities");
  CHECK(run_one("add.rn.f32 %f3, %f1, %f2;", NAN, 1, options).origin->what == "a NaN from a NaN of an input or a constant");
  CHECK(run_one("mul.rn.f32 %f3, %f1, %f2;", 3e38f, 3e38f, options).origin->what == "an infinity from finite numbers");
  CHECK_FALSE(run_one("add.rn.f32 %f3, %f1, %f2;", 1, 2, options).origin.has_value());
}

TEST_CASE("with one line's roundings kept the shadow moves by what that line introduces; all lines add up to the whole error") {
  for (const StudyKernel& kernel : {kStudies[0], kStudies[2], kStudies[3]}) {
    const Module module = kernel_module(kernel.name, 80);
    const Study base = kernel.run(module, shadows_of(ShadowKind::double_double));
    std::vector<double> left;
    double error = 0;
    for (std::size_t i = 0; i < base.shadow.size(); ++i) {
      left.push_back((static_cast<double>(base.out[i]) - base.shadow[i].high) - base.shadow[i].low);
      error = std::max(error, std::fabs(left.back()));
    }
    REQUIRE(error > 0);
    double largest_part = 0;
    for (const LineError& line : base.report.shadow.lines) {
      Options options = shadows_of(ShadowKind::double_double);
      options.rounding_at = line.place;
      const Study kept = kernel.run(module, options);
      for (std::size_t i = 0; i < left.size(); ++i) {
        const double effect = (kept.shadow[i].high - base.shadow[i].high) + (kept.shadow[i].low - base.shadow[i].low);
        largest_part = std::max(largest_part, std::fabs(effect));
        left[i] -= effect;
      }
    }
    double rest = 0;
    for (const double x : left) rest = std::max(rest, std::fabs(x));
    INFO(kernel.name << ": error " << error << ", largest part " << largest_part << ", rest " << rest);
    CHECK(largest_part > 0.1 * error);
    // Products of errors, and the constants that the shadows take as exact.
    CHECK(rest < 0.02 * error);
  }
}

TEST_CASE("comparisons that rounding turns are counted by line") {
  // 1 + 2^-25 rounds to 1: "greater than 1" holds without rounding alone.
  const One one = run_one("add.rn.f32 %f3, %f1, %f2;\nsetp.gt.f32 %p1, %f3, %f1;\n@%p1 add.rn.f32 %f3, %f3, %f3;", 1.0f, 0x1p-25f,
                          shadows_of(ShadowKind::double_double));
  REQUIRE(one.report.shadow.branches.size() == 1);
  CHECK(one.report.shadow.branches[0].count == 1);
  const One same = run_one("add.rn.f32 %f3, %f1, %f2;\nsetp.gt.f32 %p1, %f3, %f1;\n@%p1 add.rn.f32 %f3, %f3, %f3;", 1.0f, 0x1p-20f,
                           shadows_of(ShadowKind::double_double));
  CHECK(same.report.shadow.branches.empty());
}

TEST_CASE("the last store to a watched address is named with the instruction that made the number") {
  const std::string body =
      "mov.f32 %f1, 0f3F800000;\nadd.rn.f32 %f2, %f1, %f1;\ncvt.rn.bf16.f32 %h1, %f2;\nst.global.f32 [%rd3], %f1;\n"
      "setp.eq.u32 %p1, %r1, 7;\n@%p1 st.global.b16 [%rd3+2], %h1;";
  const Module module = parse_module(body_of(body), "test.ptx");
  Device device;
  const auto out = device.allocate(8);
  Options options;
  options.watched = {out + 2, out + 6};
  Grid grid;
  grid.threads = {32, 1, 1};
  const LaunchReport report = device.launch(module, "test", grid, std::vector<Argument>(4, Argument::pointer(out)), options);
  REQUIRE(report.writes.size() == 1);
  CHECK(report.writes[0].thread[0] == 7);
  CHECK(report.writes[0].address == out + 2);
}

TEST_CASE("shadows in memory survive a change of kind") {
  Device device;
  const std::vector<float> ones(1, 1.0f);
  const auto at = device.upload(std::span<const float>(ones)), to = device.allocate(4);
  device.set_shadow(at, Type::f32, 1.0, 0x1p-80);
  const Module module =
      parse_module(body_of("ld.global.f32 %f1, [%rd1];\nadd.rn.f32 %f2, %f1, %f1;\nst.global.f32 [%rd3], %f2;"), "test.ptx");
  const std::vector<Argument> arguments{Argument::pointer(at), Argument::pointer(at), Argument::pointer(to), Argument::pointer(at)};
  for (const ShadowKind kind : {ShadowKind::arbitrary, ShadowKind::double_double, ShadowKind::ball, ShadowKind::double_double}) {
    device.launch(module, "test", Grid{}, arguments, shadows_of(kind));
    const ShadowValue sum = device.shadow(to, Type::f32);
    CHECK(sum.known);
    CHECK(sum.high == 2.0);
    CHECK(sum.low == 0x1p-79);
  }
}
