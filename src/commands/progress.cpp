#include "commands/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace equinorm::commands {
namespace {

constexpr std::chrono::seconds kSilence{2};
constexpr std::chrono::milliseconds kInterval{250};
constexpr std::chrono::seconds kLineInterval{20};

/// Columns of the terminal behind stderr; 80 where it does not say.
int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Progress::Progress(std::int64_t total_steps, bool enabled, bool lines)
    : terminal_(isatty(STDERR_FILENO) != 0), total_(std::max<std::int64_t>(1, total_steps)) {
  if (enabled && (terminal_ || lines)) ticker_ = std::jthread([this](const std::stop_token& stop) { keep_showing(stop); });
}

Progress::~Progress() {
  if (!ticker_.joinable()) return;
  ticker_.request_stop();
  ticker_.join();
  if (shown_) fmt::print(stderr, "\r\033[K");
}

void Progress::begin(const std::string& label) {
  const std::lock_guard lock(mutex_);
  label_ = label;
}

void Progress::advance(std::int64_t steps) {
  const std::lock_guard lock(mutex_);
  done_ = std::min(total_, done_ + steps);
}

void Progress::keep_showing(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const std::chrono::milliseconds silence = terminal_ ? kSilence : kLineInterval, interval = terminal_ ? kInterval : kLineInterval;
  wake_.wait_for(lock, stop, silence, [] { return false; });
  while (!stop.stop_requested()) {
    show();
    wake_.wait_for(lock, stop, interval, [] { return false; });
  }
}

void Progress::show() {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const int columns = terminal_width(), width = columns < 100 ? 10 : 24;
  const double share = static_cast<double>(done_) / static_cast<double>(total_);
  const int filled = static_cast<int>(share * width);
  const std::string left = done_ > 0 ? fmt::format(", about {:.0f} s left", seconds * (1 - share) / share) : "";
  const std::string line =
      fmt::format("[{:#<{}}{:-<{}}] {:3.0f} %  {}  ({:.0f} s{})", "", filled, "", width - filled, 100 * share, label_, seconds, left);
  if (terminal_)
    fmt::print(stderr, "\r\033[K{:.{}}", line, columns - 1);  // the last column would wrap on some terminals
  else
    fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
  shown_ = terminal_;
}

}  // namespace equinorm::commands
