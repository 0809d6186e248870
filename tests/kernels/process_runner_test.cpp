// Kernels as processes: honest ones in both modes, and every way to break the protocol that bad_processes/misbehaving knows.
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "kernels/process.hpp"
#include "kernels/process_helpers.hpp"
#include "scalar/error.hpp"

using namespace equinorm;
using namespace equinorm::kernels;
using namespace equinorm::kernels::testing;

namespace {

Outcome run(Runner& runner, const Limits& limit = limits(20)) {
  const Problem problem = with_declared_precision(runner.declaration(), small_problem());
  return runner.run(request_for(runner, problem, limit));
}

/// Opens and runs a kind once. Time is allowed for a busy machine, except where it has to run out.
Outcome outcome_of(const Folder& folder, const std::string& kind, double seconds = 20, std::uint64_t memory = std::uint64_t{1} << 30) {
  const auto runner = open_process(folder.kind(kind), limits(20));
  return run(*runner, limits(seconds, memory));
}

std::string why_not_open(const std::string& path, double seconds = 20) {
  try {
    open_process(path, limits(seconds));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Children of ours that are alive or not reaped.
bool has_children() { return waitpid(-1, nullptr, WNOHANG) != -1; }

}  // namespace

TEST_CASE("honest processes, persistent and one-shot, are asked again and again") {
  const Folder folder;
  for (const char* kind : {"honest", "honest_once", "silent_once", "noisy"}) {
    CAPTURE(kind);
    const auto runner = open_process(folder.kind(kind), limits(20));
    CHECK(runner->declaration().name == "misbehaving");
    CHECK(holds(runner->description(), std::string(kind).find("_once") == std::string::npos ? "persistent process" : "one-shot process"));
    for (int i = 0; i < 3; ++i) {
      const Outcome outcome = run(*runner);
      INFO(outcome.detail);
      REQUIRE(outcome.status == RunStatus::ok);
      CHECK(outcome.outputs.at("u").shape() == tensor::Shape{2, 1, 2, 8});
      CHECK(outcome.outputs.at("lse").dtype() == tensor::DType::f32);
      CHECK(outcome.seconds > 0);
    }
    CHECK(folder.left() == 1);
  }
  CHECK(folder.left() == 0);
  CHECK_FALSE(has_children());
}

TEST_CASE("what a process does to end its run") {
  const Folder folder;
  struct Row {
    const char* kind;
    RunStatus status;
    const char* detail;
  };
  const Row rows[] = {{"unsupported", RunStatus::unsupported, "only on Sundays"},
                      {"failed", RunStatus::failed, "no luck"},
                      {"segfault", RunStatus::crashed, "signal 11"},
                      {"abort", RunStatus::crashed, "signal 6"},
                      {"exits", RunStatus::crashed, "exit code 3; it wrote: \"the last words\""},
                      {"exits_well", RunStatus::crashed, "exit code 0"},
                      {"exits_once", RunStatus::crashed, "exit code 4"},
                      {"babbles", RunStatus::protocol, "bytes"},
                      {"babbles_in_lines", RunStatus::protocol, "bytes that are no answer"},
                      {"endless_answer", RunStatus::protocol, "an answer of more than"},
                      {"garbage", RunStatus::protocol, "parse"},
                      {"not_utf8", RunStatus::protocol, "UTF-8"},
                      {"wrong_id", RunStatus::protocol, "id is 2"},
                      {"no_id", RunStatus::protocol, "id is -1"},
                      {"unknown_status", RunStatus::protocol, "splendid"},
                      {"unknown_key", RunStatus::protocol, "verdict"},
                      {"wrong_type", RunStatus::protocol, "seconds"},
                      {"endless_file", RunStatus::crashed, "exit code 1"},
                      {"boasts", RunStatus::ok, ""},
                      {"says_changed", RunStatus::changed_input, "\"c\""}};
  for (const Row& row : rows) {
    const Outcome outcome = outcome_of(folder, row.kind);
    CAPTURE(row.kind, outcome.detail);
    CHECK(to_string(outcome.status) == to_string(row.status));
    CHECK(holds(outcome.detail, row.detail));
    CHECK(outcome.seconds >= 0);
    CHECK(folder.left() == 0);
  }
  CHECK_FALSE(has_children());
}

TEST_CASE("what a process leaves in place of its outputs") {
  const Folder folder;
  struct Row {
    const char* kind;
    RunStatus status;
    const char* detail;
    std::size_t outputs;
  };
  const Row rows[] = {{"no_file", RunStatus::wrong_shape, "no outputs", 0},
                      {"missing", RunStatus::wrong_shape, "lse is missing", 1},
                      {"extra", RunStatus::wrong_shape, "\"verdict\" was not asked for", 2},
                      {"wrong_shape", RunStatus::wrong_shape, "u is BF16 [8,2,1,2]; asked for: BF16 [2,1,2,8]", 1},
                      {"wrong_dtype", RunStatus::wrong_shape, "u is F16", 1},
                      {"unreadable_dtype", RunStatus::wrong_shape, "F8_E4M3", 1},
                      {"too_large", RunStatus::wrong_shape, "at most", 0},
                      {"sparse_file", RunStatus::wrong_shape, "at most", 0},
                      {"garbage_file", RunStatus::protocol, "outputs", 0},
                      {"truncated_file", RunStatus::protocol, "outputs", 0},
                      {"empty_file", RunStatus::protocol, "outputs", 0},
                      {"fifo", RunStatus::wrong_shape, "no regular file", 0},
                      {"folder", RunStatus::wrong_shape, "no regular file", 0},
                      {"link", RunStatus::wrong_shape, "no outputs", 0},
                      {"barricades", RunStatus::ok, "", 2}};
  for (const Row& row : rows) {
    const Outcome outcome = outcome_of(folder, row.kind);
    CAPTURE(row.kind, outcome.detail);
    CHECK(to_string(outcome.status) == to_string(row.status));
    CHECK(holds(outcome.detail, row.detail));
    CHECK(outcome.outputs.size() == row.outputs);
    CHECK(folder.left() == 0);
  }
  CHECK_FALSE(has_children());
}

TEST_CASE("processes that hang, grow and multiply are stopped with all that they started") {
  const Folder folder;
  for (const char* kind : {"hangs", "hangs_once", "hangs_with_children", "closes_output", "trickles"}) {
    const Outcome outcome = outcome_of(folder, kind, 0.5);
    CAPTURE(kind, outcome.detail);
    CHECK(to_string(outcome.status) == to_string(RunStatus::timed_out));
    CHECK(holds(outcome.detail, "0.5 s"));
    CHECK(folder.left() == 0);
  }
  for (const char* kind : {"grows", "trickles_and_grows"}) {
    const Outcome outcome = outcome_of(folder, kind, 20, std::uint64_t{200} << 20);
    CAPTURE(kind, outcome.detail);
    CHECK(to_string(outcome.status) == to_string(RunStatus::out_of_memory));
  }
  const Outcome forked = outcome_of(folder, "forks", 3);
  INFO(forked.detail);
  CHECK((forked.status == RunStatus::crashed || forked.status == RunStatus::timed_out));
  CHECK_FALSE(has_children());
}

TEST_CASE("after a failure the next run has a fresh process") {
  const Folder folder;
  const auto runner = open_process(folder.kind("segfault"), limits(20));
  for (int i = 0; i < 3; ++i) CHECK(run(*runner).status == RunStatus::crashed);
  // The second answer stands where the next request's would: it is none.
  const auto twice = open_process(folder.kind("answers_twice"), limits(20));
  CHECK(run(*twice).status == RunStatus::ok);
  const Outcome outcome = run(*twice);
  INFO(outcome.detail);
  CHECK(outcome.status == RunStatus::protocol);
}

TEST_CASE("a hundred misbehaving runs in a row leave nothing behind") {
  const Folder folder;
  const char* kinds[] = {"segfault", "exits", "garbage", "no_file", "extra"};
  for (const char* kind : kinds) {
    const auto runner = open_process(folder.kind(kind), limits(20));
    for (int i = 0; i < 20; ++i) {
      const Outcome outcome = run(*runner);
      CAPTURE(kind, i, outcome.detail);
      REQUIRE(outcome.status != RunStatus::ok);
    }
    // The helper, the request's folder: no tensors of earlier runs.
    for (const auto& entry : fs::recursive_directory_iterator(folder.path())) CHECK(entry.path().extension() != ".safetensors");
  }
  CHECK(folder.left() == 0);
  CHECK_FALSE(has_children());
}

TEST_CASE("changed inputs are seen, or cannot be changed") {
  const Folder folder;
  const Outcome outcome = outcome_of(folder, "rewrites_inputs");
  INFO(outcome.detail);
  if (other_uid()) {
    CHECK(to_string(outcome.status) == to_string(RunStatus::crashed));  // Python's error: not permitted
    CHECK(holds(outcome.detail, "not permitted"));
  } else {
    CHECK(to_string(outcome.status) == to_string(RunStatus::changed_input));
  }
}

TEST_CASE("inputs that stay are written once") {
  const Folder folder;
  /// Names of the files of inputs that are there, with their identity.
  const auto files = [&] {
    std::set<std::pair<std::string, std::uint64_t>> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path(), fs::directory_options::skip_permission_denied)) {
      struct stat status {};
      if (entry.path().extension() == ".safetensors" && stat(entry.path().c_str(), &status) == 0)
        found.emplace(entry.path().filename(), static_cast<std::uint64_t>(status.st_ino));
    }
    return found;
  };
  for (const char* kind : {"honest", "honest_once"}) {
    CAPTURE(kind);
    const auto runner = open_process(folder.kind(kind), limits(20));
    Problem problem = with_declared_precision(runner->declaration(), small_problem());
    Request request = request_for(*runner, problem, limits(20));
    request.inputs_stay = true;
    const Outcome first = runner->run(request);
    INFO(first.detail);
    REQUIRE(first.status == RunStatus::ok);
    const auto written = files();
    REQUIRE(written.size() == 1);
    const Outcome again = runner->run(request);
    REQUIRE(again.status == RunStatus::ok);
    CHECK(files() == written);
    for (const auto& [name, output] : first.outputs)
      CHECK(std::memcmp(output.bytes(), again.outputs.at(name).bytes(), output.byte_size()) == 0);
    // Other storage, another layout, other context lengths: other bytes, or bytes that nobody promised.
    auto last = written;
    const auto rewritten = [&](const Request& other) {
      const Outcome outcome = runner->run(other);
      INFO(outcome.detail);
      REQUIRE(outcome.status == RunStatus::ok);
      const auto now = files();
      CHECK(now.size() == 1);
      CHECK(now != last);
      last = now;
    };
    Request other = request;
    const tensor::AnyTensor& c = request.inputs.at("c");
    tensor::AnyTensor copy(c.dtype(), c.shape());
    std::memcpy(copy.mutable_bytes(), c.bytes(), c.byte_size());
    other.inputs["c"] = copy;
    rewritten(other);
    other.layout_seed = 5;
    rewritten(other);
    Problem shorter = problem;
    shorter.context = {5, 2};
    other.problem = &shorter;
    rewritten(other);
    // Nothing is kept without the promise.
    request.inputs_stay = false;
    REQUIRE(runner->run(request).status == RunStatus::ok);
    CHECK(files().empty());
  }
  // A failure keeps nothing either.
  const auto runner = open_process(folder.kind("failed"), limits(20));
  const Problem problem = with_declared_precision(runner->declaration(), small_problem());
  Request request = request_for(*runner, problem, limits(20));
  request.inputs_stay = true;
  CHECK(runner->run(request).status == RunStatus::failed);
  CHECK(files().empty());
}

