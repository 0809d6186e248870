// Everything that a run found out, as data: commands/ fills it, report/ shows it.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "problem/problem.hpp"
#include "verdict/measure.hpp"
#include "verdict/rules.hpp"
#include "verdict/verdict.hpp"

namespace equinorm::verdict {

/// Where two forms first differ.
struct FirstDifference {
  std::string stage;
  std::string tensor;
  std::vector<Index> index;
  std::string explicit_value;
  std::string absorbed_value;
};

struct LadderRung {
  int bits;
  double log2_difference;
};

/// One exact check of a case.
struct ExactCheck {
  std::string method;  ///< "prime field", "rationals", "precision ladder"
  Verdict verdict = Verdict::undecided;
  std::string scope;  ///< what it ran on: "full size, 2 random points", "head 5, 8 of 4096 tokens"
  Index elements = 0;
  double false_equal_log2 = 0;  ///< prime field only
  std::optional<FirstDifference> difference;
  std::vector<LadderRung> rungs;  ///< ladder only
  double slope = 0;               ///< ladder only
  double seconds = 0;
};

/// Measured error of one tensor of one form in one arithmetic, and what the bound says of it. Without a bound on every element (an
/// intermediate may overflow, or every digit of a statistic be lost) the row is measured only.
struct ErrorRow {
  std::string arithmetic;  ///< "bf16", "bf16/fp32" (storage/accumulate)
  std::string path;        ///< "explicit", "absorbed", or the name of a file
  std::string tensor;
  scalar::Format format{};  ///< whose ulp is meant
  ErrorStatistics error;
  std::optional<double> bound;  ///< largest over the elements that have one
  std::optional<double> ratio;  ///< largest error / bound of an element
  /// Largest error of such an element as it was judged: against the exact function of the inputs in the format that they are kept in, where
  /// `error` has the inputs as they were given.
  std::optional<double> judged_error;
  Index unbounded = 0;  ///< elements of which no bound says anything
  Verdict verdict = Verdict::measured;
  std::string detail;      ///< why the verdict fails, with the values; empty otherwise
  std::string main_stage;  ///< the stage whose rounding alone moves this tensor most; empty: not determined
};

/// Explicit minus absorbed in one arithmetic.
struct DifferenceRow {
  std::string arithmetic;
  std::string tensor;
  DifferenceStatistics difference;
  std::optional<double> bound;
};

/// What a case says of one catalogued wrong form, judged under the bounds of the case's declared arithmetic.
struct MutantRow {
  std::string mutant;
  Verdict verdict = Verdict::undecided;  ///< a failure: caught
  std::string caught_by;                 ///< tensors that violate their bound
  bool by_output = false;                ///< o, y or lse are among them, so that a kernel that shows nothing else is caught too
  double ratio = 0;                      ///< largest error / bound
};

/// One form and tensor of a hunt, beside the ErrorRow of the same place in CaseResult::errors. A ratio is largest error / bound.
struct HuntRow {
  std::optional<double> start_ratio, worst_ratio;  ///< none: no element has a bound
  double start_ulp = 0, worst_ulp = 0;             ///< the worst ulp and the worst ratio are of different inputs
};

/// What `verify --hunt` found. CaseResult::errors are then the rows of the inputs with the worst ratio, each row on inputs of its own.
struct HuntResult {
  std::vector<HuntRow> rows;
  Index worst_row = 0;    ///< the row whose inputs were kept
  Index evaluations = 0;  ///< inputs tried
  Index unscored = 0;     ///< of them without an exact value or a bound
  Index restarts = 0;
  double seconds = 0;
  std::string budget, file;
};

/// What a public acceptance rule says of one output, beside the verdict of that output's ErrorRow. Never part of the exit code.
struct RuleRow {
  std::string tensor;
  std::string rule;
  RuleResult result;
  std::string run = {};                 ///< which of our own runs made the output; empty: it came from outside
  std::optional<Verdict> verdict = {};  ///< ours of that output; none: that of the tensor's error row
};

/// What a kernel owes beside its numbers: that it runs, leaves alone what is not its own, gives the same bits again, keeps its claims.
struct ConductRow {
  std::string what;
  Verdict verdict = Verdict::undecided;
  std::string detail;
  double seconds = 0;  ///< of one run of the kernel, where runs are what is spoken of
};

/// What the roundings of one source line do.
struct RoundingLine {
  std::string place;  ///< "file:line inlined at file:line"
  Index operations = 0;
  double largest_ulp = 0;  ///< of one operation, in ulps of its result
  double introduced = 0;   ///< sum of the absolute errors of its operations
  double reaches = 0;      ///< how far its roundings alone move an element of the tensor at most, later roundings left out
};

/// Where the error of one output comes from.
struct RoundingRow {
  std::string tensor;
  double error = 0;    ///< largest |value - value without rounding|
  double largest = 0;  ///< largest value without rounding
  double rest = 0;     ///< largest error that the lines and the constants together leave: lines not tried, and products of errors
  std::vector<RoundingLine> lines;  ///< by what reaches the tensor, largest first
};

/// Comparisons at one source line that come out otherwise with rounding removed.
struct BranchRow {
  std::string place;
  Index count = 0;
};

/// The first output, in the order of the data flow, that is not what the formula says.
struct Departure {
  std::string tensor, element;
  std::string written;   ///< where the element was stored
  std::string computed;  ///< where the stored number was made; empty: not known
  std::string thread;
};

/// check --explain on the virtual GPU.
struct Explanation {
  std::string arithmetic;  ///< what was assumed where PTX leaves a choice
  std::vector<RoundingRow> rounding;
  std::vector<BranchRow> branches;
  std::optional<Departure> departure;
};

/// Where a NaN or an infinity in an output was made.
struct OriginRow {
  std::string tensor, element;
  std::string place;
  std::string origin;  ///< what, instruction and thread; empty: not known
};

/// A known fault that explains outputs which fail: a likely cause, no part of any verdict.
struct FaultRow {
  std::string fault;     ///< id of a catalogued wrong form (verify --mutant runs it), or a word for another relation
  std::string sentence;  ///< what the kernel does, as far as it shows
  std::string tensors;   ///< the failing outputs that it explains: "lse, o"
  double distance = 0;   ///< largest |output - faulty value| over what is allowed: 0 to 1
};

struct CaseResult {
  problem::Problem problem;
  std::string mutant;  ///< faulty form that stood in place of the absorbed one; empty: none
  std::vector<ExactCheck> checks;
  std::vector<ErrorRow> errors;
  std::vector<DifferenceRow> differences;
  std::vector<MutantRow> sensitivity;      ///< empty: not asked for
  std::optional<HuntResult> hunt;          ///< verify --hunt only
  std::vector<RuleRow> rules;              ///< compare --rules only
  std::string kernel;                      ///< check only: name and way in
  std::vector<ConductRow> conduct;         ///< check only
  std::optional<Explanation> explanation;  ///< check --explain only
  std::vector<FaultRow> faults;            ///< check and compare, after a failure: what fits
  std::vector<OriginRow> origins;          ///< check only: of each output that is not finite, its first such element
  std::string reference;                   ///< what errors were measured against, and how good it is
  std::vector<std::string> notes;
  std::string reproduce;  ///< the command that runs this case again
  double seconds = 0;
};

struct RunResult {
  std::string command;  ///< "verify", "compare", "check"
  std::vector<CaseResult> cases;
  double seconds = 0;
};

/// Every verdict of a case. What was only measured (rows without a bound) or could not show the fault (checks not run) carries none.
std::vector<Verdict> verdicts(const CaseResult& result);
/// Mutants that were asked for and that no case catches.
std::set<std::string> uncaught(const RunResult& run);
/// Of all verdicts; where sensitivity was asked for, 1 if a mutant is caught by no case.
int exit_code(const RunResult& run);

}  // namespace equinorm::verdict
