// What a run of a CUDA module comes to, in numbers: buffers, launches, arguments. The same for a GPU and for the virtual one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernels/backend.hpp"
#include "kernels/cuda_manifest.hpp"

namespace equinorm::kernels {

/// An argument with its device address still open, or its bytes.
struct PlannedArgument {
  ArgumentSpec::Kind kind{};
  std::string tensor;             ///< data, block_table: empty for a null pointer
  std::uint64_t offset = 0;       ///< workspace: bytes from its begin
  std::int64_t integer = 0;       ///< int32, int64
  double real = 0, real_low = 0;  ///< float32, float64: the value to about 106 bits
};

struct PlannedLaunch {
  std::string entry;
  std::array<std::uint32_t, 3> grid{1, 1, 1}, block{1, 1, 1};
  std::uint32_t shared = 0;
  std::vector<PlannedArgument> arguments{};
};

struct LaunchPlan {
  std::uint64_t workspace = 0;
  std::vector<PlannedLaunch> launches;  ///< those with an empty grid left out
};

/// Evaluates a manifest for one call. `exact` as in BackendOptions. Throws Error naming the launch, the field, the value and what is
/// allowed: a missing tensor, a negative or too large extent, a number outside its type.
LaunchPlan plan_launches(const CudaManifest& manifest, const equinorm_call& call, const ExactScalars& exact);

/// The tensor of that name among a call's inputs, then outputs; null if there is none.
const equinorm_tensor* find_tensor(const equinorm_call& call, const std::string& name);
std::size_t element_size(const equinorm_tensor& tensor);
/// Bytes from the first to the last element of a tensor, gaps included; of a paged one, those of its whole pool.
std::uint64_t byte_extent(const equinorm_tensor& tensor);

}  // namespace equinorm::kernels
