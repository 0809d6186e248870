#include "work/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "scalar/error.hpp"

namespace equinorm::work {
namespace {

/// What became of a unit.
struct Outcome {
  std::size_t unit = 0;
  std::exception_ptr failure;
  std::string text;  ///< its result
};

Outcome attempt(std::size_t unit, const RunUnit& run) {
  try {
    return {unit, nullptr, run(unit)};
  } catch (...) {
    return {unit, std::current_exception(), {}};
  }
}

std::string message_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::bad_alloc&) {
    return "out of memory";
  } catch (const std::exception& error) {
    return error.what();
  }
}

// From a worker: "+UNIT TEXT" a result, "-UNIT MESSAGE" a failure, "" the first request. To a worker: "UNIT", or "" to stop.
std::string packed(Outcome outcome) {
  if (outcome.text.size() > Ranks::kLargestMessage - 64)
    outcome.failure = std::make_exception_ptr(Error(fmt::format("a result of {} bytes is too large for a message", outcome.text.size())));
  return fmt::format("{}{} {}", outcome.failure ? '-' : '+', outcome.unit, outcome.failure ? message_of(outcome.failure) : outcome.text);
}

Outcome unpacked(const Message& message, const std::vector<Unit>& units) {
  const std::size_t space = message.text.find(' ');
  Outcome outcome{std::stoul(message.text.substr(1, space - 1)), nullptr, message.text.substr(space + 1)};
  if (message.text[0] == '-') {
    outcome.failure =
        std::make_exception_ptr(Error(fmt::format("{} (unit '{}' on rank {})", outcome.text, units.at(outcome.unit).id, message.from)));
  }
  return outcome;
}

/// The first rank's own computing: a thread that takes a unit at a time and leaves its outcome.
class OwnWorker {
 public:
  explicit OwnWorker(const RunUnit& run) : run_(run), thread_([this] { work(); }) {}
  ~OwnWorker() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  OwnWorker(const OwnWorker&) = delete;
  OwnWorker& operator=(const OwnWorker&) = delete;

  bool busy() const { return busy_; }
  void begin(std::size_t unit) {
    const std::lock_guard lock(mutex_);
    unit_ = unit, busy_ = true;
    changed_.notify_all();
  }
  /// Waits a moment for the outcome.
  std::optional<Outcome> finished() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(1), [this] { return outcome_.has_value(); });
    if (!outcome_) return std::nullopt;
    busy_ = false;
    return std::exchange(outcome_, std::nullopt);
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || unit_.has_value(); });
      if (!unit_) return;
      const std::size_t unit = *std::exchange(unit_, std::nullopt);
      lock.unlock();
      Outcome outcome = attempt(unit, run_);
      lock.lock();
      outcome_ = std::move(outcome);
      changed_.notify_all();
    }
  }

  const RunUnit& run_;
  std::mutex mutex_;  ///< guards unit_, outcome_ and stopping_
  std::condition_variable changed_;
  std::optional<std::size_t> unit_;
  std::optional<Outcome> outcome_;
  bool stopping_ = false;
  bool busy_ = false;  ///< the main thread's own
  std::jthread thread_;
};

/// The first rank's side of a run.
class Master {
 public:
  Master(Ranks& ranks, const std::vector<Unit>& units, const std::vector<bool>& todo, const RunUnit& run, const Keep& keep)
      : ranks_(ranks), units_(units), dispenser_(units, todo), own_(run), keep_(keep), workers_(ranks.count() - 1) {}

  void run() {
    while (true) {
      if (!own_.busy()) {
        if (const std::optional<std::size_t> unit = dispenser_.next(0)) own_.begin(*unit);
      }
      if (!own_.busy() && workers_ == 0) break;
      if (const std::optional<Outcome> outcome = own_.finished()) take(*outcome);
      while (const std::optional<Message> message = ranks_.poll()) answer(*message);
    }
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void take(const Outcome& outcome) {
    try {
      if (outcome.failure) std::rethrow_exception(outcome.failure);
      keep_(outcome.unit, outcome.text);
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
      dispenser_.stop();
    }
  }

  void answer(const Message& message) {
    if (!message.text.empty()) take(unpacked(message, units_));
    const std::optional<std::size_t> unit = dispenser_.next(message.from);
    ranks_.send(message.from, unit ? std::to_string(*unit) : "");
    if (!unit) --workers_;
  }

  Ranks& ranks_;
  const std::vector<Unit>& units_;
  Dispenser dispenser_;
  OwnWorker own_;
  const Keep& keep_;
  int workers_;
  std::exception_ptr failure_;
};

void serve(Ranks& ranks, const RunUnit& run) {
  std::string report;
  while (true) {
    ranks.send(0, report);
    const std::string order = ranks.wait().text;
    if (order.empty()) return;
    report = packed(attempt(std::stoul(order), run));
  }
}

}  // namespace

Dispenser::Dispenser(const std::vector<Unit>& units, const std::vector<bool>& todo) : units_(units) {
  for (std::size_t i = units.size(); i-- > 0;) {
    if (!todo.at(i)) continue;
    Group& group = groups_[units[i].group];
    group.units.push_back(i), group.cost += units[i].cost;
  }
}

std::optional<std::size_t> Dispenser::next(int rank) {
  if (groups_.empty()) return std::nullopt;
  auto best = groups_.end();
  if (const auto last = last_group_.find(rank); last != last_group_.end()) best = groups_.find(last->second);
  if (best == groups_.end()) {
    best = std::max_element(groups_.begin(), groups_.end(), [](const auto& a, const auto& b) {
      return std::pair(!a.second.begun, a.second.cost) < std::pair(!b.second.begun, b.second.cost);
    });
  }
  last_group_[rank] = best->first;
  Group& group = best->second;
  const std::size_t unit = group.units.back();
  group.units.pop_back(), group.cost -= units_[unit].cost, group.begun = true;
  if (group.units.empty()) groups_.erase(best);
  return unit;
}

void run_units(Ranks& ranks, const std::vector<Unit>& units, const std::vector<bool>& todo, const RunUnit& run, const Keep& keep) {
  if (!ranks.first()) return serve(ranks, run);
  if (ranks.count() > 1) return Master(ranks, units, todo, run, keep).run();
  Dispenser dispenser(units, todo);
  while (const std::optional<std::size_t> unit = dispenser.next(0)) keep(*unit, run(*unit));
}

bool all_ready(Ranks& ranks, const std::string& failure, const std::string& word) {
  if (!ranks.first()) {
    ranks.send(0, failure + "\n" + word);
    return ranks.wait().text == "go";
  }
  std::string problem = failure;
  for (int i = 1; i < ranks.count(); ++i) {
    const Message message = ranks.wait();
    const std::size_t end = message.text.rfind('\n');
    if (!problem.empty()) continue;
    if (end > 0) {
      problem = fmt::format("{} (on rank {})", message.text.substr(0, end), message.from);
    } else if (message.text.substr(1) != word) {
      problem =
          fmt::format("rank {} has another version of the program, or other problems or inputs; allowed: the same on all", message.from);
    }
  }
  for (int i = 1; i < ranks.count(); ++i) ranks.send(i, problem.empty() ? "go" : "stop");
  if (!problem.empty()) throw Error(problem);
  return true;
}

}  // namespace equinorm::work
