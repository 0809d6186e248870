// A kernel's library in this process: laid-out tensors in, outputs out, the memory around them looked at. For kernels that are trusted not
// to crash.
#pragma once

#include <string>
#include <vector>

#include "kernels/declaration.hpp"
#include "kernels/kernel.h"
#include "tensor/any_tensor.hpp"

namespace equinorm::kernels::testing {

/// How tensors lie in memory.
enum class Placement : std::uint8_t {
  as_declared,
  gaps,  ///< axes apart from each other, the last one too: what a view of a kernel has to cope with
};

struct RunSetting {
  Index splits = 1, tile = 0;
  int threads = 1;
  std::uint64_t seed = 1;
  Placement placement = Placement::as_declared;
  unsigned char poison = 0xa7;  ///< every byte of an output before the run
};

struct RunResult {
  int status = EQUINORM_FAILED;
  std::string message;
  tensor::TensorMap outputs;          ///< contiguous; elements of tokens past a row's context are 0
  std::vector<std::string> failures;  ///< changed inputs, unwritten elements, writes beside an output
  double seconds = 0;                 ///< of the kernel alone
};

class Library {
 public:
  /// Throws Error where it cannot be loaded or does not describe itself.
  explicit Library(const std::string& path);
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  const Declaration& declaration() const { return declaration_; }

  /// `inputs` holds at least what passed_tensors asks for, positions aside, which have their defaults; numbers are rounded to the declared
  /// formats. Tokens past a row's context become NaN.
  /// An element that looks unwritten is so only if it does after a second run over another poison.
  RunResult run(const Problem& problem, const tensor::TensorMap& inputs, const RunSetting& setting) const;

 private:
  RunResult run_once(const Problem& problem, const tensor::TensorMap& inputs, const RunSetting& setting) const;

  void* handle_;
  const char* (*describe_)();
  std::uint64_t (*workspace_)(const equinorm_call*);
  std::int32_t (*run_)(const equinorm_call*);
  Declaration declaration_;
};

}  // namespace equinorm::kernels::testing
