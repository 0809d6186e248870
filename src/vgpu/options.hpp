// What a launch can be asked for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "vgpu/type.hpp"

namespace equinorm::vgpu {

enum class Order : std::uint8_t { canonical, reversed, seeded };
enum class CopySchedule : std::uint8_t {
  eager,        ///< cp.async copies at once
  latest_legal  ///< it copies when a wait asks for it; until then the destination counts as unwritten
};
enum class Approximation : std::uint8_t {
  correctly_rounded,  ///< ex2.approx and its like give the correctly rounded result
  perturbed,          ///< a seeded neighbour inside the row's bound
  interval            ///< values as correctly_rounded; shadows (ball, arbitrary) hold all results that the row's bound allows
};

enum class ShadowKind : std::uint8_t {
  plain_double,   ///< 53 bits
  double_double,  ///< about 100 bits
  ball,           ///< a midpoint of 128 bits and a radius that holds every error of the shadow's own arithmetic: rigorous
  arbitrary,      ///< as ball, of Options::shadow_bits
  origins         ///< no values: of each NaN and infinity, where it was made
};

enum class Contraction : std::uint8_t {
  separate,  ///< mul and add without .rn round one after the other
  fused      ///< an add or sub takes in a product of its basic block, as ptxas may make it
};

struct Options {
  Order order = Order::canonical;  ///< of blocks in the grid and of warps in a block
  CopySchedule copies = CopySchedule::latest_legal;
  Approximation approximation = Approximation::correctly_rounded;
  Contraction contraction = Contraction::separate;
  std::uint64_t seed = 1;
  int threads = 1;          ///< of the host, for blocks that share nothing; the outcome is the same with any number
  bool races = true;        ///< look for races in shared memory
  bool grid_races = false;  ///< look for races of blocks in global memory, too (several times slower)
  bool shadows = false;     ///< carry values without rounding beside the values (shadow.hpp)
  ShadowKind shadow_kind = ShadowKind::double_double;
  int shadow_bits = 320;               ///< of ShadowKind::arbitrary
  bool exact_constants = true;         ///< shadows: rounded constants and arguments stand for the numbers that they are roundings of
  std::string rounding_at;             ///< shadows keep the roundings of this source line (LineError::place): what of them reaches where
  std::vector<std::uint64_t> watched;  ///< addresses in global memory of which LaunchReport::writes shall tell
  bool find_nan = false;               ///< with shadows: report every instruction that makes a NaN or an infinity from finite numbers
  std::uint64_t instruction_limit = std::uint64_t{1} << 36;  ///< warp instructions of one launch
  double seconds_limit = 600;
  int target = 0;  ///< tensor cores of sm_TARGET; 0: of the module's target
};

}  // namespace equinorm::vgpu
