// A kernel that can be run, whatever way it came in: library, process, CUDA module on a GPU or on the virtual one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/declaration.hpp"
#include "kernels/trace.hpp"
#include "tensor/any_tensor.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::kernels {

/// Limits of one run.
struct Limits {
  double seconds = 60;                            ///< then the whole process group is killed
  std::uint64_t memory = std::uint64_t{8} << 30;  ///< resident bytes of the worker beyond the tensors
  int threads = 1;                                ///< that a kernel on the host may use
};

/// One run: the problem (with_declared_precision), and the tensors that the kernel reads, [B,T,...] in their logical order and contiguous,
/// in the dtypes of passed_tensors. The runner lays them out as declared.
struct Request {
  const Problem* problem = nullptr;
  tensor::TensorMap inputs;  ///< context_lengths included
  Index splits = 1, tile = 0;
  std::uint64_t layout_seed = 1;  ///< which pages a paged tensor gets, how wide the gaps of a strided one are, the pattern of poison
  /// The caller's promise: the storage of `inputs` keeps its bytes for as long as anybody holds it. The runner then holds it until the next
  /// run, and what is the same storage there is not handed over again.
  bool inputs_stay = false;
  /// So many elements at least in the pool of the widest paged tensor of a page size, its pages scattered over all of it; 0: no more pages
  /// than there is use for. The pool is address space: memory only where pages are used. Runners that takes_wide_pools() alone.
  Index pool_elements = 0;
  Schedule schedule = Schedule::in_order;  ///< virtual GPU only
  bool shadows = false;                    ///< the outputs' values without rounding too (virtual GPU only)
  /// With `shadows`: the exact values of handed-over inputs, high and low part, in logical order; other inputs are exact as they are.
  std::map<std::string, std::pair<tensor::Tensor<double>, tensor::Tensor<double>>> exact_inputs;
  TraceRequest trace;  ///< virtual GPU only
  Limits limits;

  /// Rows of the RoPE tables among the inputs; 0 without.
  Index table_rows() const {
    const auto table = inputs.find("rope_cos");
    return table == inputs.end() || table->second.shape().empty() ? 0 : table->second.shape()[0];
  }
};

/// Structural failures, and what happened otherwise. The order is that of severity: the first that applies is the status.
enum class RunStatus : std::uint8_t {
  ok,
  unsupported,  ///< the kernel says that the problem is none of its own
  failed,       ///< the kernel says that it failed
  crashed,      ///< signal, abort, exit
  timed_out,
  out_of_memory,  ///< grew beyond its limit
  protocol,       ///< sent what no worker sends
  wrong_shape,    ///< outputs missing, or of other shape or dtype (process only)
  wrote_out_of_bounds,
  changed_input,
  unwritten  ///< elements of an output that still hold the poison
};
std::string_view to_string(RunStatus status);

/// Something that a run showed beside its outputs (virtual GPU: races, uninitialised reads, ...).
struct RunFinding {
  std::string text;
  bool fails = true;
};

struct Outcome {
  RunStatus status = RunStatus::protocol;
  std::string detail;         ///< one line: which tensor, signal, limit
  tensor::TensorMap outputs;  ///< contiguous, logical order, to be read alone; those that could be read, also after a failure
  std::vector<RunFinding> findings;
  /// Values without rounding, high and low part by output, where they were asked for; NaN where a value's shadow was lost.
  std::map<std::string, std::pair<tensor::Tensor<double>, tensor::Tensor<double>>> shadows;
  std::vector<Trace> traces;
  double seconds = 0;  ///< of the kernel itself
};

class Runner {
 public:
  virtual ~Runner() = default;
  virtual const Declaration& declaration() const = 0;
  /// One line for people: way in, isolation ("worker process, own PID namespace, a uid of its own"), device.
  virtual std::string description() const = 0;
  /// Whether a run can be given pools that are much larger than memory.
  virtual bool takes_wide_pools() const { return false; }
  /// Whether a run can carry values without rounding and say what Request::trace asks for.
  virtual bool has_shadows() const { return false; }
  /// Never throws for what the kernel does: that is the Outcome's. Throws Error for a request that does not fit the declaration.
  virtual Outcome run(const Request& request) = 0;
};

enum class DeviceChoice : std::uint8_t { as_declared, host, cuda, virtual_gpu };

/// Opens a kernel by what it is: a shared library (.so), a manifest of a CUDA module (.json with the key "cuda"), an executable or .py file
/// (process). Throws Error where it is none of these, does not describe itself, or the device is not there.
std::unique_ptr<Runner> open_kernel(const std::string& path, DeviceChoice device, const Limits& limits);

}  // namespace equinorm::kernels
