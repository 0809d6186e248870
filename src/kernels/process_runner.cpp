#include "kernels/process_runner.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>

#include "kernels/dialogue.hpp"
#include "kernels/exchange.hpp"
#include "kernels/private_folder.hpp"
#include "kernels/process_answer.hpp"
#include "kernels/process_setup.hpp"
#include "problem/object_reader.hpp"
#include "scalar/error.hpp"
#include "tensor/safetensors.hpp"

namespace equinorm::kernels {
namespace {

using Heard = Dialogue::Heard;
using problem::JsonValue;
using problem::ObjectReader;

constexpr problem::NameTable<bool, 2> kModes{{{false, "one-shot"}, {true, "persistent"}}};
constexpr std::uint64_t kLeastFileBytes = std::uint64_t{1} << 30;

WaitLimits wait_limits(double seconds, std::uint64_t memory) {
  const auto time = std::chrono::duration<double>(std::clamp(seconds, 0.0, 1e6));
  return {.deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(time), .memory = memory};
}

/// The limit of memory is one beside the tensors.
WaitLimits run_limits(const Limits& limits, std::uint64_t tensor_bytes) {
  return wait_limits(limits.seconds, limits.memory + std::min(tensor_bytes, ~std::uint64_t{0} - limits.memory));
}

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// The outputs of one run, which go with it.
struct OutputsFile {
  explicit OutputsFile(std::string where) : path(std::move(where)) {}
  OutputsFile(const OutputsFile&) = delete;
  OutputsFile& operator=(const OutputsFile&) = delete;
  ~OutputsFile() { unlink(path.c_str()); }

  std::string path;
};

/// The inputs of a run. A later run whose caller promised that they stay, and that has the same ones in the same layout, reads this file
/// again. It is never written twice: other inputs make a file of another name.
class InputsFile {
 public:
  /// `is_guarded`: the child cannot write there, having another uid.
  InputsFile(std::string path, const std::vector<Passed>& passed, const Request& request, bool is_guarded)
      : path_(std::move(path)), passed_(passed), context_(context_of(request)), seed_(request.layout_seed) {
    const tensor::TensorMap tensors = file_tensors(passed, request);
    tensor::write_safetensors(path_, tensors, {}, tensor::Flush::no);
    chmod(path_.c_str(), 0444);
    for (const auto& [name, tensor] : tensors) bytes_ += tensor.byte_size();
    for (const Passed& input : passed) held_.push_back(request.inputs.at(input.spec.name));
    if (!is_guarded) fingerprint_ = file_fingerprint(path_);
  }
  InputsFile(const InputsFile&) = delete;
  InputsFile& operator=(const InputsFile&) = delete;
  ~InputsFile() { unlink(path_.c_str()); }

  const std::string& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }
  /// Whether it is what was written. Between runs a process that stays may write too: that shows after the next run.
  bool is_intact() const { return !fingerprint_ || file_fingerprint(path_) == *fingerprint_; }

  /// Whether it holds what the request wants. `held_` keeps the storage alive: the same address is the same storage, whose bytes the caller
  /// promises to stay.
  bool serves(const std::vector<Passed>& passed, const Request& request) const {
    if (!request.inputs_stay || passed != passed_ || request.layout_seed != seed_ || context_of(request) != context_) return false;
    for (std::size_t i = 0; i < passed.size(); ++i) {
      const auto given = request.inputs.find(passed[i].spec.name);
      if (given == request.inputs.end() || given->second.bytes() != held_[i].bytes() || given->second.dtype() != held_[i].dtype() ||
          given->second.shape() != held_[i].shape())
        return false;
    }
    return true;
  }

 private:
  static std::vector<Index> context_of(const Request& request) {
    std::vector<Index> lengths;
    for (Index b = 0; b < request.problem->batch; ++b) lengths.push_back(request.problem->context_of(b));
    return lengths;
  }

  std::string path_;
  std::vector<Passed> passed_;
  std::vector<Index> context_;
  std::uint64_t seed_;
  std::uint64_t bytes_ = 0;
  std::vector<tensor::AnyTensor> held_;
  std::optional<std::uint64_t> fingerprint_;
};

class ProcessRunner : public Runner {
 public:
  ProcessRunner(const std::string& path, const Limits& limits)
      : path_(path), limits_(limits), setup_(process_setup(path, folder_.path(), folder_.work(), limits.threads)) {
    start(kLeastFileBytes);
  }
  ~ProcessRunner() override { say_goodbye(); }
  ProcessRunner(const ProcessRunner&) = delete;
  ProcessRunner& operator=(const ProcessRunner&) = delete;

