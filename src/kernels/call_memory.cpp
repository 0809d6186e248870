#include "kernels/call_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "kernels/abi_problem.hpp"
#include "kernels/exact_scalars.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

/// One cache line, and enough for every vector load.
constexpr std::align_val_t kStorageAlignment{64};

std::int32_t abi(tensor::DType dtype) {
  switch (dtype) {
    case tensor::DType::f16:
      return EQUINORM_F16;
    case tensor::DType::bf16:
      return EQUINORM_BF16;
    case tensor::DType::f32:
      return EQUINORM_F32;
    case tensor::DType::f64:
      return EQUINORM_F64;
    case tensor::DType::i64:
      return EQUINORM_I64;
    case tensor::DType::i32:
      break;
  }
  return EQUINORM_I32;
}

const tensor::AnyTensor& input_of(const Request& request, const std::string& name, tensor::DType dtype, const tensor::Shape& shape) {
  const auto found = request.inputs.find(name);
  if (found == request.inputs.end()) throw Error(fmt::format("input {} is missing; the kernel reads it", name));
  if (found->second.dtype() != dtype || found->second.shape() != shape)
    throw Error(fmt::format("input {} is {} {}; allowed: {} {}", name, tensor::to_string(found->second.dtype()),
                            tensor::to_string(found->second.shape()), tensor::to_string(dtype), tensor::to_string(shape)));
  return found->second;
}

/// `where`: as breach() counts.
std::string wrote_beside(const std::string& name, bool in_table, std::int64_t where) {
  const char* side = where < 0 ? "in front" : "past the end";
  const std::int64_t bytes = where < 0 ? -where : where;
  return fmt::format("wrote {} of {}{}: the first changed byte lies {} byte{} {}", side, name, in_table ? "'s block table" : "", bytes,
                     bytes == 1 ? "" : "s", where < 0 ? "in front of it" : "past it");
}

std::string changed_element(const std::string& name, const Layout& layout, std::size_t byte) {
  const Index element = logical_at(layout, byte);
  if (element < 0) return fmt::format("changed input {}, between its elements", name);
  return fmt::format("changed input {}{}", name, tensor::index_string(layout.shape, element));
}

bool same_layout(const Layout& a, const Layout& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.strides == b.strides && a.span == b.span && a.block_table == b.block_table &&
         a.page_stride == b.page_stride && a.runs == b.runs;  // runs: context lengths may differ where nothing else does
}

}  // namespace

void CallMemory::plan(const PassedTensors& passed, const Request& request) {
  Plan wanted{passed.inputs, passed.outputs, {}, request.layout_seed, request.pool_elements, request.shadows, {}};
  for (Index b = 0; b < request.problem->batch; ++b) wanted.context.push_back(request.problem->context_of(b));
  for (const auto& [name, values] : request.exact_inputs) wanted.exact.insert(name);
  if (plan_ == wanted) return;
  plan_.reset();  // until the new one stands
  ArenaPlan inputs, outputs;
  std::vector<Buffer> buffers;
  std::uint64_t turn = request.layout_seed;
  resident_ = 0;
  const std::map<Index, Index> pools =
      request.pool_elements > 0 ? wide_pools(passed.inputs, request.pool_elements) : std::map<Index, Index>{};
  const auto add = [&](const Passed& tensor, bool output) {
    if (tensor.spec.name.size() >= sizeof(WireTensor::name) || tensor.spec.shape.size() > EQUINORM_MAX_RANK ||
        buffers.size() >= static_cast<std::size_t>(kMaxTensors))
      throw Error(fmt::format("tensor {}: too many tensors, or axes", tensor.spec.name));
    Buffer buffer{.name = tensor.spec.name, .layout = make_layout(tensor, *request.problem, request.layout_seed, pools), .output = output};
    ArenaPlan& plan = output ? outputs : inputs;
    buffer.data = plan.add(buffer.layout.bytes(), turn++ % 2 == 1);
    if (!buffer.layout.block_table.empty())
      buffer.table = plan.add(buffer.layout.block_table.size() * sizeof(std::int32_t), turn++ % 2 == 1);
    if (request.shadows && (output || request.exact_inputs.contains(tensor.spec.name))) {
      const auto bytes = static_cast<std::uint64_t>(tensor::element_count(tensor.spec.shape)) * sizeof(double);
      buffer.shadow_high = plan.add(bytes, false), buffer.shadow_low = plan.add(bytes, false);
    }
    for (const Region* region : {&buffer.data, &buffer.table, &buffer.shadow_high, &buffer.shadow_low}) resident_ += region->bytes;
    resident_ -= buffer.layout.bytes() - buffer.layout.resident_bytes();
    buffers.push_back(std::move(buffer));
  };
  for (const Passed& tensor : passed.inputs) add(tensor, false);
  for (const Passed& tensor : passed.outputs) add(tensor, true);
  if (!poison_ || poison_seed_ != request.layout_seed) {
    poison_.emplace(request.layout_seed);
    unwritten_.emplace(request.layout_seed, PoisonKind::unwritten);
    poison_seed_ = request.layout_seed;
    intact_ = false;
  }
  reuse_or_replace(std::move(buffers), inputs.bytes(), outputs.bytes());
  plan_ = std::move(wanted);
}

