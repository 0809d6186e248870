// Inside the worker: what carries out a kernel's run. One for shared libraries, one for CUDA modules on a GPU, one for the virtual GPU.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/trace.hpp"

namespace equinorm::kernels {

struct BackendResult {
  int status = EQUINORM_FAILED;  ///< equinorm_status
  std::string message;
  double seconds = 0;  ///< of the kernel alone
  /// Beside the outputs: memory errors, races, launches' statistics. `fails` ones make the run fail.
  struct Note {
    std::string text;
    bool fails = true;
  };
  std::vector<Note> notes;
  /// Asked for with `shadows`, by output and in the order of its logical elements: the values without rounding, high and low part.
  struct Shadow {
    std::string tensor;
    std::vector<double> high, low;
    long long lost = 0;  ///< elements whose shadow was lost
  };
  std::vector<Shadow> shadows;
  std::vector<Trace> traces;
};

/// A number of the problem beyond binary64: high + low, to about 106 bits.
struct ExactScalar {
  double high = 0, low = 0;
};
/// By name: eps, scale, softcap, scale_log2e. A missing one is the binary64 of equinorm_problem.
using ExactScalars = std::map<std::string, ExactScalar>;

/// What a run asks for beside the call.
struct BackendOptions {
  bool shadows = false;  ///< carry values without rounding (virtual GPU only)
  int threads = 1;       ///< of the host (virtual GPU only)
  ExactScalars exact;    ///< what the shadows of the problem's numbers are
  /// What the shadows of inputs are that stand for other numbers than they hold: high and low part, in logical order, by name.
  std::map<std::string, std::pair<const double*, const double*>> exact_inputs;
  TraceRequest trace;
  Schedule schedule = Schedule::in_order;  ///< virtual GPU only
};

class Backend {
 public:
  virtual ~Backend() = default;
  /// The declaration's JSON. Throws Error.
  virtual std::string describe() = 0;
  /// Runs on tensors in host memory: `call` as a kernel on the host would get it, workspace and stream left out (a backend makes its own;
  /// block tables and context_lengths are in host memory too). Throws Error for what is the kernel's or the machine's fault.
  virtual BackendResult run(const equinorm_call& call, const BackendOptions& options) = 0;
};

/// A shared library that exports kernel.h.
std::unique_ptr<Backend> open_library(const std::string& path);
/// A manifest of a CUDA module, on the GPU. Throws Error 'skipped: no driver', ... where there is none.
std::unique_ptr<Backend> open_cuda(const std::string& manifest_path);
/// The same manifest on the virtual GPU (PTX only).
std::unique_ptr<Backend> open_virtual(const std::string& manifest_path);

}  // namespace equinorm::kernels
