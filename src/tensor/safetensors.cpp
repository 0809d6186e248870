#include "tensor/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "tensor/mapped_file.hpp"
#include "tensor/safetensors_header.hpp"
#include "tensor/safetensors_writer.hpp"

namespace equinorm::tensor {
namespace {

constexpr std::size_t kLengthBytes = 8;

struct DTypeRow {
  std::string_view name;
  std::uint64_t bits;
  std::optional<DType> dtype;
};

/// Every dtype of the format (safetensors 0.6); rows without a DType are checked and skipped.
constexpr DTypeRow kDTypes[] = {
    {"F16", 16, DType::f16},   {"BF16", 16, DType::bf16},    {"F32", 32, DType::f32},      {"F64", 64, DType::f64},
    {"I64", 64, DType::i64},   {"I32", 32, DType::i32},      {"BOOL", 8, std::nullopt},    {"U8", 8, std::nullopt},
    {"I8", 8, std::nullopt},   {"F8_E4M3", 8, std::nullopt}, {"F8_E5M2", 8, std::nullopt}, {"F8_E8M0", 8, std::nullopt},
    {"F4", 4, std::nullopt},   {"F6_E2M3", 6, std::nullopt}, {"F6_E3M2", 6, std::nullopt}, {"I16", 16, std::nullopt},
    {"U16", 16, std::nullopt}, {"U32", 32, std::nullopt},    {"U64", 64, std::nullopt},    {"C64", 64, std::nullopt},
};

/// Checks one image; every message names the file.
class Validator {
 public:
  Validator(const std::byte* data, std::size_t size, const std::string& origin) : data_(data), size_(size), origin_(origin) {}

  /// The header's text, after checking its stated length.
  std::string_view header_text() const {
    if (size_ < kLengthBytes) fail(fmt::format("has {} bytes; a safetensors file has at least {}", size_, kLengthBytes));
    std::uint64_t length = 0;
    for (std::size_t i = kLengthBytes; i-- > 0;) length = length << 8 | std::to_integer<std::uint64_t>(data_[i]);
    if (length > kMaxHeaderBytes) fail(fmt::format("header length {}: at most {} is allowed", length, kMaxHeaderBytes));
    if (length > size_ - kLengthBytes) fail(fmt::format("header length {}: only {} bytes follow it", length, size_ - kLengthBytes));
    return {reinterpret_cast<const char*>(data_) + kLengthBytes, static_cast<std::size_t>(length)};
  }

  const DTypeRow& dtype(const HeaderEntry& entry) const {
    for (const DTypeRow& row : kDTypes) {
      if (row.name == entry.dtype) return row;
    }
    fail(entry, fmt::format("unknown dtype {}; readable are F16, BF16, F32, F64, I64 and I32", in_quotes(entry.dtype)));
  }

  /// The shape, after checking that its byte count is representable and equals the extent's length.
  Shape shape(const HeaderEntry& entry, const DTypeRow& row) const {
    Shape shape;
    std::uint64_t bits = row.bits;
    for (const std::uint64_t dim : entry.shape) {
      // Checked factor by factor, so that a later 0 cannot hide an overflow.
      if (dim > static_cast<std::uint64_t>(std::numeric_limits<Index>::max()) ||
          __builtin_mul_overflow(bits, std::max<std::uint64_t>(dim, 1), &bits)) {
        fail(entry, fmt::format("shape [{}] overflows", fmt::join(entry.shape, ",")));
      }
      shape.push_back(static_cast<Index>(dim));
    }
    if (std::count(shape.begin(), shape.end(), 0) > 0) bits = 0;
    const std::uint64_t length = entry.end - entry.begin;
    if (bits % 8 != 0 || bits / 8 != length) {
      fail(entry, fmt::format("data_offsets [{},{}] span {} bytes; shape {} of {} needs {} bits", entry.begin, entry.end, length,
                              to_string(shape), entry.dtype, bits));
    }
    return shape;
  }

  void extent(const HeaderEntry& entry, std::uint64_t data_bytes) const {
    if (entry.begin > entry.end) fail(entry, fmt::format("data_offsets [{},{}]: begin must not exceed end", entry.begin, entry.end));
    if (entry.end > data_bytes) {
      fail(entry, fmt::format("data_offsets [{},{}]: the file has only {} bytes of data", entry.begin, entry.end, data_bytes));
    }
  }

  /// The extents must tile the data: no overlap, no hole, nothing behind them.
  void tiling(std::vector<HeaderEntry> entries, std::uint64_t data_bytes) const {
    std::sort(entries.begin(), entries.end(),
              [](const HeaderEntry& a, const HeaderEntry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    std::uint64_t position = 0;
    for (const HeaderEntry& entry : entries) {
      if (entry.begin != position) {
        fail(entry, fmt::format("data_offsets [{},{}]: {} the bytes before {}; tensors must follow each other without gaps", entry.begin,
                                entry.end, entry.begin < position ? "overlap" : "leave a hole in",
                                position < entry.begin ? entry.begin : position));
      }
      position = entry.end;
    }
    if (position != data_bytes) fail(fmt::format("{} bytes after the last tensor; none are allowed", data_bytes - position));
  }

  [[noreturn]] void fail(const std::string& what) const { throw Error(fmt::format("{}: {}", origin_, what)); }
  [[noreturn]] void fail(const HeaderEntry& entry, const std::string& what) const {
    fail(fmt::format("tensor {}: {}", in_quotes(entry.name), what));
  }

 private:
  const std::byte* data_;
  std::size_t size_;
  const std::string& origin_;
};

}  // namespace

SafetensorsFile parse_safetensors(const std::byte* data, std::size_t size, std::shared_ptr<const void> owner, const std::string& origin) {
  const Validator validator(data, size, origin);
  const std::string_view text = validator.header_text();
  Header header = parse_header(text, origin);
  const std::byte* values = data + kLengthBytes + text.size();
  const std::uint64_t data_bytes = size - kLengthBytes - text.size();

  SafetensorsFile file;
  file.metadata = std::move(header.metadata);
  for (const HeaderEntry& entry : header.entries) {
    validator.extent(entry, data_bytes);
    const DTypeRow& row = validator.dtype(entry);
    Shape shape = validator.shape(entry, row);
    if (row.dtype) {
      file.tensors.emplace(entry.name, AnyTensor(*row.dtype, std::move(shape), values + entry.begin, owner));
    } else {
      file.skipped.emplace(entry.name, entry.dtype);
    }
  }
  validator.tiling(std::move(header.entries), data_bytes);
  return file;
}

SafetensorsFile open_safetensors(const std::string& path) {
  const auto mapping = std::make_shared<const MappedFile>(path);
  return parse_safetensors(mapping->data(), mapping->size(), mapping, path);
}

TensorMap read_safetensors(const std::string& path) { return open_safetensors(path).tensors; }

void write_safetensors(const std::string& path, const TensorMap& tensors, const Metadata& metadata, Flush flush) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) infos.push_back({name, tensor.dtype(), tensor.shape()});
  SafetensorsWriter writer(path, infos, metadata);
  for (const auto& [name, tensor] : tensors) writer.append_bytes(name, tensor.bytes(), tensor.byte_size());
  writer.finish(flush);
}

}  // namespace equinorm::tensor
