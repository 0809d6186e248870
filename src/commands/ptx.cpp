// `equinorm ptx`: PTX files on the virtual GPU, without a kernel's declaration.
#include "commands/ptx.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "commands/publish.hpp"
#include "commands/run_guarded.hpp"
#include "scalar/error.hpp"
#include "vgpu/device.hpp"
#include "vgpu/opcodes.hpp"

namespace equinorm::commands {
namespace {

std::string read_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw Error("cannot read " + path + ": it is a folder");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

vgpu::Module load(const std::string& path) { return vgpu::parse_module(read_file(path), path.substr(path.find_last_of('/') + 1)); }

template <class T>
vgpu::Argument number(const std::string& text, const std::string& whole) {
  std::size_t used = 0;
  [[maybe_unused]] double real = 0;
  [[maybe_unused]] long long integer = 0;
  try {
    if constexpr (std::is_floating_point_v<T>)
      real = std::stod(text, &used);
    else
      integer = std::stoll(text, &used, 0);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size()) throw Error("--arg " + whole + ": '" + text + "' is no number of this type");
  if constexpr (std::is_floating_point_v<T>) {
    return vgpu::Argument::of(static_cast<T>(real));
  } else {
    if (std::cmp_less(integer, std::numeric_limits<T>::min()) || std::cmp_greater(integer, std::numeric_limits<T>::max()))
      throw Error("--arg " + whole + ": out of the type's range");
    return vgpu::Argument::of(static_cast<T>(integer));
  }
}

/// A buffer to be written to a file after the launch.
struct Output {
  std::uint64_t address, bytes;
  std::string path;
};

vgpu::Argument argument(const std::string& text, vgpu::Device& device, std::vector<Output>& outputs) {
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon), value = colon == std::string::npos ? "" : text.substr(colon + 1);
  const std::map<std::string, std::function<vgpu::Argument()>> kinds{
      {"i32", [&] { return number<std::int32_t>(value, text); }}, {"u32", [&] { return number<std::uint32_t>(value, text); }},
      {"i64", [&] { return number<std::int64_t>(value, text); }}, {"u64", [&] { return number<std::uint64_t>(value, text); }},
      {"f32", [&] { return number<float>(value, text); }},        {"f64", [&] { return number<double>(value, text); }}};
  if (const auto found = kinds.find(kind); found != kinds.end()) return found->second();
  if ((kind == "in" || kind == "inout") && !value.empty()) {
    const std::string bytes = read_file(value);
    const auto address = device.upload(std::span<const char>(bytes));
    if (kind == "inout") outputs.push_back({address, bytes.size(), value});
    return vgpu::Argument::pointer(address);
  }
  if (kind == "out" && !value.empty()) {
    const std::size_t second = value.find(':');
    std::uint64_t bytes = 0;
    const vgpu::Argument size = number<std::uint64_t>(value.substr(0, second), text);
    std::memcpy(&bytes, size.bytes.data(), sizeof bytes);
    const auto address = device.allocate(bytes);
    outputs.push_back({address, bytes, second == std::string::npos ? "" : value.substr(second + 1)});
    return vgpu::Argument::pointer(address);
  }
  throw Error("--arg " + text +
              ": allowed are i32:N, u32:N, i64:N, u64:N, f32:X, f64:X, in:FILE, inout:FILE, out:BYTES and out:BYTES:FILE");
}

std::array<std::uint32_t, 3> sizes(const std::vector<unsigned>& given) {
  std::array<std::uint32_t, 3> all{1, 1, 1};
  std::copy(given.begin(), given.end(), all.begin());
  return all;
}

vgpu::Options launch_options(const PtxRunOptions& run, int threads) {
  vgpu::Options options;
  options.contraction = run.contraction == "fused" ? vgpu::Contraction::fused : vgpu::Contraction::separate;
  options.approximation = run.approximation == "perturbed"  ? vgpu::Approximation::perturbed
                          : run.approximation == "interval" ? vgpu::Approximation::interval
                                                            : vgpu::Approximation::correctly_rounded;
  options.order = run.order == "reversed" ? vgpu::Order::reversed : run.order == "seeded" ? vgpu::Order::seeded : vgpu::Order::canonical;
  options.seed = run.seed;
  options.shadows = run.shadows != "none";
  const std::map<std::string, vgpu::ShadowKind> kinds{{"none", vgpu::ShadowKind::double_double},
                                                      {"double-double", vgpu::ShadowKind::double_double},
                                                      {"double", vgpu::ShadowKind::plain_double},
                                                      {"ball", vgpu::ShadowKind::ball},
                                                      {"arbitrary", vgpu::ShadowKind::arbitrary}};
  const auto kind = kinds.find(run.shadows);
  if (kind == kinds.end()) throw Error("--shadows " + run.shadows + ": allowed are double-double, double, ball, arbitrary");
  options.shadow_kind = kind->second;
  options.shadow_bits = run.shadow_bits;
  options.threads = threads;
  options.target = run.target;
  return options;
}

void print(const vgpu::LaunchReport& report, const vgpu::ContractionReport* both) {
  for (const vgpu::Finding& finding : report.findings) fmt::print("{}\n", vgpu::to_string(finding));
  fmt::print("{}: {} warp instructions, {} lane instructions, {:.3f} s\narithmetic: {}\n", report.finished ? "finished" : "not finished",
             report.warp_instructions, report.lane_instructions, report.seconds, report.arithmetic);
  if (both != nullptr)
    fmt::print("contraction: {} sums may take in a product; {}\n", both->separate.contractible,
               both->differs ? fmt::format("{} bytes of memory differ, the first at 0x{:x}", both->bytes, both->first_address)
                             : "memory is the same with and without");
  if (report.shadow.operations == 0) return;
  fmt::print("shadows: {} results, {} restarts\n", report.shadow.operations, report.shadow.restarts);
  for (const vgpu::LineError& line : report.shadow.lines)
    fmt::print("  {:<40} {:>12} results, largest error {:.3g} ulp, sum of errors {:.3g}\n", line.place, line.operations, line.largest_ulp,
               line.sum);
  for (const vgpu::OtherBranch& branch : report.shadow.branches)
    fmt::print("  {:<40} {:>12} comparisons come out otherwise without rounding\n", branch.place, branch.count);
}

/// What the shadows say of a buffer's binary32 numbers.
void print_shadows(const vgpu::Device& device, const Output& output, bool is_rigorous) {
  std::uint64_t known = 0;
  double moved = 0, radius = 0;
  for (std::uint64_t at = 0; at + 4 <= output.bytes; at += 4) {
    const vgpu::ShadowValue shadow = device.shadow(output.address + at, vgpu::Type::f32);
    const float value = device.download<float>(output.address + at, 1)[0];
    if (!shadow.known || !std::isfinite(value) || !std::isfinite(shadow.high)) continue;
    ++known;
    moved = std::fmax(moved, std::fabs((static_cast<double>(value) - shadow.high) - shadow.low));
    radius = std::fmax(radius, shadow.radius);
  }
  if (known == 0) return;
  fmt::print("{}: {} binary32 numbers with shadows; rounding moves them by {:.3g} at most", output.path.empty() ? "a buffer" : output.path,
             known, moved);
  fmt::print("{}\n", is_rigorous ? fmt::format("; radius of the shadows {:.3g} at most", radius) : "");
}

}  // namespace

