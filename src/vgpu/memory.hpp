// Memory of the virtual GPU: bytes, and beside each byte whether it may be touched and whether it has been written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <new>
#include <span>
#include <vector>

namespace equinorm::vgpu {

/// Generic addresses: each space has a window; global memory is everything from kGlobalWindow on.
inline constexpr std::uint64_t kSharedWindow = std::uint64_t{1} << 40;
inline constexpr std::uint64_t kLocalWindow = std::uint64_t{2} << 40;
inline constexpr std::uint64_t kParamWindow = std::uint64_t{3} << 40;
inline constexpr std::uint64_t kGlobalWindow = std::uint64_t{4} << 40;
inline constexpr std::uint64_t kWindowBytes = std::uint64_t{1} << 40;

/// State of a byte.
enum ByteState : std::uint8_t { kForbidden = 0, kUnwritten = 1, kWritten = 2 };

/// A look at a Region; valid until the Region changes size. At least kSlack bytes of both arrays follow the size, and the states of the
/// last page are complete.
///
/// settled[offset / kPage] is 1 only if all kPage bytes there are kWritten: most accesses then need no look at the states. Whoever finds a
/// page complete may say so; whoever takes a byte back from kWritten must take that back too.
struct View {
  static constexpr std::size_t kSlack = 64;
  static constexpr std::uint64_t kPage = 256;
  static constexpr std::uint64_t kReadGranule = kPage / 64;  ///< what a journal of reads tells apart (Warp::global_read)
  std::byte* data = nullptr;
  std::uint8_t* state = nullptr;
  std::uint8_t* settled = nullptr;
  std::uint64_t base = 0;  ///< generic address of data[0]
  std::uint64_t size = 0;
};

/// Memory that begins at a cache line.
template <class T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* p, std::size_t) { ::operator delete (p, std::align_val_t{64}); }
  friend bool operator==(const CacheLineAllocator&, const CacheLineAllocator&) { return true; }
};

/// Bytes with states.
class Region {
 public:
  explicit Region(std::uint64_t base = 0) : base_(base) {}
  /// Makes the region `size` bytes long; new bytes are 0 and forbidden.
  void resize(std::uint64_t size);
  void mark(std::uint64_t offset, std::uint64_t bytes, ByteState state);
  View view() { return {data_.data(), state_.data(), settled_.data(), base_, size_}; }
  std::uint64_t size() const { return size_; }

 private:
  std::uint64_t base_;
  std::uint64_t size_ = 0;
  std::vector<std::byte, CacheLineAllocator<std::byte>> data_;
  std::vector<std::uint8_t> state_;
  std::vector<std::uint8_t> settled_;
};

/// Global memory: allocations separated by red zones of kRedZone forbidden bytes. Addresses are multiples of 256 and depend on nothing but
/// the order of the calls. Freed memory stays forbidden.
class GlobalMemory {
 public:
  static constexpr std::uint64_t kRedZone = 256;
  static constexpr std::uint64_t kLargest = std::uint64_t{1} << 36;

  GlobalMemory();
  /// Address of `bytes` new, unwritten bytes. Throws Error if all allocations together exceed kLargest.
  std::uint64_t allocate(std::uint64_t bytes);
  /// Throws Error for an address that allocate() did not return, or was freed.
  void free(std::uint64_t address);
  /// Host access; throws Error unless all bytes lie inside one allocation. Reading does not ask whether bytes were written.
  void write(std::uint64_t address, std::span<const std::byte> bytes);
  void read(std::uint64_t address, std::span<std::byte> bytes) const;
  /// How many of the bytes no kernel and no write() has ever written.
  std::uint64_t count_unwritten(std::uint64_t address, std::uint64_t bytes) const;
  View view() { return region_.view(); }

  struct Allocation {
    std::uint64_t address = 0;
    std::uint64_t bytes = 0;
    bool is_free = false;
  };
  /// The allocation whose bytes or red zone (the 256 bytes before it and all up to the next one) hold an address; null if there is none.
  const Allocation* nearest(std::uint64_t address) const;

 private:
  std::uint64_t offset_of(std::uint64_t address, std::uint64_t bytes) const;

  mutable Region region_{kGlobalWindow};
  std::uint64_t end_ = kRedZone;
  std::map<std::uint64_t, Allocation> allocations_;
};

}  // namespace equinorm::vgpu
