// Tensors as a kernel's memory holds them.
#pragma once

#include <cstddef>
#include <vector>

#include "bundled/library.hpp"
#include "reference/dice.hpp"

namespace equinorm::kernels::testing {

/// The memory of one tensor and its C description. Not to be copied: the description points into it.
class Placed {
 public:
  /// Room for `passed`, filled with the setting's poison.
  Placed(const Passed& passed, const Problem& problem, const RunSetting& setting, reference::Dice& dice);
  Placed(Placed&&) = default;

  const equinorm_tensor& description() const { return tensor_; }
  /// Rounds logical elements into place; NaN for tokens past a row's context, and for what lies between elements.
  void fill(const tensor::AnyTensor& values);
  /// What lies there, in logical order.
  tensor::AnyTensor read() const;

  /// Logical elements that still hold the fill byte, or the memory between elements that does not; empty: none.
  std::string flaws() const;
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  /// Offset in elements of each logical element; -1 past a row's context.
  std::vector<Index> offsets() const;

  Passed passed_;
  const Problem* problem_;
  std::vector<std::byte> bytes_;
  std::vector<std::int32_t> table_;
  equinorm_tensor tensor_{};
  std::byte poison_;
  Index margin_ = 0;  ///< elements before the first one
};

}  // namespace equinorm::kernels::testing
