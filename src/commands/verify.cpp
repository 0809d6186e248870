// `equinorm verify`: the equivalence suite.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "commands/codec.hpp"
#include "commands/hunt.hpp"
#include "commands/job.hpp"
#include "commands/options.hpp"
#include "commands/publish.hpp"
#include "commands/seeds.hpp"
#include "commands/verify_case.hpp"
#include "commands/verify_rates.hpp"
#include "paths/mutants.hpp"
#include "problem/builtin.hpp"
#include "problem/problem_file.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

/// The cases that were asked for; none: those of the default suite where the mutant is a fault.
std::vector<std::string> case_texts(const VerifyOptions& verify, const Options& options) {
  if (!verify.cases.empty()) return verify.cases;
  std::vector<std::string> cases;
  for (const problem::NamedSource& source : problem::builtin_cases()) {
    if (!verify.mutant.empty() && !paths::find_mutant(verify.mutant).applies(problem_of(std::string(source.name), options))) continue;
    cases.emplace_back(source.name);
  }
  if (cases.empty()) throw Error("--mutant: '" + verify.mutant + "' is the same function on every case of the default suite");
  return cases;
}

/// Every case of a run, and which part of which case each unit is.
class VerifyRun {
 public:
  VerifyRun(const VerifyOptions& verify, const Options& options) {
    for (const std::string& text : case_texts(verify, options)) {
      for (const Options& seeded : with_seeds(text, verify.seeds, options)) cases_.emplace_back(text, verify, seeded);
    }
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      for (std::size_t part = 0; part < cases_[i].parts().size(); ++part) units_.emplace_back(i, part);
    }
  }

  static Job job(const VerifyOptions& verify, const Options& options) {
    const auto self = std::make_shared<VerifyRun>(verify, options);
    std::vector<std::string> words = words_of(verify);
    if (verify.seeds > 1) words.insert(words.end(), {"--seeds", std::to_string(verify.seeds)});
    Job job;
    std::size_t group = 0, last_case = 0, last_block = 0;
    int last_point = 0;
    for (const auto& [index, part] : self->units_) {
      const VerifyCase& one = self->cases_[index];
      const CasePart& piece = one.parts()[part];
      // Only parts of one block share what is dear to make, and points of the prime field nothing.
      if (piece.point > 0 || last_point > 0 || piece.block != last_block || index != last_case) ++group;
      last_block = piece.block, last_case = index, last_point = piece.point;
      job.units.push_back({unit_id(index, one.problem(), one.name_of(part)), group, piece.cost, piece.bytes});
    }
    for (const VerifyCase& one : self->cases_) {
      job.problems.push_back(problem::to_json(one.problem()));
      if (one.problem().inputs.kind == "file") add_files(job, one.problem().inputs.path);
    }
    if (!verify.weights.empty()) add_files(job, verify.weights);
    job.command = command_line("verify", verify.cases, options, words);
    job.recipe = {"verify", !verify.cases.empty(), {}};
    job.run = [self](std::size_t unit, const UnitProgress& progress) { return self->run(unit, progress); };
    job.seconds = [self, rates = std::make_shared<VerifyRates>()](std::size_t unit) {
      const auto [index, part] = self->units_.at(unit);
      const VerifyCase& one = self->cases_.at(index);
      return rates->seconds(one.problem(), one.parts().at(part));
    };
    return job;
  }

 private:
  std::string run(std::size_t unit, const UnitProgress& progress) {
    const auto [index, part] = units_.at(unit);
    if (last_ != index) cases_.at(last_).forget();
    last_ = index;
    PartResult found = cases_.at(index).run(part, progress.begin);
    found.case_index = index;
    return work::to_line(found);
  }

  std::vector<VerifyCase> cases_;
  std::vector<std::pair<std::size_t, std::size_t>> units_;
  std::size_t last_ = 0;  ///< the case whose inputs are kept
};

}  // namespace

int verify(const VerifyOptions& verify, const Options& options) {
  if (verify.hunt) return verify_hunt(verify, options);
  return run_job([&] { return VerifyRun::job(verify, options); }, options);
}

int finish_verify(const std::vector<std::string>& results, bool in_full, double seconds, const Options& options) {
  verdict::RunResult run;
  run.command = "verify";
  run.cases = gather_cases(results);
  run.seconds = seconds;
  for (const verdict::CaseResult& one : run.cases) run.seconds += seconds > 0 ? 0 : one.seconds;
  return publish(run, in_full, options);
}

}  // namespace equinorm::commands
