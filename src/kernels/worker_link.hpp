// One worker process and the channel to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/process.hpp"
#include "kernels/runner.hpp"
#include "kernels/wire.hpp"

namespace equinorm::kernels {

/// What came of a request to a worker.
struct Exchange {
  RunStatus status = RunStatus::ok;  ///< ok: there is an answer
  std::string detail;
};

class WorkerLink {
 public:
  /// Starts a worker for the backend `kind` (library, cuda, virtual) on the kernel at `path` (absolute). Throws Error.
  WorkerLink(const std::string& kind, const std::string& path);

  const Isolation& isolation() const { return child_->isolation(); }

  /// The kernel's declaration. Throws Error: what the backend refuses, a crash, the limits.
  std::string describe(const Limits& limits);

  /// Sends a run, with the arenas' descriptors (inputs, outputs) where there are some, and waits for the reply; sets the request's sequence
  /// number. `memory`: bytes that the worker may hold. After anything but ok the worker is of no use any more.
  Exchange run(WireRequest& request, const std::vector<int>& arenas, const Limits& limits, std::uint64_t memory, WireReply& reply);

 private:
  Exchange send(WireRequest& request, const std::vector<int>& arenas);
  Exchange await(const WaitLimits& limits, double seconds);
  std::string last_words();

  std::unique_ptr<ChildProcess> child_;
  Descriptor channel_;
  std::uint64_t sequence_ = 0;
};

/// A stranger's text on one line of printable ASCII.
std::string printable(const std::string& text, std::size_t longest = 400);

}  // namespace equinorm::kernels
