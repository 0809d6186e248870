// `equinorm check`: a third-party kernel, judged.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "commands/check_case.hpp"
#include "commands/check_keep.hpp"
#include "commands/check_matrix.hpp"
#include "commands/codec.hpp"
#include "commands/job.hpp"
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
      problems_.push_back(std::move(problem));
      cases_.push_back(std::move(named));
      bytes_.push_back(supported ? judging_memory(runner_->declaration(), problems_.back()) : 0);
      const bool runs = supported && no_room(runner_->declaration(), problems_.back()).empty();
      costs_.push_back(runs ? (kJudging + settings_.repeats) * work_of(problems_.back()) : kSkipping);
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
      job.units.push_back({unit_id(i, problem, shape), i, self->costs_[i], self->bytes_[i]});
      job.problems.push_back(problem::to_json(problem));
      if (problem.inputs.kind == "file") add_files(job, problem.inputs.path);
    }
    job.run = [self](std::size_t unit, const UnitProgress& progress) { return work::to_line(self->run(unit, progress)); };
    job.seconds = [self](std::size_t unit) { return self->seconds(unit); };
    return job;
  }

 private:
  /// Reference and bounds, in multiply-adds per multiply-add of the problem; a run of the kernel takes one.
  static constexpr double kJudging = 20;
  static constexpr double kStep = 4, kPatience = 8;
  /// Cost of a case that is not run.
  static constexpr double kSkipping = 1;

  static std::unique_ptr<kernels::Runner> open(const CheckOptions& check, const CheckSettings& settings) {
    return kernels::open_kernel(check.kernel, device_of(check.device), settings.limits);
  }

  /// How much of a case is done where a step begins, of its time with 4,096 to 262,144 tokens.
  static double begun(std::string_view step) {
    for (const auto& [name, share] : {std::pair{"kernel", 0.05}, {"bounds", 0.07}, {"known faults", 0.85}, {"end to end", 0.87}}) {
      if (step == name) return share;
    }
    return 0;
  }

  verdict::CaseResult run(std::size_t unit, const UnitProgress& progress) {
    const Problem& problem = problems_.at(unit);
    settings_.positions = asks_for_positions(cases_[unit].text);
    verdict::CaseResult result = check_case(*runner_, problem, settings_, [&](const std::string& what) {
      progress.begin(fmt::format("{} {}, T {}: {}", unit, problem.name, problem.max_context(), what));
      if (const double share = begun(what); share > 0) progress.advance(share);
    });
    std::vector<std::string> words = words_of(check_);
    words.insert(words.begin(), cases_[unit].text);
    if (unit == 0 && left_out_ > 0)
      result.notes.push_back(
          fmt::format("{} of the matrix's {} cases are none of this kernel's by its declaration", left_out_, left_out_ + problems_.size()));
    result.reproduce = reproduction_line("check", check_.kernel, cases_[unit].options, words);
    return result;
  }

  /// Only the kernel knows how fast it is: it runs on a few cases, and the others lie on a line through the cheapest and the dearest of
  /// these.
  double seconds(std::size_t unit) {
    if (!line_) line_ = measured_line();
    return costs_.at(unit) > kSkipping ? line_->first + line_->second * costs_[unit] : 0;
  }

  /// Seconds at no cost, and per unit of cost. What does not grow with a case hides what does: each case that is tried costs at least
  /// kStep times the last one, as long as by the line so far it takes no more than kPatience seconds.
  std::pair<double, double> measured_line() {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < costs_.size(); ++i) {
      if (costs_[i] > kSkipping) order.push_back(i);
    }
    if (order.empty()) return {0, 0};
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return costs_[a] < costs_[b]; });
    const UnitProgress quiet{[](const std::string&) {}, [](double) {}};
    const auto measure = [&](std::size_t unit) { return run(unit, quiet).seconds; };
    const std::size_t first = order.front();
    measure(first);  // loads what later runs find ready
    const double least = measure(first);
    std::pair<double, double> line{0, least / costs_[first]};
    double last_cost = costs_[first];
    bool shown = false;
    for (const std::size_t unit : order) {
      if (costs_[unit] < kStep * last_cost) continue;
      if (line.first + line.second * costs_[unit] > kPatience) break;
      last_cost = costs_[unit];
      const double more = std::max(0.0, measure(unit) - least);
      const bool shows = more > least / 2;
      // Rows cost something of their own: of slopes that are no noise the least is that of long contexts.
      const double here = more / (last_cost - costs_[first]), slope = shows && shown ? std::min(line.second, here) : here;
      if (shown && !shows) continue;
      shown = shows;
      line = {std::max(0.0, least - slope * costs_[first]), slope};
    }
    return line;
  }

  const CheckOptions& check_;
  CheckSettings settings_;
  std::unique_ptr<kernels::Runner> runner_;
  std::vector<Problem> problems_;
  std::vector<Named> cases_;
  std::vector<double> costs_, bytes_;
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
