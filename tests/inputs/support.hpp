// Small problems and temporary folders for the tests of this room.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

inline problem::Problem small_mla(const std::string& kind = "normal") {
  problem::Problem p;
  p.name = "small-mla";
  p.batch = 2;
  p.queries = 3;
  p.context = {150, 97};
  p.heads = 4;
  p.groups = 2;
  p.latent = 96;
  p.content_dim = 64;
  p.rope_dim = 32;
  p.value_dim = 16;
  p.inputs.kind = kind;
  return p;
}

inline problem::Problem small_gqa(const std::string& kind = "normal") {
  problem::Problem p = small_mla(kind);
  p.name = "small-gqa";
  p.attention = problem::Attention::gqa;
  p.head_dim = 64;
  p.rope_dim = 32;
  p.norm.scheme = problem::NormScheme::per_head;
  p.rope.layout = problem::RopeLayout::half;
  return p;
}

inline problem::Problem from_x(problem::Problem p) {
  p.start = problem::Start::x;
  p.model_dim = 128;
  if (p.is_mla()) {
    p.groups = p.heads;
    p.norm.latent_norm = true;
  }
  return p;
}

inline std::vector<double> values_of(const tensor::AnyTensor& tensor) {
  std::vector<double> values(static_cast<std::size_t>(tensor.size()));
  tensor.read(0, tensor.size(), values.data());
  return values;
}

/// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("equinorm-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace equinorm::inputs
