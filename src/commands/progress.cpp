#include "commands/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace equinorm::commands {

Progress::Progress(std::int64_t total_steps, bool enabled) : total_(std::max<std::int64_t>(1, total_steps)), enabled_(enabled && isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() { clear(); }

void Progress::begin(const std::string& label) {
  label_ = label;
  show();
}

void Progress::advance(std::int64_t steps) {
  done_ = std::min(total_, done_ + steps);
  show();
}

void Progress::show() {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  if (!enabled_ || seconds < 2) return;
  constexpr int kWidth = 24;
  const double share = static_cast<double>(done_) / static_cast<double>(total_);
  const int filled = static_cast<int>(share * kWidth);
  const std::string left = done_ > 0 ? fmt::format("about {:.0f} s left", seconds * (1 - share) / share) : "estimating";
  const std::string line = fmt::format("[{:#<{}}{:-<{}}] {:3.0f} %  {}  ({})", "", filled, "", kWidth - filled, 100 * share, label_, left);
  fmt::print(stderr, "\r\033[K{:.110}", line);
  std::fflush(stderr);
  shown_ = true;
}

void Progress::clear() {
  if (shown_) fmt::print(stderr, "\r\033[K");
  shown_ = false;
}

}  // namespace equinorm::commands
