// Kernels in worker processes: right ones give their results, wrong ones end in the status that names their fault, and nothing of them
// stays.
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "kernels/stale.hpp"
#include "kernels/worker_helpers.hpp"
#include "scalar/error.hpp"

using namespace equinorm;
using namespace equinorm::kernels;
using namespace equinorm::kernels::testing;

TEST_CASE("right kernels give their results, in every layout and persistently") {
  for (const char* name : {"honest", "honest_strided", "honest_paged", "workspace"}) {
    Attempt attempt(name);
    CHECK(attempt.runner->declaration().name == "u = p c");
    INFO(attempt.runner->description());
    for (unsigned seed = 1; seed <= 40; ++seed) {
      INFO(name << ", seed " << seed);
      const Index latent = seed % 4 == 0 ? 8 : 5 + seed % 3;
      attempt.problem = with_declared_precision(attempt.runner->declaration(), value_problem(latent, {Index(seed % 7), Index(seed % 11)}));
      attempt.request.inputs = random_inputs(attempt.runner->declaration(), attempt.problem, seed);
      attempt.request.layout_seed = seed / 2;
      const Outcome outcome = attempt.run();
      INFO(outcome.detail);
      REQUIRE(outcome.status == RunStatus::ok);
      REQUIRE(equals(outcome.outputs.at("u"), expected_values(attempt.problem, attempt.request.inputs)));
    }
  }
}

TEST_CASE("inputs that stay are handed over once, others whenever they are other storage") {
  for (const char* name : {"honest", "honest_paged"}) {
    Attempt attempt(name);
    attempt.request.inputs_stay = true;
    const tensor::TensorMap first = attempt.request.inputs;
    const tensor::TensorMap second = random_inputs(attempt.runner->declaration(), attempt.problem, 2);
    const Outcome kept = attempt.run();
    for (unsigned turn = 0; turn < 30; ++turn) {
      // One input, both or none of them change; now and then the pages and the poison do.
      attempt.request.inputs.insert_or_assign("p", (turn % 2 == 0 ? first : second).at("p"));
      attempt.request.inputs.insert_or_assign("c", (turn % 3 == 0 ? first : second).at("c"));
      attempt.request.layout_seed = 1 + turn / 8;
      const Outcome outcome = attempt.run();
      INFO(name << ", turn " << turn << ": " << outcome.detail);
      REQUIRE(outcome.status == RunStatus::ok);
      REQUIRE(equals(outcome.outputs.at("u"), expected_values(attempt.problem, attempt.request.inputs)));
    }
    // An output that somebody holds is not written again.
    CHECK(equals(kept.outputs.at("u"), expected_values(attempt.problem, first)));
  }
}

TEST_CASE("the same memory with other numbers is handed over again, unless its bytes are promised to stay") {
  Attempt attempt("honest");
  for (const double factor : {1.0, -1.0, 0.5}) {
    tensor::AnyTensor& c = attempt.request.inputs.at("c");
    for (Index i = 0; i < c.size(); ++i) {
      const double value = factor * c.at(i);
      c.write(i, 1, &value);
    }
    const Outcome outcome = attempt.run();
    REQUIRE(outcome.status == RunStatus::ok);
    REQUIRE(equals(outcome.outputs.at("u"), expected_values(attempt.problem, attempt.request.inputs)));
  }
}

TEST_CASE("a pool far larger than memory takes the memory of its used pages") {
  Attempt attempt("honest_paged");
  REQUIRE(attempt.runner->takes_wide_pools());
  const Outcome narrow = attempt.run();
  REQUIRE(narrow.status == RunStatus::ok);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    attempt.request.layout_seed = seed;
    attempt.request.pool_elements = seed % 2 == 0 ? 0 : Index{3} << 31;  // 24 GiB of fp32
    attempt.request.limits.memory = std::uint64_t{48} << 20;
    const Outcome wide = attempt.run();
    INFO("seed " << seed << ": " << wide.detail);
    REQUIRE(wide.status == RunStatus::ok);
    CHECK(equals(wide.outputs.at("u"), expected_values(attempt.problem, attempt.request.inputs)));
  }
}

