// CUDA modules on the GPU. Every return code is checked; outputs arrive poisoned, every buffer stands between guards.
#include <fmt/format.h>

#include <deque>

#include "kernels/cuda_module.hpp"
#include "kernels/launch_device.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

using namespace cuda;

class CudaDevice : public LaunchDevice {
 public:
  explicit CudaDevice(const Code& code) : code_(code) {
    const Driver& cu = driver();
    cu.check(cu.StreamCreate(&stream_, 0), "cuStreamCreate");
    for (Handle& event : events_) cu.check(cu.EventCreate(&event, 0), "cuEventCreate");
  }

  ~CudaDevice() override {
    for (const Handle event : events_) {
      if (event != nullptr) driver().EventDestroy(event);
    }
    if (stream_ != nullptr) driver().StreamDestroy(stream_);
  }

  std::uint64_t place_input(const std::string& name, std::span<const std::byte> bytes) override {
    buffers_.emplace_back(name, bytes.size());
    buffers_.back().upload(bytes);
    return buffers_.back().address();
  }
  std::uint64_t place_output(const std::string& name, std::span<const std::byte> poison) override { return place_input(name, poison); }
  std::uint64_t place_workspace(std::uint64_t bytes) override {
    buffers_.emplace_back("workspace", bytes);
    buffers_.back().fill(0xff);  // NaN in every format
    return buffers_.back().address();
  }

  void launch(const PlannedLaunch& launch, std::span<const DeviceArgument> arguments) override {
    const Driver& cu = driver();
    const Handle function = code_.function(launch.entry, launch.shared);
    std::vector<void*> pointers;
    for (const DeviceArgument& argument : arguments) pointers.push_back(const_cast<std::byte*>(argument.bytes.data()));
    if (!started_) {
      // The null stream's copies and fills are done before the clock starts.
      cu.check(cu.StreamSynchronize(nullptr), "cuStreamSynchronize");
      cu.check(cu.EventRecord(events_[0], stream_), "cuEventRecord");
      started_ = true;
    }
    cu.check(cu.LaunchKernel(function, launch.grid[0], launch.grid[1], launch.grid[2], launch.block[0], launch.block[1], launch.block[2],
                             launch.shared, stream_, pointers.data(), nullptr),
             "cuLaunchKernel of " + launch.entry);
  }

  double finish(BackendResult& result) override {
    const Driver& cu = driver();
    float milliseconds = 0;
    if (started_) {
      cu.check(cu.EventRecord(events_[1], stream_), "cuEventRecord");
      cu.check(cu.StreamSynchronize(stream_), "the kernel's run");
      cu.check(cu.EventElapsedTime(&milliseconds, events_[0], events_[1]), "cuEventElapsedTime");
    }
    for (const GuardedBuffer& buffer : buffers_) {
      if (const std::string damage = buffer.damage(); !damage.empty()) result.notes.push_back({damage, true});
    }
    return static_cast<double>(milliseconds) / 1e3;
  }

  void fetch(std::uint64_t address, std::span<std::byte> bytes, std::size_t) override {
    if (!bytes.empty()) driver().check(driver().MemcpyDtoH(bytes.data(), address, bytes.size()), "cuMemcpyDtoH");
  }

  void set_shadow(std::uint64_t, std::int32_t, double, double) override {
    throw Error("a GPU has no values without rounding; allowed: the virtual GPU");
  }
  Value shadow(std::uint64_t, std::int32_t) override { throw Error("a GPU has no values without rounding; allowed: the virtual GPU"); }

 private:
  const Code& code_;
  std::deque<GuardedBuffer> buffers_;
  Handle stream_ = nullptr, events_[2] = {};
  bool started_ = false;
};

class CudaModule : public DeviceModule {
 public:
  explicit CudaModule(const CudaManifest& manifest) : code_(load_code(manifest, context_)) {}
  std::unique_ptr<LaunchDevice> start(const BackendOptions& options) override {
    if (options.shadows) throw Error("a GPU has no values without rounding; allowed: the virtual GPU");
    return std::make_unique<CudaDevice>(*code_);
  }

 private:
  Context context_;
  std::unique_ptr<Code> code_;
};

}  // namespace

std::unique_ptr<Backend> open_cuda(const std::string& manifest_path) {
  CudaManifest manifest = load_manifest(manifest_path);
  auto module = std::make_unique<CudaModule>(manifest);
  return make_module_backend(std::move(manifest), std::move(module));
}

}  // namespace equinorm::kernels
