// NVRTC, loaded at run time.
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "kernels/cuda_driver.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels::cuda {
namespace {

struct Nvrtc {
  void* library = nullptr;
  std::string name;
  int (*Version)(int*, int*) = nullptr;
  int (*CreateProgram)(void**, const char*, const char*, int, const char* const*, const char* const*) = nullptr;
  int (*CompileProgram)(void*, int, const char* const*) = nullptr;
  int (*GetPTXSize)(void*, std::size_t*) = nullptr;
  int (*GetPTX)(void*, char*) = nullptr;
  int (*GetProgramLogSize)(void*, std::size_t*) = nullptr;
  int (*GetProgramLog)(void*, char*) = nullptr;
  int (*DestroyProgram)(void**) = nullptr;
  const char* (*GetErrorString)(int) = nullptr;
};

template <class Function>
void find(const Nvrtc& nvrtc, const char* name, Function& target) {
  target = reinterpret_cast<Function>(dlsym(nvrtc.library, name));
  if (target == nullptr) throw Error(fmt::format("skipped: no NVRTC ({} has no {})", nvrtc.name, name));
}

Nvrtc load() {
  Nvrtc nvrtc;
  for (const char* name : {"libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"}) {
    nvrtc.library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    nvrtc.name = name;
    if (nvrtc.library != nullptr) break;
  }
  if (nvrtc.library == nullptr) throw Error("skipped: no NVRTC (libnvrtc.so, libnvrtc.so.13 and libnvrtc.so.12 are not there)");
  find(nvrtc, "nvrtcVersion", nvrtc.Version);
  find(nvrtc, "nvrtcCreateProgram", nvrtc.CreateProgram);
  find(nvrtc, "nvrtcCompileProgram", nvrtc.CompileProgram);
  find(nvrtc, "nvrtcGetPTXSize", nvrtc.GetPTXSize);
  find(nvrtc, "nvrtcGetPTX", nvrtc.GetPTX);
  find(nvrtc, "nvrtcGetProgramLogSize", nvrtc.GetProgramLogSize);
  find(nvrtc, "nvrtcGetProgramLog", nvrtc.GetProgramLog);
  find(nvrtc, "nvrtcDestroyProgram", nvrtc.DestroyProgram);
  find(nvrtc, "nvrtcGetErrorString", nvrtc.GetErrorString);
  return nvrtc;
}

const Nvrtc& nvrtc() {
  static const Nvrtc loaded = load();
  return loaded;
}

void check(int result, const std::string& what) {
  if (result != 0) throw Error(fmt::format("{}: {}", what, nvrtc().GetErrorString(result)));
}

std::string log_of(void* program) {
  std::size_t bytes = 0;
  check(nvrtc().GetProgramLogSize(program, &bytes), "nvrtcGetProgramLogSize");
  std::string log(bytes, '\0');
  if (bytes > 0) check(nvrtc().GetProgramLog(program, log.data()), "nvrtcGetProgramLog");
  while (!log.empty() && (log.back() == '\0' || log.back() == '\n')) log.pop_back();
  std::replace(log.begin(), log.end(), '\n', ' ');
  return log;
}

}  // namespace

std::string nvrtc_description() {
  try {
    int major = 0, minor = 0;
    check(nvrtc().Version(&major, &minor), "nvrtcVersion");
    return fmt::format("{} {}.{}", nvrtc().name, major, minor);
  } catch (const Error&) {
    return {};
  }
}

std::string compile_source(const std::string& path, const std::vector<std::string>& options, int target) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": cannot be read; allowed: a .cu file");
  const std::string source{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> all = options;
  all.push_back(fmt::format("--gpu-architecture=compute_{}", target));
  all.push_back("--generate-line-info");
  all.push_back("--include-path=" + std::filesystem::absolute(path).parent_path().string());
  std::vector<const char*> arguments;
  for (const std::string& option : all) arguments.push_back(option.c_str());
  const std::string name = std::filesystem::path(path).filename().string();
  void* program = nullptr;
  check(nvrtc().CreateProgram(&program, source.c_str(), name.c_str(), 0, nullptr, nullptr), "nvrtcCreateProgram");
  struct Guard {
    void** program;
    ~Guard() { nvrtc().DestroyProgram(program); }
  } guard{&program};
  if (nvrtc().CompileProgram(program, static_cast<int>(arguments.size()), arguments.data()) != 0)
    throw Error(fmt::format("{}: NVRTC: {}", path, log_of(program)));
  std::size_t bytes = 0;
  check(nvrtc().GetPTXSize(program, &bytes), "nvrtcGetPTXSize");
  std::string ptx(bytes, '\0');
  check(nvrtc().GetPTX(program, ptx.data()), "nvrtcGetPTX");
  return ptx;
}

}  // namespace equinorm::kernels::cuda
