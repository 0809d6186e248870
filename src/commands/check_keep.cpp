#include "commands/check_keep.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "problem/problem_file.hpp"
#include "scalar/error.hpp"
#include "tensor/safetensors.hpp"
#include "work/checksum.hpp"

namespace equinorm::commands {

void make_keep_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw Error(fmt::format("--keep is {}; allowed: a folder that can be made ({})", folder, error.message()));
}

std::string keep_failure(const std::string& folder, const std::string& kernel, const std::string& what, const problem::Problem& problem,
                         const tensor::TensorMap& inputs, const tensor::TensorMap& handed, const tensor::TensorMap& outputs) {
  make_keep_folder(folder);
  tensor::TensorMap all = inputs;
  for (const auto& [name, tensor] : handed) {
    if (!inputs.contains(name)) all.emplace("kernel." + name, tensor);
  }
  for (const auto& [name, tensor] : outputs) all.emplace("got." + name, tensor);
  const std::string json = problem::to_json(problem);
  std::string name = problem.name + "-" + what + "-" + work::checksum_text(work::checksum(json, work::checksum(kernel))).substr(0, 8);
  for (char& c : name) c = c == '/' || c == ' ' ? '_' : c;
  std::string path = fmt::format("{}/{}.safetensors", folder, name);
  tensor::write_safetensors(path, all, {{"problem", json}});
  return path;
}

}  // namespace equinorm::commands
