#include "commands/publish.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "report/json.hpp"
#include "report/junit.hpp"
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

int publish(const verdict::RunResult& run, bool in_full, const Options& options) {
  if (!options.quiet) {
    const report::Style style{isatty(STDOUT_FILENO) != 0, options.verbose};
    fmt::print("{}", in_full || options.verbose ? report::full_text(run, style) : report::summary_text(run, style));
  }
  if (!options.json_path.empty()) write_text_file(options.json_path, report::to_json(run));
  if (!options.junit_path.empty()) write_text_file(options.junit_path, report::to_junit(run));
  return verdict::exit_code(run);
}

}  // namespace equinorm::commands
