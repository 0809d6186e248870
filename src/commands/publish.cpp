#include "commands/publish.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "report/check.hpp"
#include "report/hunt.hpp"
#include "report/json.hpp"
#include "report/junit.hpp"
#include "report/sensitivity.hpp"
#include "report/terminal.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {

void write_text_file(const std::string& path, const std::string& text) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  const auto fail = [&](const char* action) {
    const std::string reason = std::strerror(errno);
    std::remove(temporary.c_str());
    throw Error(fmt::format("{}: cannot {}: {}", path, action, reason));
  };
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) fail("write");
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0 && fsync(fileno(file)) == 0;
  if (std::fclose(file) != 0 || !written) fail("write");
  if (std::rename(temporary.c_str(), path.c_str()) != 0) fail("rename into place");
}

void check_writable(const std::string& path) {
  if (path.empty()) return;
  const auto fail = [&](const std::string& reason) { throw Error(fmt::format("{}: cannot be written: {}", path, reason)); };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail("it is a folder; allowed: the path of a file");
  // The finished file takes the place of what is there: a link (/dev/stdout is one), device or pipe would be gone.
  const std::filesystem::file_status there = std::filesystem::symlink_status(path, ignored);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there))
    fail("it is a link, device, pipe or socket; allowed: the path of a file");
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (!std::filesystem::is_directory(folder, ignored)) fail(fmt::format("there is no folder {}", folder.string()));
  if (access(folder.c_str(), W_OK) != 0) fail(fmt::format("folder {}: {}", folder.string(), std::strerror(errno)));
}

void check_result_paths(const Options& options) {
  check_writable(options.json_path);
  check_writable(options.junit_path);
}

int publish(const verdict::RunResult& run, bool in_full, const Options& options) {
  if (!options.quiet) {
    const report::Style style{isatty(STDOUT_FILENO) != 0, options.verbose};
    const bool certificate = !run.cases.empty() && !run.cases.front().sensitivity.empty();
    const bool hunted = !run.cases.empty() && run.cases.front().hunt.has_value();
    fmt::print("{}", hunted                       ? report::hunt_text(run, style)
                     : run.command == "check"     ? report::check_text(run, style)
                     : certificate                ? report::sensitivity_text(run, style)
                     : in_full || options.verbose ? report::full_text(run, style)
                                                  : report::summary_text(run, style));
  }
  if (!options.json_path.empty()) write_text_file(options.json_path, report::to_json(run));
  if (!options.junit_path.empty()) write_text_file(options.junit_path, report::to_junit(run));
  return verdict::exit_code(run);
}

}  // namespace equinorm::commands
