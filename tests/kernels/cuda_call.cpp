// Calls with memory behind them.
#include <catch2/catch.hpp>
#include <cstring>
#include <numeric>
#include <random>

#include "cuda_support.hpp"
#include "kernels/abi_problem.hpp"
#include "kernels/cuda_manifest.hpp"
#include "problem/norm_traits.hpp"
#include "problem/scale.hpp"

namespace kernel_tests {

namespace {

constexpr std::byte kPoison{0xcd};

std::int32_t abi_dtype(tensor::DType dtype) {
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
      return EQUINORM_I32;
  }
  return -1;
}

/// Random numbers of the size that the tensor has in practice.
std::vector<double> random_values(const std::string& name, std::size_t count, std::mt19937& random) {
  std::normal_distribution<double> normal;
  std::vector<double> values(count);
  for (double& x : values) {
    x = normal(random);
    if (name.starts_with("gamma")) x = 1 + 0.2 * x;
    if (name.starts_with("w_")) x /= 16;
    if (name.starts_with("alpha")) x = 0.6 + 0.3 * std::fabs(x);
    if (name == "q_tilde") x *= 1.5;
    if (name == "sink") x *= 2;
  }
  return values;
}

}  // namespace

std::string bundled(const std::string& folder, const std::string& manifest) {
  return std::string(EQUINORM_BUNDLED_CUDA "/") + folder + "/" + manifest + ".json";
}

equinorm_problem abi_problem(const Problem& problem, const std::vector<std::int32_t>& lengths, Index splits) {
  equinorm_problem abi{};
  abi.size = sizeof abi;
  abi.batch = problem.batch, abi.queries = problem.queries, abi.context = problem.max_context();
  abi.heads = problem.heads, abi.groups = problem.groups, abi.latent = problem.latent;
  abi.content_dim = problem.content_dim, abi.rope_dim = problem.rope_dim, abi.head_dim = problem.head_dim,
  abi.value_dim = problem.value_dim;
  abi.rotated_dim = problem.rotated_dim(), abi.window = problem.mask.window, abi.splits = splits;
  abi.context_lengths = lengths.data();
  abi.eps = problem.norm.eps.to_double();
  abi.scale = problem.scale ? problem.scale->to_double() : 1 / std::sqrt(static_cast<double>(problem.key_dim()));
  abi.softcap = problem.softcap.to_double();
  abi.attention = problem.is_mla() ? EQUINORM_MLA : EQUINORM_GQA;
  abi.norm_scheme = kernels::abi_problem(problem, splits, 0).norm_scheme, abi.norm_kind = static_cast<std::int32_t>(problem.norm.kind);
  abi.norm_weight = static_cast<std::int32_t>(problem.norm.weight), abi.rope_layout = static_cast<std::int32_t>(problem.rope.layout);
  abi.mask = static_cast<std::int32_t>(problem.mask.kind), abi.sink = problem.sink ? 1 : 0;
  return abi;
}

Call::Call(const std::string& manifest, const Problem& problem, Index splits, std::uint32_t seed) : problem_(problem) {
  for (Index b = 0; b < problem.batch; ++b) lengths_.push_back(static_cast<std::int32_t>(problem.context_of(b)));
  abi_ = abi_problem(problem_, lengths_, splits);
  const kernels::Declaration declaration = kernels::load_manifest(manifest).declaration;
  const std::string reason = kernels::unsupported(declaration, problem);
  INFO(reason);
  REQUIRE(reason.empty());
  const kernels::PassedTensors passed = kernels::passed_tensors(declaration, kernels::with_declared_precision(declaration, problem));
  names_.reserve(64), memory_.reserve(64), tables_.reserve(64);
  for (const kernels::Passed& one : passed.inputs) add(one, true, seed++);
  for (const kernels::Passed& one : passed.outputs) add(one, false, 0);
  outputs_declared_ = passed.outputs;
  call_.size = sizeof call_, call_.problem = &abi_;
  call_.inputs = inputs_abi_.data(), call_.input_count = static_cast<std::int32_t>(inputs_abi_.size());
  call_.outputs = outputs_abi_.data(), call_.output_count = static_cast<std::int32_t>(outputs_abi_.size());
  call_.threads = 1;
}

