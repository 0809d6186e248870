// `equinorm check`: a third-party kernel, judged.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "commands/check_case.hpp"
#include "commands/check_keep.hpp"
#include "commands/check_matrix.hpp"
#include "commands/codec.hpp"
#include "commands/job.hpp"
#include "commands/memory.hpp"
#include "commands/publish.hpp"
#include "commands/reference.hpp"
#include "commands/run_guarded.hpp"
#include "kernels/cuda_manifest.hpp"
#include "problem/problem_file.hpp"
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

/// What was asked for beyond kernel and cases, where it is not the default.
std::vector<std::string> words_of(const CheckOptions& check) {
  const CheckOptions usual;
  std::vector<std::string> words;
  const auto add = [&](const char* flag, const auto& value, const auto& other) {
    if (value != other) words.insert(words.end(), {flag, fmt::format("{}", value)});
  };
  add("--device", check.device, usual.device);
  add("--timeout", check.seconds, usual.seconds);
  add("--memory", check.memory_gib, usual.memory_gib);
  add("--repeats", check.repeats, usual.repeats);
  add("--keep", check.keep, usual.keep);
  if (check.explain) words.emplace_back("--explain");
  return words;
}

CheckSettings settings_of(const CheckOptions& check, const Options& options) {
  CheckSettings settings;
  settings.limits.seconds = check.seconds;
  settings.limits.memory = static_cast<std::uint64_t>(check.memory_gib * 0x1p30);
  settings.limits.threads = threads_of(options);
  settings.repeats = check.repeats, settings.keep = check.keep, settings.explain = check.explain;
  return settings;
}

/// The kernel's own files, as far as they are known.
std::vector<std::string> kernel_files(const std::string& kernel) {
  std::vector<std::string> found{kernel};
  if (kernel.ends_with(".py")) {  // what it may import from beside it
    std::error_code failure;
    const std::filesystem::path script(kernel), folder = script.has_parent_path() ? script.parent_path() : ".";
    for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
      if (entry.path().extension() == ".py" && entry.is_regular_file(failure) && entry.path().filename() != script.filename())
        found.push_back(entry.path().string());
    }
    std::sort(found.begin() + 1, found.end());
    return found;
  }
  if (!kernels::is_manifest(kernel)) return found;
  const kernels::CudaManifest manifest = kernels::load_manifest(kernel);
  std::error_code ignored;
  const auto add = [&](const std::string& path) {
    if (std::filesystem::is_regular_file(path, ignored)) found.push_back(path);
  };
  for (const kernels::ModuleFile& module : manifest.modules) add(module.path);
  add(manifest.source);
  return found;
}

/// A kernel, opened, and the cases on which it is judged.
class CheckRun {
 public:
  CheckRun(const CheckOptions& check, const Options& options)
      : check_(check), settings_(settings_of(check, options)), runner_(open(check, settings_)) {
    if (check.explain && !runner_->has_shadows())
      throw Error(
          fmt::format("--explain: {} ({}) is not run on the virtual GPU, which alone knows values without rounding; allowed: a CUDA "
                      "module (.json, key \"cuda\") with --device virtual",
                      check.kernel, runner_->description()));
    settings_.open_again = [this] { return open(check_, settings_); };
    const bool by_name = !check.cases.empty() && check.matrix.empty();
    for (Named& named : cases_of(check, options)) {
      const std::string name = named.text.substr(0, named.text.size() - (asks_for_positions(named.text) ? kPositions.size() : 0));
      Problem problem = problem_of(name, named.options);
      const bool supported = kernels::unsupported(runner_->declaration(), problem).empty();
      // What a matrix holds beyond the kernel's declaration nobody asked for; a case asked for by name is reported as skipped.
      if (!supported && !by_name) {
        ++left_out_;
        continue;
      }
      if (supported) check_memory(problem);
      problems_.push_back(std::move(problem));
      cases_.push_back(std::move(named));
      costs_.push_back(supported ? (kJudging + settings_.repeats) * work_of(problems_.back()) : 1);
    }
    if (cases_.empty()) throw Error("no case of the matrix fits the kernel's declaration; allowed: name a CASE that does");
    // Before the first run: the first failure would be a bad time to lose every verdict.
    if (!check.keep.empty()) make_keep_folder(check.keep);
  }

