// What a host thread's blocks touch of global memory. Private to the room.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "vgpu/launch.hpp"

namespace equinorm::vgpu {

/// Pages of global memory as they were before the launch.
class Undo {
 public:
  explicit Undo(GlobalMemory& memory) : view_(memory.view()) {}
  /// Keeps a page, unless it has been kept. Every thread calls it before its first store to the page.
  void keep(u64 page);
  void restore();

 private:
  struct Page {
    std::array<std::byte, View::kPage> data;
    std::array<u8, View::kPage> state;
  };
  u64 size_of(u64 page) const { return std::min(View::kPage, view_.size - page * View::kPage); }

  View view_;
  std::mutex mutex_;
  std::unordered_map<u64, Page> pages_;
};

/// What was read, in granules of View::kReadGranule bytes, and bytes that were written. The memory instructions tell it (Warp::journal).
class Journal {
 public:
  Journal(u64 bytes, Undo& undo) : read_(bytes / View::kPage + 1), written_(read_.size()), undo_(undo) {}
  /// Warp::global_read.
  u64* read() { return read_.data(); }
  /// Before the bytes are read or written.
  void note(u64 offset, u64 bytes, bool is_write);
  /// Whether one of the two wrote what the other read or wrote.
  bool conflicts_with(const Journal& other) const;

 private:
  using Bytes = std::array<u64, View::kPage / 64>;  // a bit for each

  static u64 granules_of(const Bytes& bytes);
  static bool meet(const Journal& writer, const Journal& other);

  std::vector<u64> read_;                        // by page, a bit for each granule
  std::vector<std::unique_ptr<Bytes>> written_;  // by page
  Undo& undo_;
};

/// Runs the blocks on several host threads. Returns false, with nothing changed, unless the outcome is that of one block after the other.
bool run_grid_in_threads(Launch& launch);

}  // namespace equinorm::vgpu
