#include "inputs/weight_store.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace equinorm::inputs {
namespace {

namespace fs = std::filesystem;

std::string locate(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  for (const char* name : {"model.safetensors.index.json", "model.safetensors"}) {
    const fs::path candidate = fs::path(path) / name;
    if (fs::exists(candidate, ignored)) return candidate.string();
  }
  throw Error(fmt::format("{}: holds neither model.safetensors.index.json nor model.safetensors", path));
}

}  // namespace

WeightStore::WeightStore(const std::string& path) : path_(locate(path)) {
  if (path_.ends_with(".json")) {
    read_index(path_);
    return;
  }
  const tensor::SafetensorsFile& file = shard(path_);
  for (const auto& [name, tensor] : file.tensors) files_[name] = path_;
  for (const auto& [name, dtype] : file.skipped) files_[name] = path_;
}

void WeightStore::read_index(const std::string& index_path) {
  std::ifstream stream(index_path);
  if (!stream) throw Error(fmt::format("{}: cannot be opened", index_path));
  const nlohmann::json index = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    throw Error(fmt::format("{}: must be a JSON object with a weight_map of tensor names to file names", index_path));
  }
  for (const auto& [name, file] : index["weight_map"].items()) {
    // Only names in the index's own folder: an index must not point elsewhere on the machine.
    if (!file.is_string() || fs::path(file.get<std::string>()).filename() != file.get<std::string>()) {
      throw Error(fmt::format("{}: weight_map of {} is {}; it must be a file name without a folder", index_path, name, file.dump()));
    }
    files_[name] = (fs::path(index_path).parent_path() / file.get<std::string>()).string();
  }
}

bool WeightStore::contains(const std::string& name) const { return files_.count(name) > 0; }

tensor::AnyTensor WeightStore::get(const std::string& name) {
  const auto file = files_.find(name);
  if (file == files_.end()) throw Error(fmt::format("{}: has no tensor \"{}\"", path_, name));
  const tensor::SafetensorsFile& contents = shard(file->second);
  const auto skipped = contents.skipped.find(name);
  if (skipped != contents.skipped.end()) {
    throw Error(fmt::format("{}: tensor \"{}\" has dtype {}; allowed: F16, BF16, F32, F64", file->second, name, skipped->second));
  }
  const auto found = contents.tensors.find(name);
  if (found == contents.tensors.end()) throw Error(fmt::format("{}: has no tensor \"{}\", which {} promises", file->second, name, path_));
  if (!tensor::is_floating(found->second.dtype())) {
    throw Error(fmt::format("{}: tensor \"{}\" has dtype {}; allowed: F16, BF16, F32, F64", file->second, name,
                            tensor::to_string(found->second.dtype())));
  }
  return found->second;
}

const tensor::SafetensorsFile& WeightStore::shard(const std::string& file) {
  auto found = shards_.find(file);
  if (found == shards_.end()) found = shards_.emplace(file, tensor::open_safetensors(file)).first;
  return found->second;
}

}  // namespace equinorm::inputs
