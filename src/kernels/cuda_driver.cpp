#include "kernels/cuda_driver.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <mutex>

#include "scalar/error.hpp"

namespace equinorm::kernels::cuda {
namespace {

template <class Function>
void find(void* library, const char* name, Function& target) {
  void* symbol = dlsym(library, name);
  if (symbol == nullptr) throw Error(fmt::format("skipped: no driver (it has no {})", name));
  target = reinterpret_cast<Function>(symbol);
}

Driver load() {
  const char* other = std::getenv("EQUINORM_CUDA_DRIVER");
  void* library = dlopen(other != nullptr ? other : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Error(fmt::format("skipped: no driver ({})", dlerror()));
  Driver driver;
  find(library, "cuInit", driver.Init);
  find(library, "cuDriverGetVersion", driver.DriverGetVersion);
  find(library, "cuGetErrorName", driver.GetErrorName);
  find(library, "cuGetErrorString", driver.GetErrorString);
  find(library, "cuDeviceGetCount", driver.DeviceGetCount);
  find(library, "cuDeviceGet", driver.DeviceGet);
  find(library, "cuDeviceGetName", driver.DeviceGetName);
  find(library, "cuDeviceGetAttribute", driver.DeviceGetAttribute);
  find(library, "cuDevicePrimaryCtxRetain", driver.DevicePrimaryCtxRetain);
  find(library, "cuDevicePrimaryCtxRelease_v2", driver.DevicePrimaryCtxRelease);
  find(library, "cuCtxSetCurrent", driver.CtxSetCurrent);
  find(library, "cuModuleLoadDataEx", driver.ModuleLoadDataEx);
  find(library, "cuModuleUnload", driver.ModuleUnload);
  find(library, "cuModuleGetFunction", driver.ModuleGetFunction);
  find(library, "cuFuncSetAttribute", driver.FuncSetAttribute);
  find(library, "cuMemAlloc_v2", driver.MemAlloc);
  find(library, "cuMemFree_v2", driver.MemFree);
  find(library, "cuMemcpyHtoD_v2", driver.MemcpyHtoD);
  find(library, "cuMemcpyDtoH_v2", driver.MemcpyDtoH);
  find(library, "cuMemcpyDtoDAsync_v2", driver.MemcpyDtoDAsync);
  find(library, "cuMemsetD8_v2", driver.MemsetD8);
  find(library, "cuLaunchKernel", driver.LaunchKernel);
  find(library, "cuStreamCreate", driver.StreamCreate);
  find(library, "cuStreamDestroy_v2", driver.StreamDestroy);
  find(library, "cuStreamSynchronize", driver.StreamSynchronize);
  find(library, "cuStreamBeginCapture_v2", driver.StreamBeginCapture);
  find(library, "cuStreamEndCapture", driver.StreamEndCapture);
  find(library, "cuGraphInstantiateWithFlags", driver.GraphInstantiate);
  find(library, "cuGraphLaunch", driver.GraphLaunch);
  find(library, "cuGraphExecDestroy", driver.GraphExecDestroy);
  find(library, "cuGraphDestroy", driver.GraphDestroy);
  find(library, "cuEventCreate", driver.EventCreate);
  find(library, "cuEventDestroy_v2", driver.EventDestroy);
  find(library, "cuEventRecord", driver.EventRecord);
  find(library, "cuEventSynchronize", driver.EventSynchronize);
  find(library, "cuEventElapsedTime", driver.EventElapsedTime);
  try {
    driver.check(driver.Init(0), "cuInit");
    int devices = 0;
    driver.check(driver.DeviceGetCount(&devices), "cuDeviceGetCount");
    if (devices < 1) throw Error("no device");
  } catch (const Error& error) {
    throw Error(fmt::format("skipped: no driver ({})", error.what()));
  }
  return driver;
}

}  // namespace

void Driver::check(Result result, const std::string& what) const {
  if (result == 0) return;
  const char *name = nullptr, *text = nullptr;
  if (GetErrorName(result, &name) != 0 || name == nullptr) name = "unknown error";
  if (GetErrorString(result, &text) != 0 || text == nullptr) text = "no description";
  throw Error(fmt::format("{}: {} ({}): {}", what, name, result, text));
}

const Driver& driver() {
  static const Driver loaded = load();  // a failure is tried anew by the next call
  return loaded;
}

std::string driver_description() {
  try {
    const Driver& cu = driver();
    int version = 0, major = 0, minor = 0;
    Device device = 0;
    char name[256] = {};
    cu.check(cu.DriverGetVersion(&version), "cuDriverGetVersion");
    cu.check(cu.DeviceGet(&device, 0), "cuDeviceGet");
    cu.check(cu.DeviceGetName(name, sizeof name - 1, device), "cuDeviceGetName");
    cu.check(cu.DeviceGetAttribute(&major, kAttributeMajor, device), "cuDeviceGetAttribute");
    cu.check(cu.DeviceGetAttribute(&minor, kAttributeMinor, device), "cuDeviceGetAttribute");
    return fmt::format("CUDA {}.{}, {} (sm_{}{})", version / 1000, version % 1000 / 10, name, major, minor);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace equinorm::kernels::cuda
