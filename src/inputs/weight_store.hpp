// The tensors of a model checkpoint, in one safetensors file or many.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tensor/safetensors.hpp"

namespace equinorm::inputs {

/// Finds tensors by name; shards of an indexed checkpoint are mapped when first needed.
class WeightStore {
 public:
  /// `path` is a .safetensors file, a *.safetensors.index.json ({"weight_map": {tensor: file}}, files in its folder), or a folder that
  /// holds model.safetensors.index.json or model.safetensors. Throws Error if there is neither, or the index is not such a file.
  explicit WeightStore(const std::string& path);

  bool contains(const std::string& name) const;
  /// Throws Error if the tensor is missing or in a dtype that cannot be read, naming both.
  tensor::AnyTensor get(const std::string& name);
  const std::string& path() const { return path_; }

 private:
  void read_index(const std::string& index_path);
  const tensor::SafetensorsFile& shard(const std::string& file);

  std::string path_;
  std::map<std::string, std::string> files_;  ///< tensor name -> path of its shard
  std::map<std::string, tensor::SafetensorsFile> shards_;
};

}  // namespace equinorm::inputs
