#include "vgpu/device.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>

#include "scalar/error.hpp"
#include "scalar/simd.hpp"
#include "vgpu/grid_races.hpp"
#include "vgpu/launch.hpp"
#include "vgpu/shadow.hpp"
#include "vgpu/watch.hpp"

namespace equinorm::vgpu {
namespace {

constexpr u64 kMostShared = 227 * 1024;
constexpr u64 kMostLocal = u64{1} << 32;
constexpr int kBallBits = 128;

void check_grid(const Function& kernel, const Grid& grid) {
  u64 blocks = 1, threads = 1;
  for (int i = 0; i < 3; ++i) {
    const auto at = static_cast<std::size_t>(i);
    blocks *= grid.blocks[at];
    threads *= grid.threads[at];
    if (grid.blocks[at] == 0 || grid.threads[at] == 0 || blocks > (u64{1} << 31) || threads > 1024)
      throw Error("launch of " + kernel.name + ": a grid has 1 to 2^31 blocks of 1 to 1024 threads");
    if (kernel.required_threads[at] != 0 && kernel.required_threads[at] != grid.threads[at])
      throw Error("launch of " + kernel.name + ": .reqntid asks for " + std::to_string(kernel.required_threads[at]) + " threads, not " +
                  std::to_string(grid.threads[at]));
  }
  const u64 most =
      u64{1} * std::max(kernel.maximum_threads[0], 1u) * std::max(kernel.maximum_threads[1], 1u) * std::max(kernel.maximum_threads[2], 1u);
  if (kernel.maximum_threads[0] != 0 && threads > most)
    throw Error("launch of " + kernel.name + ": .maxntid allows " + std::to_string(most) + " threads, not " + std::to_string(threads));
  if (grid.dynamic_shared > kMostShared)
    throw Error("launch of " + kernel.name + ": at most " + std::to_string(kMostShared) + " bytes of shared memory");
}

void choose_matrix_units(Launch& launch) {
  const int target = launch.options.target != 0 ? launch.options.target : launch.module->target;
  for (int fp16_output = 0; fp16_output < 2; ++fp16_output)
    for (int input = 0; input < 3; ++input)
      launch.matrix_units[fp16_output][input] = matrix_unit(target, static_cast<scalar::TensorInput>(input), fp16_output != 0);
  for (const Decoded& d : launch.program->code)
    if (d.row >= 0 && rows()[static_cast<std::size_t>(d.row)].exactness == Exactness::matrix && matrix_unit(target, d) == nullptr)
      throw Error(launch.module->name + ":" + std::to_string(d.line) + ": sm_" + std::to_string(target) +
                  " has no tensor core for this mma; known are those of " + scalar::tensor_core_architectures());
}

std::string describe_arithmetic(const Launch& launch) {
  const Options& options = launch.options;
  std::string text = launch.report->contractible == 0            ? "no product that a sum may take in"
                     : options.contraction == Contraction::fused ? "products fused into sums"
                                                                 : "products and sums rounded one after the other";
  bool approximate = false, matrix = false;
  for (const Decoded& d : launch.program->code) {
    if (d.row < 0) continue;
    const Exactness exactness = rows()[static_cast<std::size_t>(d.row)].exactness;
    approximate |= exactness == Exactness::approximate;
    matrix |= exactness == Exactness::matrix;
  }
  if (approximate)
    text += options.approximation == Approximation::perturbed
                ? "; approximate functions moved inside their bounds by seed " + std::to_string(options.seed)
            : options.approximation == Approximation::interval
                ? "; approximate functions correctly rounded, in the shadows all that their bounds allow"
                : "; approximate functions correctly rounded";
  if (matrix) text += "; tensor cores by the model of sm_" + std::to_string(options.target != 0 ? options.target : launch.module->target);
  return text;
}

void check_shadows(const Options& options) {
  const bool is_rigorous = options.shadow_kind == ShadowKind::ball || options.shadow_kind == ShadowKind::arbitrary;
  if (options.approximation == Approximation::interval && !(options.shadows && is_rigorous))
    throw Error("approximate functions as intervals need shadows of the kind ball or arbitrary");
  if (options.shadow_kind == ShadowKind::arbitrary && (options.shadow_bits < 64 || options.shadow_bits > 4096))
    throw Error("shadows of " + std::to_string(options.shadow_bits) + " bits; allowed: 64 to 4096");
  if (!options.rounding_at.empty() && (is_rigorous || options.shadow_kind == ShadowKind::origins))
    throw Error("shadows keep the roundings of one line only as doubles or pairs of doubles");
}

void set_parameters(Launch& launch, std::span<const Argument> arguments) {
  const Program& program = *launch.program;
  if (arguments.size() != program.parameters.size())
    throw Error("launch of " + launch.kernel + ": " + std::to_string(program.parameters.size()) + " arguments are needed, not " +
                std::to_string(arguments.size()));
  launch.parameters.resize(program.parameter_bytes);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Placed& place = program.parameters[i];
    if (arguments[i].bytes.size() != place.bytes)
      throw Error("launch of " + launch.kernel + ": argument " + std::to_string(i + 1) + " has " + std::to_string(place.bytes) +
                  " bytes, not " + std::to_string(arguments[i].bytes.size()));
    std::memcpy(launch.parameters.view().data + place.offset, arguments[i].bytes.data(), place.bytes);
    launch.parameters.mark(place.offset, place.bytes, kWritten);
  }
}

}  // namespace

Argument Argument::exact(float value, double high, double low) {
  Argument argument = of(value);
  argument.has_shadow = true;
  argument.shadow_high = high;
  argument.shadow_low = low;
  return argument;
}

