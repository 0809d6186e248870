#include "tensor/any_tensor.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <new>

#include "scalar/rounding.hpp"

namespace equinorm::tensor {
namespace {

/// One cache line, and enough for every vector load.
constexpr std::align_val_t kAlignment{64};

std::shared_ptr<std::byte> allocate_zeroed(std::size_t size) {
  auto* bytes = static_cast<std::byte*>(::operator new(size == 0 ? 1 : size, kAlignment));
  std::memset(bytes, 0, size);
  return {bytes, [](std::byte* pointer) { ::operator delete(pointer, kAlignment); }};
}

void check_shape(const Shape& shape) {
  for (const Index dim : shape) {
    if (dim < 0) throw Error(fmt::format("tensor shape {}: dimensions must be at least 0", to_string(shape)));
  }
}

/// Calls body(i, stored) for `count` elements of type T at unaligned `bytes`.
template <class T, class Body>
void for_each_stored(const std::byte* bytes, Index count, Body body) {
  for (Index i = 0; i < count; ++i) {
    T stored;
    std::memcpy(&stored, bytes + i * sizeof(T), sizeof(T));
    body(i, stored);
  }
}

/// Stores convert(values[i]) as T at unaligned `bytes`.
template <class T, class Convert>
void store_each(std::byte* bytes, Index count, const double* values, Convert convert) {
  for (Index i = 0; i < count; ++i) {
    const T stored = convert(values[i]);
    std::memcpy(bytes + i * sizeof(T), &stored, sizeof(T));
  }
}

/// Nearest integer, ties to even; `limit` is 2^31 or 2^63.
template <class T>
T to_integer(double value, double limit) {
  const double rounded = std::nearbyint(value);
  if (!(rounded >= -limit && rounded < limit)) throw Error(fmt::format("value {} does not fit a {}-bit integer", value, 8 * sizeof(T)));
  return static_cast<T>(rounded);
}

}  // namespace

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f64:
    case DType::i64:
      return 8;
  }
  throw Error("unknown dtype");
}

std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::f32:
      return "F32";
    case DType::f64:
      return "F64";
    case DType::i64:
      return "I64";
    case DType::i32:
      return "I32";
  }
  throw Error("unknown dtype");
}

bool is_floating(DType dtype) { return dtype != DType::i64 && dtype != DType::i32; }

scalar::Format format_of(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return scalar::kFp16;
    case DType::bf16:
      return scalar::kBf16;
    case DType::f32:
      return scalar::kFp32;
    case DType::f64:
      return scalar::kFp64;
    default:
      throw Error("dtype " + std::string(to_string(dtype)) + " holds integers; allowed: F16, BF16, F32, F64");
  }
}

DType dtype_of(scalar::Format format) {
  switch (format.kind) {
    case scalar::FormatKind::fp16:
      return DType::f16;
    case scalar::FormatKind::bf16:
      return DType::bf16;
    case scalar::FormatKind::fp32:
      return DType::f32;
    case scalar::FormatKind::fp64:
      return DType::f64;
    case scalar::FormatKind::real:
      break;
  }
  throw Error(fmt::format("no dtype holds format {}; allowed are fp16, bf16, fp32 and fp64", scalar::to_string(format)));
}

AnyTensor::AnyTensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)) {
  check_shape(shape_);
  const std::shared_ptr<std::byte> storage = allocate_zeroed(byte_size());
  writable_ = storage.get();
  bytes_ = writable_;
  owner_ = storage;
}

AnyTensor::AnyTensor(DType dtype, Shape shape, const std::byte* bytes, std::shared_ptr<const void> owner)
    : dtype_(dtype), shape_(std::move(shape)), owner_(std::move(owner)), bytes_(bytes) {
  check_shape(shape_);
}

std::byte* AnyTensor::mutable_bytes() {
  if (writable_ == nullptr && byte_size() != 0)
    throw Error("tensor is a view of bytes that belong to a file; only owning tensors can be written");
  return writable_;
}

void AnyTensor::read(Index begin, Index count, double* out) const {
  const std::byte* source = bytes_ + begin * static_cast<Index>(size_of(dtype_));
  switch (dtype_) {
    case DType::f16:
      return for_each_stored<std::uint16_t>(source, count, [out](Index i, std::uint16_t bits) { out[i] = scalar::fp16_value(bits); });
    case DType::bf16:
      return for_each_stored<std::uint16_t>(source, count, [out](Index i, std::uint16_t bits) { out[i] = scalar::bf16_value(bits); });
    case DType::f32:
      return for_each_stored<float>(source, count, [out](Index i, float value) { out[i] = value; });
    case DType::f64:
      return for_each_stored<double>(source, count, [out](Index i, double value) { out[i] = value; });
    case DType::i64:
      return for_each_stored<std::int64_t>(source, count, [out](Index i, std::int64_t value) { out[i] = static_cast<double>(value); });
    case DType::i32:
      return for_each_stored<std::int32_t>(source, count, [out](Index i, std::int32_t value) { out[i] = value; });
  }
}

double AnyTensor::at(Index flat) const {
  if (flat < 0 || flat >= size()) throw Error(fmt::format("element {} of a tensor of shape {}: out of range", flat, to_string(shape_)));
  double value = 0;
  read(flat, 1, &value);
  return value;
}

void AnyTensor::read_integers(Index begin, Index count, std::int64_t* out) const {
  const std::byte* source = bytes_ + begin * static_cast<Index>(size_of(dtype_));
  if (dtype_ == DType::i64) return for_each_stored<std::int64_t>(source, count, [out](Index i, std::int64_t value) { out[i] = value; });
  if (dtype_ == DType::i32) return for_each_stored<std::int32_t>(source, count, [out](Index i, std::int32_t value) { out[i] = value; });
  throw Error(fmt::format("tensor of dtype {} read as integers; allowed are I64 and I32", to_string(dtype_)));
}

void AnyTensor::write(Index begin, Index count, const double* values) {
  std::byte* target = mutable_bytes() + begin * static_cast<Index>(size_of(dtype_));
  switch (dtype_) {
    case DType::f16:
      return store_each<std::uint16_t>(target, count, values, [](double value) { return scalar::fp16_bits(value); });
    case DType::bf16:
      return store_each<std::uint16_t>(target, count, values, [](double value) { return scalar::bf16_bits(value); });
    case DType::f32:
      return store_each<float>(target, count, values, [](double value) { return static_cast<float>(value); });
    case DType::f64:
      return store_each<double>(target, count, values, [](double value) { return value; });
    case DType::i64:
      return store_each<std::int64_t>(target, count, values, [](double value) { return to_integer<std::int64_t>(value, 0x1p63); });
    case DType::i32:
      return store_each<std::int32_t>(target, count, values, [](double value) { return to_integer<std::int32_t>(value, 0x1p31); });
  }
}

}  // namespace equinorm::tensor
