// Runs of a CUDA module, whatever device they are on.
#include <fmt/format.h>

#include <cstring>
#include <map>

#include "kernels/launch_device.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

std::span<std::byte> bytes_of(const equinorm_tensor& tensor) { return {static_cast<std::byte*>(tensor.data), byte_extent(tensor)}; }

template <class T>
std::vector<std::byte> raw(const T& value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

/// The tensors of one call on a device.
class Placed {
 public:
  Placed(LaunchDevice& device, const equinorm_call& call, std::uint64_t workspace) : device_(device), call_(call) {
    for (int i = 0; i < call.input_count; ++i) {
      const equinorm_tensor& tensor = call.inputs[i];
      data_[tensor.name] = device.place_input(tensor.name, bytes_of(tensor));
      if (tensor.block_table == nullptr) continue;
      const std::span<const std::int32_t> table(tensor.block_table, static_cast<std::size_t>(tensor.shape[0] * tensor.blocks_per_row));
      tables_[tensor.name] = device.place_input(std::string(tensor.name) + ".block_table", std::as_bytes(table));
    }
    for (int i = 0; i < call.output_count; ++i)
      data_[call.outputs[i].name] = device.place_output(call.outputs[i].name, bytes_of(call.outputs[i]));
    if (workspace > 0) workspace_ = device.place_workspace(workspace);
  }

  DeviceArgument argument(const PlannedArgument& planned) const {
    switch (planned.kind) {
      case ArgumentSpec::Kind::data:
        return {raw(planned.tensor.empty() ? std::uint64_t{0} : data_.at(planned.tensor))};
      case ArgumentSpec::Kind::block_table:
        return {raw(planned.tensor.empty() ? std::uint64_t{0} : tables_.at(planned.tensor))};
      case ArgumentSpec::Kind::workspace:
        return {raw(workspace_ + planned.offset)};
      case ArgumentSpec::Kind::int32:
        return {raw(static_cast<std::int32_t>(planned.integer))};
      case ArgumentSpec::Kind::int64:
        return {raw(planned.integer)};
      case ArgumentSpec::Kind::float32:
        return {raw(static_cast<float>(planned.real)), true, planned.real, planned.real_low};
      case ArgumentSpec::Kind::float64:
        return {raw(planned.real), true, planned.real, planned.real_low};
    }
    return {};
  }

  /// Outputs as written; inputs too, so that whoever compares them sees a kernel that changed one.
  void fetch() const {
    for (int i = 0; i < call_.output_count; ++i) fetch(call_.outputs[i]);
    for (int i = 0; i < call_.input_count; ++i) {
      const equinorm_tensor& tensor = call_.inputs[i];
      std::vector<std::byte> now(byte_extent(tensor));
      device_.fetch(data_.at(tensor.name), now, 1);
      if (!now.empty() && std::memcmp(now.data(), tensor.data, now.size()) != 0) std::memcpy(tensor.data, now.data(), now.size());
    }
  }

  BackendResult::Shadow shadow(const equinorm_tensor& tensor) const {
    BackendResult::Shadow found;
    found.tensor = tensor.name;
    std::int64_t count = 1;
    for (int axis = 0; axis < tensor.rank; ++axis) count *= tensor.shape[axis];
    for (std::int64_t flat = 0; flat < count; ++flat) {
      std::int64_t rest = flat, offset = 0;
      for (int axis = tensor.rank - 1; axis >= 0; --axis)
        offset += rest % tensor.shape[axis] * tensor.strides[axis], rest /= tensor.shape[axis];
      const LaunchDevice::Value value =
          device_.shadow(data_.at(tensor.name) + static_cast<std::uint64_t>(offset) * element_size(tensor), tensor.dtype);
      found.high.push_back(value.high), found.low.push_back(value.low);
      if (!value.known) ++found.lost;
    }
    return found;
  }

 private:
  void fetch(const equinorm_tensor& tensor) const { device_.fetch(data_.at(tensor.name), bytes_of(tensor), element_size(tensor)); }

  LaunchDevice& device_;
  const equinorm_call& call_;
  std::map<std::string, std::uint64_t> data_, tables_;
  std::uint64_t workspace_ = 0;
};

class ModuleBackend : public Backend {
 public:
  ModuleBackend(CudaManifest manifest, std::unique_ptr<DeviceModule> module) : manifest_(std::move(manifest)), module_(std::move(module)) {}

  std::string describe() override { return manifest_.declaration_json; }

  BackendResult run(const equinorm_call& call, const BackendOptions& options) override {
    const LaunchPlan plan = plan_launches(manifest_, call, options.exact);
    const std::unique_ptr<LaunchDevice> device = module_->start(options);
    const Placed placed(*device, call, plan.workspace);
    for (const PlannedLaunch& launch : plan.launches) {
      std::vector<DeviceArgument> arguments;
      for (const PlannedArgument& argument : launch.arguments) arguments.push_back(placed.argument(argument));
      device->launch(launch, arguments);
    }
    BackendResult result;
    result.status = EQUINORM_OK;
    result.seconds = device->finish(result);
    placed.fetch();
    if (options.shadows) {
      for (int i = 0; i < call.output_count; ++i) result.shadows.push_back(placed.shadow(call.outputs[i]));
    }
    return result;
  }

 private:
  CudaManifest manifest_;
  std::unique_ptr<DeviceModule> module_;
};

}  // namespace

std::unique_ptr<Backend> make_module_backend(CudaManifest manifest, std::unique_ptr<DeviceModule> module) {
  return std::make_unique<ModuleBackend>(std::move(manifest), std::move(module));
}

}  // namespace equinorm::kernels
