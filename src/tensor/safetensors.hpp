// Safetensors files: read without copying, written atomically.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tensor/any_tensor.hpp"

namespace equinorm::tensor {

using Metadata = std::map<std::string, std::string>;

/// Largest header that is accepted, as in the reference implementation.
inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

/// Everything a safetensors file holds.
struct SafetensorsFile {
  TensorMap tensors;
  Metadata metadata;
  /// Tensors left out because no DType reads them: name -> dtype as written, e.g. "F8_E4M3". Their extents are checked like any other's.
  std::map<std::string, std::string> skipped;
};

/// Reads the safetensors image at [data, data + size); the tensors are views that keep `owner`. `origin` is the file name for messages.
///
/// Throws Error with one line naming file, tensor, value and what is allowed: truncated or oversized header, header that is not a JSON
/// object of {dtype, shape, data_offsets}, duplicate names, unknown or missing fields, unknown dtypes, negative or overflowing shapes,
/// extents out of range, reversed, overlapping, with holes or of the wrong length, bytes after the last tensor.
SafetensorsFile parse_safetensors(const std::byte* data, std::size_t size, std::shared_ptr<const void> owner, const std::string& origin);

/// Memory-maps `path` and parses it. The mapping lives as long as any of the tensors. Throws Error as above, or if the file cannot be read.
SafetensorsFile open_safetensors(const std::string& path);

/// The tensors of `path` alone.
TensorMap read_safetensors(const std::string& path);

/// Whether a file has to outlast a power failure.
enum class Flush : std::uint8_t { no, yes };

/// Writes `path` so that it is either complete or untouched: a temporary file in the same folder, flushed to the disk, then renamed.
/// Throws Error if the file cannot be written.
void write_safetensors(const std::string& path, const TensorMap& tensors, const Metadata& metadata = {}, Flush flush = Flush::yes);

}  // namespace equinorm::tensor
