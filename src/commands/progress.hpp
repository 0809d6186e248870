// A progress line on stderr for anything longer than two seconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace equinorm::commands {

/// Shows "[####------] 42 %  case: step  (about 12 s left)" when stderr is a terminal and the work takes longer than two seconds. Cleared at the end.
class Progress {
 public:
  Progress(std::int64_t total_steps, bool enabled);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Names what is being done now.
  void begin(const std::string& label);
  /// The step named last is done.
  void advance(std::int64_t steps = 1);

 private:
  void show();
  void clear();

  std::int64_t total_;
  std::int64_t done_ = 0;
  bool enabled_;
  bool shown_ = false;
  std::string label_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace equinorm::commands
