// A case that is cut into rows and heads says what the whole case says.
#include <catch2/catch.hpp>

#include "commands/codec.hpp"
#include "commands/verify_case.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

verdict::CaseResult run_case(const VerifyCase& made) {
  VerifyCase one = made;
  std::vector<std::string> lines;
  for (std::size_t part = 0; part < one.parts().size(); ++part) {
    lines.push_back(work::to_line(one.run(part, [](const std::string&) {})));
  }
  std::vector<verdict::CaseResult> cases = gather_cases(lines);
  REQUIRE(cases.size() == 1);
  return cases.front();
}

/// Equal but for the reference's last bits, which depend on how the oracle cuts its products.
void check_close(double a, double b) { CHECK(a == Approx(b).epsilon(1e-9).margin(1e-300)); }

void check_equal(const verdict::CaseResult& cut, const verdict::CaseResult& whole, bool ragged) {
  REQUIRE(cut.errors.size() == whole.errors.size());
  REQUIRE(cut.differences.size() == whole.differences.size());
  for (std::size_t i = 0; i < whole.errors.size(); ++i) {
    const verdict::ErrorRow &a = cut.errors[i], &b = whole.errors[i];
    INFO(b.arithmetic << " " << b.path << " " << b.tensor);
    CHECK((a.arithmetic == b.arithmetic && a.path == b.path && a.tensor == b.tensor && a.main_stage == b.main_stage));
    CHECK(a.verdict == b.verdict);
    CHECK(a.error.worst == b.error.worst);
    // Padding past a row's end is no element of a block.
    if (ragged && b.tensor == "logits")
      CHECK(a.error.elements < b.error.elements);
    else
      CHECK(a.error.elements == b.error.elements);
    CHECK(a.error.nonfinite == b.error.nonfinite);
    CHECK(a.unbounded == b.unbounded);
    check_close(a.error.max_abs, b.error.max_abs), check_close(a.error.max_relative, b.error.max_relative);
    check_close(a.error.max_ulp, b.error.max_ulp);
    if (b.error.nonfinite == 0) check_close(a.error.normwise, b.error.normwise);
    // A bound of 0 on padding alone is a bound of the whole only.
    const bool padding_alone = ragged && b.tensor == "logits" && b.bound == 0.0 && !a.bound;
    REQUIRE((padding_alone || a.bound.has_value() == b.bound.has_value()));
    if (a.bound) check_close(*a.bound, *b.bound), check_close(*a.ratio, *b.ratio);
  }
  for (std::size_t i = 0; i < whole.differences.size(); ++i) {
    const verdict::DifferenceRow &a = cut.differences[i], &b = whole.differences[i];
    check_close(a.difference.max_abs, b.difference.max_abs), check_close(a.difference.normwise, b.difference.normwise);
    // A difference is bounded where every part is.
    CHECK((a.bound.has_value() == b.bound.has_value() || (ragged && !a.bound)));
  }
}

Options small(std::vector<std::pair<std::string, std::string>> more) {
  Options options;
  options.overrides = std::move(more);
  return options;
}

struct Sample {
  const char* name;
  std::vector<std::pair<std::string, std::string>> overrides;
  bool ragged = false;
  std::size_t blocks;  ///< at a limit of one multiply-add
};

TEST_CASE("rows and heads apart or together: the same figures") {
  const std::vector<Sample> samples{
      {"mla-blockwise-yarn",
       {{"context", "[17,5]"}, {"batch", "2"}, {"queries", "2"}, {"heads", "6"}, {"groups", "3"}, {"latent", "12"}},
       true,
       6},
      {"mla-no-norm-softcap-sink", {{"context", "19"}, {"heads", "4"}, {"groups", "4"}, {"latent", "12"}}, false, 0},
      {"gqa-per-head-gated", {{"context", "21"}, {"heads", "8"}, {"groups", "4"}}, false, 0},
      {"gqa-full-width", {{"context", "[9,21,4]"}, {"batch", "3"}}, true, 3},
      {"mla-window-edge",
       {{"context", "33"}, {"batch", "2"}, {"mask.window", "7"}, {"heads", "4"}, {"groups", "2"}, {"latent", "12"}},
       false,
       0}};
  for (const Sample& sample : samples) {
    DYNAMIC_SECTION(sample.name) {
      VerifyOptions verify;
      verify.formats = {"bf16", "fp16", "bf16/fp32", "fp32"};
      VerifyOptions finest = verify;
      verify.cut = 1e30, finest.cut = 1;
      const Options options = small(sample.overrides);
      const VerifyCase whole(sample.name, verify, options), cut(sample.name, finest, options);
      REQUIRE(whole.blocks() == 1);
      REQUIRE(cut.blocks() > 1);
      if (sample.blocks > 0) CHECK(cut.blocks() == sample.blocks);
      check_equal(run_case(cut), run_case(whole), sample.ragged);
    }
  }
}

TEST_CASE("the cut depends on the problem alone and covers it once") {
  VerifyOptions verify;
  for (const double limit : {1.0, 1e4, 1e5, 1e6}) {
    verify.cut = limit;
    const VerifyCase one("mla-blockwise-yarn", verify, small({{"context", "40"}, {"batch", "3"}, {"heads", "12"}, {"groups", "6"}}));
    const problem::Problem& p = one.problem();
    problem::Index covered = 0, next = 0;
    for (const inputs::Block& block : inputs::blocks_of(p, 1e7, limit)) {
      if (block.whole()) {
        covered = p.batch * p.heads;
        continue;
      }
      CHECK(block.row * p.heads + block.first_head == next);
      next += block.heads, covered += block.heads;
      CHECK(block.first_head % (p.heads / p.groups) == 0);
    }
    CHECK(covered == p.batch * p.heads);
  }
}

TEST_CASE("heads that outputs join stay together") {
  VerifyOptions verify;
  verify.cut = 1;
  for (const char* name : {"mla-from-x", "mla-full-width-ragged"}) {
    const VerifyCase one(name, verify, Options{});
    INFO(name << " " << one.blocks());
    CHECK(one.blocks() == static_cast<std::size_t>(one.problem().batch));
    for (const inputs::Block& block : inputs::blocks_of(one.problem(), 1e9, 1))
      CHECK((block.whole() || block.heads == one.problem().heads));
  }
}

}  // namespace
}  // namespace equinorm::commands
