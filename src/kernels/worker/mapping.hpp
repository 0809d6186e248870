// The arena as a kernel sees it: every region between pages that cannot be touched.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <map>

#include "kernels/wire.hpp"

namespace equinorm::kernels {

class Mapping {
 public:
  Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  /// Maps the regions of a request, those of inputs for reading alone, in place of those of an earlier one. Throws Error.
  void map(const WireRequest& request, int inputs, int outputs);

  /// The region's data; null for a region without bytes.
  void* data(const Region& region, bool output) const;

  /// Makes a write to an input's memory during this request end the process, with a reply that says where.
  void watch_inputs(const WireRequest& request) const;

 private:
  void clear();

  std::byte* base_ = nullptr;
  std::uint64_t size_ = 0;
  std::map<std::uint64_t, std::byte*> inputs_, outputs_;  ///< by the region's begin
};

}  // namespace equinorm::kernels