int ptx_coverage(const std::string& file, const Options& options) {
  check_writable(options.json_path);
  const vgpu::Module module = load(file);
  const vgpu::Coverage coverage = vgpu::coverage(module);
  if (!options.quiet) {
    for (const vgpu::Unsupported& one : coverage.unsupported)
      fmt::print("{}:{}: {} ({} uses, first in {})\n", file, one.line, one.opcode, one.count, one.function);
    fmt::print("{} of {} instructions run on the virtual GPU ({})\n", coverage.runnable, coverage.instructions, module.target_name);
  }
  if (!options.json_path.empty()) {
    nlohmann::ordered_json json{
        {"file", file}, {"target", module.target_name}, {"instructions", coverage.instructions}, {"runnable", coverage.runnable}};
    json["unsupported"] = nlohmann::ordered_json::array();
    for (const vgpu::Unsupported& one : coverage.unsupported)
      json["unsupported"].push_back({{"opcode", one.opcode}, {"function", one.function}, {"line", one.line}, {"count", one.count}});
    write_text_file(options.json_path, json.dump(2) + "\n");
  }
  return coverage.unsupported.empty() ? 0 : 3;
}

int ptx_run(const PtxRunOptions& run, const Options& options) {
  const vgpu::Module module = load(run.file);
  vgpu::Device device;
  std::vector<Output> outputs;
  std::vector<vgpu::Argument> arguments;
  for (const std::string& text : run.arguments) arguments.push_back(argument(text, device, outputs));
  for (const Output& output : outputs) check_writable(output.path);
  vgpu::Grid grid;
  grid.blocks = sizes(run.grid);
  grid.threads = sizes(run.block);
  grid.dynamic_shared = run.shared;
  vgpu::ContractionReport both;
  const bool runs_both = run.contraction == "both";
  if (runs_both)
    both = device.launch_both(module, run.kernel, grid, arguments, launch_options(run, threads_of(options)));
  else
    both.separate = device.launch(module, run.kernel, grid, arguments, launch_options(run, threads_of(options)));
  const vgpu::LaunchReport& report = both.separate;
  if (!options.quiet) print(report, runs_both ? &both : nullptr);
  for (const Output& output : outputs)
    if (!options.quiet && report.shadow.operations > 0) print_shadows(device, output, run.shadows == "ball" || run.shadows == "arbitrary");
  for (const Output& output : outputs)
    if (!output.path.empty()) {
      const std::vector<char> bytes = device.download<char>(output.address, output.bytes);
      write_text_file(output.path, {bytes.begin(), bytes.end()});
    }
  return report.finished && report.findings.empty() ? 0 : 1;
}

}  // namespace equinorm::commands
