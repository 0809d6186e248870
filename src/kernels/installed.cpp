#include "kernels/installed.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "kernels/kernel.h"
#include "problem/json.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_with(const fs::path& folder, const char* extension) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.is_regular_file(error) && entry.path().extension() == extension) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

Declaration describe_library(const std::string& path) {
  const std::unique_ptr<void, int (*)(void*)> library(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL), &dlclose);
  if (library == nullptr) throw Error(dlerror());
  const auto describe = reinterpret_cast<decltype(&equinorm_kernel_describe)>(dlsym(library.get(), "equinorm_kernel_describe"));
  if (describe == nullptr) throw Error(path + " exports no equinorm_kernel_describe");
  return parse_declaration(describe(), path);
}

}  // namespace

std::vector<InstalledKernel> installed_kernels() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  std::vector<InstalledKernel> kernels;
  for (const fs::path& place : {program / "kernels", program / "../lib/equinorm/kernels"}) {
    if (!fs::is_directory(place, error)) continue;
    const fs::path folder = place.lexically_normal();
    for (const fs::path& file : files_with(folder, ".so")) kernels.push_back({file.string(), describe_library(file.string())});
    for (const fs::path& file : files_with(folder, ".json")) {
      const std::string text = problem::read_small_file(file.string());
      kernels.push_back({file.string(), parse_declaration(text, file.string(), {"cuda"})});
    }
    break;
  }
  return kernels;
}

}  // namespace equinorm::kernels
