#include "commands/memory.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "problem/tensors.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {

double input_numbers(const problem::Problem& problem) {
  double inputs = 0;
  for (const problem::TensorSpec& spec : problem::input_tensors(problem, problem::default_table_rows(problem))) {
    if (spec.optional) continue;
    double elements = 1;
    for (const problem::Index length : spec.shape) elements *= static_cast<double>(length);
    inputs += elements;
  }
  return inputs;
}

namespace {

constexpr double kGiB = 1 << 30;

double allowed_memory() { return 0.8 * static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE)); }

double scores(const problem::Problem& problem) {
  return static_cast<double>(problem.batch) * static_cast<double>(problem.heads) * static_cast<double>(problem.queries) *
         static_cast<double>(problem.max_context());
}

}  // namespace

void check_fits(const problem::Problem& problem, const std::string& what, double bytes) {
  const double allowed = allowed_memory();
  if (bytes <= allowed) return;
  throw Error(fmt::format(
      "{}: heads is {}, queries {}, context {}, batch {}: {} takes about {:.0f} GiB; allowed: {:.0f} GiB on this machine (fewer --heads or "
      "--queries, a smaller --context or --batch)",
      problem.name, problem.heads, problem.queries, problem.max_context(), problem.batch, what, bytes / kGiB, allowed / kGiB));
}

double memory_needed(const problem::Problem& problem, Keeping keeping) {
  // Measured: logits of both forms, as computed and as doubles, beside three doubles of reference. Certified: logits and p, three doubles
  // of each, beside the file's form of them. Inputs: the file's form beside the doubles, and weights again as the oracle cuts and turns
  // them.
  const double per_score = keeping == Keeping::measured ? 48 : 2 * (3 * 8 + 3 * 8);
  const double per_input = 40;
  return scores(problem) * per_score + input_numbers(problem) * per_input;
}

std::string too_many_numbers(double numbers) {
  // The oracle's four doubles, the bound, and two copies in the kernel's format.
  const double needed = 48 * numbers, allowed = allowed_memory();
  if (needed <= allowed) return {};
  return fmt::format("{:.3g} numbers handed over or judged take about {:.0f} GiB; allowed: {:.0f} GiB on this machine", numbers,
                     needed / kGiB, allowed / kGiB);
}

void check_memory(const problem::Problem& problem, Keeping keeping) {
  const double needed = memory_needed(problem, keeping), allowed = allowed_memory();
  if (needed <= allowed) return;
  throw Error(
      fmt::format("{}: heads is {}, queries {}, context {}, batch {}: {:.3g} scores, which is their product, and {:.3g} input numbers take "
                  "about {:.0f} "
                  "GiB; allowed: {:.0f} GiB on this machine (fewer --heads or --queries, a smaller --context or --batch)",
                  problem.name, problem.heads, problem.queries, problem.max_context(), problem.batch, scores(problem),
                  input_numbers(problem), needed / kGiB, allowed / kGiB));
}

}  // namespace equinorm::commands
