#include "kernels/dialogue.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

constexpr std::size_t kKeptNoise = 200;
constexpr auto kWatchStep = std::chrono::milliseconds(50);

void make_pipe(Descriptor& reader, Descriptor& writer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Error(fmt::format("pipe: {}", std::strerror(errno)));
  reader = Descriptor(ends[0]), writer = Descriptor(ends[1]);
}

Dialogue::Heard::Kind kind_of(WaitEvent event) {
  using Kind = Dialogue::Heard::Kind;
  switch (event) {
    case WaitEvent::deadline:
      return Kind::silence;
    case WaitEvent::memory:
      return Kind::memory;
    case WaitEvent::processes:
      return Kind::processes;
    default:
      return Kind::ended;
  }
}

/// Sees where a JSON object ends that comes line by line.
class ObjectEnd {
 public:
  bool reached(std::string_view line) {
    for (const char c : line) {
      if (in_string_) {
        if (c == '"' && !escaped_) in_string_ = false;
        escaped_ = c == '\\' && !escaped_;
      } else if (c == '"') {
        in_string_ = true;
      } else if (c == '{' || c == '}') {
        depth_ += c == '{' ? 1 : -1;
      }
    }
    return depth_ <= 0;
  }

 private:
  bool in_string_ = false, escaped_ = false;
  long depth_ = 0;
};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string last_line(std::string text) {
  while (!text.empty() && is_blank(text.back())) text.pop_back();
  const std::size_t begin = text.rfind('\n');
  return begin == std::string::npos ? text : text.substr(begin + 1);
}

}  // namespace

Dialogue::Dialogue(SpawnOptions options) {
  Descriptor replies;
  make_pipe(input_reader_, input_);
  make_pipe(replies_, replies);
  fcntl(input_.get(), F_SETFL, O_NONBLOCK);
  fcntl(replies_.get(), F_SETFL, O_NONBLOCK);
  options.descriptors[0] = input_reader_.get();
  options.descriptors[1] = replies.get();
  child_ = std::make_unique<ChildProcess>(options);
}

Dialogue::Heard Dialogue::say(const std::string& line, const WaitLimits& limits) {
  const std::string text = line + "\n";
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = write(input_.get(), text.data() + at, text.size() - at);
    if (written > 0) {
      at += static_cast<std::size_t>(written);
      continue;
    }
    if (written < 0 && errno != EAGAIN && errno != EINTR) throw Error(fmt::format("writing to a process: {}", std::strerror(errno)));
    const WaitEvent event = child_->wait(input_.get(), POLLOUT, limits);
    if (event != WaitEvent::ready) return {.kind = kind_of(event)};
  }
  return {.kind = Heard::Kind::answer};
}

void Dialogue::read_replies() {
  char part[65536];
  buffer_.erase(0, taken_);
  taken_ = 0;
  while (!closed_ && buffer_.size() <= problem::kMaxJsonBytes) {
    const ssize_t count = read(replies_.get(), part, sizeof(part));
    if (count > 0) buffer_.append(part, static_cast<std::size_t>(count));
    if (count == 0) closed_ = true;
    if (count < 0 && errno != EINTR) return;
  }
}

/// The next whole line of the buffer, or its rest once no more can come. (Cutting each off the front would take quadratic time.)
bool Dialogue::take_line(std::string& line) {
  const std::size_t end = buffer_.find('\n', taken_);
  if (end == std::string::npos && !(closed_ && taken_ < buffer_.size())) return false;
  line = buffer_.substr(taken_, end - taken_);
  taken_ = end == std::string::npos ? buffer_.size() : end + 1;
  return true;
}

Dialogue::Heard Dialogue::hear(const WaitLimits& limits) {
  std::string said;
  ObjectEnd end;
  skipped_ = 0;
  Clock::time_point watch = Clock::now() + kWatchStep;
  for (bool over = false;;) {
    read_replies();
    for (std::string line; take_line(line);) {
      if (said.empty() && (line.empty() || line[0] != '{')) {
        skipped_ += line.size() + 1;
        if (noise_.size() < kKeptNoise) noise_ += line.substr(0, kKeptNoise) + "\n";
        if (skipped_ > kNoise) return {.kind = Heard::Kind::babble, .text = fmt::format("more than {} bytes that are no answer", kNoise)};
        continue;
      }
      said += line + "\n";
      if (!end.reached(line)) continue;
      try {
        return {.kind = Heard::Kind::answer, .value = problem::parse_json(said, "")};
      } catch (const Error& error) {
        return {.kind = Heard::Kind::babble, .text = error.what()};
      }
    }
    if (said.size() + buffer_.size() - taken_ > problem::kMaxJsonBytes)
      return {.kind = Heard::Kind::babble, .text = fmt::format("an answer of more than {} bytes", problem::kMaxJsonBytes)};
    if (over) return {.kind = Heard::Kind::ended, .text = said.empty() ? "" : "its answer has no end"};
    // While something keeps coming, wait() itself neither looks at the clock nor at memory.
    const bool late = Clock::now() >= limits.deadline;
    const bool large = !late && limits.memory != ~std::uint64_t{0} && Clock::now() >= watch && child_->usage().resident > limits.memory;
    if (Clock::now() >= watch) watch = Clock::now() + kWatchStep;
    const WaitEvent event = late    ? WaitEvent::deadline
                            : large ? WaitEvent::memory
                                    : child_->wait(closed_ ? -1 : replies_.get(), POLLIN, limits);
    if (event == WaitEvent::ended) {
      over = true;  // one more look at what it left in the pipe
      if (!closed_) read_replies();
      closed_ = true;
    } else if (event != WaitEvent::ready) {
      return {.kind = kind_of(event), .text = said.empty() ? "" : "its answer has no end"};
    }
  }
}

bool Dialogue::has_spoken() {
  read_replies();
  for (std::size_t at = 0; at < buffer_.size();) {
    if (buffer_[at] == '{') return true;
    const std::size_t end = buffer_.find('\n', at);
    if (end == std::string::npos) break;
    at = end + 1;
  }
  return false;
}

Dialogue::Heard Dialogue::await_end(const WaitLimits& limits) { return {.kind = kind_of(child_->wait(-1, POLLIN, limits))}; }

std::string Dialogue::last_words() {
  std::string words = last_line(child_->output());
  if (words.empty()) words = last_line(noise_);
  return words.empty() ? "" : "; it wrote: " + problem::shown(words);
}

}  // namespace equinorm::kernels
