#include "commands/report_gnuplot.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "scalar/error.hpp"

extern char** environ;

namespace equinorm::commands {
namespace {

/// An unnamed temporary file; the child reads or writes it, so that no pipe can fill up on either side.
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File temporary() {
  File file(std::tmpfile(), &std::fclose);
  if (!file) throw Error(std::string("gnuplot: no temporary file: ") + std::strerror(errno));
  return file;
}

std::string contents(std::FILE* file) {
  std::rewind(file);
  std::string text;
  std::array<char, 1 << 16> block{};
  for (std::size_t read = 0; (read = std::fread(block.data(), 1, block.size(), file)) > 0;) text.append(block.data(), read);
  return text;
}

/// What went wrong: the last line that is not empty. Before it gnuplot repeats the command.
std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of("\n\r \t");
  if (end == std::string::npos) return "";
  const std::size_t begin = text.find_last_of("\n", end) + 1;
  return text.substr(text.find_first_not_of(" \t", begin), end + 1 - text.find_first_not_of(" \t", begin));
}

}  // namespace

Drawing draw(const std::string& program) {
  const File in = temporary(), out = temporary(), errors = temporary();
  if (std::fwrite(program.data(), 1, program.size(), in.get()) != program.size() || std::fflush(in.get()) != 0) {
    throw Error(std::string("gnuplot: cannot write its program: ") + std::strerror(errno));
  }
  std::rewind(in.get());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in.get()), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(out.get()), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(errors.get()), STDERR_FILENO);
  const char* name = "gnuplot";
  // -d: nobody's start-up files; "-": the program is on standard input.
  std::array<char*, 4> arguments{const_cast<char*>(name), const_cast<char*>("-d"), const_cast<char*>("-"), nullptr};
  pid_t child = 0;
  const int failed = posix_spawnp(&child, name, &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return {"", failed == ENOENT ? "no gnuplot" : std::string("gnuplot cannot be run: ") + std::strerror(failed)};
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw Error(std::string("gnuplot: ") + std::strerror(errno));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return {"", "no gnuplot"};
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return {"", "gnuplot failed: " + last_line(contents(errors.get()))};
  return {contents(out.get()), ""};
}

}  // namespace equinorm::commands
