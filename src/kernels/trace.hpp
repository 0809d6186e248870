// What a run on the virtual GPU is asked for, and says of source lines, beside outputs and notes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace equinorm::kernels {

/// In which order blocks of a grid and warps of a block run. `reversed` looks for races of blocks in global memory, too.
enum class Schedule : std::int32_t { in_order, reversed, shuffled };

/// One thing said of one place in the source.
struct Trace {
  enum class Kind : std::int32_t {
    line,    ///< rounding errors: count operations, largest_ulp of one, sum of the absolute errors
    branch,  ///< count comparisons come out otherwise with rounding removed
    write,   ///< the last store to the element that Ask number count asked for; `made`: where the stored number was computed
    origin   ///< where the NaN or infinity in that element was made
  };
  Kind kind = Kind::line;
  std::string place = {};  ///< "file:line inlined at file:line"
  std::string made = {}, text = {};
  std::int64_t count = 0;
  double largest_ulp = 0, sum = 0;
};

/// An element of an output of which a run shall tell.
struct Ask {
  std::string tensor;
  std::int64_t element = 0;  ///< logical, row-major
};

/// What is asked about rounding; everything but asks needs shadows.
struct TraceRequest {
  std::string rounding_at;      ///< keep the roundings of this line (Trace::place); empty: of none
  bool exact_constants = true;  ///< rounded constants, arguments and inputs stand for the numbers that they are roundings of
  bool origins = false;         ///< no shadows but origins of NaN and infinities, for the elements asked for
  std::vector<Ask> asks;
};
/// Asks of one run at most.
inline constexpr int kMaxAsks = 8;

}  // namespace equinorm::kernels
