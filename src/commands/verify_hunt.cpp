// The command around hunt(): which cases and arithmetics, which files.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "bounds/bounds.hpp"
#include "commands/arithmetics.hpp"
#include "commands/codec.hpp"
#include "commands/hunt.hpp"
#include "commands/hunt_size.hpp"
#include "commands/job.hpp"
#include "commands/measure_paths.hpp"
#include "commands/memory.hpp"
#include "commands/publish.hpp"
#include "commands/reference.hpp"
#include "commands/seeds.hpp"
#include "commands/sensitivity.hpp"
#include "commands/verify_case.hpp"
#include "commands/verify_rates.hpp"
#include "inputs/load.hpp"
#include "inputs/round.hpp"
#include "paths/mutants.hpp"
#include "problem/builtin.hpp"
#include "problem/problem_file.hpp"
#include "scalar/error.hpp"
#include "tensor/safetensors.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;
using tensor::TensorMap;

/// One case in one arithmetic, with one seed.
struct Quarry {
  std::string case_text;
  Options options;  ///< with the seed
  Problem problem;  ///< made small
  std::vector<std::pair<std::string, std::string>> shrunk;
  NamedArithmetic arithmetic;
  std::string file;
};

void check_request(const VerifyOptions& verify) {
  if (verify.exact_only) throw Error("--hunt: --exact-only measures no errors; allowed: one of the two");
  if (verify.sensitivity) throw Error("--hunt: --sensitivity is another question; allowed: one of the two");
  if (!verify.weights.empty()) throw Error("--hunt: --weights fixes inputs that a hunt changes; allowed: one of the two");
  if (!verify.mutant.empty() && !(verify.formats.empty() || verify.formats == std::vector<std::string>{"declared"})) {
    throw Error(fmt::format("--hunt: --mutant is judged in the declared arithmetic; --formats is {}; allowed: declared",
                            fmt::join(verify.formats, ",")));
  }
}

Quarry quarry_of(const std::string& case_text, const std::string& arithmetic, const VerifyOptions& verify, const Options& options) {
  Quarry quarry{case_text, options, problem_of(case_text, options), {}, {}, {}};
  quarry.shrunk = smaller_fields(quarry.problem);
  if (!quarry.shrunk.empty()) {
    // Inputs of the full size do not fit the small one.
    if (quarry.problem.inputs.kind == "file") quarry.shrunk.emplace_back("inputs.kind", "normal");
    problem::override_fields(quarry.problem, quarry.shrunk);
  }
  quarry.arithmetic = find_arithmetic(arithmetic, quarry.problem);
  if (!bounds::has_bounds(quarry.arithmetic.plan)) {
    throw Error(
        fmt::format("--hunt: there are no bounds for arithmetic '{}' of {}; allowed: fp16, bf16, fp32, fp64, two of them as "
                    "STORAGE/ACCUMULATE, or declared in these without a matrix unit's order",
                    arithmetic, quarry.problem.name));
  }
  if (!verify.mutant.empty()) {
    const paths::Mutant& mutant = paths::find_mutant(verify.mutant);
    if (!mutant.applies(quarry.problem))
      throw Error(
          fmt::format("--mutant: '{}' is the same function on case '{}'; it needs {}", mutant.id, quarry.problem.name, mutant.needs));
    if (mutant.expects(paths::kStructural))
      throw Error(
          fmt::format("--hunt: '{}' shows in what no query looks at, whatever the inputs; allowed: mutants that have an error", mutant.id));
  }
  check_memory(quarry.problem);
  return quarry;
}

/// `asked` for a single hunt; else "NAME-CASE-ARITHMETIC.safetensors", with the seed where there are several, NAME being `asked` without
/// its end, or "hunt".
std::string file_name(const std::string& asked, const Quarry& quarry, bool single, bool seeds) {
  if (single && !asked.empty()) return asked;
  const std::filesystem::path path = asked.empty() ? "hunt.safetensors" : asked;
  std::string words = quarry.problem.name + "-" + quarry.arithmetic.name;
  if (seeds) words += fmt::format("-seed-{}", quarry.problem.inputs.seed);
  std::replace_if(
      words.begin(), words.end(), [](unsigned char c) { return c < 0x21 || c == '/' || c == 0x7f; }, '-');
  return (path.parent_path() / fmt::format("{}-{}{}", path.stem().string(), words, path.extension().string())).string();
}

std::vector<Quarry> quarries(const VerifyOptions& verify, const Options& options) {
  std::vector<std::string> cases = verify.cases;
  if (cases.empty()) {
    for (const problem::NamedSource& source : problem::builtin_cases()) cases.emplace_back(source.name);
  }
  std::vector<std::string> arithmetics = verify.formats;
  if (arithmetics.empty()) arithmetics = {verify.mutant.empty() ? "bf16/fp32" : "declared"};
  std::vector<Quarry> all;
  for (const std::string& text : cases) {
    for (const std::string& arithmetic : arithmetics) {
      for (const Options& seeded : with_seeds(text, verify.seeds, options)) all.push_back(quarry_of(text, arithmetic, verify, seeded));
    }
  }
  for (Quarry& quarry : all) {
    quarry.file = file_name(verify.hunt_out, quarry, all.size() == 1, verify.seeds > 1);
    check_writable(quarry.file);
  }
  return all;
}

