#include "kernels/cuda_bundled.hpp"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "scalar/error.hpp"

namespace equinorm::kernels {

std::string bundled_cuda(const std::string& folder, const std::string& manifest) {
  std::vector<std::filesystem::path> roots;
  if (const char* other = std::getenv("EQUINORM_BUNDLED_CUDA")) roots.emplace_back(other);
  std::error_code ignored;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  // Beside the program and beside a test program of a build, then in an installation.
  for (const char* place : {"kernels/cuda", "../kernels/cuda", "../lib/equinorm/kernels/cuda"})
    roots.push_back((program / place).lexically_normal());
  std::string tried;
  for (const std::filesystem::path& root : roots) {
    const std::filesystem::path path = root / folder / (manifest + ".json");
    if (std::filesystem::exists(path, ignored)) return path.string();
    tried += (tried.empty() ? "" : ", ") + root.string();
  }
  throw Error("bundled kernel " + folder + "/" + manifest + " is in none of " + tried + "; allowed: EQUINORM_BUNDLED_CUDA=FOLDER");
}

}  // namespace equinorm::kernels
