// Stores to watched addresses. Private to the room.
#pragma once

#include <optional>
#include <vector>

#include "vgpu/launch.hpp"

namespace equinorm::vgpu {

/// Remembers of each address in Options::watched who stored there last.
class Watch {
 public:
  explicit Watch(const Launch& launch) : launch_(launch), writes_(launch.options.watched.size()) {}
  /// Before the instruction runs.
  void access(Warp& warp, const Decoded& instruction, u32 mask);
  void summarise(LaunchReport& report) const;

 private:
  const Decoded* maker(const Decoded& store, u32 slot) const;
  Write describe(const Warp& warp, const Decoded& store, int lane, u64 address, u32 slot) const;

  const Launch& launch_;
  std::vector<std::optional<Write>> writes_;  // by watched address
};

}  // namespace equinorm::vgpu
