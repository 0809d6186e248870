// A matrix product as emulated.cpp and tensor_core_matmul.cpp see it. Internal to this room.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

#include "scalar/emulated.hpp"

namespace equinorm::scalar {

/// A matrix in memory: element (i, j) at data[i row + j column].
template <class T>
struct Strided {
  T* data;
  std::int64_t row, column;

  Strided transposed() const { return {data, column, row}; }
};

/// out = left right, with `left` m x depth and `right` depth x n.
template <class T>
struct Product {
  std::int64_t m, n, depth;
  Strided<const T> left, right;
  Strided<T> out;
  bool add;

  Product transposed() const { return {n, m, depth, right.transposed(), left.transposed(), out.transposed(), add}; }
};

struct FreeAligned {
  void operator()(void* p) const { ::operator delete (p, std::align_val_t{64}); }
};
template <class T>
using AlignedArray = std::unique_ptr<T[], FreeAligned>;

template <class T>
AlignedArray<T> aligned_array(std::int64_t count) {
  return AlignedArray<T>(static_cast<T*>(::operator new (static_cast<std::size_t>(count) * sizeof(T), std::align_val_t{64})));
}

/// The product (depth >= 1) on the matrix unit of `how.order`. False, with nothing done, if no unit takes the operands (Contraction says
/// which do). Throws Error for an unknown architecture.
bool multiply_on_tensor_core(const Contraction& how, const Product<float>& p);
bool multiply_on_tensor_core(const Contraction& how, const Product<double>& p);

}  // namespace equinorm::scalar
