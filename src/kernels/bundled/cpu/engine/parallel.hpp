// Independent pieces of work on the threads that a call grants.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace equinorm::kernels::cpu {

/// work(i) for every i < count, on at most `threads` threads. What a piece computes may not depend on who computes it: results are then the
/// same for every number of threads. Rethrows the first exception.
template <class Work>
void parallel_for(std::int64_t count, int threads, const Work& work) {
  std::atomic<std::int64_t> next{0};
  std::exception_ptr error;
  std::mutex error_lock;
  const auto run = [&] {
    try {
      for (std::int64_t i = next++; i < count; i = next++) work(i);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(error_lock);
      if (!error) error = std::current_exception();
      next = count;
    }
  };
  std::vector<std::thread> team;
  for (int i = 1; i < threads && i < count; ++i) team.emplace_back(run);
  run();
  for (std::thread& thread : team) thread.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace equinorm::kernels::cpu
