#include "kernels/virtual_backend.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "kernels/launch_device.hpp"
#include "scalar/error.hpp"
#include "vgpu/module.hpp"

namespace equinorm::kernels {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": cannot be read; allowed: a file that the manifest names");
  return {std::istreambuf_iterator<char>(file), {}};
}

vgpu::Type type_of(std::int32_t dtype) {
  switch (dtype) {
    case EQUINORM_F16:
      return vgpu::Type::f16;
    case EQUINORM_BF16:
      return vgpu::Type::bf16;
    case EQUINORM_F32:
      return vgpu::Type::f32;
    case EQUINORM_F64:
      return vgpu::Type::f64;
    default:
      throw Error(fmt::format("an output of dtype {} has no value without rounding; allowed: F16, BF16, F32, F64", dtype));
  }
}

class VirtualDevice : public LaunchDevice {
 public:
  VirtualDevice(const vgpu::Module& module, const vgpu::Options& options) : module_(module), options_(options) {}

  std::uint64_t place_input(const std::string&, std::span<const std::byte> bytes) override {
    const std::uint64_t address = device_.allocate(bytes.size());
    device_.write(address, bytes);
    return address;
  }
  // Left unwritten: a kernel that reads its own output first is found out.
  std::uint64_t place_output(const std::string&, std::span<const std::byte> poison) override { return device_.allocate(poison.size()); }
  std::uint64_t place_workspace(std::uint64_t bytes) override { return device_.allocate(bytes); }

  void launch(const PlannedLaunch& launch, std::span<const DeviceArgument> arguments) override {
    if (!running_) return;
    std::vector<vgpu::Argument> passed;
    for (const DeviceArgument& argument : arguments) passed.push_back({argument.bytes, argument.is_real, argument.high, argument.low});
    const vgpu::LaunchReport report = device_.launch(module_, launch.entry, {launch.grid, launch.block, launch.shared}, passed, options_);
    running_ = report.finished;
    ++launches_;
    lane_instructions_ += report.lane_instructions;
    seconds_ += report.seconds;
    restarts_ += report.shadow.restarts;
    for (const std::string& constant : report.shadow.constants) constants_ += (constants_.empty() ? "" : ", ") + constant;
    for (const vgpu::Finding& finding : report.findings) findings_.push_back(vgpu::to_string(finding));
  }

  double finish(BackendResult& result) override {
    if (!running_) result.status = EQUINORM_FAILED, result.message = findings_.empty() ? "did not finish" : findings_.back();
    for (const std::string& finding : findings_) result.notes.push_back({finding, true});
    const bool rounded = options_.approximation == vgpu::Approximation::correctly_rounded;
    result.notes.push_back(
        {fmt::format("virtual GPU, sm_{}: {} launch{}, {} lane instructions; approximate functions {}", module_.target, launches_,
                     launches_ == 1 ? "" : "es", lane_instructions_,
                     rounded ? "correctly rounded" : fmt::format("perturbed inside their bounds, seed {}", options_.seed)),
         false});
    if (options_.shadows && restarts_ > 0)
      result.notes.push_back(
          {fmt::format("values without rounding: lost {} times, and begun again at the rounded value", restarts_), false});
    if (options_.shadows && !constants_.empty()) result.notes.push_back({"values without rounding: taken as exact: " + constants_, false});
    return seconds_;
  }

  void fetch(std::uint64_t address, std::span<std::byte> bytes, std::size_t unit) override {
    if (bytes.empty()) return;
    if (device_.count_unwritten(address, bytes.size()) == 0) return device_.read(address, bytes);
    for (std::size_t at = 0; at + unit <= bytes.size(); at += unit) {
      if (device_.count_unwritten(address + at, unit) == 0) device_.read(address + at, bytes.subspan(at, unit));
    }
  }

  void set_shadow(std::uint64_t address, std::int32_t dtype, double high, double low) override {
    device_.set_shadow(address, type_of(dtype), high, low);
  }

  Value shadow(std::uint64_t address, std::int32_t dtype) override {
    const vgpu::ShadowValue found = device_.shadow(address, type_of(dtype));
    return {found.high, found.low, found.known};
  }

 private:
  const vgpu::Module& module_;
  vgpu::Options options_;
  vgpu::Device device_;
  bool running_ = true;
  std::uint64_t launches_ = 0, lane_instructions_ = 0, restarts_ = 0;
  double seconds_ = 0;
  std::string constants_;
  std::vector<std::string> findings_;
};

class VirtualModule : public DeviceModule {
 public:
  VirtualModule(vgpu::Module module, const vgpu::Options& options) : module_(std::move(module)), options_(options) {}

  std::unique_ptr<LaunchDevice> start(const BackendOptions& options) override {
    vgpu::Options with = options_;
    with.shadows = options.shadows;
    return std::make_unique<VirtualDevice>(module_, with);
  }

 private:
  vgpu::Module module_;
  vgpu::Options options_;
};

/// The newest PTX of a manifest, or that for one target.
std::pair<std::string, std::string> choose_ptx(const CudaManifest& manifest, int target) {
  for (auto file = manifest.modules.rbegin(); file != manifest.modules.rend(); ++file) {
    if (target != 0 && file->target != target) continue;
    std::string text = read_file(file->path);
    if (text.find(".version") != std::string::npos && text.find(".target") != std::string::npos) return {file->path, std::move(text)};
  }
  throw Error(fmt::format("{}: cuda.modules holds no PTX{}; allowed on the virtual GPU: PTX", manifest.origin,
                          target != 0 ? fmt::format(" for sm_{}", target) : ""));
}

}  // namespace

std::unique_ptr<Backend> open_virtual(const std::string& manifest_path, const VirtualOptions& options) {
  CudaManifest manifest = load_manifest(manifest_path);
  const auto [path, text] = choose_ptx(manifest, options.target);
  vgpu::Module module = vgpu::parse_module(text, std::filesystem::path(path).filename().string());
  return make_module_backend(std::move(manifest), std::make_unique<VirtualModule>(std::move(module), options.options));
}

std::unique_ptr<Backend> open_virtual(const std::string& manifest_path) { return open_virtual(manifest_path, VirtualOptions{}); }

}  // namespace equinorm::kernels
