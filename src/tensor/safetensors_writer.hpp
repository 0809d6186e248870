// Writes a safetensors file piece by piece, for outputs larger than memory.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tensor/safetensors.hpp"

namespace equinorm::tensor {

struct TensorInfo {
  std::string name;
  DType dtype;
  Shape shape;
};

/// Names and shapes are declared first; then each tensor's data is appended in its own order, tensors in any order among themselves.
/// The bytes go to a temporary file beside `path` which finish() flushes and renames; without finish() it is removed.
class SafetensorsWriter {
 public:
  /// Throws Error if the folder cannot be written to, or for duplicate or non-UTF-8 names.
  SafetensorsWriter(std::string path, const std::vector<TensorInfo>& tensors, const Metadata& metadata = {});
  ~SafetensorsWriter();
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  /// Appends raw bytes of the tensor's dtype. Throws Error for unknown names, too much data, or a full disk.
  void append_bytes(const std::string& name, const std::byte* bytes, std::size_t size);
  /// Appends `count` values rounded to nearest-even into the tensor's dtype.
  void append(const std::string& name, const double* values, Index count);
  /// Checks that every tensor is complete, flushes and renames. Throws Error otherwise; `path` is then as it was.
  void finish(Flush flush = Flush::yes);

 private:
  struct Slot {
    DType dtype;
    std::uint64_t next;  ///< absolute file position of the next byte
    std::uint64_t end;
  };

  Slot& slot_of(const std::string& name);
  void write_at(std::uint64_t position, const void* bytes, std::size_t size);
  [[noreturn]] void fail_with_errno(const char* action) const;
  void discard() noexcept;

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
  std::map<std::string, Slot> slots_;
};

}  // namespace equinorm::tensor