  const Declaration& declaration() const override { return declaration_; }
  std::string description() const override {
    return fmt::format("{} process, {}", persistent_ ? "persistent" : "one-shot", isolation_.description());
  }
  Outcome run(const Request& request) override;

 private:
  void start(std::uint64_t file_bytes);
  void read_declaration(JsonValue value);
  void say_goodbye();
  Answer ask(const Request& request, const std::string& line, std::uint64_t id, std::uint64_t file_bytes, std::uint64_t tensor_bytes);
  Answer run_once(const Request& request, const std::string& line, std::uint64_t file_bytes, std::uint64_t tensor_bytes);

  std::string path_;
  Limits limits_;
  PrivateFolder folder_;
  SpawnOptions setup_;
  Declaration declaration_;
  Isolation isolation_;
  bool persistent_ = false;
  std::unique_ptr<Dialogue> dialogue_;  ///< persistent only
  std::uint64_t served_file_bytes_ = 0;
  std::uint64_t serial_ = 0;
  std::unique_ptr<InputsFile> inputs_;  ///< of the last run, where they stay
};

/// Starts the kernel with the word `describe` and the request for it on its standard input, and reads its declaration. A persistent one
/// stays, any other has to end well.
void ProcessRunner::start(std::uint64_t file_bytes) {
  SpawnOptions options = setup_;
  options.arguments.push_back("describe");
  options.file_bytes = served_file_bytes_ = file_bytes;
  auto dialogue = std::make_unique<Dialogue>(options);
  isolation_ = dialogue->child().isolation();
  const WaitLimits limits = wait_limits(limits_.seconds, limits_.memory);
  Heard heard = dialogue->say(R"({"request": "describe"})", limits);
  // A script's packages are those of its interpreter.
  const std::string by = path_.ends_with(".py") ? fmt::format(" (run by {}; EQUINORM_PYTHON names another)", options.arguments[0]) : "";
  // It may have answered and gone without reading the request.
  if (heard.kind == Heard::Kind::answer || heard.kind == Heard::Kind::ended) heard = dialogue->hear(limits);
  if (heard.kind != Heard::Kind::answer)
    throw Error(fmt::format("{}: does not describe itself{}: {}", path_, by, without_answer(heard, *dialogue, limits_).detail));
  if (const JsonValue* message = heard.value.find("message"); message != nullptr && heard.value.find("status") != nullptr)
    throw Error(fmt::format("{}: does not describe itself{}: {}", path_, by, problem::describe(*message)));
  read_declaration(std::move(heard.value));
  if (persistent_) {
    dialogue_ = std::move(dialogue);
    return;
  }
  dialogue->close_input();
  const Heard end = dialogue->await_end(limits);
  const auto& how = dialogue->child().end();
  if (end.kind == Heard::Kind::ended && (how->signalled || how->code != 0))
    throw Error(fmt::format("{}: describes itself, then fails: {}{}", path_, how->description(), dialogue->last_words()));
  if (end.kind != Heard::Kind::ended)
    throw Error(fmt::format("{}: describes itself, but does not end; a kernel that stays declares \"process\": \"persistent\"", path_));
}

void ProcessRunner::read_declaration(JsonValue value) {
  persistent_ = false;
  ObjectReader(value, "").word("process", persistent_, kModes);
  declaration_ = parse_declaration(value, path_, {"process"});
}

void ProcessRunner::say_goodbye() {
  if (!dialogue_) return;
  try {
    const WaitLimits limits = wait_limits(1, ~std::uint64_t{0});
    dialogue_->say(R"({"request": "exit"})", limits);
    dialogue_->close_input();
    dialogue_->await_end(limits);
  } catch (const Error&) {
    // It is killed in either case.
  }
  dialogue_.reset();
}

Answer ProcessRunner::ask(const Request& request, const std::string& line, std::uint64_t id, std::uint64_t file_bytes,
                          std::uint64_t tensor_bytes) {
  if (dialogue_ && served_file_bytes_ < file_bytes) say_goodbye();
  if (!dialogue_) start(file_bytes);
  if (!persistent_) return {.status = RunStatus::protocol, .detail = "declares itself one-shot now"};
  const Clock::time_point begin = Clock::now();
  const WaitLimits limits = run_limits(request.limits, tensor_bytes);
  Answer answer;
  if (dialogue_->has_spoken()) {
    answer = {.status = RunStatus::protocol, .detail = "spoke without being asked"};
  } else {
    Heard heard = dialogue_->say(line, limits);
    if (heard.kind == Heard::Kind::answer) heard = dialogue_->hear(limits);
    answer = heard.kind == Heard::Kind::answer ? read_answer(heard.value, id, seconds_since(begin))
                                               : without_answer(heard, *dialogue_, request.limits);
  }
  // One that has broken the rules once gets no second chance: the next run has a process of its own.
  if (answer.status > RunStatus::failed) dialogue_.reset();
  return answer;
}

/// The exit code is the answer where the program gives none.
Answer ProcessRunner::run_once(const Request& request, const std::string& line, std::uint64_t file_bytes, std::uint64_t tensor_bytes) {
  const std::string path = fmt::format("{}/request.json", folder_.path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << line << '\n';
  SpawnOptions options = setup_;
  options.arguments.insert(options.arguments.end(), {"run", path});
  options.file_bytes = file_bytes;
  Dialogue dialogue(options);
  dialogue.close_input();
  const Clock::time_point begin = Clock::now();
  const WaitLimits limits = run_limits(request.limits, tensor_bytes);
  const Heard heard = dialogue.hear(limits);
  const bool answered = heard.kind == Heard::Kind::answer;
  if (!answered && heard.kind != Heard::Kind::ended) return without_answer(heard, dialogue, request.limits);
  const Heard end = dialogue.await_end(limits);
  const double wall = seconds_since(begin);
  if (end.kind != Heard::Kind::ended) return without_answer(end, dialogue, request.limits);
  const auto& how = dialogue.child().end();
  if (how->signalled || how->code != 0) return without_answer(end, dialogue, request.limits);
  if (!heard.text.empty()) return {.status = RunStatus::protocol, .detail = heard.text};
  return answered ? read_answer(heard.value, std::nullopt, wall) : Answer{.status = RunStatus::ok, .seconds = wall};
}

Outcome ProcessRunner::run(const Request& request) {
  const PassedTensors passed = passed_tensors(declaration_, *request.problem, request.table_rows());
  const std::uint64_t id = ++serial_;
  const OutputsFile outputs(fmt::format("{}/out-{}.safetensors", folder_.work(), id));
  if (inputs_ && !inputs_->serves(passed.inputs, request)) inputs_.reset();
  if (!inputs_)
    inputs_ =
        std::make_unique<InputsFile>(fmt::format("{}/in-{}.safetensors", folder_.path(), id), passed.inputs, request, isolation_.other_uid);
  const std::uint64_t input_bytes = inputs_->bytes();
  const std::uint64_t output_bytes = byte_count(passed.outputs);
  const std::uint64_t file_bytes = std::max(kLeastFileBytes, 2 * output_bytes);
  const std::string line = run_request(request, passed, id, inputs_->path(), outputs.path);
  Answer answer;
  try {
    answer = persistent_ ? ask(request, line, id, file_bytes, input_bytes + output_bytes)
                         : run_once(request, line, file_bytes, input_bytes + output_bytes);
  } catch (const Error& error) {
    answer = {.status = RunStatus::crashed, .detail = error.what()};  // it did not even start
  }
  Outcome outcome;
  if (answer.status == RunStatus::ok) {
    outcome = read_outputs(outputs.path, passed.outputs);
  } else {
    outcome.status = answer.status, outcome.detail = answer.detail;
  }
  outcome.seconds = answer.seconds;
  if (!inputs_->is_intact() && answer.changed.empty()) answer.changed = "its inputs' file";
  if (outcome.status == RunStatus::ok && !answer.changed.empty()) {
    outcome.status = RunStatus::changed_input;
    outcome.detail = "changed " + answer.changed;
  }
  if (outcome.status != RunStatus::ok || !request.inputs_stay) inputs_.reset();
  return outcome;
}

}  // namespace

std::unique_ptr<Runner> open_process(const std::string& path, const Limits& limits) {
  return std::make_unique<ProcessRunner>(path, limits);
}

}  // namespace equinorm::kernels
