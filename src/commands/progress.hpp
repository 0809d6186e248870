// A progress line on stderr for anything longer than two seconds.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace equinorm::commands {

/// Shows "[####------]  42 %  case: step  (9 s, about 12 s left)" when stderr is a terminal and the work takes longer than two seconds, no
/// wider than the terminal, renewed several times a second however long a step takes. Cleared at the end. Under mpirun stderr is no
/// terminal: with `lines` the same text is printed there as a line of its own, three times a minute.
class Progress {
 public:
  Progress(std::int64_t total_steps, bool enabled, bool lines = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Names what is being done now.
  void begin(const std::string& label);
  /// The step named last is done.
  void advance(std::int64_t steps = 1);

 private:
  void keep_showing(const std::stop_token& stop);
  void show();

  const bool terminal_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  bool shown_ = false;
  std::string label_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_;  ///< guards done_, label_ and shown_
  std::condition_variable_any wake_;
  std::jthread ticker_;
};

}  // namespace equinorm::commands
