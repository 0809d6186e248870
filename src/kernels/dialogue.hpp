// Lines to and from a child: requests on its standard input, replies on its standard output.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernels/process.hpp"
#include "problem/json.hpp"

namespace equinorm::kernels {

/// A child that is spoken to. What it writes to standard output counts from a line on that begins with '{'; every other line is somebody's
/// noise and is skipped, up to kNoise bytes for one answer. Standard error is kept for messages.
class Dialogue {
 public:
  static constexpr std::size_t kNoise = std::size_t{1} << 20;

  /// Starts the program; descriptors 0 and 1 of `options` are set here. Throws Error where it cannot be started.
  explicit Dialogue(SpawnOptions options);

  ChildProcess& child() { return *child_; }

  /// How something that was waited for came out.
  struct Heard {
    enum class Kind : std::uint8_t { answer, silence, ended, memory, processes, babble } kind = Kind::silence;
    problem::JsonValue value{};  ///< answer
    std::string text{};          ///< ended, babble: what was wrong with what it said, if anything
  };

  /// Writes a line. `answer` means here: written.
  Heard say(const std::string& line, const WaitLimits& limits);
  /// The next JSON object, over as many lines as it takes.
  Heard hear(const WaitLimits& limits);
  /// Whether it has said something that begins with '{' since it was last heard.
  bool has_spoken();
  /// It gets no more requests.
  void close_input() { input_.reset(), input_reader_.reset(); }
  /// Waits for its end.
  Heard await_end(const WaitLimits& limits);

  /// The last line that it wrote to standard error, or its noise, for messages: "; it wrote: ..."; empty where there is none.
  std::string last_words();

 private:
  void read_replies();
  bool take_line(std::string& line);

  /// We keep a reader of its input open too: writing to a child that is gone then never raises SIGPIPE.
  Descriptor input_, input_reader_, replies_;
  std::unique_ptr<ChildProcess> child_;
  std::string buffer_, noise_;
  std::size_t taken_ = 0;  ///< bytes of buffer_ that are dealt with
  std::size_t skipped_ = 0;
  bool closed_ = false;
};

}  // namespace equinorm::kernels