void CallMemory::reuse_or_replace(std::vector<Buffer> buffers, std::uint64_t input_bytes, std::uint64_t output_bytes) {
  const auto same = [](const Buffer& a, const Buffer& b) {
    return a.name == b.name && a.data == b.data && a.table == b.table && a.shadow_high == b.shadow_high && a.output == b.output &&
           same_layout(a.layout, b.layout);
  };
  if (inputs_ != nullptr && std::equal(buffers.begin(), buffers.end(), buffers_.begin(), buffers_.end(), same)) return;
  intact_ = false;
  buffers_ = std::move(buffers);
  ++generation_;
  // One that is large enough stays, unless it holds much more than is needed now.
  const auto fit = [](std::unique_ptr<Arena>& arena, std::uint64_t bytes, ArenaAccess access) {
    if (arena != nullptr && bytes < arena->bytes() && arena->bytes() / 4 <= bytes) return;
    arena.reset();
    arena = std::make_unique<Arena>(bytes, access);
  };
  fit(inputs_, input_bytes, ArenaAccess::read_only);
  fit(outputs_, output_bytes, ArenaAccess::read_write);
}

void CallMemory::prepare(const PassedTensors& passed, const Request& request, WireRequest& wire) {
  plan(passed, request);
  for (Buffer& buffer : buffers_) fill(buffer, request);
  intact_ = false;
  wire.generation = generation_;
  wire.problem = abi_problem(*request.problem, request.splits, request.tile);
  const ExactScalars exact = exact_scalars(*request.problem);
  wire.eps = exact.at("eps"), wire.scale = exact.at("scale"), wire.softcap = exact.at("softcap");
  wire.scale_log2e = exact.at("scale_log2e");
  wire.input_count = static_cast<std::int32_t>(passed.inputs.size()), wire.output_count = static_cast<std::int32_t>(passed.outputs.size());
  wire.threads = request.limits.threads, wire.shadows = request.shadows ? 1 : 0;
  wire.schedule = static_cast<std::int32_t>(request.schedule);
  put_trace(passed, request.trace, wire);
  for (std::size_t i = 0; i < buffers_.size(); ++i) describe(buffers_[i], wire.tensors[i]);
}

void CallMemory::put_trace(const PassedTensors& passed, const TraceRequest& trace, WireRequest& wire) {
  if (trace.rounding_at.size() >= sizeof(wire.rounding_at) || trace.asks.size() > static_cast<std::size_t>(kMaxAsks))
    throw Error(
        fmt::format("a run tells of at most {} elements, and of a line of at most {} characters", kMaxAsks, sizeof(wire.rounding_at) - 1));
  std::memcpy(wire.rounding_at, trace.rounding_at.c_str(), trace.rounding_at.size() + 1);
  wire.exact_constants = trace.exact_constants ? 1 : 0, wire.origins = trace.origins ? 1 : 0;
  wire.ask_count = 0;
  for (const Ask& ask : trace.asks) {
    const auto found =
        std::find_if(passed.outputs.begin(), passed.outputs.end(), [&](const Passed& one) { return one.spec.name == ask.tensor; });
    if (found == passed.outputs.end() || ask.element < 0 || ask.element >= tensor::element_count(found->spec.shape))
      throw Error(fmt::format("asked for element {} of {}, which is in no output", ask.element, ask.tensor));
    wire.asks[wire.ask_count++] = {static_cast<std::int32_t>(found - passed.outputs.begin()), ask.element};
  }
}

