// What a launch says of itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "vgpu/type.hpp"

namespace equinorm::vgpu {

/// What a launch may find. Each is reported once for every instruction, with the first thread that met it and how often it happened.
enum class FindingKind : std::uint8_t {
  out_of_bounds,
  misaligned,
  uninitialised,
  race,
  divergent_barrier,
  divergent_warp,
  deadlock,
  trap,
  limit,
  bad_address,
  not_a_number,
  grid_race
};
const char* to_string(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::out_of_bounds;
  std::string kernel;
  std::string opcode;
  std::string place;       ///< CUDA source, "file:line inlined at file:line"; empty without -lineinfo
  std::uint32_t line = 0;  ///< of the PTX
  std::array<std::uint32_t, 3> block{}, thread{};
  Space space = Space::generic;
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;
  std::uint64_t count = 0;  ///< lanes that met it
  std::string detail;
};
/// One line: what, where, who.
std::string to_string(const Finding& finding);

/// Rounding error by source line (with shadows).
struct LineError {
  std::string place;
  std::uint64_t operations = 0;
  double largest_ulp = 0;  ///< largest error of one operation, in ulps of its result
  double sum = 0;          ///< of the absolute errors of the operations
};

/// Comparisons of floating-point numbers that come out otherwise with rounding removed.
struct OtherBranch {
  std::string place;
  std::uint64_t count = 0;  ///< lanes
};

struct ShadowReport {
  std::uint64_t operations = 0;        ///< floating-point results with a shadow
  std::uint64_t restarts = 0;          ///< operands whose shadow was lost, so that it began again at the value
  std::vector<std::string> constants;  ///< rounded irrational constants of the kernel that were taken as exact
  std::vector<LineError> lines;        ///< by sum, largest first
  std::vector<OtherBranch> branches;   ///< by count, largest first
};

/// The last store to a watched address.
struct Write {
  std::uint64_t address = 0;
  std::uint32_t line = 0;  ///< of the PTX
  std::string place;       ///< of the store
  std::string computed;    ///< of the instruction that made the stored number, the last such before the store in the text
  std::array<std::uint32_t, 3> block{}, thread{};
};

/// Where a NaN or an infinity was made.
struct Origin {
  std::string
      what;  ///< "a NaN from finite numbers", "an infinity from finite numbers", "a NaN from infinities", "... of an input or constant"
  std::string kernel, opcode, place;
  std::uint32_t line = 0;  ///< of the PTX
  std::array<std::uint32_t, 3> block{}, thread{};
};
/// One line: what, where, who.
std::string to_string(const Origin& origin);

struct LaunchReport {
  bool finished = false;  ///< every thread left; false after a trap, a deadlock or a limit
  std::vector<Finding> findings;
  std::uint64_t warp_instructions = 0;
  std::uint64_t lane_instructions = 0;
  double seconds = 0;
  int threads = 1;  ///< of the host: 1 where Options say so, or blocks use global atomics, touch each other's memory or end in a trap
  std::size_t contractible = 0;  ///< instructions of the kernel that Contraction::fused changes
  std::string arithmetic;        ///< what was assumed where PTX leaves a choice: contraction, approximate functions, tensor cores
  ShadowReport shadow;
  std::vector<Write> writes;  ///< of Options::watched, in their order; those that were stored to

  bool has(FindingKind kind) const;
};

/// One launch under both contractions.
struct ContractionReport {
  LaunchReport separate, fused;
  bool differs = false;             ///< some byte of global memory
  std::uint64_t bytes = 0;          ///< how many
  std::uint64_t first_address = 0;  ///< the first of them
};

}  // namespace equinorm::vgpu