TEST_CASE("a process sees nothing of our environment") {
  const Folder folder;
  setenv("EQUINORM_TEST_SECRET", "a secret", 1);
  const Outcome outcome = outcome_of(folder, "peeks");
  unsetenv("EQUINORM_TEST_SECRET");
  CHECK(outcome.status == RunStatus::failed);
  INFO(outcome.detail);
  CHECK(holds(outcome.detail, "no secret"));
  if (other_uid()) CHECK(holds(outcome.detail, "not listed"));
  CHECK(holds(outcome.detail, "True"));
}

TEST_CASE("a folder that a killed judge left behind is removed by the next one") {
  const Folder folder;
  const fs::path stale = folder.path() / "equinorm-process-abcdef" / "work";
  fs::create_directories(stale);
  std::ofstream(stale / "in-1.safetensors") << "x";
  const auto first = open_process(folder.kind("honest"), limits(20));
  CHECK_FALSE(fs::exists(stale));
  const auto second = open_process(folder.kind("honest"), limits(20));
  CHECK(folder.left() == 2);
  CHECK(run(*first).status == RunStatus::ok);
}

TEST_CASE("what does not describe itself is not opened") {
  const Folder folder;
  CHECK(holds(why_not_open(folder.kind("describes_nothing")), "does not describe itself"));
  CHECK(holds(why_not_open(folder.kind("describes_by_crash")), "signal 6"));
  CHECK(holds(why_not_open(folder.kind("describes_badly")), "sideways"));
  CHECK(holds(why_not_open(folder.kind("describes_unknown")), "one-shot, persistent"));
  CHECK(holds(why_not_open(folder.kind("describes_then_stays"), 1), "does not end"));
  CHECK(holds(why_not_open(folder.kind("describes_then_fails")), "exit code 5"));
  CHECK(holds(why_not_open(folder.kind("describes_an_error")), "no module named sunshine"));
  CHECK(why_not_open(folder.kind("describes_in_lines")).empty());
  CHECK(holds(why_not_open("/bin/true"), "does not describe itself"));
  CHECK(holds(why_not_open((folder.path() / "absent").string()), "no such file"));
  std::ofstream(folder.path() / "text") << "text";
  CHECK(holds(why_not_open((folder.path() / "text").string()), "neither executable"));
  CHECK(folder.left() == 0);
}

