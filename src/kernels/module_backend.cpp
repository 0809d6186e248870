// Runs of a CUDA module, whatever device they are on.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

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
      addresses_.data[tensor.name] = device.place_input(tensor.name, bytes_of(tensor));
      if (tensor.block_table == nullptr) continue;
      const std::span<const std::int32_t> table(tensor.block_table, static_cast<std::size_t>(tensor.shape[0] * tensor.blocks_per_row));
      addresses_.tables[tensor.name] = device.place_input(std::string(tensor.name) + ".block_table", std::as_bytes(table));
    }
    for (int i = 0; i < call.output_count; ++i)
      addresses_.data[call.outputs[i].name] = device.place_output(call.outputs[i].name, bytes_of(call.outputs[i]));
    if (workspace > 0) addresses_.workspace = device.place_workspace(workspace);
  }

  const Addresses& addresses() const { return addresses_; }

  /// Outputs as written; inputs too, so that whoever compares them sees a kernel that changed one.
  void fetch() const {
    for (int i = 0; i < call_.output_count; ++i) fetch(call_.outputs[i]);
    for (int i = 0; i < call_.input_count; ++i) {
      const equinorm_tensor& tensor = call_.inputs[i];
      std::vector<std::byte> now(byte_extent(tensor));
      device_.fetch(addresses_.data.at(tensor.name), now, 1);
      if (!now.empty() && std::memcmp(now.data(), tensor.data, now.size()) != 0) std::memcpy(tensor.data, now.data(), now.size());
    }
  }

  BackendResult::Shadow shadow(const equinorm_tensor& tensor) const {
    BackendResult::Shadow found;
    found.tensor = tensor.name;
    for_each_element(tensor, [&](std::int64_t, std::uint64_t address) {
      const LaunchDevice::Value value = device_.shadow(address, tensor.dtype);
      // The value itself would pass for one without rounding.
      found.high.push_back(value.known ? value.high : std::numeric_limits<double>::quiet_NaN());
      found.low.push_back(value.known ? value.low : 0);
      if (!value.known) ++found.lost;
    });
    return found;
  }

  /// Address and type of an element that the run shall tell of.
  std::pair<std::uint64_t, std::int32_t> find(const Ask& ask) const {
    std::pair<std::uint64_t, std::int32_t> found{0, 0};
    for (int i = 0; i < call_.output_count; ++i) {
      const equinorm_tensor& tensor = call_.outputs[i];
      if (tensor.name != ask.tensor) continue;
      for_each_element(tensor, [&](std::int64_t flat, std::uint64_t address) {
        if (flat == ask.element) found = {address, tensor.dtype};
      });
    }
    return found;
  }

  /// Tells the device what numbers some inputs stand for.
  void set_shadows(const BackendOptions& options) const {
    for (int i = 0; i < call_.input_count; ++i) {
      const equinorm_tensor& tensor = call_.inputs[i];
      const auto exact = options.exact_inputs.find(tensor.name);
      if (exact == options.exact_inputs.end()) continue;
      const auto [high, low] = exact->second;
      for_each_element(tensor, [&, high = high, low = low](std::int64_t flat, std::uint64_t address) {
        if (std::isfinite(high[flat])) device_.set_shadow(address, tensor.dtype, high[flat], low[flat]);
      });
    }
  }

 private:
  /// body(flat, address) for every logical element; of a paged tensor, of those inside a row's context.
  template <class Body>
  void for_each_element(const equinorm_tensor& tensor, const Body& body) const {
    std::int64_t count = 1;
    for (int axis = 0; axis < tensor.rank; ++axis) count *= tensor.shape[axis];
    for (std::int64_t flat = 0; flat < count; ++flat) {
      std::int64_t index[EQUINORM_MAX_RANK], rest = flat, offset = 0;
      for (int axis = tensor.rank - 1; axis >= 0; --axis) index[axis] = rest % tensor.shape[axis], rest /= tensor.shape[axis];
      for (int axis = 0; axis < tensor.rank; ++axis) offset += index[axis] * tensor.strides[axis];
      if (tensor.block_table != nullptr) {
        const std::int64_t b = index[0], t = index[1];
        if (t >= call_.problem->context_lengths[b]) continue;
        const std::int64_t page = tensor.block_table[b * tensor.blocks_per_row + t / tensor.page_size];
        offset += page * tensor.page_stride - b * tensor.strides[0] + (t % tensor.page_size - t) * tensor.strides[1];
      }
      body(flat, addresses_.data.at(tensor.name) + static_cast<std::uint64_t>(offset) * element_size(tensor));
    }
  }

  void fetch(const equinorm_tensor& tensor) const {
    device_.fetch(addresses_.data.at(tensor.name), bytes_of(tensor), element_size(tensor));
  }

  LaunchDevice& device_;
  const equinorm_call& call_;
  Addresses addresses_;
};

class ModuleBackend : public Backend {
 public:
  ModuleBackend(CudaManifest manifest, std::unique_ptr<DeviceModule> module) : manifest_(std::move(manifest)), module_(std::move(module)) {}

  std::string describe() override { return manifest_.declaration_json; }

  BackendResult run(const equinorm_call& call, const BackendOptions& options) override {
    const LaunchPlan plan = plan_launches(manifest_, call, options.exact);
    const std::unique_ptr<LaunchDevice> device = module_->start(options);
    const Placed placed(*device, call, plan.workspace);
    const TraceRequest& trace = options.trace;
    if (options.shadows && trace.exact_constants && !trace.origins) placed.set_shadows(options);
    for (const Ask& ask : trace.asks) device->watch(placed.find(ask).first);
    for (const PlannedLaunch& launch : plan.launches) {
      std::vector<DeviceArgument> arguments;
      for (const PlannedArgument& argument : launch.arguments) arguments.push_back(resolve(argument, placed.addresses()));
      device->launch(launch, arguments);
    }
    BackendResult result;
    result.status = EQUINORM_OK;
    result.seconds = device->finish(result);
    placed.fetch();
    for (std::size_t i = 0; trace.origins && i < trace.asks.size(); ++i) {
      const auto [address, dtype] = placed.find(trace.asks[i]);
      Trace origin = device->origin(address, dtype);
      origin.count = static_cast<std::int64_t>(i);
      if (!origin.text.empty()) result.traces.push_back(std::move(origin));
    }
    if (options.shadows && !trace.origins) {
      for (int i = 0; i < call.output_count; ++i) result.shadows.push_back(placed.shadow(call.outputs[i]));
    }
    return result;
  }

 private:
  CudaManifest manifest_;
  std::unique_ptr<DeviceModule> module_;
};

}  // namespace

DeviceArgument resolve(const PlannedArgument& planned, const Addresses& addresses) {
  switch (planned.kind) {
    case ArgumentSpec::Kind::data:
      return {raw(planned.tensor.empty() ? std::uint64_t{0} : addresses.data.at(planned.tensor))};
    case ArgumentSpec::Kind::block_table:
      return {raw(planned.tensor.empty() ? std::uint64_t{0} : addresses.tables.at(planned.tensor))};
    case ArgumentSpec::Kind::workspace:
      return {raw(addresses.workspace + planned.offset)};
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

std::unique_ptr<Backend> make_module_backend(CudaManifest manifest, std::unique_ptr<DeviceModule> module) {
  return std::make_unique<ModuleBackend>(std::move(manifest), std::move(module));
}

}  // namespace equinorm::kernels
