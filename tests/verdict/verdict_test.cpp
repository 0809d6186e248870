// Verdicts and the exit code that follows from them.
#include "verdict/verdict.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "verdict/results.hpp"

namespace equinorm::verdict {
namespace {

const std::vector<Verdict> kAll{Verdict::undecided,
                                Verdict::equal,
                                Verdict::different,
                                Verdict::within,
                                Verdict::suspect,
                                Verdict::violates,
                                Verdict::nonfinite,
                                Verdict::wrong_shape,
                                Verdict::missing,
                                Verdict::measured,
                                Verdict::skipped,
                                Verdict::kept,
                                Verdict::failed,
                                Verdict::crashed,
                                Verdict::timed_out,
                                Verdict::out_of_memory,
                                Verdict::misbehaved,
                                Verdict::unwritten,
                                Verdict::out_of_bounds,
                                Verdict::changed_input,
                                Verdict::unsafe,
                                Verdict::stale,
                                Verdict::nondeterministic,
                                Verdict::not_batch_invariant,
                                Verdict::not_split_invariant};

TEST_CASE("a value-initialised verdict is undecided, and neither holds nor fails") {
  CHECK(Verdict{} == Verdict::undecided);
  CHECK(ExactCheck{}.verdict == Verdict::undecided);
  CHECK_FALSE(holds(Verdict{}));
  CHECK_FALSE(fails(Verdict{}));
  CHECK(exit_code({Verdict{}}) == 3);
}

TEST_CASE("every verdict has a name of its own, and none both holds and fails") {
  std::set<std::string> names;
  int held = 0, failed = 0;
  for (const Verdict verdict : kAll) {
    names.insert(to_string(verdict));
    CHECK_FALSE((holds(verdict) && fails(verdict)));
    held += holds(verdict) ? 1 : 0;
    failed += fails(verdict) ? 1 : 0;
  }
  CHECK(names.size() == kAll.size());
  CHECK(names.count("unknown") == 0);
  CHECK(held == 4);
  CHECK(failed == 18);
}

/// The rule in words, for one or two verdicts.
int expected(const std::vector<Verdict>& verdicts) {
  bool failing = false, open = false, holding = false;
  for (const Verdict v : verdicts) {
    switch (v) {
      case Verdict::different:
      case Verdict::violates:
      case Verdict::nonfinite:
      case Verdict::wrong_shape:
      case Verdict::missing:
      case Verdict::failed:
      case Verdict::crashed:
      case Verdict::timed_out:
      case Verdict::out_of_memory:
      case Verdict::misbehaved:
      case Verdict::unwritten:
      case Verdict::out_of_bounds:
      case Verdict::changed_input:
      case Verdict::unsafe:
      case Verdict::stale:
      case Verdict::nondeterministic:
      case Verdict::not_batch_invariant:
      case Verdict::not_split_invariant:
        failing = true;
        break;
      case Verdict::undecided:
      case Verdict::skipped:
        open = true;
        break;
      case Verdict::equal:
      case Verdict::within:
      case Verdict::suspect:
      case Verdict::kept:
        holding = true;
        break;
      case Verdict::measured:
        break;
    }
  }
  return failing ? 1 : open || !holding ? 3 : 0;
}

TEST_CASE("exit codes: 1 beats 3, 3 beats 0, nothing decided is 3") {
  CHECK(exit_code(std::vector<Verdict>{}) == 3);
  CHECK(exit_code({Verdict::measured}) == 3);
  CHECK(exit_code({Verdict::suspect}) == 0);
  CHECK(exit_code({Verdict::undecided, Verdict::different}) == 1);
  CHECK(exit_code({Verdict::equal, Verdict::undecided}) == 3);
  CHECK(exit_code({Verdict::equal, Verdict::measured}) == 0);
  for (const Verdict a : kAll) {
    for (const Verdict b : kAll) {
      for (const Verdict c : kAll) CHECK(exit_code({a, b, c}) == expected({a, b, c}));
    }
  }
}

TEST_CASE("a run's exit code counts checks and rows of every case, but no measured ones") {
  RunResult run;
  CHECK(exit_code(run) == 3);
  run.cases.resize(2);
  ErrorRow row;  // measured by default
  run.cases[0].errors.push_back(row);
  CHECK(exit_code(run) == 3);
  CHECK(verdicts(run.cases[0]).empty());
  ExactCheck check;
  check.verdict = Verdict::equal;
  run.cases[1].checks.push_back(check);
  CHECK(exit_code(run) == 0);
  check.verdict = Verdict::measured;  // not run
  run.cases[1].checks.push_back(check);
  CHECK(exit_code(run) == 0);
  run.cases[0].checks.emplace_back();
  CHECK(exit_code(run) == 3);
  row.verdict = Verdict::nonfinite;
  run.cases[0].errors.push_back(row);
  CHECK(exit_code(run) == 1);
}

}  // namespace
}  // namespace equinorm::verdict