Evaluate evaluation(const Quarry& quarry, const std::string& mutant) {
  if (!mutant.empty()) return [&quarry, mutant](const TensorMap& inputs) { return judge_mutant(quarry.problem, inputs, mutant); };
  return [&quarry](const TensorMap& inputs) {
    static const std::set<std::string> names{"logits", "lse", "o", "o_gated", "y"};
    StorageViews views(quarry.problem, {inputs, certified_reference(quarry.problem, inputs, names).tensors}, names);
    verdict::CaseResult result;
    measure_paths(quarry.arithmetic, views, names, result);
    return std::move(result.errors);
  };
}

/// What to type to see the worst inputs judged again.
std::string replay_line(const Quarry& quarry, const std::string& mutant) {
  std::vector<std::string> words;
  const auto add = [&](const char* flag, const std::string& value) { words.insert(words.end(), {flag, value}); };
  for (const auto& [field, value] : quarry.shrunk) {
    if (field != "inputs.kind") add("--set", field + "=" + value);
  }
  add("--set", "inputs.kind=file");
  add("--set", "inputs.path=" + quarry.file);
  if (mutant.empty())
    add("--formats", quarry.arithmetic.name);
  else
    add("--mutant", mutant);
  return reproduction_line("verify", quarry.case_text, quarry.options, words);
}

/// What a hunt found, with the inputs that it keeps.
struct Catch {
  verdict::CaseResult result;
  TensorMap worst;
};
auto members(Catch& x) { return std::tie(x.result, x.worst); }

Catch run(const Quarry& quarry, const VerifyOptions& verify, const UnitProgress& progress) {
  const scalar::Format format = quarry.arithmetic.plan.precision.storage;
  const TensorMap start =
      inputs::round_inputs(quarry.problem, inputs::make_inputs(quarry.problem), format, quarry.arithmetic.plan.precision.ftz);
  progress.begin(fmt::format("{}: hunting in {}", quarry.problem.name, quarry.arithmetic.name));
  Hunted hunted = hunt(quarry.problem, format, start, evaluation(quarry, verify.mutant), parse_budget(*verify.hunt), progress.advance);
  verdict::CaseResult result;
  result.problem = quarry.problem;
  result.mutant = verify.mutant;
  result.seconds = hunted.result.seconds;
  result.reference = "certified enclosures of each candidate's own outputs";
  result.reproduce = replay_line(quarry, verify.mutant);
  if (!quarry.shrunk.empty()) {
    std::vector<std::string> fields;
    for (const auto& [field, value] : quarry.shrunk) fields.push_back(field + " " + value);
    result.notes.push_back(fmt::format("hunted at {}", fmt::join(fields, ", ")));
  }
  hunted.result.budget = *verify.hunt, hunted.result.file = quarry.file;
  result.errors = std::move(hunted.rows);
  result.hunt = std::move(hunted.result);
  return {std::move(result), std::move(hunted.worst)};
}

/// Evaluations, or seconds of a core that makes about 1e9 multiply-adds in each.
double cost_of(const search::Budget& budget) {
  return budget.evaluations > 0 ? 2e6 * static_cast<double>(budget.evaluations) : 1e9 * budget.seconds;
}

Job hunt_job(const VerifyOptions& verify, const Options& options) {
  check_request(verify);
  const search::Budget budget = parse_budget(*verify.hunt);
  const double cost = cost_of(budget);
  const auto all = std::make_shared<const std::vector<Quarry>>(quarries(verify, options));
  std::vector<std::string> words = words_of(verify);
  words.insert(words.end(), {"--hunt", *verify.hunt});
  if (!verify.hunt_out.empty()) words.insert(words.end(), {"--hunt-out", verify.hunt_out});
  if (verify.seeds > 1) words.insert(words.end(), {"--seeds", std::to_string(verify.seeds)});
  Job job;
  job.command = command_line("verify", verify.cases, options, words);
  job.recipe = {"hunt", true, {}};
  for (std::size_t i = 0; i < all->size(); ++i) {
    const Quarry& quarry = (*all)[i];
    job.units.push_back({unit_id(i, quarry.problem, "hunt in " + quarry.arithmetic.name), i, cost, memory_needed(quarry.problem)});
    job.problems.push_back(problem::to_json(quarry.problem));
    if (quarry.problem.inputs.kind == "file") add_files(job, quarry.problem.inputs.path);
  }
  job.seconds = [budget, units = job.units, rates = std::make_shared<VerifyRates>()](std::size_t unit) {
    return budget.seconds > 0 ? budget.seconds : rates->general_rate() * units.at(unit).cost;
  };
  job.run = [all, &verify](std::size_t unit, const UnitProgress& progress) { return work::to_line(run(all->at(unit), verify, progress)); };
  return job;
}

}  // namespace

int verify_hunt(const VerifyOptions& verify, const Options& options) {
  return run_job([&] { return hunt_job(verify, options); }, options);
}

int finish_hunt(const std::vector<std::string>& results, const Options& options) {
  verdict::RunResult run;
  run.command = "verify";
  for (const std::string& line : results) {
    auto one = work::from_line<Catch>(line);
    tensor::write_safetensors(one.result.hunt.value().file, one.worst,
                              {{"problem", problem::to_json(one.result.problem)}, {"replay", one.result.reproduce}});
    run.seconds += one.result.seconds;
    run.cases.push_back(std::move(one.result));
  }
  return publish(run, true, options);
}

}  // namespace equinorm::commands