void Call::add(const kernels::Passed& passed, bool is_input, std::uint32_t seed) {
  const std::string& name = passed.spec.name;
  names_.push_back(name);
  tensor::AnyTensor values(passed.dtype, passed.spec.shape);
  equinorm_tensor abi{};
  abi.name = names_.back().c_str(), abi.dtype = abi_dtype(passed.dtype), abi.rank = static_cast<std::int32_t>(passed.spec.shape.size());
  std::int64_t stride = 1;
  for (int axis = abi.rank - 1; axis >= 0; --axis) {
    abi.shape[axis] = passed.spec.shape[static_cast<std::size_t>(axis)];
    abi.strides[axis] = stride;
    stride *= abi.shape[axis];
  }
  const auto count = static_cast<std::size_t>(values.size());
  if (name == "context_lengths") {
    std::memcpy(values.mutable_bytes(), lengths_.data(), 4 * count);
  } else if (name.starts_with("positions")) {
    auto* positions = reinterpret_cast<std::int64_t*>(values.mutable_bytes());
    const Index per_row = abi.shape[1];
    for (Index i = 0; i < values.size(); ++i)
      positions[i] = name == "positions_k" ? i % per_row : problem_.query_position(i / per_row, i % per_row);
  } else if (is_input) {
    std::mt19937 random(seed);
    std::vector<double> numbers = random_values(name, count, random);
    if (name == "rope_sin" || name == "rope_cos") {
      for (std::size_t i = 0; i < count; ++i)
        numbers[i] = name == "rope_sin" ? std::sin(0.7 * static_cast<double>(i)) : std::cos(0.7 * static_cast<double>(i));
    }
    // Numbers past a row's context must not matter.
    if (abi.rank >= 3 && abi.shape[1] == abi_.context && abi.shape[0] == abi_.batch && !name.starts_with("q") && !name.starts_with("w")) {
      for (Index b = 0; b < problem_.batch; ++b) {
        for (Index at = problem_.context_of(b) * abi.strides[1]; at < abi.strides[0]; ++at)
          numbers[static_cast<std::size_t>(b * abi.strides[0] + at)] = NAN;
      }
    }
    values.write(0, values.size(), numbers.data());
    values.read(0, values.size(), numbers.data());
    inputs_[name] = numbers;
  }
  if (passed.layout == kernels::LayoutKind::paged) {
    lay_out_paged(passed, values, abi);
  } else {
    memory_.emplace_back(values.byte_size(), kPoison);
    if (is_input && count > 0) std::memcpy(memory_.back().data(), values.bytes(), values.byte_size());
    abi.data = memory_.back().data();
  }
  (is_input ? inputs_abi_ : outputs_abi_).push_back(abi);
}

void Call::lay_out_paged(const kernels::Passed& passed, const tensor::AnyTensor& values, equinorm_tensor& out) {
  const std::size_t element = tensor::size_of(passed.dtype);
  const std::int64_t token = out.strides[1];
  out.page_size = passed.page_size;
  out.page_stride = passed.page_size * token;
  out.blocks_per_row = (out.shape[1] + passed.page_size - 1) / passed.page_size + 1;
  std::vector<std::int32_t> table(static_cast<std::size_t>(out.shape[0] * out.blocks_per_row), 1 << 30);
  // Every second page of the pool is nobody's. Pages are dealt backwards, and forwards for the next tensor: no table suits another tensor.
  std::int64_t pages = 1;
  for (const std::int32_t length : lengths_) pages += 2 * ((length + passed.page_size - 1) / passed.page_size);
  out.pages = pages;
  memory_.emplace_back(static_cast<std::size_t>(pages * out.page_stride) * element, std::byte{0xff});  // NaN in every format
  const std::int64_t step = tables_.size() % 2 == 0 ? -2 : 2;
  std::int64_t next = step < 0 ? pages - 2 : 1;
  for (Index b = 0; b < problem_.batch; ++b) {
    for (Index t = 0; t < lengths_[static_cast<std::size_t>(b)]; ++t) {
      std::int32_t& page = table[static_cast<std::size_t>(b * out.blocks_per_row + t / passed.page_size)];
      if (t % passed.page_size == 0) page = static_cast<std::int32_t>(next), next += step;
      std::memcpy(memory_.back().data() + static_cast<std::size_t>(page * out.page_stride + t % passed.page_size * token) * element,
                  values.bytes() + static_cast<std::size_t>(b * out.strides[0] + t * token) * element,
                  static_cast<std::size_t>(token) * element);
    }
  }
  tables_.push_back(std::move(table));
  out.block_table = tables_.back().data();
  out.data = memory_.back().data();
}

Values Call::outputs() const {
  Values found;
  for (std::size_t i = 0; i < outputs_abi_.size(); ++i) {
    const kernels::Passed& passed = outputs_declared_[i];
    const tensor::AnyTensor view(passed.dtype, passed.spec.shape, static_cast<const std::byte*>(outputs_abi_[i].data), nullptr);
    std::vector<double> values(static_cast<std::size_t>(view.size()));
    view.read(0, view.size(), values.data());
    found[passed.spec.name] = values;
  }
  return found;
}

Index Call::unwritten(const std::string& output) const {
  Index count = 0;
  for (std::size_t i = 0; i < outputs_abi_.size(); ++i) {
    if (outputs_declared_[i].spec.name != output) continue;
    const std::size_t element = tensor::size_of(outputs_declared_[i].dtype);
    const tensor::Index elements = tensor::element_count(outputs_declared_[i].spec.shape);
    const auto* bytes = static_cast<const std::byte*>(outputs_abi_[i].data);
    for (Index at = 0; at < elements; ++at) {
      bool poisoned = true;
      for (std::size_t k = 0; k < element; ++k) poisoned = poisoned && bytes[static_cast<std::size_t>(at) * element + k] == kPoison;
      count += poisoned ? 1 : 0;
    }
  }
  return count;
}

}  // namespace kernel_tests
