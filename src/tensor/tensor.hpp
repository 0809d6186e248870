// Owning dense row-major tensors.
#pragma once

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "scalar/error.hpp"

namespace equinorm::tensor {

using Index = std::int64_t;
using Shape = std::vector<Index>;

/// Number of elements of a shape (1 for a scalar).
inline Index element_count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), Index{1}, [](Index a, Index b) { return a * b; });
}

/// "[1,4096,512]".
std::string to_string(const Shape& shape);

/// Index on each axis of the element at flat position `flat`.
Shape unravel(const Shape& shape, Index flat);

/// "[b,t,j]" of the element at flat position `flat`.
std::string index_string(const Shape& shape, Index flat);

/// A dense row-major tensor of any value type. Rows (the last axis) are contiguous.
template <class T>
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape) : shape_(std::move(shape)), data_(static_cast<std::size_t>(element_count(shape_))) {}

  const Shape& shape() const { return shape_; }
  Index dim(std::size_t axis) const { return shape_.at(axis); }
  Index size() const { return static_cast<Index>(data_.size()); }
  bool empty() const { return data_.empty(); }

  T* data() { return data_.data(); }
  const T* data() const { return data_.data(); }
  T& operator[](Index flat) { return data_[static_cast<std::size_t>(flat)]; }
  const T& operator[](Index flat) const { return data_[static_cast<std::size_t>(flat)]; }

  /// First element at the given leading indices: row(b, t) of a [B,T,r] tensor is the r contiguous values of token t.
  template <class... I>
  T* row(I... leading) {
    return data_.data() + offset(leading...);
  }
  template <class... I>
  const T* row(I... leading) const {
    return data_.data() + offset(leading...);
  }

 private:
  template <class... I>
  Index offset(I... leading) const {
    Index flat = 0;
    std::size_t axis = 0;
    ((flat = flat * shape_[axis++] + static_cast<Index>(leading)), ...);
    for (; axis < shape_.size(); ++axis) flat *= shape_[axis];
    return flat;
  }

  Shape shape_;
  std::vector<T> data_;
};

}  // namespace equinorm::tensor
