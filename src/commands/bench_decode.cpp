// `equinorm bench decode`: what the QK-norm's factors cost on a GPU.
#include <fmt/format.h>

#include "commands/decode_table.hpp"
#include "commands/options.hpp"
#include "commands/progress.hpp"
#include "commands/publish.hpp"
#include "kernels/cuda_bench.hpp"
#include "kernels/cuda_driver.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

constexpr std::uint64_t kCopyBytes = std::uint64_t{1} << 30;

std::vector<DecodeRow> measure(kernels::DecodeBench& bench, bool quiet) {
  using Norm = kernels::DecodeShape::Norm;
  std::vector<DecodeRow> rows;
  const std::vector<std::int64_t> contexts = decode_contexts();
  Progress progress(static_cast<std::int64_t>(contexts.size()), !quiet);
  for (const std::int64_t context : contexts) {
    progress.begin(fmt::format("context {}", context));
    DecodeRow row;
    row.context = context;
    for (const Norm norm : {Norm::none, Norm::alpha_fp32, Norm::alpha_bf16}) {
      kernels::DecodeShape shape;
      shape.context = context, shape.norm = norm;
      row.seconds[static_cast<int>(norm)] = bench.decode_seconds(shape);
      row.bytes[static_cast<int>(norm)] = shape.bytes();
    }
    rows.push_back(row);
    progress.advance();
  }
  return rows;
}

}  // namespace

int bench_decode(const Options& options) {
  check_result_paths(options);
  try {
    kernels::cuda::driver();
  } catch (const Error& error) {
    fmt::print("{}\n", error.what());
    return 3;
  }
  kernels::DecodeBench bench;
  const double bandwidth = bench.copy_bandwidth(kCopyBytes);
  const std::vector<DecodeRow> rows = measure(bench, options.quiet);
  fmt::print("{}", decode_table(bench.device(), bandwidth, rows));
  if (!options.json_path.empty()) {
    write_text_file(options.json_path, decode_json(bench.device(), bandwidth, rows));
  }
  return 0;
}

}  // namespace equinorm::commands
