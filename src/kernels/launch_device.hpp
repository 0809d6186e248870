// What a CUDA module's run needs of a device: memory and launches. A GPU and the virtual GPU differ here and nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.hpp"
#include "kernels/launch_plan.hpp"

namespace equinorm::kernels {

/// An argument's bytes, and for floating-point numbers the value that they stand for.
struct DeviceArgument {
  std::vector<std::byte> bytes;
  bool is_real = false;
  double high = 0, low = 0;
};

/// Where the tensors of a call are on the device.
struct Addresses {
  std::map<std::string, std::uint64_t> data, tables;
  std::uint64_t workspace = 0;
};
/// A planned argument with its address filled in. Throws std::out_of_range for a tensor that has none.
DeviceArgument resolve(const PlannedArgument& planned, const Addresses& addresses);

/// The memory and launches of one run.
class LaunchDevice {
 public:
  virtual ~LaunchDevice() = default;
  /// Memory that holds `bytes`; its address. `name` is for messages.
  virtual std::uint64_t place_input(const std::string& name, std::span<const std::byte> bytes) = 0;
  /// Memory for an output; `poison` is what it holds until a kernel writes it.
  virtual std::uint64_t place_output(const std::string& name, std::span<const std::byte> poison) = 0;
  virtual std::uint64_t place_workspace(std::uint64_t bytes) = 0;
  virtual void launch(const PlannedLaunch& launch, std::span<const DeviceArgument> arguments) = 0;
  /// Waits for the launches. Seconds that they took; what was found goes into `result` (notes, and status where a run did not end well).
  virtual double finish(BackendResult& result) = 0;
  /// Memory as the kernels left it. Elements of `unit` bytes that nothing has written are left alone in `bytes` where the device knows.
  virtual void fetch(std::uint64_t address, std::span<std::byte> bytes, std::size_t unit) = 0;
  /// The value without rounding at an address. `known` is false where there is none. Throws Error where the device has no shadows.
  struct Value {
    double high = 0, low = 0;
    bool known = false;
  };
  virtual Value shadow(std::uint64_t address, std::int32_t dtype) = 0;
  /// Says what the number at an address is without rounding. Throws Error where the device has no shadows.
  virtual void set_shadow(std::uint64_t address, std::int32_t dtype, double high, double low) = 0;
  /// Before the launches: finish() shall tell who stored there last.
  virtual void watch(std::uint64_t) {}
  /// Where the NaN or infinity at an address was made, with BackendOptions::trace.origins. `text` is empty where that is not known.
  virtual Trace origin(std::uint64_t, std::int32_t) { return {}; }
};

/// A manifest's module on some kind of device: loaded once, with fresh memory for each run.
class DeviceModule {
 public:
  virtual ~DeviceModule() = default;
  virtual std::unique_ptr<LaunchDevice> start(const BackendOptions& options) = 0;
};

/// The backend that plans, places, launches and fetches.
std::unique_ptr<Backend> make_module_backend(CudaManifest manifest, std::unique_ptr<DeviceModule> module);

}  // namespace equinorm::kernels