void CallMemory::fill(Buffer& buffer, const Request& request) {
  Arena& arena = arena_of(buffer);
  if (buffer.output)
    poison_output(buffer.layout, *unwritten_, arena.at(buffer.data.data), buffer.data.data);
  else
    fill_input(buffer, request);
  if (!buffer.output && buffer.shadow_high.bytes > 0) {
    const auto& [high, low] = request.exact_inputs.at(buffer.name);
    if (high.shape() != buffer.layout.shape || low.shape() != buffer.layout.shape)
      throw Error(fmt::format("exact values of input {} have another shape than the input", buffer.name));
    std::memcpy(arena.at(buffer.shadow_high.data), high.data(), buffer.shadow_high.data_bytes);
    std::memcpy(arena.at(buffer.shadow_low.data), low.data(), buffer.shadow_low.data_bytes);
  }
  if (intact_) return;
  for (const Region* region : {&buffer.data, &buffer.table, &buffer.shadow_high, &buffer.shadow_low}) {
    if (region->bytes > 0) fence(arena, *region, *poison_);
  }
  if (buffer.table.bytes > 0) std::memcpy(arena.at(buffer.table.data), buffer.layout.block_table.data(), buffer.table.data_bytes);
}

void CallMemory::fill_input(Buffer& buffer, const Request& request) {
  const tensor::AnyTensor& input = input_of(request, buffer.name, buffer.layout.dtype, buffer.layout.shape);
  // `held` keeps its storage alive: the same address is the same storage, whose bytes the caller promises to stay. They lie where only we
  // can write.
  const bool lies_there = request.inputs_stay && intact_ && inputs_->is_read_only() && buffer.held.bytes() == input.bytes();
  if (!lies_there) lay_out(buffer.layout, input, *poison_, inputs_->at(buffer.data.data), buffer.data.data, intact_);
  buffer.held = request.inputs_stay ? input : tensor::AnyTensor();
}

void CallMemory::describe(const Buffer& buffer, WireTensor& wire) const {
  wire = {};
  std::memcpy(wire.name, buffer.name.c_str(), buffer.name.size() + 1);
  wire.dtype = abi(buffer.layout.dtype), wire.rank = static_cast<std::int32_t>(buffer.layout.shape.size());
  std::copy(buffer.layout.shape.begin(), buffer.layout.shape.end(), wire.shape);
  std::copy(buffer.layout.strides.begin(), buffer.layout.strides.end(), wire.strides);
  wire.blocks_per_row = buffer.layout.blocks_per_row, wire.page_size = buffer.layout.page_size;
  wire.page_stride = buffer.layout.page_stride, wire.pages = buffer.layout.pages;
  wire.data = buffer.data, wire.table = buffer.table;
  wire.shadow_high = buffer.shadow_high, wire.shadow_low = buffer.shadow_low;
}

std::optional<std::string> CallMemory::out_of_bounds(const Buffer& buffer) const {
  Arena& arena = arena_of(buffer);
  for (const Region* region : {&buffer.data, &buffer.table}) {
    const std::int64_t where = region->bytes > 0 ? breach(arena, *region, *poison_) : 0;
    if (where != 0) return wrote_beside(buffer.name, region == &buffer.table, where);
  }
  if (!buffer.output) return std::nullopt;
  const std::size_t gap = first_gap_change(buffer.layout, *unwritten_, arena.at(buffer.data.data), buffer.data.data);
  if (gap < buffer.layout.bytes()) return fmt::format("wrote byte {} of {}, in the gap behind a row", gap, buffer.name);
  return std::nullopt;
}

std::optional<std::string> CallMemory::changed(const Buffer& buffer, const tensor::AnyTensor& input) const {
  const std::size_t byte = first_change(buffer.layout, input, *poison_, inputs_->at(buffer.data.data), buffer.data.data);
  if (byte < buffer.layout.bytes()) return changed_element(buffer.name, buffer.layout, byte);
  const std::vector<std::int32_t>& table = buffer.layout.block_table;
  if (buffer.table.bytes > 0 && std::memcmp(inputs_->at(buffer.table.data), table.data(), buffer.table.data_bytes) != 0)
    return fmt::format("changed the block table of {}", buffer.name);
  return std::nullopt;
}

