#include "kernels/call_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kernels/abi_problem.hpp"
#include "kernels/exact_scalars.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

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

bool same_layout(const Layout& a, const Layout& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.strides == b.strides && a.span == b.span && a.block_table == b.block_table &&
         a.page_stride == b.page_stride && a.runs == b.runs;  // runs: context lengths may differ where nothing else does
}

}  // namespace

void CallMemory::plan(const PassedTensors& passed, const Request& request) {
  ArenaPlan plan;
  std::vector<Buffer> buffers;
  std::uint64_t turn = request.layout_seed;
  const auto add = [&](const Passed& tensor, bool output) {
    if (tensor.spec.name.size() >= sizeof(WireTensor::name) || tensor.spec.shape.size() > EQUINORM_MAX_RANK ||
        buffers.size() >= static_cast<std::size_t>(kMaxTensors))
      throw Error(fmt::format("tensor {}: too many tensors, or axes", tensor.spec.name));
    Buffer buffer{.name = tensor.spec.name, .layout = make_layout(tensor, *request.problem, request.layout_seed), .output = output};
    buffer.data = plan.add(buffer.layout.bytes(), turn++ % 2 == 1);
    if (!buffer.layout.block_table.empty())
      buffer.table = plan.add(buffer.layout.block_table.size() * sizeof(std::int32_t), turn++ % 2 == 1);
    if (output && request.shadows) {
      const auto bytes = static_cast<std::uint64_t>(tensor::element_count(tensor.spec.shape)) * sizeof(double);
      buffer.shadow_high = plan.add(bytes, false), buffer.shadow_low = plan.add(bytes, false);
    }
    buffers.push_back(std::move(buffer));
  };
  for (const Passed& tensor : passed.inputs) add(tensor, false);
  for (const Passed& tensor : passed.outputs) add(tensor, true);
  if (!poison_ || poison_seed_ != request.layout_seed) {
    poison_.emplace(request.layout_seed);
    poison_seed_ = request.layout_seed;
    intact_ = false;
  }
  reuse_or_replace(std::move(buffers), plan.bytes());
}

void CallMemory::reuse_or_replace(std::vector<Buffer> buffers, std::uint64_t bytes) {
  const auto same = [](const Buffer& a, const Buffer& b) {
    return a.name == b.name && a.data == b.data && a.table == b.table && a.shadow_high == b.shadow_high && a.output == b.output &&
           same_layout(a.layout, b.layout);
  };
  if (arena_ != nullptr && std::equal(buffers.begin(), buffers.end(), buffers_.begin(), buffers_.end(), same)) return;
  intact_ = false;
  buffers_ = std::move(buffers);
  ++generation_;
  if (arena_ != nullptr && bytes < arena_->bytes() && arena_->bytes() / 4 <= bytes) return;
  arena_.reset();
  arena_ = std::make_unique<Arena>(bytes);
}

void CallMemory::prepare(const PassedTensors& passed, const Request& request, WireRequest& wire) {
  plan(passed, request);
  for (Buffer& buffer : buffers_) fill(buffer, request);
  intact_ = false;
  wire.generation = generation_;
  wire.arena_bytes = arena_->bytes();
  wire.problem = abi_problem(*request.problem, request.splits, request.tile);
  const ExactScalars exact = exact_scalars(*request.problem);
  wire.eps = exact.at("eps"), wire.scale = exact.at("scale"), wire.softcap = exact.at("softcap");
  wire.scale_log2e = exact.at("scale_log2e");
  wire.input_count = static_cast<std::int32_t>(passed.inputs.size()), wire.output_count = static_cast<std::int32_t>(passed.outputs.size());
  wire.threads = request.limits.threads, wire.shadows = request.shadows ? 1 : 0;
  for (std::size_t i = 0; i < buffers_.size(); ++i) describe(buffers_[i], wire.tensors[i]);
}

