// `equinorm check`: a third-party kernel, judged.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "commands/check_case.hpp"
#include "commands/check_matrix.hpp"
#include "commands/memory.hpp"
#include "commands/progress.hpp"
#include "commands/publish.hpp"
#include "problem/spelling.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;

kernels::DeviceChoice device_of(const std::string& word) {
  if (word == "declared") return kernels::DeviceChoice::as_declared;
  if (word == "host") return kernels::DeviceChoice::host;
  if (word == "cuda") return kernels::DeviceChoice::cuda;
  if (word == "virtual") return kernels::DeviceChoice::virtual_gpu;
  throw Error("--device is '" + word + "'; allowed: declared, host, cuda, virtual");
}

/// What follows a case's name where explicit positions are wanted.
constexpr std::string_view kPositions = "+positions";

struct Named {
  std::string text;
  Options options;  ///< the common ones with the case's own fields before those of the command line
};

bool asks_for_positions(const std::string& text) { return text.ends_with(kPositions); }

std::vector<Named> cases_of(const CheckOptions& check, const Options& options) {
  std::vector<Named> cases;
  for (const std::string& text : check.cases) cases.push_back({text, options});
  if (!check.cases.empty() && check.matrix.empty()) return cases;
  for (const MatrixCase& entry : check_matrix(check.matrix.empty() ? "quick" : check.matrix)) {
    Options own = options;
    own.overrides.insert(own.overrides.begin(), entry.fields.begin(), entry.fields.end());
    cases.push_back({entry.base, std::move(own)});
  }
  return cases;
}

std::vector<std::string> words_of(const CheckOptions& check) {
  std::vector<std::string> words;
  if (check.device != "declared") words.insert(words.end(), {"--device", check.device});
  if (!check.keep.empty()) words.insert(words.end(), {"--keep", check.keep});
  if (check.explain) words.emplace_back("--explain");
  return words;
}

}  // namespace

int check(const CheckOptions& check, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  check_result_paths(options);
  CheckSettings settings;
  settings.limits.seconds = check.seconds;
  settings.limits.memory = static_cast<std::uint64_t>(check.memory_gib * 0x1p30);
  settings.limits.threads = options.threads > 0 ? options.threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  settings.repeats = check.repeats, settings.keep = check.keep, settings.explain = check.explain;
  std::unique_ptr<kernels::Runner> runner;
  try {
    runner = kernels::open_kernel(check.kernel, device_of(check.device), settings.limits);
  } catch (const Error& error) {
    if (std::string(error.what()).find("skipped:") == std::string::npos) throw;
    fmt::print("{}\n", error.what());
    return 3;
  }
  const bool by_name = !check.cases.empty() && check.matrix.empty();
  std::vector<Problem> problems;
  std::vector<Named> cases;
  for (Named& named : cases_of(check, options)) {
    const std::string name = named.text.substr(0, named.text.size() - (asks_for_positions(named.text) ? kPositions.size() : 0));
    Problem problem = problem_of(name, named.options);
    const bool supported = kernels::unsupported(runner->declaration(), problem).empty();
    // What a matrix holds beyond the kernel's declaration nobody asked for; a case asked for by name is reported as skipped.
    if (!supported && !by_name) continue;
    if (supported) check_memory(problem);
    problems.push_back(std::move(problem));
    cases.push_back(std::move(named));
  }
  if (cases.empty()) throw Error("no case of the matrix fits the kernel's declaration; allowed: name a CASE that does");
  verdict::RunResult run;
  run.command = "check";
  {
    Progress progress(static_cast<std::int64_t>(cases.size()), !options.quiet);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      settings.positions = asks_for_positions(cases[i].text);
      verdict::CaseResult result =
          check_case(*runner, problems[i], settings, [&](const std::string& what) { progress.begin(problems[i].name + ": " + what); });
      std::vector<std::string> words{cases[i].text};
      for (const std::string& word : words_of(check)) words.push_back(word);
      result.reproduce = reproduction_line("check", check.kernel, cases[i].options, words);
      run.cases.push_back(std::move(result));
      progress.advance();
    }
  }
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return publish(run, true, options);
}

}  // namespace equinorm::commands
