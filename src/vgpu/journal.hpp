// What a share of the blocks touches of global memory. Private to the room.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
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

/// Zeros, of which memory holds only what is touched: a journal of all of global memory is mostly never looked at.
template <class T>
class SparseArray {
 public:
  /// Throws std::bad_alloc.
  explicit SparseArray(u64 count) : data_(static_cast<T*>(std::calloc(count, sizeof(T))), &std::free) {
    if (data_ == nullptr) throw std::bad_alloc();
  }
  T& operator[](u64 at) { return data_.get()[at]; }
  const T& operator[](u64 at) const { return data_.get()[at]; }
  T* data() { return data_.get(); }

 private:
  std::unique_ptr<T, decltype(&std::free)> data_;
};

/// What was read, in granules of View::kReadGranule bytes, and bytes that were written. The memory instructions tell it (Warp::journal).
class Journal {
 public:
  Journal(u64 bytes, Undo& undo) : read_(bytes / View::kPage + 1), written_(bytes / View::kPage + 1), undo_(undo) {}
  /// Warp::global_read.
  u64* read() { return read_.data(); }
  /// Before the bytes are read or written.
  void note(u64 offset, u64 bytes, bool is_write);
  /// Whether this one wrote what the other read or wrote.
  bool wrote_what_touched(const Journal& other) const;

 private:
  using Bytes = std::array<u64, View::kPage / 64>;  // a bit for each

  static u64 granules_of(const Bytes& bytes);

  SparseArray<u64> read_;        // by page, a bit for each granule
  SparseArray<Bytes*> written_;  // by page; null: nothing
  std::deque<Bytes> bytes_;      // behind the pointers
  std::vector<u64> pages_;       // those that were written
  Undo& undo_;
};

/// Runs the blocks on several host threads. Returns false, with nothing changed, unless the outcome is that of one block after the other.
bool run_grid_in_threads(Launch& launch);

}  // namespace equinorm::vgpu
