// Shadows of many bits: balls in a pool. A shadow is then a Pair whose low part is no number but the bits of a handle; handle 0 stands for
// the double `high` itself. Whatever only moves shadows need not know. Private to the room.
#pragma once

#include <deque>
#include <vector>

#include "scalar/ball.hpp"
#include "vgpu/opcodes.hpp"
#include "vgpu/options.hpp"
#include "vgpu/pair.hpp"
#include "vgpu/report.hpp"
#include "vgpu/shadow_plane.hpp"

namespace equinorm::vgpu {

class WideNumbers {
 public:
  explicit WideNumbers(int bits) : bits_(bits) { pool_.emplace_back(), marks_.push_back(1); }

  /// A set of results around an exact one: |x - f| <= relative |f| + absolute for every x in it.
  struct Spread {
    double relative = 0, absolute = 0;
  };
  /// op(a, b, c), enclosed, with an op from add to neg. Infinities and NaN follow the rules of doubles.
  Pair apply(ShadowOp op, Pair a, Pair b, Pair c, Spread spread);
  /// Compares midpoints.
  bool less(Pair a, Pair b) const;

  Pair from_pair(Pair doubles);
  Pair log2_e();
  Pair ln_2();
  /// The nearest double-double.
  Pair to_pair(Pair wide) const;
  /// high + low + rest within radius, to `bits` bits.
  void expand(Pair wide, double& high, double& low, std::vector<double>& rest, double& radius) const;

  /// Once many numbers have been made since the last collection: mark() every shadow that is still there, then sweep().
  bool is_full() const { return used_ >= limit_; }
  void unmark();
  void mark(Pair wide) { marks_[handle(wide)] = 1; }
  void sweep();
  /// This number, made by another pool.
  Pair take(const WideNumbers& other, Pair wide);

 private:
  static std::size_t handle(Pair wide) { return static_cast<std::size_t>(__builtin_bit_cast(std::uint64_t, wide.low)); }
  scalar::Ball ball(Pair wide) const;
  Pair keep(scalar::Ball&& ball);
  scalar::Ball evaluate(ShadowOp op, Pair a, Pair b, Pair c) const;

  int bits_;
  std::deque<scalar::Ball> pool_;  // number 0 is not used
  std::vector<std::uint8_t> marks_;
  std::vector<std::size_t> free_;
  std::size_t used_ = 0, limit_ = std::size_t{1} << 20;
};

/// What a Device remembers of shadows between launches.
struct ShadowStore {
  ShadowMemory memory;
  ShadowKind kind = ShadowKind::double_double;
  int bits = 0;
  std::unique_ptr<WideNumbers> wide;  ///< of the kinds ball and arbitrary
  std::vector<Origin> origins;        ///< of the kind origins: a shadow is a NaN whose payload is a number here plus 1

  /// Converts what memory holds to a kind.
  void use(ShadowKind new_kind, int new_bits);
};

/// The number that a shadow of the kind origins holds; 0: none. A NaN that comes from a narrower format has a payload of 2^29 or more, or
/// 0.
inline constexpr std::uint64_t kMostOrigins = (std::uint64_t{1} << 29) - 1;
inline std::uint64_t origin_of(Pair shadow) {
  const std::uint64_t bits = __builtin_bit_cast(std::uint64_t, shadow.high), quiet = 0x7ff8000000000000u, payload = bits & ~quiet;
  return (bits & quiet) == quiet && payload <= kMostOrigins ? payload : 0;
}
inline Pair origin_pair(std::uint64_t number) { return {__builtin_bit_cast(double, 0x7ff8000000000000u | number), 0.0}; }

/// The arithmetic of pair.hpp by the name of an operation.
Pair apply_pair(ShadowOp op, Pair a, Pair b, Pair c);

}  // namespace equinorm::vgpu
