// The faulty kernel: every fault of the catalogue shows where the table says, and the same code without a fault is right.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "bundled/library.hpp"
#include "bundled/verdict.hpp"
#include "inputs/generate.hpp"
#include "paths/mutants.hpp"
#include "problem/case.hpp"
#include "problem/json.hpp"

namespace equinorm::kernels::testing {
namespace {

struct Row {
  std::string id, storage, where, expect;
};

std::vector<Row> table() {
  std::ifstream file(EQUINORM_TEST_FOLDER "/kernels/faulty/faults.json");
  std::stringstream text;
  text << file.rdbuf();
  const problem::JsonValue root = problem::parse_json(text.str(), "faults.json");
  std::vector<Row> rows;
  for (const problem::JsonValue& item : root.items) {
    const auto word = [&](const char* key) { return item.find(key)->text; };
    rows.push_back({word("id"), word("storage"), word("case"), word("expect")});
  }
  return rows;
}

/// A row's kernel and its problem, ready to run.
struct Subject {
  explicit Subject(const Row& row)
      : library(EQUINORM_FAULTY_FOLDER "/faulty." + row.id + "." + row.storage + ".so"),
        problem(with_declared_precision(library.declaration(), problem::resolve_case(row.where))) {
    setting.splits = problem.precision.splits, setting.tile = problem.precision.tile;
    inputs = inputs::generate_inputs(problem);
  }
  RunResult run() const { return library.run(problem, inputs, setting); }

  Library library;
  Problem problem;
  RunSetting setting;
  tensor::TensorMap inputs;
};

struct Verdict {
  Index violations = 0;
  bool nonfinite = false;
  std::string first;
};

Verdict verdict_of(const Subject& subject, const tensor::TensorMap& outputs) {
  Verdict verdict;
  for (const auto& [name, judged] : judge(subject.problem, subject.inputs, PathKind::absorbed_form, outputs)) {
    verdict.violations += judged.violations;
    if (verdict.first.empty()) verdict.first = judged.first;
    verdict.nonfinite = verdict.nonfinite || judged.first.find("nan") != std::string::npos;
  }
  return verdict;
}

bool same_bits(const tensor::TensorMap& a, const tensor::TensorMap& b) {
  return std::all_of(a.begin(), a.end(), [&](const auto& entry) {
    return std::memcmp(entry.second.bytes(), b.at(entry.first).bytes(), entry.second.byte_size()) == 0;
  });
}

bool fails_with(const RunResult& result, const char* what) {
  return std::any_of(result.failures.begin(), result.failures.end(),
                     [&](const std::string& failure) { return failure.find(what) != std::string::npos; });
}

/// The signal that ends a run in a process of its own, which an alarm ends after a second.
int ending_signal(const Row& row) {
  const pid_t child = fork();
  if (child == 0) {
    for (const int number : {SIGSEGV, SIGALRM}) std::signal(number, SIG_DFL);
    alarm(1);
    Subject(row).run();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/// Whether the failure of structure that the row expects happens, and nothing else before it.
bool structure_fails(const Row& row) {
  if (row.expect == "crashed") return ending_signal(row) == SIGSEGV;
  if (row.expect == "timed out") return ending_signal(row) == SIGALRM;
  Subject subject(row);
  const RunResult result = subject.run();
  REQUIRE(result.status == EQUINORM_OK);
  if (row.expect == "unwritten") return fails_with(result, "unwritten");
  if (row.expect == "wrote out of bounds") return fails_with(result, "beside");
  if (row.expect == "changed input") return fails_with(result, "changed input");
  REQUIRE(result.failures.empty());
  REQUIRE(verdict_of(subject, result.outputs).violations == 0);
  if (row.expect == "nondeterministic") return !same_bits(result.outputs, subject.run().outputs);
  REQUIRE(row.expect == "stale");
  subject.problem.inputs.seed += 1;
  subject.inputs = inputs::generate_inputs(subject.problem);
  return verdict_of(subject, subject.run().outputs).violations > 0;
}

TEST_CASE("every fault of the table shows") {
  for (const Row& row : table()) {
    INFO(row.id << " on " << row.where << ", expected: " << row.expect);
    if (row.expect != "within" && row.expect != "violates" && row.expect != "nonfinite" && row.expect != "caught") {
      CHECK(structure_fails(row));
      continue;
    }
    const Subject subject(row);
    const RunResult result = subject.run();
    REQUIRE(result.status == EQUINORM_OK);
    REQUIRE(result.failures.empty());
    const Verdict verdict = verdict_of(subject, result.outputs);
    INFO(verdict.first);
    // In a pool that memory holds, 32 bits suffice: `check` shows this one, in a wide pool.
    CHECK((verdict.violations > 0) == (row.expect != "within" && row.id != "page-index-32bit"));
    // Where a wrong page leads, to other numbers or to NaN, is chance: it is only to be caught.
    if (row.expect != "caught") CHECK(verdict.nonfinite == (row.expect == "nonfinite"));
  }
}

TEST_CASE("the table holds the whole catalogue") {
  std::set<std::string> ids;
  for (const Row& row : table()) ids.insert(row.id);
  for (const paths::Mutant& mutant : paths::mutants()) CHECK(ids.contains(std::string(mutant.id)));
  for (const char* id : {"none", "page-index-32bit", "unwritten-rows", "stale-output", "out-of-bounds-write", "input-changed",
                         "nondeterministic", "crash", "hang"})
    CHECK(ids.contains(id));
}

}  // namespace
}  // namespace equinorm::kernels::testing
