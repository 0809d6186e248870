// Which way in a kernel takes.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "kernels/process_runner.hpp"
#include "kernels/runner.hpp"
#include "kernels/worker_runner.hpp"
#include "problem/json.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

bool is_manifest(const std::filesystem::path& path) {
  if (path.extension() != ".json") return false;
  if (problem::parse_json(problem::read_small_file(path.string()), path.string()).find("cuda") == nullptr)
    throw Error(fmt::format("{}: no manifest of a CUDA module; it needs the key cuda", path.string()));
  return true;
}

std::unique_ptr<Runner> open_manifest(const std::string& path, DeviceChoice device, const Limits& limits) {
  if (device == DeviceChoice::host) throw Error(fmt::format("{}: a CUDA module does not run on the host; allowed: cuda, virtual", path));
  const bool is_virtual = device == DeviceChoice::virtual_gpu;
  return open_in_worker(path, is_virtual ? WorkerBackend::virtual_gpu : WorkerBackend::cuda, limits);
}

}  // namespace

std::unique_ptr<Runner> open_kernel(const std::string& path, DeviceChoice device, const Limits& limits) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) throw Error(fmt::format("{}: it is a folder; allowed: a kernel's file", path));
  if (!std::filesystem::is_regular_file(path, error)) throw Error(fmt::format("{}: no such file", path));
  if (is_manifest(path)) return open_manifest(path, device, limits);
  if (device == DeviceChoice::virtual_gpu) throw Error(fmt::format("{}: only CUDA modules (a manifest) run on the virtual GPU", path));
  // libkernel.so, or with a version: libkernel.so.1
  const std::string name = std::filesystem::path(path).filename().string();
  if (name.ends_with(".so") || name.find(".so.") != std::string::npos) return open_in_worker(path, WorkerBackend::library, limits);
  if (name.ends_with(".py") || access(path.c_str(), X_OK) == 0) return open_process(path, limits);
  throw Error(
      fmt::format("{}: no kernel; allowed: a shared library (.so), a manifest of a CUDA module (.json), an executable, a .py file", path));
}

}  // namespace equinorm::kernels
