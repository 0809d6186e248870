// In which number formats a path or a kernel works, and what it rounds where.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "scalar/format.hpp"
#include "scalar/sum_order.hpp"

namespace equinorm::problem {

using scalar::Format;
using scalar::SumOrder;

enum class PathKind : std::uint8_t { explicit_form, absorbed_form };

/// Tensors that an implementation may round when it stores them.
enum class Stored : std::uint8_t { alpha, q_tilde, g, k0, k_hat, q_hat, logits, p, v, u, o };
inline constexpr std::array<std::string_view, 11> kStoredNames{"alpha",  "q_tilde", "g", "k0", "k_hat", "q_hat",
                                                               "logits", "p",       "v", "u",  "o"};

/// The declared arithmetic of a path. `storage` holds the inputs and o, `accumulate` the matrix products (f_a), `statistics` the scalar and
/// elementwise work of norms and softmax (f_x).
struct Precision {
  PathKind path = PathKind::absorbed_form;  ///< which form `.bound` speaks of
  Format storage = scalar::kBf16;
  Format accumulate = scalar::kFp32;
  Format statistics = scalar::kFp32;
  /// Format of each Stored tensor; a format at least as wide as the accumulator means 'not rounded'. `o` is set to `storage` on parsing.
  std::array<Format, kStoredNames.size()> stored = default_stored(scalar::kBf16);
  bool ftz = false;
  SumOrder order;
  std::int64_t splits = 1;
  std::int64_t tile = 0;  ///< keys per online-softmax tile; 0: one tile

  Format& of(Stored tensor) { return stored[static_cast<std::size_t>(tensor)]; }
  const Format& of(Stored tensor) const { return stored[static_cast<std::size_t>(tensor)]; }

  /// Every tensor fp32, `o` in `storage`.
  static constexpr std::array<Format, kStoredNames.size()> default_stored(Format storage) {
    std::array<Format, kStoredNames.size()> formats{};
    formats.fill(scalar::kFp32);
    formats[static_cast<std::size_t>(Stored::o)] = storage;
    return formats;
  }
};

}  // namespace equinorm::problem
