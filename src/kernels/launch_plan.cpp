#include "kernels/launch_plan.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "scalar/error.hpp"
#include "scalar/real.hpp"

namespace equinorm::kernels {
namespace {

constexpr std::uint32_t kMostThreads = 1024;
constexpr std::int64_t kMostBlocks = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMostBlocksAcross = 65535;  // of the second and third axis
constexpr std::int64_t kMostShared = 1 << 20;

std::optional<std::int64_t> tensor_property(const equinorm_tensor& tensor, std::string_view property) {
  const auto axis = [&](const std::int64_t* values) -> std::optional<std::int64_t> {
    const int index = property.back() - '0';
    return index < tensor.rank ? std::optional(values[index]) : std::nullopt;
  };
  if (property.starts_with("shape")) return axis(tensor.shape);
  if (property.starts_with("stride")) return axis(tensor.strides);
  if (tensor.block_table == nullptr) return std::nullopt;
  if (property == "page_size") return tensor.page_size;
  if (property == "page_stride") return tensor.page_stride;
  if (property == "pages") return tensor.pages;
  if (property == "blocks_per_row") return tensor.blocks_per_row;
  return std::nullopt;
}

class Planner {
 public:
  Planner(const equinorm_call& call, const ExactScalars& exact) : call_(call), exact_(exact) {}

  std::int64_t value(const Expression& expression) const {
    return expression.evaluate([&](std::string_view name) -> std::optional<std::int64_t> {
      const std::size_t dot = name.find('.');
      if (dot == std::string_view::npos) return problem_integer(*call_.problem, name);
      const equinorm_tensor* tensor = find_tensor(call_, std::string(name.substr(0, dot)));
      return tensor == nullptr ? std::nullopt : tensor_property(*tensor, name.substr(dot + 1));
    });
  }

  /// A value that must lie in [0, most].
  std::int64_t bounded(const Expression& expression, const std::string& field, std::int64_t most) const {
    const std::int64_t found = value(expression);
    if (found < 0 || found > most) throw Error(fmt::format("{} is {}; allowed: from 0 to {}", field, found, most));
    return found;
  }

  PlannedArgument argument(const ArgumentSpec& spec, const std::string& field) const {
    PlannedArgument planned;
    planned.kind = spec.kind;
    switch (spec.kind) {
      case ArgumentSpec::Kind::data:
      case ArgumentSpec::Kind::block_table: {
        const equinorm_tensor* tensor = find_tensor(call_, spec.tensor);
        if (tensor == nullptr && !spec.optional)
          throw Error(fmt::format("{}: this problem has no tensor '{}'; allowed with \"optional\": true", field, spec.tensor));
        if (tensor != nullptr && spec.kind == ArgumentSpec::Kind::block_table && tensor->block_table == nullptr)
          throw Error(fmt::format("{}: '{}' is not paged; allowed: a block_table of a paged tensor", field, spec.tensor));
        if (tensor != nullptr) planned.tensor = spec.tensor;
        break;
      }
      case ArgumentSpec::Kind::workspace:
        planned.offset = static_cast<std::uint64_t>(bounded(spec.value, field, std::numeric_limits<std::int64_t>::max()));
        break;
      case ArgumentSpec::Kind::int32:
        planned.integer = value(spec.value);
        if (planned.integer != static_cast<std::int32_t>(planned.integer))
          throw Error(fmt::format("{} is {}; allowed: what fits 32 bits", field, planned.integer));
        break;
      case ArgumentSpec::Kind::int64:
        planned.integer = value(spec.value);
        break;
      case ArgumentSpec::Kind::float32:
      case ArgumentSpec::Kind::float64:
        real(spec, planned);
        break;
    }
    return planned;
  }