tensor::AnyTensor CallMemory::take(Buffer& buffer, Index& unwritten) {
  const auto bytes = static_cast<std::size_t>(tensor::element_count(buffer.layout.shape)) * tensor::size_of(buffer.layout.dtype);
  if (buffer.taken == nullptr || buffer.taken.use_count() > 1) {
    auto* storage = static_cast<std::byte*>(::operator new(std::max<std::size_t>(1, bytes), kStorageAlignment));
    buffer.taken = {storage, [](std::byte* pointer) { ::operator delete(pointer, kStorageAlignment); }};
  }
  unwritten = gather(buffer.layout, *unwritten_, outputs_->at(buffer.data.data), buffer.data.data, buffer.taken.get());
  return {buffer.layout.dtype, buffer.layout.shape, buffer.taken.get(), buffer.taken};
}

void CallMemory::inspect(const Request& request, Outcome& outcome) {
  const auto report = [&](RunStatus status, std::string detail) {
    if (outcome.status != RunStatus::ok && outcome.status <= status) return;
    outcome.status = status;
    outcome.detail = std::move(detail);
  };
  for (Buffer& buffer : buffers_) {
    if (!buffer.output && inputs_->is_read_only()) continue;
    if (std::optional<std::string> where = out_of_bounds(buffer)) report(RunStatus::wrote_out_of_bounds, std::move(*where));
    if (!buffer.output) {
      if (std::optional<std::string> what = changed(buffer, request.inputs.at(buffer.name)))
        report(RunStatus::changed_input, std::move(*what));
      continue;
    }
    Index unwritten = -1;
    outcome.outputs.emplace(buffer.name, take(buffer, unwritten));
    if (unwritten >= 0)
      report(RunStatus::unwritten, fmt::format("{}{} was not written", buffer.name, tensor::index_string(buffer.layout.shape, unwritten)));
  }
  // Outputs are poisoned anew in any case.
  intact_ = outcome.status == RunStatus::ok || outcome.status == RunStatus::unwritten;
}

void CallMemory::explain_fault(const WireReply& reply, Outcome& outcome) const {
  outcome.status = RunStatus::protocol;
  outcome.detail = "sent what no worker sends";
  const auto tensor = static_cast<std::size_t>(reply.fault_tensor);
  if (reply.fault_tensor < 0 || tensor >= buffers_.size() || buffers_[tensor].output) return;
  const Buffer& buffer = buffers_[tensor];
  const bool in_table = reply.fault_in_table != 0;
  const Region& region = in_table ? buffer.table : buffer.data;
  const std::int64_t end = static_cast<std::int64_t>(region.data_bytes), at = reply.fault_offset;
  if (at < -static_cast<std::int64_t>(region.bytes) || at >= static_cast<std::int64_t>(region.bytes)) return;
  outcome.status = at < 0 || at >= end ? RunStatus::wrote_out_of_bounds : RunStatus::changed_input;
  if (at < 0 || at >= end)
    outcome.detail = wrote_beside(buffer.name, in_table, at < 0 ? at : at - end + 1);
  else
    outcome.detail = in_table ? fmt::format("changed the block table of {}", buffer.name)
                              : changed_element(buffer.name, buffer.layout, static_cast<std::size_t>(at));
}

void CallMemory::read_shadows(const WireReply& reply, Outcome& outcome) {
  int output = 0;
  for (const Buffer& buffer : buffers_) {
    if (!buffer.output || output >= kMaxTensors || reply.shadows_lost[output++] < 0 || buffer.shadow_high.bytes == 0) continue;
    auto& [high, low] = outcome.shadows[buffer.name];
    high = tensor::Tensor<double>(buffer.layout.shape), low = tensor::Tensor<double>(buffer.layout.shape);
    std::memcpy(high.data(), outputs_->at(buffer.shadow_high.data), buffer.shadow_high.data_bytes);
    std::memcpy(low.data(), outputs_->at(buffer.shadow_low.data), buffer.shadow_low.data_bytes);
  }
}

}  // namespace equinorm::kernels
