// Where a process finds its inputs and leaves its outputs.
#pragma once

#include <string>

#include "kernels/descriptor.hpp"

namespace equinorm::kernels {

/// A folder in TMPDIR (else /tmp) that is gone at the end, whatever a child has put there. What is in it by name can be read by others, but
/// they can list nothing; work() belongs to the uid that children get (other_uid()) and to nobody else. Folders that a killed judge left
/// behind are removed by the next one: each judge holds a lock on its own.
class PrivateFolder {
 public:
  /// Throws Error where it cannot be made.
  PrivateFolder();
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string work() const { return path_ + "/work"; }

 private:
  std::string path_;
  Descriptor lock_;
};

}  // namespace equinorm::kernels
