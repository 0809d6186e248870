#include "kernels/virtual_backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "kernels/launch_device.hpp"
#include "scalar/error.hpp"
#include "vgpu/module.hpp"

namespace equinorm::kernels {
namespace {

/// Characters of a source place that are reported.
constexpr std::size_t kLongestPlace = 300;

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

vgpu::Order order_of(Schedule schedule) {
  switch (schedule) {
    case Schedule::in_order:
      break;
    case Schedule::reversed:
      return vgpu::Order::reversed;
    case Schedule::shuffled:
      return vgpu::Order::seeded;
  }
  return vgpu::Order::canonical;
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
    note_arithmetic(report.arithmetic);
    for (const vgpu::LineError& line : report.shadow.lines) {
      vgpu::LineError& sum = lines_[line.place.substr(0, kLongestPlace)];
      sum.operations += line.operations, sum.sum += line.sum;
      sum.largest_ulp = std::max(sum.largest_ulp, line.largest_ulp);
    }
    for (const vgpu::OtherBranch& branch : report.shadow.branches) branches_[branch.place.substr(0, kLongestPlace)] += branch.count;
    for (const vgpu::Write& write : report.writes) writes_[write.address] = write;
    for (const vgpu::Finding& finding : report.findings) findings_.push_back(vgpu::to_string(finding));
  }

  double finish(BackendResult& result) override {
    if (!running_) result.status = EQUINORM_FAILED, result.message = findings_.empty() ? "did not finish" : findings_.back();
    for (const std::string& finding : findings_) result.notes.push_back({finding, true});
    const bool rounded = options_.approximation == vgpu::Approximation::correctly_rounded;
    result.notes.push_back(
        {fmt::format("virtual GPU, sm_{}: {} launch{}, {} lane instructions; approximate functions {}{}", module_.target, launches_,
                     launches_ == 1 ? "" : "es", lane_instructions_,
                     rounded ? "correctly rounded" : fmt::format("perturbed inside their bounds, seed {}", options_.seed), arithmetic_),
         false});
    if (options_.shadows && restarts_ > 0)
      result.notes.push_back(
          {fmt::format("values without rounding: lost {} times, and begun again at the rounded value", restarts_), false});
    if (options_.shadows && !constants_.empty()) result.notes.push_back({"values without rounding: taken as exact: " + constants_, false});
    put_traces(result);
    return seconds_;
  }

  void watch(std::uint64_t address) override { options_.watched.push_back(address); }

  Trace origin(std::uint64_t address, std::int32_t dtype) override {
    const std::optional<vgpu::Origin> found = device_.origin(address, type_of(dtype));
    if (!found) return {};
    return {.kind = Trace::Kind::origin, .place = found->place, .text = vgpu::to_string(*found)};
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
  /// What a launch says of contraction and tensor cores, once.
  void note_arithmetic(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find("; ", at), text.size());
      const std::string part = "; " + text.substr(at, end - at);
      if (part.rfind("; approximate", 0) != 0 && arithmetic_.find(part) == std::string::npos) arithmetic_ += part;
      at = end + 2;
    }
  }

  /// What was asked for first, then lines by the sum of their errors, largest first: where there are too many, the least are left out.
  void put_traces(BackendResult& result) const {
    for (std::size_t i = 0; i < options_.watched.size(); ++i) {
      const auto found = writes_.find(options_.watched[i]);
      if (found == writes_.end()) continue;
      const vgpu::Write& write = found->second;
      result.traces.push_back({.kind = Trace::Kind::write,
                               .place = write.place.empty() ? fmt::format("PTX line {}", write.line) : write.place,
                               .made = write.computed,
                               .text = fmt::format("block ({},{},{}) thread ({},{},{})", write.block[0], write.block[1], write.block[2],
                                                   write.thread[0], write.thread[1], write.thread[2]),
                               .count = static_cast<std::int64_t>(i)});
    }
    for (const auto& [place, count] : branches_)
      result.traces.push_back({.kind = Trace::Kind::branch, .place = place, .count = static_cast<std::int64_t>(count)});
    std::vector<std::pair<std::string, vgpu::LineError>> lines(lines_.begin(), lines_.end());
    std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.second.sum > b.second.sum; });
    for (const auto& [place, line] : lines)
      result.traces.push_back({.kind = Trace::Kind::line,
                               .place = place,
                               .count = static_cast<std::int64_t>(line.operations),
                               .largest_ulp = line.largest_ulp,
                               .sum = line.sum});
  }

  const vgpu::Module& module_;
  vgpu::Options options_;
  std::map<std::string, vgpu::LineError> lines_;
  std::map<std::string, std::uint64_t> branches_;
  std::map<std::uint64_t, vgpu::Write> writes_;
  vgpu::Device device_;
  bool running_ = true;
  std::uint64_t launches_ = 0, lane_instructions_ = 0, restarts_ = 0;
  double seconds_ = 0;
  std::string constants_, arithmetic_;
  std::vector<std::string> findings_;
};

class VirtualModule : public DeviceModule {
 public:
  VirtualModule(vgpu::Module module, const vgpu::Options& options) : module_(std::move(module)), options_(options) {}

  std::unique_ptr<LaunchDevice> start(const BackendOptions& options) override {
    vgpu::Options with = options_;
    with.shadows = options.shadows, with.threads = options.threads;
    with.order = order_of(options.schedule), with.grid_races = options.schedule == Schedule::reversed;
    if (options.trace.origins) with.shadow_kind = vgpu::ShadowKind::origins;
    with.exact_constants = options.trace.exact_constants;
    with.rounding_at = options.trace.rounding_at;
    for (std::size_t place = 0; !with.rounding_at.empty() && place < module_.places.size(); ++place) {
      const std::string whole = module_.describe_place(static_cast<int>(place));
      if (whole.substr(0, kLongestPlace) == options.trace.rounding_at) with.rounding_at = whole;
    }
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
