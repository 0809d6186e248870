#include "tensor/tensor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace equinorm::tensor {

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

Shape unravel(const Shape& shape, Index flat) {
  Shape index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = flat % shape[axis];
    flat /= shape[axis];
  }
  return index;
}

std::string index_string(const Shape& shape, Index flat) { return to_string(unravel(shape, flat)); }

}  // namespace equinorm::tensor