void CallMemory::fill(Buffer& buffer, const Request& request) {
  std::byte* data = arena_->at(buffer.data.data);
  if (buffer.output) {
    poison_->fill(data, buffer.data.data_bytes, buffer.data.data);
  } else {
    const tensor::AnyTensor& input = input_of(request, buffer.name, buffer.layout.dtype, buffer.layout.shape);
    lay_out(buffer.layout, input, *poison_, data, buffer.data.data, intact_);
  }
  if (intact_) return;
  for (const Region* region : {&buffer.data, &buffer.table, &buffer.shadow_high, &buffer.shadow_low}) {
    if (region->bytes > 0) fence(*arena_, *region, *poison_);
  }
  if (buffer.table.bytes > 0) std::memcpy(arena_->at(buffer.table.data), buffer.layout.block_table.data(), buffer.table.data_bytes);
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

std::optional<std::string> CallMemory::out_of_bounds(const Buffer& buffer) {
  for (const Region* region : {&buffer.data, &buffer.table}) {
    const std::int64_t where = region->bytes > 0 ? breach(*arena_, *region, *poison_) : 0;
    const std::string name = region == &buffer.table ? buffer.name + "'s block table" : buffer.name;
    if (where < 0) return fmt::format("{} bytes in front of {}", -where, name);
    if (where > 0) return fmt::format("{} bytes past the end of {}", where, name);
  }
  if (!buffer.output) return std::nullopt;
  const std::size_t gap = first_gap_change(buffer.layout, *poison_, arena_->at(buffer.data.data), buffer.data.data);
  if (gap < buffer.layout.bytes()) return fmt::format("byte {} of {}, in the gap behind a row", gap, buffer.name);
  return std::nullopt;
}

void CallMemory::inspect(const Request& request, Outcome& outcome) {
  const auto report = [&](RunStatus status, std::string detail) {
    if (outcome.status != RunStatus::ok && outcome.status <= status) return;
    outcome.status = status;
    outcome.detail = std::move(detail);
  };
  for (const Buffer& buffer : buffers_) {
    if (const std::optional<std::string> where = out_of_bounds(buffer)) report(RunStatus::wrote_out_of_bounds, "wrote " + *where);
    const std::byte* data = arena_->at(buffer.data.data);
    if (buffer.output) {
      Gathered gathered = gather(buffer.layout, *poison_, data, buffer.data.data);
      if (gathered.unwritten >= 0)
        report(RunStatus::unwritten,
               fmt::format("{}{} was not written", buffer.name, tensor::index_string(buffer.layout.shape, gathered.unwritten)));
      outcome.outputs.emplace(buffer.name, std::move(gathered.tensor));
      continue;
    }
    const std::size_t byte = first_change(buffer.layout, request.inputs.at(buffer.name), *poison_, data, buffer.data.data);
    if (byte < buffer.layout.bytes()) {
      const Index element = logical_at(buffer.layout, byte);
      report(RunStatus::changed_input, element >= 0 ? "changed input " + buffer.name + tensor::index_string(buffer.layout.shape, element)
                                                    : fmt::format("changed input {}, between its elements", buffer.name));
    }
    const std::vector<std::int32_t>& table = buffer.layout.block_table;
    if (buffer.table.bytes > 0 && std::memcmp(arena_->at(buffer.table.data), table.data(), buffer.table.data_bytes) != 0)
      report(RunStatus::changed_input, fmt::format("changed the block table of {}", buffer.name));
  }
  // Outputs are poisoned anew in any case.
  intact_ = outcome.status == RunStatus::ok || outcome.status == RunStatus::unwritten;
}

void CallMemory::read_shadows(const WireReply& reply, Outcome& outcome) {
  int output = 0;
  for (const Buffer& buffer : buffers_) {
    if (!buffer.output || output >= kMaxTensors || reply.shadows_lost[output++] < 0 || buffer.shadow_high.bytes == 0) continue;
    auto& [high, low] = outcome.shadows[buffer.name];
    high = tensor::Tensor<double>(buffer.layout.shape), low = tensor::Tensor<double>(buffer.layout.shape);
    std::memcpy(high.data(), arena_->at(buffer.shadow_high.data), buffer.shadow_high.data_bytes);
    std::memcpy(low.data(), arena_->at(buffer.shadow_low.data), buffer.shadow_low.data_bytes);
  }
}

}  // namespace equinorm::kernels
