// A case that is cut into rows and heads says what the whole case says.
#include <catch2/catch.hpp>

#include "commands/codec.hpp"
#include "commands/verify_case.hpp"
#include "paths/mutants.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

/// Without the precision ladder, which takes long and is never cut, if asked for.
verdict::CaseResult run_case(const VerifyCase& made, bool quick = false) {
  VerifyCase one = made;
  std::vector<std::string> lines;
  for (std::size_t part = 0; part < one.parts().size(); ++part) {
    if (quick && one.parts()[part].what == "precision ladder") continue;
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
    const bool padded =
        ragged && (b.tensor == "logits" || b.tensor == "p" || b.tensor.starts_with("alpha_k") || b.tensor.starts_with("k_"));
    if (padded)
      CHECK(a.error.elements < b.error.elements);
    else
      CHECK(a.error.elements == b.error.elements);
    CHECK(a.error.nonfinite == b.error.nonfinite);
    CHECK(a.unbounded == b.unbounded);
    check_close(a.error.max_abs, b.error.max_abs), check_close(a.error.max_relative, b.error.max_relative);
    check_close(a.error.max_ulp, b.error.max_ulp);
    if (b.error.nonfinite == 0) check_close(a.error.normwise, b.error.normwise);
    // A bound of 0 on padding alone is a bound of the whole only.
    const bool padding_alone = padded && b.bound == 0.0 && !a.bound;
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

/// The same result of an exact check, bit for bit, times apart.
void check_same(const verdict::ExactCheck& a, const verdict::ExactCheck& b) {
  INFO(a.method << ": " << a.scope << ", " << a.elements << " elements / " << b.scope << ", " << b.elements << " elements");
  CHECK((a.method == b.method && a.verdict == b.verdict && a.scope == b.scope && a.elements == b.elements));
  CHECK((a.false_equal_log2 == b.false_equal_log2 && a.slope == b.slope && a.rungs.size() == b.rungs.size()));
  REQUIRE(a.difference.has_value() == b.difference.has_value());
  if (!a.difference) return;
  CHECK((a.difference->stage == b.difference->stage && a.difference->tensor == b.difference->tensor));
  CHECK((a.difference->index == b.difference->index && a.difference->explicit_value == b.difference->explicit_value));
  CHECK(a.difference->absorbed_value == b.difference->absorbed_value);
}

void check_same_checks(const verdict::CaseResult& cut, const verdict::CaseResult& whole) {
  REQUIRE(cut.checks.size() == whole.checks.size());
  for (std::size_t i = 0; i < whole.checks.size(); ++i) check_same(cut.checks[i], whole.checks[i]);
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
      const verdict::CaseResult a = run_case(cut), b = run_case(whole);
      check_equal(a, b, sample.ragged);
      check_same_checks(a, b);
    }
  }
}

TEST_CASE("every fault on rows and heads apart or together: the same checks and verdicts") {
  const std::vector<Sample> samples{
      {"mla-blockwise-yarn",
       {{"context", "[13,5]"}, {"batch", "2"}, {"queries", "2"}, {"heads", "4"}, {"groups", "2"}, {"latent", "8"}, {"content_dim", "6"}},
       true,
       0},
      {"gqa-per-head-gated",
       {{"context", "9"}, {"batch", "2"}, {"heads", "4"}, {"groups", "2"}, {"head_dim", "8"}, {"rope_dim", "4"}},
       false,
       0},
      {"mla-window-edge",
       {{"context", "15"}, {"batch", "2"}, {"mask.window", "5"}, {"heads", "2"}, {"groups", "2"}, {"latent", "8"}, {"content_dim", "6"}},
       false,
       0}};
  int in_pieces = 0;
  for (const Sample& sample : samples) {
    const Options options = small(sample.overrides);
    for (const paths::Mutant& mutant : paths::mutants()) {
      if (!mutant.applies(problem_of(sample.name, options))) continue;
      INFO(sample.name << " " << mutant.id);
      VerifyOptions verify;
      verify.mutant = mutant.id;
      VerifyOptions finest = verify;
      verify.cut = 1e30, finest.cut = 1;
      const VerifyCase whole(sample.name, verify, options), cut(sample.name, finest, options);
      const verdict::CaseResult a = run_case(cut, true), b = run_case(whole, true);
      in_pieces += cut.blocks() > 1;
      check_equal(a, b, sample.ragged);
      check_same_checks(a, b);
      for (std::size_t i = 0; i < b.errors.size(); ++i) {
        if (!sample.ragged) CHECK(a.errors[i].detail.substr(0, 12) == b.errors[i].detail.substr(0, 12));
      }
    }
  }
  CHECK(in_pieces > 100);
}

TEST_CASE("a row without tokens has no say in the verdict of a case that is cut") {
  VerifyOptions verify;
  verify.formats = {"bf16/fp32"}, verify.cut = 1;
  const VerifyCase cut("mla-no-norm-softcap-sink", verify,
                       small({{"context", "[0,9]"}, {"batch", "2"}, {"heads", "2"}, {"groups", "2"}, {"latent", "8"}}));
  REQUIRE(cut.blocks() == 4);
  for (const verdict::ErrorRow& row : run_case(cut).errors) {
    INFO(row.path << " " << row.tensor << ": " << row.detail);
    CHECK(row.verdict == verdict::Verdict::within);
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