Device::Device() : shadows_(std::make_unique<ShadowStore>()) {}
Device::~Device() = default;

void Device::write(u64 address, std::span<const std::byte> bytes) { memory_.write(address, bytes); }

u64 Device::load_variable(const Module& module, const Variable& variable) {
  const auto [found, is_new] = variables_.try_emplace(&variable, 0);
  if (!is_new) return found->second;
  if (variable.is_extern && variable.space != Space::shared)
    throw Error(module.name + ": variable '" + variable.name + "' is defined elsewhere");
  const u64 address = found->second = allocate(variable.bytes);
  std::vector<std::byte> bytes(variable.bytes);
  std::memcpy(bytes.data(), variable.initial.data(), variable.initial.size());
  for (const Relocation& relocation : variable.relocations) {
    const Variable* target = module.find_variable(relocation.symbol);
    if (target == nullptr || target->space == Space::shared)
      throw Error(module.name + ": '" + variable.name + "' refers to '" + relocation.symbol + "', which has no address");
    const u64 value = load_variable(module, *target) + static_cast<u64>(relocation.addend);
    std::memcpy(bytes.data() + relocation.offset, &value, sizeof value);
  }
  write(address, bytes);
  return address;
}

LaunchReport Device::launch(const Module& module, std::string_view name, const Grid& grid, std::span<const Argument> arguments,
                            const Options& options) {
  const Function* kernel = module.find_function(name);
  if (kernel == nullptr || !kernel->is_entry || !kernel->has_body) {
    std::string known;
    for (const Function& function : module.functions)
      if (function.is_entry) known += (known.empty() ? "" : ", ") + function.name;
    throw Error(module.name + ": no kernel '" + std::string(name) + "'; there are: " + known);
  }
  check_grid(*kernel, grid);
  check_shadows(options);
  Program program = compile(module, *kernel, [&](const Variable& variable) { return load_variable(module, variable); });
  const std::size_t contractible = contract(program, options.contraction == Contraction::fused);
  if (program.shared_bytes + grid.dynamic_shared > kMostShared + 65536)
    throw Error("launch of " + kernel->name + ": more shared memory than a block has");
  const u64 threads = u64{1} * grid.threads[0] * grid.threads[1] * grid.threads[2];
  if (program.frame_bytes * threads > kMostLocal)
    throw Error("launch of " + kernel->name + ": local memory of " + std::to_string(program.frame_bytes) +
                " bytes a thread; a block may have 2^32 in all");

  LaunchReport report;
  report.contractible = contractible;
  Launch launch;
  launch.module = &module;
  launch.kernel = kernel->name;
  launch.program = &program;
  launch.options = options;
  launch.grid = grid;
  launch.memory = &memory_;
  launch.report = &report;
  launch.start = std::chrono::steady_clock::now();
  choose_matrix_units(launch);
  report.arithmetic = describe_arithmetic(launch);
  set_parameters(launch, arguments);
  std::optional<Shadows> shadows;
  if (options.shadows) {
    const bool is_ball = options.shadow_kind == ShadowKind::ball;
    shadows_->use(options.shadow_kind, is_ball ? kBallBits : options.shadow_kind == ShadowKind::arbitrary ? options.shadow_bits : 0);
    launch.shadows = &shadows.emplace(launch, *shadows_);
    const bool takes = options.exact_constants && options.shadow_kind != ShadowKind::origins;
    for (std::size_t i = 0; takes && i < arguments.size(); ++i) {
      if (!arguments[i].has_shadow || arguments[i].bytes.size() != 4) continue;
      u32 bits = 0;
      std::memcpy(&bits, arguments[i].bytes.data(), 4);
      const Pair exact{arguments[i].shadow_high, options.shadow_kind == ShadowKind::plain_double ? 0.0 : arguments[i].shadow_low};
      shadows->set_parameter(program.parameters[i].offset, bits, shadows_->wide != nullptr ? shadows_->wide->from_pair(exact) : exact);
    }
  }
  std::optional<GridRaces> grid_races;
  if (options.grid_races) launch.grid_races = &grid_races.emplace(launch);
  std::optional<Watch> watch;
  if (!options.watched.empty()) launch.watch = &watch.emplace(launch);
  run_grid(launch);
  if (watch) watch->summarise(report);
  if (options.shadows) shadows->summarise();
  report.finished = !launch.stop;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - launch.start).count();
  return report;
}

ContractionReport Device::launch_both(const Module& module, std::string_view name, const Grid& grid, std::span<const Argument> arguments,
                                      const Options& options) {
  ContractionReport both;
  // The module's variables that the first launch loads are loaded anew by the second.
  const GlobalMemory before = memory_;
  const auto variables = variables_;
  Options how = options;
  how.contraction = Contraction::fused;
  how.shadows = false;
  both.fused = launch(module, name, grid, arguments, how);
  GlobalMemory fused = memory_;
  memory_ = before;
  variables_ = variables;
  how = options;
  how.contraction = Contraction::separate;
  both.separate = launch(module, name, grid, arguments, how);
  const View x = fused.view(), y = memory_.view();
  for (u64 i = 0; i < std::min(x.size, y.size); ++i) {
    if (x.data[i] == y.data[i]) continue;
    if (both.bytes++ == 0) both.first_address = kGlobalWindow + i;
  }
  both.differs = both.bytes != 0;
  return both;
}

std::span<const Handler> handlers() {
  switch (scalar::simd_level()) {
    case scalar::SimdLevel::avx512:
      return handlers_avx512();
    case scalar::SimdLevel::avx2:
      return handlers_avx2();
    default:
      return handlers_portable();
  }
}

}  // namespace equinorm::vgpu
