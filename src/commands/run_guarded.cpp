#include "commands/run_guarded.hpp"

#include <fmt/format.h>
#include <tbb/global_control.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <thread>

#include "scalar/error.hpp"
#include "work/ranks.hpp"

namespace equinorm::commands {
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

int threads_of(const Options& options) {
  if (options.threads > 0) return options.threads;
  const auto allowed = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, std::min(allowed, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) / work::ranks_on_this_machine()));
}

int run_guarded(const Options& options, const std::function<int()>& body) {
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads_of(options)));
  try {
    return body();
  } catch (const Error& error) {
    fmt::print(stderr, "equinorm: {}\n", one_line(error.what()));
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "equinorm: out of memory; a smaller --context, --batch or --queries needs less\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "equinorm: internal error: {}\n", one_line(error.what()));
  }
  return 2;
}

}  // namespace equinorm::commands
