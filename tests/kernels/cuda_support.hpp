// What the tests of CUDA modules share: random tensors in every layout, calls as the worker makes them, and the formulas written once more,
// in binary64 and in 113 bits.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "kernels/declaration.hpp"
#include "kernels/kernel.h"
#include "kernels/virtual_backend.hpp"

namespace kernel_tests {

using namespace equinorm;
using equinorm::kernels::BackendResult;
using problem::Index;
using problem::Problem;
using Quad = __float128;
using Values = std::map<std::string, std::vector<double>>;

/// The problem as the C ABI hands it over.
equinorm_problem abi_problem(const Problem& problem, const std::vector<std::int32_t>& lengths, Index splits);

/// A call with its memory: inputs random (NaN past each row's context), outputs poisoned.
class Call {
 public:
  Call(const std::string& manifest, const Problem& problem, Index splits, std::uint32_t seed);

  /// The call; valid as long as this object.
  const equinorm_call& call() const { return call_; }
  /// Inputs in logical order as the kernel sees them, paged ones too.
  const Values& inputs() const { return inputs_; }
  /// Outputs as they stand now, in logical order.
  Values outputs() const;
  /// Elements of an output, in logical order, that still hold the poison.
  Index unwritten(const std::string& output) const;

 private:
  void add(const kernels::Passed& passed, bool is_input, std::uint32_t seed);
  void lay_out_paged(const kernels::Passed& passed, const tensor::AnyTensor& values, equinorm_tensor& out);

  const Problem problem_;
  std::vector<std::int32_t> lengths_;
  equinorm_problem abi_{};
  equinorm_call call_{};
  std::vector<std::string> names_;
  std::vector<std::vector<std::byte>> memory_;
  std::vector<std::vector<std::int32_t>> tables_;
  std::vector<equinorm_tensor> inputs_abi_, outputs_abi_;
  std::vector<kernels::Passed> outputs_declared_;
  Values inputs_;
};

/// What the bundled kernels' stages come to; NaN where nothing is said (past a row's context).
template <class R>
using Expected = std::map<std::string, std::vector<R>>;
Expected<double> expected(const Problem& problem, const kernels::Declaration& declaration, const Values& inputs);
Expected<Quad> expected_exactly(const Problem& problem, const kernels::Declaration& declaration, const Values& inputs);

/// Largest |output - formula| over what the declared arithmetic may cost: half an ulp of the stored format, fp32 sums (2^-18 of the
/// tensor's largest number), rounded weights. Infinite for a NaN, or an infinity that is not the formula's.
double worst_ratio(const kernels::Declaration& declaration, const Values& outputs, const Expected<double>& exact);

/// Path of a bundled manifest: "query" and "query.bf16".
std::string bundled(const std::string& folder, const std::string& manifest);

}  // namespace kernel_tests
