// Strangers' programs: what they are given, what they are kept from, and that nothing of them stays.
#include "kernels/process.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "scalar/error.hpp"

using namespace equinorm;
using namespace equinorm::kernels;

namespace {

SpawnOptions shell(const std::string& script) { return {.arguments = {"/bin/sh", "-c", script}}; }

WaitLimits within(double seconds) {
  return {.deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))};
}

std::string output_of(const SpawnOptions& options) {
  ChildProcess child(options);
  REQUIRE(child.wait(-1, 0, within(30)) == WaitEvent::ended);
  return child.output();
}

/// Processes anywhere whose command line holds `text`.
int processes_with(const std::string& text) {
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    found += line.find(text) != std::string::npos ? 1 : 0;
  }
  return found;
}

}  // namespace

TEST_CASE("a child's end is its exit code or its signal") {
  ChildProcess exits(shell("echo out; echo err >&2; exit 3"));
  REQUIRE(exits.wait(-1, 0, within(30)) == WaitEvent::ended);
  CHECK(exits.output() == "out\nerr\n");
  REQUIRE(exits.end());
  CHECK(exits.end()->description() == "exit code 3");
  ChildProcess dies(shell("kill -SEGV $$"));
  REQUIRE(dies.wait(-1, 0, within(30)) == WaitEvent::ended);
  CHECK(dies.end()->signalled);
  CHECK(dies.end()->code == SIGSEGV);
}

TEST_CASE("a program that is not there is an error that names it") {
  try {
    ChildProcess child({.arguments = {"/nonexistent/program"}});
    FAIL("it started");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "cannot run /nonexistent/program: No such file or directory");
  }
}

TEST_CASE("a child inherits nothing but what it is given") {
  setenv("EQUINORM_TEST_SECRET", "hunter2", 1);
  const int open_here = dup(1);
  SpawnOptions options = shell("env; ls /proc/self/fd | tr '\\n' ' '; id -u; pwd; ulimit -c");
  options.environment["GIVEN"] = "yes";
  const std::string text = output_of(options);
  close(open_here);
  unsetenv("EQUINORM_TEST_SECRET");
  INFO(text);
  CHECK(text.find("hunter2") == std::string::npos);
  CHECK(text.find("GIVEN=yes") != std::string::npos);
  CHECK(text.find("HOME=") == std::string::npos);
  // 3 is the folder that ls reads.
  CHECK(text.find("0 1 2 3 ") != std::string::npos);
  CHECK(text.find("0 1 2 3 4") == std::string::npos);
  const ChildProcess child(shell("exit 0"));
  CHECK(text.find(std::to_string(child.isolation().uid) + "\n/\n0\n") != std::string::npos);
  if (geteuid() == 0) CHECK(child.isolation().other_uid);
  CHECK(child.isolation().description().find("uid") != std::string::npos);
}

TEST_CASE("a child speaks over the descriptors that it is given") {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  SpawnOptions options = shell("read line; echo \"got $line\"; echo note >&2; read line");
  options.descriptors = {{0, ends[1]}, {1, ends[1]}};
  ChildProcess child(options);
  close(ends[1]);
  REQUIRE(send(ends[0], "hello\n", 6, MSG_NOSIGNAL) == 6);
  REQUIRE(child.wait(ends[0], POLLIN, within(30)) == WaitEvent::ready);
  char text[64] = {};
  CHECK(recv(ends[0], text, sizeof(text) - 1, 0) == 10);
  CHECK(std::string(text) == "got hello\n");
  CHECK(child.wait(ends[0], POLLIN, within(0.05)) == WaitEvent::deadline);
  close(ends[0]);
  CHECK(child.wait(-1, 0, within(30)) == WaitEvent::ended);
  CHECK(child.output() == "note\n");
}

TEST_CASE("killing takes everything down that a child started") {
  for (const bool namespaces : {true, false}) {
    for (const bool stays : {true, false}) {
      INFO("namespaces " << namespaces << " stays " << stays);
      // Out of its session and without a parent: only the namespace, or the launcher, still knows it.
      SpawnOptions options = shell(std::string("(setsid sh -c 'sleep 7654321 & sleep 7654321' &) ; sleep 0.2; echo ready; ") +
                                   (stays ? "sleep 7654321" : "exit 0"));
      options.namespaces = namespaces;
      ChildProcess child(options);
      CHECK((namespaces || !child.isolation().pid_namespace));
      if (stays) {
        while (child.output().find("ready") == std::string::npos) REQUIRE(child.wait(-1, 0, within(0.05)) == WaitEvent::deadline);
        CHECK(child.usage().processes >= 4);
        CHECK(processes_with("7654321") >= 3);
        child.kill();
      } else {
        CHECK(child.wait(-1, 0, within(30)) == WaitEvent::ended);
      }
      CHECK(processes_with("7654321") == 0);
      CHECK(child.usage().processes == 0);
    }
  }
}

TEST_CASE("memory of all its processes is watched") {
  WaitLimits limits = within(60);
  limits.memory = std::uint64_t{200} << 20;
  // Two processes, each of them below the limit.
  ChildProcess child(shell("hold() { head -c 150000000 /dev/zero | tail -c 150000000 | sleep 60; }; hold & hold"));
  CHECK(child.wait(-1, 0, limits) == WaitEvent::memory);
  CHECK(child.usage().resident > limits.memory);
  child.kill();
}

TEST_CASE("output without end is bounded") {
  ChildProcess child(shell("echo first; yes; "));
  CHECK(child.wait(-1, 0, within(1)) == WaitEvent::deadline);
  child.kill();
  const std::string text = child.output();
  CHECK(text.size() < 200'000);
  CHECK(text.substr(0, 6) == "first\n");
  CHECK(text.find("bytes left out") != std::string::npos);
}

TEST_CASE("a fork bomb is bounded and goes") {
  for (const bool namespaces : {true, false}) {
    SpawnOptions options = shell("f() { f | f & }; while true; do f; sleep 0.01; done");
    options.namespaces = namespaces;
    options.processes = 150;
    ChildProcess child(options);
    WaitLimits limits = within(1);
    limits.processes = 100;
    const WaitEvent event = child.wait(-1, 0, limits);
    // The shell itself may give up first, where fork fails.
    CHECK((event == WaitEvent::processes || event == WaitEvent::deadline || event == WaitEvent::ended));
    // Without privileges and namespaces the limit leaves room for what else the user runs.
    CHECK(child.usage().processes < 1500);
    child.kill();
    CHECK(child.usage().processes == 0);
  }
}