  static Job job(const CheckOptions& check, const Options& options) {
    const auto self = std::make_shared<CheckRun>(check, options);
    std::vector<std::string> named{check.kernel};
    named.insert(named.end(), check.cases.begin(), check.cases.end());
    std::vector<std::string> words = words_of(check);
    if (!check.matrix.empty()) words.insert(words.end(), {"--cases", check.matrix});
    Job job;
    job.command = command_line("check", named, options, words);
    job.recipe = {"check", true, {}};
    job.files = kernel_files(check.kernel);
    for (std::size_t i = 0; i < self->problems_.size(); ++i) {
      const Problem& problem = self->problems_[i];
      const std::string shape =
          fmt::format("check, batch {}, queries {}, context {}, heads {}{}", problem.batch, problem.queries, problem.max_context(),
                      problem.heads, asks_for_positions(self->cases_[i].text) ? ", explicit positions" : "");
      job.units.push_back({unit_id(i, problem, shape), i, self->costs_[i], memory_needed(problem)});
      job.problems.push_back(problem::to_json(problem));
      if (problem.inputs.kind == "file") add_files(job, problem.inputs.path);
    }
    job.run = [self](std::size_t unit, const UnitProgress& progress) { return work::to_line(self->run(unit, progress.begin)); };
    job.seconds = [self](std::size_t unit) { return self->seconds(unit); };
    return job;
  }

 private:
  /// Reference and bounds, in multiply-adds per multiply-add of the problem; a run of the kernel takes one.
  static constexpr double kJudging = 20;

  static std::unique_ptr<kernels::Runner> open(const CheckOptions& check, const CheckSettings& settings) {
    return kernels::open_kernel(check.kernel, device_of(check.device), settings.limits);
  }

  verdict::CaseResult run(std::size_t unit, const std::function<void(const std::string&)>& label) {
    const Problem& problem = problems_.at(unit);
    settings_.positions = asks_for_positions(cases_[unit].text);
    verdict::CaseResult result =
        check_case(*runner_, problem, settings_, [&](const std::string& what) { label(problem.name + ": " + what); });
    std::vector<std::string> words = words_of(check_);
    words.insert(words.begin(), cases_[unit].text);
    if (unit == 0 && left_out_ > 0)
      result.notes.push_back(
          fmt::format("{} of the matrix's {} cases are none of this kernel's by its declaration", left_out_, left_out_ + problems_.size()));
    result.reproduce = reproduction_line("check", check_.kernel, cases_[unit].options, words);
    return result;
  }

  /// Only the kernel knows how fast it is: it runs on the cheapest case and on the dearest of those that take not much longer; the others
  /// lie on that line.
  double seconds(std::size_t unit) {
    if (!line_) line_ = measured_line();
    return line_->first + line_->second * costs_.at(unit);
  }

  /// Seconds at no cost, and per unit of cost.
  std::pair<double, double> measured_line() {
    const auto cheaper = [&](std::size_t a, std::size_t b) { return costs_[a] < costs_[b]; };
    std::vector<std::size_t> order(costs_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), cheaper);
    const std::size_t first = order.front();
    const double limit = 16 * costs_[first];
    const std::size_t second = *std::find_if(order.rbegin(), order.rend(), [&](std::size_t i) { return costs_[i] <= limit; });
    const auto measure = [&](std::size_t unit) { return run(unit, [](const std::string&) {}).seconds; };
    measure(first);  // loads what later runs find ready
    const double least = measure(first);
    if (costs_[second] < 2 * costs_[first]) return {0, least / costs_[first]};
    const double slope = std::max(0.0, (measure(second) - least) / (costs_[second] - costs_[first]));
    return {std::max(0.0, least - slope * costs_[first]), slope};
  }

  const CheckOptions& check_;
  CheckSettings settings_;
  std::unique_ptr<kernels::Runner> runner_;
  std::vector<Problem> problems_;
  std::vector<Named> cases_;
  std::vector<double> costs_;
  std::size_t left_out_ = 0;
  std::optional<std::pair<double, double>> line_;
};

}  // namespace

int check(const CheckOptions& check, const Options& options) {
  try {
    return run_job([&] { return CheckRun::job(check, options); }, options);
  } catch (const Error& error) {
    if (std::string(error.what()).find("skipped:") == std::string::npos) throw;
    const bool cuda = check.kernel.ends_with(".json") && check.device != "virtual";
    fmt::print("{}{}\n", error.what(), cuda ? "; --device virtual needs no GPU" : "");
    return 3;
  }
}

int finish_check(const std::vector<std::string>& results, double seconds, const Options& options) {
  verdict::RunResult run;
  run.command = "check";
  run.seconds = seconds;
  for (const std::string& line : results) {
    run.cases.push_back(work::from_line<verdict::CaseResult>(line));
    run.seconds += seconds > 0 ? 0 : run.cases.back().seconds;
  }
  return publish(run, true, options);
}

}  // namespace equinorm::commands