namespace {

struct Fault {
  const char* kernel;
  RunStatus status;
  const char* detail;  ///< part of the outcome's detail
};

/// Every kernel of bad/ whose fault a single run shows.
const std::vector<Fault>& faults() {
  static const std::vector<Fault> list{
      {"segfault", RunStatus::crashed, "signal 11"},
      {"abort", RunStatus::crashed, "signal 6"},
      {"exit", RunStatus::crashed, "exit code 0 before an answer"},
      {"stack_overflow", RunStatus::crashed, "signal 11"},
      {"throws", RunStatus::crashed, "thrown across the interface"},
      {"endless", RunStatus::timed_out, "no answer within 1 s: killed"},
      {"huge_allocation", RunStatus::out_of_memory, "MiB"},
      {"shared_memory", RunStatus::out_of_memory, "MiB"},
      {"unwritten", RunStatus::unwritten, "u[1,2,1,0] was not written"},
      {"write_after", RunStatus::wrote_out_of_bounds, "past the end of u: the first changed byte lies 1 byte past it"},
      {"write_before", RunStatus::wrote_out_of_bounds, "in front of u: the first changed byte lies 4 bytes in front of it"},
      {"write_input_fence", RunStatus::wrote_out_of_bounds, "in front of context_lengths: the first changed byte lies 3 bytes in front of it"},
      {"write_far", RunStatus::crashed, "signal 11"},
      {"workspace_overrun", RunStatus::crashed, "signal 11"},
      {"write_gap", RunStatus::wrote_out_of_bounds, "in the gap behind a row"},
      {"changed_input", RunStatus::changed_input, "changed input c[0,0,5]"},
      {"changed_table", RunStatus::changed_input, "block table of c"},
      {"threads", RunStatus::changed_input, "changed input c[0,0,0]"},
      {"unsupported", RunStatus::unsupported, "odd number of heads"},
      {"failed", RunStatus::failed, "out of luck???"},
      {"odd_status", RunStatus::failed, "returned 77"},
      {"garbage_everywhere", RunStatus::protocol, "sent what no worker sends"},
      {"forged_answer", RunStatus::protocol, "sent what no worker sends"},
      {"closes_everything", RunStatus::crashed, "exit code 4 before an answer"},
  };
  return list;
}

Limits limits_of(const Fault& fault) {
  Limits limits = short_limits();
  if (fault.status == RunStatus::timed_out) limits.seconds = 1;
  return limits;
}

/// Our children that have ended and are not reaped.
int zombies() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 ? 1 : 0;
}

/// Number of our children, running or not.
int children() {
  int found = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (int child = 0; file >> child;) ++found;
  }
  return found;
}

/// What kernels of bad/ try to leave, in the places where they could.
std::set<std::string> left_behind() {
  std::set<std::string> found;
  for (const char* folder : {"/dev/shm", "/tmp", "/var/tmp"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().filename().string().find("equinorm-test-left-behind") != std::string::npos) found.insert(entry.path());
    }
  }
  std::ifstream segments("/proc/sysvipc/shm");
  for (std::string line; std::getline(segments, line);) {
    if (line.find(std::to_string(0x6571) + " ") != std::string::npos) found.insert(line);
  }
  return found;
}

std::size_t resident_kib() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += entry.path().empty() ? 0 : 1;
  return count;
}

