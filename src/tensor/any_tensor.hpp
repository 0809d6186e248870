// Tensors as they stand in files: raw bytes with a dtype.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "scalar/format.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::tensor {

/// The safetensors dtypes that equinorm reads.
enum class DType : std::uint8_t { f16, bf16, f32, f64, i64, i32 };

std::size_t size_of(DType dtype);
/// safetensors spelling: "F16", "BF16", "F32", "F64", "I64", "I32".
std::string_view to_string(DType dtype);
bool is_floating(DType dtype);
/// The dtype that holds a format. Throws Error for real:BITS.
DType dtype_of(scalar::Format format);
/// The format of a floating dtype. Throws Error for integers.
scalar::Format format_of(DType dtype);

/// A tensor of any dtype. The bytes are shared: they may belong to a memory-mapped file.
class AnyTensor {
 public:
  AnyTensor() = default;
  /// Zero-filled storage of its own.
  AnyTensor(DType dtype, Shape shape);
  /// A view of bytes that `owner` keeps alive; `bytes` need not be aligned.
  AnyTensor(DType dtype, Shape shape, const std::byte* bytes, std::shared_ptr<const void> owner);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  Index size() const { return element_count(shape_); }
  std::size_t byte_size() const { return static_cast<std::size_t>(size()) * size_of(dtype_); }
  const std::byte* bytes() const { return bytes_; }
  /// Writable bytes. Throws Error for a view of a file.
  std::byte* mutable_bytes();

  /// Elements [begin, begin + count) as binary64: exact for every floating dtype (and for |integers| <= 2^53).
  void read(Index begin, Index count, double* out) const;
  double at(Index flat) const;
  /// Integers of an I64 or I32 tensor. Throws Error for floating dtypes.
  void read_integers(Index begin, Index count, std::int64_t* out) const;
  /// Stores values rounded to nearest-even into the dtype. Throws Error for a view of a file.
  void write(Index begin, Index count, const double* values);

 private:
  DType dtype_ = DType::f32;
  Shape shape_;
  std::shared_ptr<const void> owner_;
  const std::byte* bytes_ = nullptr;
  std::byte* writable_ = nullptr;
};

/// Named tensors, in name order.
using TensorMap = std::map<std::string, AnyTensor>;

}  // namespace equinorm::tensor
