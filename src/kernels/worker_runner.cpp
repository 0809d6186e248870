#include "kernels/worker_runner.hpp"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "kernels/call_memory.hpp"
#include "kernels/worker_link.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

const char* word(WorkerBackend backend) {
  switch (backend) {
    case WorkerBackend::library:
      return "library";
    case WorkerBackend::cuda:
      return "cuda";
    case WorkerBackend::virtual_gpu:
      break;
  }
  return "virtual";
}

const char* way_in(WorkerBackend backend) {
  switch (backend) {
    case WorkerBackend::library:
      return "shared library";
    case WorkerBackend::cuda:
      return "CUDA module on the GPU";
    case WorkerBackend::virtual_gpu:
      break;
  }
  return "CUDA module on the virtual GPU";
}

class WorkerRunner : public Runner {
 public:
  WorkerRunner(const std::string& path, WorkerBackend backend, const Limits& limits)
      : path_(std::filesystem::absolute(path).string()), backend_(backend) {
    try {
      declaration_ = parse_declaration(started(limits), path_);
    } catch (const Error& error) {
      const std::string text = error.what();
      throw Error(text.find(path_) == 0 ? text : fmt::format("{}: {}", path_, text));
    }
    isolation_ = link_->isolation();
  }

  const Declaration& declaration() const override { return declaration_; }

  std::string description() const override { return fmt::format("{}, worker process, {}", way_in(backend_), isolation_.description()); }

  bool takes_wide_pools() const override { return backend_ == WorkerBackend::library; }
  bool has_shadows() const override { return backend_ == WorkerBackend::virtual_gpu; }

  Outcome run(const Request& request) override {
    const PassedTensors passed = passed_tensors(declaration_, *request.problem, request.table_rows());
    auto wire = std::make_unique<WireRequest>();
    memory_.prepare(passed, request, *wire);
    Outcome outcome;
    try {
      if (link_ == nullptr) started(request.limits);
    } catch (const Error& error) {
      outcome.status = RunStatus::crashed;
      outcome.detail = error.what();
      return outcome;
    }
    auto reply = std::make_unique<WireReply>();
    const bool mapped = mapped_generation_ == wire->generation;
    mapped_generation_ = wire->generation;
    const Exchange exchange = link_->run(*wire, mapped ? std::vector<int>{} : memory_.descriptors(), request.limits,
                                         request.limits.memory + memory_.bytes(), *reply);
    outcome.status = exchange.status, outcome.detail = exchange.detail;
    if (exchange.status == RunStatus::ok) take(*reply, outcome);
    if (outcome.status == RunStatus::ok) memory_.inspect(request, outcome);
    if (outcome.status == RunStatus::ok && request.shadows) memory_.read_shadows(*reply, outcome);
    // Who crashed is gone; who wrote where it must not may have damaged itself too.
    if (outcome.status >= RunStatus::crashed && outcome.status != RunStatus::unwritten) link_.reset();
    // A GPU's context is of no use after a launch went wrong, for as long as its process lives.
    if (outcome.status == RunStatus::failed && backend_ == WorkerBackend::cuda) link_.reset();
    return outcome;
  }

 private:
  /// Starts a worker with the kernel open. Returns its declaration.
  std::string started(const Limits& limits) {
    auto link = std::make_unique<WorkerLink>(word(backend_), path_);
    std::string text = link->describe(limits);
    link_ = std::move(link);
    mapped_generation_ = 0;
    return text;
  }

  /// Status, message and findings of a reply.
  void take(const WireReply& reply, Outcome& outcome) {
    outcome.seconds = std::isfinite(reply.seconds) && reply.seconds >= 0 ? reply.seconds : 0;
    outcome.detail = printable(reply.message);
    for (int i = 0; i < reply.note_count; ++i) outcome.findings.push_back({printable(reply.notes[i].text), reply.notes[i].fails != 0});
    for (int i = 0; i < reply.trace_count; ++i) {
      const WireTrace& wire = reply.traces[i];
      if (wire.kind < 0 || wire.kind > static_cast<std::int32_t>(Trace::Kind::origin)) continue;
      outcome.traces.push_back({static_cast<Trace::Kind>(wire.kind), printable(wire.place), printable(wire.made), printable(wire.text),
                                wire.count, wire.largest_ulp, wire.sum});
    }
    switch (reply.status) {
      case EQUINORM_OK:
        outcome.status = RunStatus::ok;
        break;
      case EQUINORM_UNSUPPORTED:
        outcome.status = RunStatus::unsupported;
        break;
      case EQUINORM_FAILED:
      case kRefused:
        outcome.status = RunStatus::failed;
        break;
      case kWroteInput:
        memory_.explain_fault(reply, outcome);
        break;
      default:
        outcome.status = RunStatus::failed;
        outcome.detail = fmt::format("equinorm_kernel_run returned {}; allowed: 0, 1, 2", reply.status);
    }
  }

  std::string path_;
  WorkerBackend backend_;
  Declaration declaration_;
  Isolation isolation_;
  CallMemory memory_;
  std::unique_ptr<WorkerLink> link_;
  std::uint64_t mapped_generation_ = 0;  ///< that the worker has mapped; 0: none
};

}  // namespace

std::unique_ptr<Runner> open_in_worker(const std::string& path, WorkerBackend backend, const Limits& limits) {
  return std::make_unique<WorkerRunner>(path, backend, limits);
}

}  // namespace equinorm::kernels