TEST_CASE("adapters of packages that are not there say so") {
  const Folder folder;
  const std::pair<std::string, std::string> adapters[] = {
      {"flashmla_decode", "flash_mla"}, {"flashinfer_decode", "flashinfer"}, {"vllm_decode", "vllm"}, {"sglang_decode", "sglang"}};
  for (const auto& [name, package] : adapters) {
    const auto runner = open_process((fs::path(EQUINORM_SOURCE_FOLDER) / "kernels/python/adapters" / (name + ".py")).string(), limits(20));
    Problem problem;
    problem.context = {70}, problem.norm.scheme = problem::NormScheme::none;
    problem = with_declared_precision(runner->declaration(), problem);
    CHECK(unsupported(runner->declaration(), problem).empty());
    CHECK(holds(unsupported(runner->declaration(), with_declared_precision(runner->declaration(), {})), "norm.scheme"));
    Request request = request_for(*runner, problem, limits(20));
    const std::int32_t length = 70;
    std::memcpy(request.inputs.at("context_lengths").mutable_bytes(), &length, sizeof(length));
    const Outcome outcome = runner->run(request);
    CAPTURE(package, outcome.detail);
    // Where the package is there, it may run, or say what it lacks.
    if (outcome.status == RunStatus::unsupported) CHECK(holds(outcome.detail, package + " is not installed"));
  }
}

