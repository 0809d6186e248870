// A libcuda.so that runs on the virtual GPU: what the CUDA backend and the benchmarks do with a driver can be tested where there is none.
// Built as a library of its own; EQUINORM_CUDA_DRIVER names it.
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "scalar/error.hpp"
#include "vgpu/device.hpp"
#include "vgpu/module.hpp"

using namespace equinorm::vgpu;

namespace {

constexpr int kInvalidValue = 1, kInvalidImage = 200, kNotFound = 500, kIllegalAddress = 700;

struct FakeFunction {
  const Module* module;
  const Function* function;
};
struct FakeModule {
  Module module;
  std::vector<std::unique_ptr<FakeFunction>> functions;
};
struct FakeEvent {
  double seconds = 0;
};
struct Recorded {
  FakeFunction* function;
  Grid grid;
  std::vector<Argument> arguments;
};
struct FakeGraph {
  std::vector<Recorded> launches;
};

struct State {
  Device device;
  double seconds = 0;
  int sticky = 0;
  FakeGraph* capturing = nullptr;
};
State& state() {
  static State one;
  return one;
}

int launch(const Recorded& recorded) {
  State& fake = state();
  if (fake.sticky != 0) return fake.sticky;
  try {
    const LaunchReport report =
        fake.device.launch(*recorded.function->module, recorded.function->function->name, recorded.grid, recorded.arguments);
    fake.seconds += 1e-3 + report.seconds;
    // Like the hardware, report what leaves all memory, later.
    if (report.has(FindingKind::bad_address) || report.has(FindingKind::out_of_bounds) || !report.finished) fake.sticky = kIllegalAddress;
    return 0;
  } catch (const equinorm::Error&) {
    return kInvalidValue;
  }
}

template <class F>
int guarded(F body) {
  try {
    return body();
  } catch (const equinorm::Error&) {
    return kInvalidValue;
  }
}

}  // namespace

extern "C" {
int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
int cuGetErrorName(int error, const char** name) {
  *name = error == kIllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : error == kNotFound     ? "CUDA_ERROR_NOT_FOUND"
          : error == kInvalidImage ? "CUDA_ERROR_INVALID_IMAGE"
                                   : "CUDA_ERROR_INVALID_VALUE";
  return 0;
}
int cuGetErrorString(int, const char** text) { return *text = "from the virtual GPU", 0; }
int cuDeviceGetCount(int* count) { return *count = 1, 0; }
int cuDeviceGet(int* device, int) { return *device = 0, 0; }
int cuDeviceGetName(char* name, int bytes, int) { return std::strncpy(name, "virtual GPU", static_cast<std::size_t>(bytes)), 0; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75 ? 8 : attribute == 76 ? 0 : attribute == 16 ? 2 : attribute == 38 ? 4096 : attribute == 97 ? 166912 : 0;
  return 0;
}
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &state(), 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return state().sticky = 0, 0; }
int cuCtxSetCurrent(void*) { return 0; }
int cuModuleLoadDataEx(void** module, const void* image, unsigned count, int* options, void** values) {
  auto fake = std::make_unique<FakeModule>();
  try {
    fake->module = parse_module(static_cast<const char*>(image), "fake.ptx");
  } catch (const equinorm::Error& error) {
    for (unsigned i = 0; i < count; ++i) {
      if (options[i] == 5) std::strncpy(static_cast<char*>(values[i]), error.what(), 200);
    }
    return kInvalidImage;
  }
  return *module = fake.release(), 0;
}
// Kernels of a module may still have variables on the device, so that modules stay.
int cuModuleUnload(void*) { return 0; }
int cuModuleGetFunction(void** function, void* module, const char* name) {
  auto* fake = static_cast<FakeModule*>(module);
  const Function* found = fake->module.find_function(name);
  if (found == nullptr) return kNotFound;
  fake->functions.push_back(std::make_unique<FakeFunction>(FakeFunction{&fake->module, found}));
  return *function = fake->functions.back().get(), 0;
}
int cuFuncSetAttribute(void*, int, int bytes) { return bytes > 166912 ? kInvalidValue : 0; }
int cuMemAlloc_v2(unsigned long long* address, std::size_t bytes) {
  return guarded([&] { return *address = state().device.allocate(bytes), 0; });
}
int cuMemFree_v2(unsigned long long address) {
  return guarded([&] { return state().device.free(address), 0; });
}
int cuMemcpyHtoD_v2(unsigned long long to, const void* from, std::size_t bytes) {
  return guarded([&] { return state().device.write(to, {static_cast<const std::byte*>(from), bytes}), 0; });
}
int cuMemcpyDtoH_v2(void* to, unsigned long long from, std::size_t bytes) {
  return guarded([&] { return state().device.read(from, {static_cast<std::byte*>(to), bytes}), 0; });
}
int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, std::size_t bytes, void*) {
  return guarded([&] {
    std::vector<std::byte> copy(bytes);
    state().device.read(from, copy);
    state().device.write(to, copy);
    return state().seconds += 1e-3, 0;
  });
}
int cuMemsetD8_v2(unsigned long long to, unsigned char byte, std::size_t bytes) {
  return guarded([&] { return state().device.write(to, std::vector<std::byte>(bytes, std::byte{byte})), 0; });
}
int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void*,
                   void** values, void**) {
  auto* fake = static_cast<FakeFunction*>(function);
  Recorded recorded{fake, {{gx, gy, gz}, {bx, by, bz}, shared}, {}};
  for (std::size_t i = 0; i < fake->function->parameters.size(); ++i) {
    const auto& variable = fake->function->variables.at(static_cast<std::size_t>(fake->function->parameters[i]));
    const auto* bytes = static_cast<const std::byte*>(values[i]);
    Argument argument;
    argument.bytes.assign(bytes, bytes + variable.bytes);
    recorded.arguments.push_back(std::move(argument));
  }
  if (state().capturing != nullptr) return state().capturing->launches.push_back(std::move(recorded)), 0;
  return launch(recorded);
}
int cuStreamCreate(void** stream, unsigned) { return *stream = &state(), 0; }
int cuStreamDestroy_v2(void*) { return 0; }
int cuStreamSynchronize(void*) { return state().sticky; }
int cuStreamBeginCapture_v2(void*, int) { return state().capturing = new FakeGraph, 0; }
int cuStreamEndCapture(void*, void** graph) { return *graph = state().capturing, state().capturing = nullptr, 0; }
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  return *executable = new FakeGraph(*static_cast<FakeGraph*>(graph)), 0;
}
int cuGraphLaunch(void* executable, void*) {
  for (const Recorded& recorded : static_cast<FakeGraph*>(executable)->launches) {
    if (const int error = launch(recorded); error != 0) return error;
  }
  return 0;
}
int cuGraphExecDestroy(void* graph) { return delete static_cast<FakeGraph*>(graph), 0; }
int cuGraphDestroy(void* graph) { return delete static_cast<FakeGraph*>(graph), 0; }
int cuEventCreate(void** event, unsigned) { return *event = new FakeEvent, 0; }
int cuEventDestroy_v2(void* event) { return delete static_cast<FakeEvent*>(event), 0; }
int cuEventRecord(void* event, void*) { return static_cast<FakeEvent*>(event)->seconds = state().seconds, 0; }
int cuEventSynchronize(void*) { return state().sticky; }
int cuEventElapsedTime(float* milliseconds, void* begin, void* end) {
  *milliseconds = static_cast<float>(1e3 * (static_cast<FakeEvent*>(end)->seconds - static_cast<FakeEvent*>(begin)->seconds));
  return 0;
}
}