 private:
  void real(const ArgumentSpec& spec, PlannedArgument& planned) const {
    if (spec.scalar.empty()) {
      const scalar::Real number = scalar::Real::from_rational(spec.number.value(), 160);
      planned.real = scalar::to_double(number);
      planned.real_low = scalar::to_double(scalar::sub(number, scalar::Real::from_double(planned.real, 53), 53));
      return;
    }
    if (const auto found = exact_.find(spec.scalar); found != exact_.end()) {
      planned.real = found->second.high, planned.real_low = found->second.low;
      return;
    }
    const equinorm_problem& problem = *call_.problem;
    planned.real = spec.scalar == "eps" ? problem.eps : spec.scalar == "softcap" ? problem.softcap : problem.scale;
    if (spec.scalar == "scale_log2e") planned.real *= 0x1.71547652b82fep+0;
  }

  const equinorm_call& call_;
  const ExactScalars& exact_;
};

}  // namespace

const equinorm_tensor* find_tensor(const equinorm_call& call, const std::string& name) {
  for (int i = 0; i < call.input_count; ++i) {
    if (name == call.inputs[i].name) return &call.inputs[i];
  }
  for (int i = 0; i < call.output_count; ++i) {
    if (name == call.outputs[i].name) return &call.outputs[i];
  }
  return nullptr;
}

std::size_t element_size(const equinorm_tensor& tensor) {
  switch (tensor.dtype) {
    case EQUINORM_F16:
    case EQUINORM_BF16:
      return 2;
    case EQUINORM_F32:
    case EQUINORM_I32:
      return 4;
    case EQUINORM_F64:
    case EQUINORM_I64:
      return 8;
    default:
      throw Error(fmt::format("tensor '{}' has dtype {}; allowed: those of kernel.h", tensor.name, tensor.dtype));
  }
}

std::uint64_t byte_extent(const equinorm_tensor& tensor) {
  const std::size_t size = element_size(tensor);
  if (tensor.block_table != nullptr) return static_cast<std::uint64_t>(tensor.pages * tensor.page_stride) * size;
  std::int64_t last = 0;
  for (int axis = 0; axis < tensor.rank; ++axis) {
    if (tensor.shape[axis] == 0) return 0;
    last += (tensor.shape[axis] - 1) * tensor.strides[axis];
  }
  return static_cast<std::uint64_t>(last + 1) * size;
}

LaunchPlan plan_launches(const CudaManifest& manifest, const equinorm_call& call, const ExactScalars& exact) {
  const Planner planner(call, exact);
  LaunchPlan plan;
  plan.workspace = static_cast<std::uint64_t>(planner.bounded(manifest.workspace, "cuda.workspace", std::int64_t{1} << 40));
  for (const LaunchSpec& spec : manifest.launches) {
    if (spec.when && planner.value(*spec.when) == 0) continue;
    PlannedLaunch launch;
    launch.entry = spec.entry;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      launch.grid[axis] =
          static_cast<std::uint32_t>(planner.bounded(spec.grid[axis], spec.entry + ".grid", axis == 0 ? kMostBlocks : kMostBlocksAcross));
      launch.block[axis] = static_cast<std::uint32_t>(planner.bounded(spec.block[axis], spec.entry + ".block", kMostThreads));
    }
    const std::uint64_t threads = std::uint64_t{launch.block[0]} * launch.block[1] * launch.block[2];
    if (threads == 0 || threads > kMostThreads)
      throw Error(fmt::format("{}.block has {} threads; allowed: from 1 to {}", spec.entry, threads, kMostThreads));
    launch.shared = static_cast<std::uint32_t>(planner.bounded(spec.shared, spec.entry + ".shared", kMostShared));
    for (std::size_t i = 0; i < spec.arguments.size(); ++i) {
      launch.arguments.push_back(planner.argument(spec.arguments[i], fmt::format("{}.arguments[{}]", spec.entry, i)));
      const PlannedArgument& last = launch.arguments.back();
      if (last.kind == ArgumentSpec::Kind::workspace && last.offset > plan.workspace)
        throw Error(fmt::format("{}.arguments[{}] is byte {} of the workspace; allowed: up to its {} bytes", spec.entry, i, last.offset,
                                plan.workspace));
    }
    if (launch.grid[0] != 0 && launch.grid[1] != 0 && launch.grid[2] != 0) plan.launches.push_back(std::move(launch));
  }
  return plan;
}

}  // namespace equinorm::kernels
