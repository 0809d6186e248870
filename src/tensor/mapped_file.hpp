// A whole file as read-only memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace equinorm::tensor {

/// A private read-only mapping of a regular file; unmapped on destruction.
class MappedFile {
 public:
  /// Throws Error if `path` cannot be opened or is not a regular file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// Null for an empty file.
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace equinorm::tensor