TEST_CASE("a Python kernel's numbers, here by a formula in double", "[.][numpy]") {
  const Folder folder;
  const auto runner = open_process((fs::path(EQUINORM_SOURCE_FOLDER) / "kernels/python/examples/absorbed_decode.py").string(), limits(60));
  const Problem problem = with_declared_precision(runner->declaration(), small_problem());
  Request request = request_for(*runner, problem, limits(60));
  // Every latent of token t is t + 1, every other factor 1/4: logit = scale (8 (t + 1) / 4 alpha_q alpha_k + 2 / 16).
  tensor::AnyTensor& c = request.inputs.at("c");
  for (Index i = 0; i < c.size(); ++i) {
    const double value = static_cast<double>(i / 8 % 5 + 1);
    c.write(i, 1, &value);
  }
  const Outcome outcome = runner->run(request);
  INFO(outcome.detail);
  REQUIRE(outcome.status == RunStatus::ok);
  for (Index b = 0; b < 2; ++b) {
    double sum = 0, weighted = 0;
    for (int t = 0; t < (b == 0 ? 5 : 3); ++t) {
      const double weight = std::exp((8 * (t + 1) / 64.0 + 2 / 16.0) / std::sqrt(6.0));
      sum += weight, weighted += weight * (t + 1);
    }
    CHECK(outcome.outputs.at("lse").at(2 * b) == Approx(std::log(sum)).epsilon(1e-6));
    CHECK(outcome.outputs.at("u").at(16 * b + 9) == Approx(weighted / sum).epsilon(1e-6));
  }
}
