#include "commands/check_claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "commands/handed_over.hpp"

namespace equinorm::commands {
namespace {

using kernels::Outcome;
using kernels::RunStatus;
using problem::Index;
using verdict::Verdict;

/// The outputs of some rows of a whole run.
Outcome rows_of(const ClaimRuns& runs, const std::vector<Index>& rows) {
  Outcome outcome;
  outcome.outputs = take_rows(runs.whole.outputs, runs.passed.outputs, rows);
  return outcome;
}

}  // namespace

bool same_bits(const tensor::AnyTensor& a, const tensor::AnyTensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && (a.byte_size() == 0 || std::memcmp(a.bytes(), b.bytes(), a.byte_size()) == 0);
}

std::string first_difference(const Outcome& a, const Outcome& b) {
  for (const auto& [name, mine] : a.outputs) {
    const auto theirs = b.outputs.find(name);
    if (theirs == b.outputs.end() || mine.shape() != theirs->second.shape() || mine.dtype() != theirs->second.dtype()) return name;
    const std::size_t bytes = tensor::size_of(mine.dtype());
    for (Index i = 0; i < mine.size(); ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * bytes;
      if (std::memcmp(mine.bytes() + at, theirs->second.bytes() + at, bytes) != 0) {
        return fmt::format("{}{}: {:.9g} and {:.9g}", name, tensor::index_string(mine.shape(), i), mine.at(i), theirs->second.at(i));
      }
    }
  }
  return "";
}

verdict::ConductRow batch_invariance(const ClaimRuns& runs) {
  const verdict::ConductRow row{"batch-invariant", Verdict::kept, ""};
  std::vector<Index> reversed(static_cast<std::size_t>(runs.problem.batch));
  std::iota(reversed.rbegin(), reversed.rend(), Index{0});
  Index longest = 0;
  for (Index b = 0; b < runs.problem.batch; ++b) longest = runs.problem.context_of(b) > runs.problem.context_of(longest) ? b : longest;
  for (const std::vector<Index>& rows : {reversed, std::vector<Index>{longest}}) {
    const problem::Problem problem = take_rows(runs.problem, rows);
    kernels::Request request = runs.request;
    request.problem = &problem;
    request.inputs = take_rows(runs.request.inputs, runs.passed.inputs, rows);
    const Outcome outcome = runs.run(request);
    const char* what = rows.size() > 1 ? "rows in reverse order" : "the longest row alone";
    if (outcome.status != RunStatus::ok) return {row.what, Verdict::failed, fmt::format("{}: {}", what, outcome.detail)};
    const std::string where = first_difference(outcome, rows_of(runs, rows));
    if (!where.empty()) return {row.what, Verdict::not_batch_invariant, fmt::format("{}: {}", what, where)};
  }
  return {row.what, Verdict::kept, fmt::format("{} rows reversed, and row {} alone", runs.problem.batch, longest)};
}

verdict::ConductRow split_invariance(const ClaimRuns& runs) {
  verdict::ConductRow row{"split-invariant", Verdict::kept, "1, 2, 3 and 8 splits"};
  for (const Index splits : {1, 2, 3, 8}) {
    kernels::Request request = runs.request;
    request.splits = splits;
    const Outcome outcome = runs.run(request);
    if (outcome.status != RunStatus::ok) return {row.what, Verdict::failed, fmt::format("{} splits: {}", splits, outcome.detail)};
    if (const std::string where = first_difference(runs.whole, outcome); !where.empty())
      return {row.what, Verdict::not_split_invariant, fmt::format("{} and {} splits: {}", runs.request.splits, splits, where)};
  }
  return row;
}

}  // namespace equinorm::commands
