// `equinorm doctor`: what this machine can do.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "commands/options.hpp"
#include "kernels/cuda_driver.hpp"
#include "scalar/simd.hpp"
#include "work/ranks.hpp"

namespace equinorm::commands {
namespace {

/// Full path of a program on PATH; empty when there is none.
std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::filesystem::path candidate = std::filesystem::path(folder) / name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return {};
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string simd_name() {
  switch (scalar::simd_level()) {
    case scalar::SimdLevel::avx512:
      return __builtin_cpu_supports("avx512ifma") ? "AVX-512 with IFMA" : "AVX-512";
    case scalar::SimdLevel::avx2:
      return "AVX2";
    case scalar::SimdLevel::portable:
      return "portable (no AVX2)";
  }
  return "unknown";
}

void row(const std::string& what, const std::string& found, const std::string& without) {
  fmt::print("  {:<16} {}\n", what, found.empty() ? "not found: " + without : found);
}

}  // namespace

int doctor(const Options&) {
  fmt::print("machine\n");
  row("processor", processor_name(), "");
  row("cores", std::to_string(std::thread::hardware_concurrency()), "");
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  row("memory", fmt::format("{:.1f} GiB", memory / (1 << 30)), "");
  row("vector kernels", simd_name(), "");
  fmt::print("\nfor verify, generate and compare: nothing else is needed\n\nfor report\n");
  row("gnuplot", find_program("gnuplot"), "figures are skipped, their tables stay");
  fmt::print("\nfor mpirun\n");
  row("MPI", work::mpi_library(), "built without; --shard and merge work");
  row("mpirun", find_program("mpirun"), "--shard and merge work without");
  fmt::print("\nfor the tests and proofs\n");
  row("clang++", find_program("clang++"), "the fuzz tests are skipped");
  row("python3", find_program("python3"), "the house tests cannot run");
  row("coqc", find_program("coqc"), "the proofs are skipped");
  fmt::print("\nGPU (CUDA modules; the virtual GPU needs none of these)\n");
  row("CUDA driver", kernels::cuda::driver_description(), "no kernel can run on a GPU here");
  row("NVRTC", kernels::cuda::nvrtc_description(), "manifests with a source file cannot be loaded");
  row("nvcc", find_program("nvcc"), "no CUDA source can be compiled here");
  return 0;
}

}  // namespace equinorm::commands
