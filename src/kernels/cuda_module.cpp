#include "kernels/cuda_module.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "scalar/error.hpp"

namespace equinorm::kernels::cuda {
namespace {

constexpr unsigned char kGuardByte = 0xa5;
constexpr std::uint32_t kSharedWithoutAsking = 48 * 1024;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": cannot be read; allowed: a file that the manifest names");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Context::Context() {
  const Driver& cu = driver();
  cu.check(cu.DeviceGet(&device_, 0), "cuDeviceGet");
  cu.check(cu.DevicePrimaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain");
  cu.check(cu.CtxSetCurrent(context_), "cuCtxSetCurrent");
}

Context::~Context() {
  if (context_ != nullptr) driver().DevicePrimaryCtxRelease(device_);
}

int Context::attribute(int which) const {
  int value = 0;
  driver().check(driver().DeviceGetAttribute(&value, which, device_), "cuDeviceGetAttribute");
  return value;
}

std::string Context::name() const {
  std::array<char, 256> text{};
  driver().check(driver().DeviceGetName(text.data(), static_cast<int>(text.size()) - 1, device_), "cuDeviceGetName");
  return text.data();
}

Code::Code(const std::string& image, const std::string& origin) : origin_(origin) {
  std::array<char, 8192> log{};
  int options[] = {kJitErrorBuffer, kJitErrorBufferBytes};
  void* values[] = {log.data(), reinterpret_cast<void*>(log.size() - 1)};
  const Result result = driver().ModuleLoadDataEx(&module_, image.c_str(), 2, options, values);
  if (result == 0) return;
  std::string text(log.data());
  std::replace(text.begin(), text.end(), '\n', ' ');
  driver().check(result, fmt::format("{}: cuModuleLoadDataEx{}{}", origin, text.empty() ? "" : ": ", text));
}

Code::~Code() {
  if (module_ != nullptr) driver().ModuleUnload(module_);
}

Handle Code::function(const std::string& entry, std::uint32_t shared) const {
  Handle function = nullptr;
  driver().check(driver().ModuleGetFunction(&function, module_, entry.c_str()), fmt::format("{}: cuModuleGetFunction({})", origin_, entry));
  if (shared > kSharedWithoutAsking)
    driver().check(driver().FuncSetAttribute(function, kFunctionDynamicShared, static_cast<int>(shared)),
                   fmt::format("{}: {} bytes of shared memory", entry, shared));
  return function;
}

GuardedBuffer::GuardedBuffer(std::string name, std::size_t bytes) : name_(std::move(name)), bytes_(bytes) {
  const Driver& cu = driver();
  cu.check(cu.MemAlloc(&base_, bytes + 2 * kGuard), fmt::format("{}: cuMemAlloc of {} bytes", name_, bytes));
  cu.check(cu.MemsetD8(base_, kGuardByte, bytes + 2 * kGuard), name_ + ": cuMemsetD8");
}

GuardedBuffer::~GuardedBuffer() {
  if (base_ != 0) driver().MemFree(base_);
}

void GuardedBuffer::upload(std::span<const std::byte> bytes) {
  if (!bytes.empty()) driver().check(driver().MemcpyHtoD(address(), bytes.data(), bytes.size()), name_ + ": cuMemcpyHtoD");
}

void GuardedBuffer::fill(unsigned char byte) { driver().check(driver().MemsetD8(address(), byte, bytes_), name_ + ": cuMemsetD8"); }

std::string GuardedBuffer::damage() const {
  std::vector<unsigned char> guard(kGuard);
  for (const bool after : {false, true}) {
    driver().check(driver().MemcpyDtoH(guard.data(), after ? address() + bytes_ : base_, kGuard), name_ + ": cuMemcpyDtoH");
    const auto changed =
        static_cast<std::size_t>(std::count_if(guard.begin(), guard.end(), [](unsigned char byte) { return byte != kGuardByte; }));
    if (changed > 0) return fmt::format("wrote out of bounds: {} bytes {} '{}'", changed, after ? "after" : "before", name_);
  }
  return {};
}

std::unique_ptr<Code> load_code(const CudaManifest& manifest, const Context& context) {
  const int target = context.target();
  for (auto file = manifest.modules.rbegin(); file != manifest.modules.rend(); ++file) {
    if (file->target <= target) return std::make_unique<Code>(read_file(file->path), file->path);
  }
  if (!manifest.source.empty()) return std::make_unique<Code>(compile_source(manifest.source, manifest.options, target), manifest.source);
  throw Error(fmt::format("{}: no module for sm_{} or older; the device is {}", manifest.origin, target, context.name()));
}

}  // namespace equinorm::kernels::cuda
