// The processes of a run, and messages between them: the only place that knows MPI.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace equinorm::work {

struct Message {
  int from = 0;
  std::string text;
};

/// All processes that one mpirun started; one, and no MPI at all, where nothing did. MPI is set up by the constructor and wound up by the
/// destructor, which waits for all ranks; at most one Ranks per process. Every call comes from the thread that made it.
class Ranks {
 public:
  /// Throws Error where mpirun started several processes of a program that was built without MPI.
  Ranks();
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  int count() const { return count_; }
  int rank() const { return rank_; }
  bool first() const { return rank_ == 0; }

  static constexpr std::size_t kLargestMessage = (std::size_t{1} << 31) - 1;
  /// Returns when `text` may be reused. It is at most kLargestMessage bytes long.
  void send(int to, const std::string& text);
  /// A message that has arrived, if there is one. Messages of one sender come in the order in which they were sent.
  std::optional<Message> poll();
  /// The next message. Sleeps between looks, so that a waiting rank leaves its core to the others.
  Message wait();

 private:
  int count_ = 1, rank_ = 0;
  bool running_ = false;
};

/// What this program was built with: "Open MPI v4.1.4, ..."; empty: no MPI.
std::string mpi_library();

/// Processes of this run on this machine, as the launcher says; 1 where it does not.
int ranks_on_this_machine();

}  // namespace equinorm::work