std::string opening_message(const std::string& name) {
  try {
    open_kernel(bad_kernel(name), DeviceChoice::as_declared, {.seconds = 1});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("every fault ends in the status that names it, and the kernel can be run again") {
  for (const Fault& fault : faults()) {
    Attempt attempt(fault.kernel, 1, limits_of(fault));
    for (int turn = 0; turn < 3; ++turn) {
      attempt.request.inputs_stay = turn > 0;
      const Outcome outcome = attempt.run();
      INFO(fault.kernel << ": " << to_string(outcome.status) << ", " << outcome.detail);
      CHECK(outcome.status == fault.status);
      CHECK(outcome.detail.find(fault.detail) != std::string::npos);
      CHECK(outcome.detail.find('\x1b') == std::string::npos);
    }
  }
}

TEST_CASE("faults that the numbers show are left to the judge") {
  Attempt nan("nan");
  Outcome outcome = nan.run();
  CHECK(outcome.status == RunStatus::ok);
  CHECK(std::isnan(outcome.outputs.at("u").at(3)));
  // Poison stands where row 0 has no tokens any more.
  Attempt past("reads_past_context");
  outcome = past.run();
  CHECK(outcome.status == RunStatus::ok);
  CHECK(std::isnan(outcome.outputs.at("u").at(0)));
  CHECK(std::isfinite(outcome.outputs.at("u").at(outcome.outputs.at("u").size() - 1)));
}

TEST_CASE("two runs differ for a kernel that is not deterministic, not for one that is") {
  for (const bool honest : {true, false}) {
    Attempt attempt(honest ? "honest" : "nondeterministic");
    const Outcome first = attempt.run(), second = attempt.run();
    REQUIRE(first.status == RunStatus::ok);
    REQUIRE(second.status == RunStatus::ok);
    const tensor::AnyTensor &a = first.outputs.at("u"), &b = second.outputs.at("u");
    CHECK((std::memcmp(a.bytes(), b.bytes(), a.byte_size()) == 0) == honest);
  }
}

TEST_CASE("an output that an earlier call gave on other inputs is stale") {
  for (const bool honest : {true, false}) {
    Attempt attempt(honest ? "honest" : "cached");
    StaleOutputs stale;
    for (unsigned seed = 1; seed <= 3; ++seed) {
      attempt.request.inputs = random_inputs(attempt.runner->declaration(), attempt.problem, seed);
      // The same inputs give the same output: nobody is to blame for that.
      for (int turn = 0; turn < 2; ++turn) {
        const Outcome outcome = attempt.run();
        REQUIRE(outcome.status == RunStatus::ok);
        CHECK(stale.note(attempt.request.inputs, outcome.outputs) == (honest || seed == 1 ? "" : "u"));
      }
    }
  }
  // Constant outputs (no row has a token) say nothing.
  Attempt empty("honest");
  empty.problem = with_declared_precision(empty.runner->declaration(), value_problem(8, {0, 0}));
  StaleOutputs stale;
  for (unsigned seed = 1; seed <= 2; ++seed) {
    empty.request.inputs = random_inputs(empty.runner->declaration(), empty.problem, seed);
    empty.request.inputs.at("context_lengths") = tensor::AnyTensor(tensor::DType::i32, {2});
    CHECK(stale.note(empty.request.inputs, empty.run().outputs).empty());
  }
}

TEST_CASE("kernels that cannot be opened say why") {
  CHECK(opening_message("wrong_version").find("equinorm is 2; allowed: 1") != std::string::npos);
  CHECK(opening_message("missing_symbol").find("exports no equinorm_kernel_run") != std::string::npos);
  CHECK(opening_message("describe_garbage").find("describe_garbage.so") != std::string::npos);
  CHECK(opening_message("describe_null").find("returned no text") != std::string::npos);
  CHECK(opening_message("describe_endless").find("does not end within 1048576 bytes") != std::string::npos);
  CHECK(opening_message("describe_hangs").find("no answer within 1 s") != std::string::npos);
  CHECK(opening_message("constructor_crash").find("signal 6") != std::string::npos);
  CHECK(opening_message("nowhere").find("no such file") != std::string::npos);
}

TEST_CASE("a kernel can neither kill the judge nor see its secrets, nor leave a file or a process") {
  setenv("EQUINORM_TEST_SECRET", "hunter2", 1);
  const std::set<std::string> before = left_behind();
  for (const char* name : {"kills_parent", "files", "leaves_child", "floods_output"}) {
    Attempt attempt(name);
    if (std::string(name) == "kills_parent" && attempt.runner->description().find("no PID namespace") != std::string::npos) continue;
    const Outcome outcome = attempt.run();
    INFO(name << ": " << attempt.runner->description() << ": " << outcome.detail);
    CHECK(outcome.status == RunStatus::ok);
  }
  unsetenv("EQUINORM_TEST_SECRET");
  CHECK(left_behind() == before);
  CHECK(children() == 0);
}

TEST_CASE("a fork bomb in a kernel is bounded") {
  Limits limits = short_limits();
  limits.seconds = 2;
  Attempt attempt("fork_bomb", 1, limits);
  const Outcome outcome = attempt.run();
  INFO(to_string(outcome.status) << ", " << outcome.detail);
  // Counted and killed, or out of time where the machine is too busy to count.
  CHECK((outcome.status == RunStatus::crashed || outcome.status == RunStatus::timed_out));
  CHECK((outcome.detail.find("more than 64 processes") != std::string::npos || outcome.detail.find("no answer") != std::string::npos));
  CHECK(children() == 0);
}

TEST_CASE("a hundred misbehaving runs leave nothing behind") {
  const std::set<std::string> before = left_behind();
  std::size_t resident = 0, descriptors = 0;
  int runs = 0;
  for (int turn = 0; runs < 120; ++turn) {
    for (const Fault& fault : faults()) {
      // Those that need their time are in the test of each fault.
      static const std::set<std::string> kSlow{"endless", "huge_allocation", "shared_memory", "threads", "stack_overflow"};
      if (kSlow.contains(fault.kernel)) continue;
      Attempt attempt(fault.kernel, static_cast<unsigned>(turn + 1), limits_of(fault));
      const Outcome outcome = attempt.run();
      INFO(fault.kernel << ": " << to_string(outcome.status) << ", " << outcome.detail);
      CHECK(outcome.status == fault.status);
      ++runs;
    }
    if (turn == 0) resident = resident_kib(), descriptors = open_descriptors();
  }
  CHECK(runs >= 100);
  CHECK(zombies() == 0);
  CHECK(children() == 0);
  CHECK(left_behind() == before);
  CHECK(open_descriptors() == descriptors);
  // A run's tensors are 1 KiB and its messages 60: what each kept would show.
  CHECK(resident_kib() < resident + 1024);
}
