#include "bundled/layout.hpp"

#include <algorithm>
#include <cstring>
#include <set>

namespace equinorm::kernels::testing {
namespace {

constexpr std::int32_t kNoPage = 2147480000;

std::int32_t code_of(tensor::DType dtype) {
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

/// Which axis counts tokens; -1: none.
int token_axis(const Passed& passed) {
  static const std::set<std::string> by_token{"c", "k_rope", "k", "v", "positions_k", "alpha_k", "k_rope_cached", "k_hat", "k_deferred"};
  if (passed.spec.name == "logits" || passed.spec.name == "p") return 3;
  return by_token.contains(passed.spec.name) ? 1 : -1;
}

}  // namespace

Placed::Placed(const Passed& passed, const Problem& problem, const RunSetting& setting, reference::Dice& dice)
    : passed_(passed), problem_(&problem), poison_{setting.poison}, margin_(dice.between(1, 9) * 8) {
  const auto& shape = passed_.spec.shape;
  const int rank = static_cast<int>(shape.size());
  tensor_.dtype = code_of(passed_.dtype), tensor_.rank = rank;
  const bool gaps = setting.placement == Placement::gaps;
  Index stride = gaps ? 2 : 1;
  for (int axis = rank - 1; axis >= 0; --axis) {
    tensor_.shape[axis] = shape[static_cast<std::size_t>(axis)];
    tensor_.strides[axis] = stride;
    stride = stride * std::max<Index>(1, tensor_.shape[axis]) + (gaps || passed_.layout == LayoutKind::strided ? dice.between(0, 5) : 0);
    if (axis == 1 && passed_.layout == LayoutKind::paged) {
      tensor_.page_size = passed_.page_size;
      stride = tensor_.strides[1] * passed_.page_size + dice.between(0, 7);
      break;
    }
  }
  if (passed_.layout == LayoutKind::paged) {
    tensor_.shape[0] = shape[0];
    tensor_.page_stride = stride;
    tensor_.blocks_per_row = (shape[1] + passed_.page_size - 1) / passed_.page_size;
    tensor_.pages = tensor_.blocks_per_row * shape[0] * 2 + 1;
    std::vector<std::int32_t> pages(static_cast<std::size_t>(tensor_.pages));
    for (std::size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<std::int32_t>(i);
    for (std::size_t i = pages.size(); i > 1; --i)
      std::swap(pages[i - 1], pages[static_cast<std::size_t>(dice.between(0, static_cast<Index>(i) - 1))]);
    table_.assign(pages.begin(), pages.begin() + tensor_.blocks_per_row * shape[0]);
    for (Index b = 0; b < shape[0]; ++b) {
      const Index used = (problem.context_of(b) + passed_.page_size - 1) / passed_.page_size;
      std::fill(table_.begin() + b * tensor_.blocks_per_row + used, table_.begin() + (b + 1) * tensor_.blocks_per_row, kNoPage);
    }
    tensor_.block_table = table_.data();
    stride = tensor_.page_stride * tensor_.pages;
  }
  bytes_.assign(static_cast<std::size_t>(stride + 2 * margin_) * tensor::size_of(passed_.dtype), poison_);
  tensor_.data = bytes_.data() + static_cast<std::size_t>(margin_) * tensor::size_of(passed_.dtype);
}

std::vector<Index> Placed::offsets() const {
  const auto& shape = passed_.spec.shape;
  const int tokens = token_axis(passed_);
  std::vector<Index> result;
  for (Index flat = 0; flat < tensor::element_count(shape); ++flat) {
    const tensor::Shape at = tensor::unravel(shape, flat);
    if (tokens >= 0 && at[static_cast<std::size_t>(tokens)] >= problem_->context_of(at[0])) {
      result.push_back(-1);
      continue;
    }
    Index offset = 0;
    std::size_t axis = 0;
    if (tensor_.block_table != nullptr) {
      const Index page = table_[static_cast<std::size_t>(at[0] * tensor_.blocks_per_row + at[1] / tensor_.page_size)];
      offset = page * tensor_.page_stride + at[1] % tensor_.page_size * tensor_.strides[1];
      axis = 2;
    }
    for (; axis < at.size(); ++axis) offset += at[axis] * tensor_.strides[axis];
    result.push_back(offset);
  }
  return result;
}

void Placed::fill(const tensor::AnyTensor& values) {
  const std::size_t size = tensor::size_of(passed_.dtype);
  const bool floating = tensor::is_floating(passed_.dtype);
  // NaN between the elements, and where tokens are missing.
  if (floating) std::fill(bytes_.begin(), bytes_.end(), std::byte{0xff});
  tensor::AnyTensor one(passed_.dtype, {1});
  const std::vector<Index> at = offsets();
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (at[i] < 0) continue;
    if (floating) {
      const double value = values.at(static_cast<Index>(i));
      one.write(0, 1, &value);
      std::memcpy(bytes_.data() + (static_cast<std::size_t>(margin_ + at[i])) * size, one.bytes(), size);
    } else {
      std::int64_t wide = 0;
      values.read_integers(static_cast<Index>(i), 1, &wide);
      const std::int32_t narrow = static_cast<std::int32_t>(wide);
      std::memcpy(bytes_.data() + (static_cast<std::size_t>(margin_ + at[i])) * size, size == 8 ? static_cast<const void*>(&wide) : &narrow,
                  size);
    }
  }
}

tensor::AnyTensor Placed::read() const {
  const std::size_t size = tensor::size_of(passed_.dtype);
  tensor::AnyTensor result(passed_.dtype, passed_.spec.shape);
  const std::vector<Index> at = offsets();
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (at[i] >= 0) std::memcpy(result.mutable_bytes() + i * size, bytes_.data() + static_cast<std::size_t>(margin_ + at[i]) * size, size);
  }
  return result;
}

std::string Placed::flaws() const {
  const std::size_t size = tensor::size_of(passed_.dtype);
  std::vector<bool> inside(bytes_.size());
  const std::vector<Index> at = offsets();
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (at[i] < 0) continue;
    const std::size_t begin = static_cast<std::size_t>(margin_ + at[i]) * size;
    bool written = false;
    for (std::size_t k = begin; k < begin + size; ++k) inside[k] = true, written = written || bytes_[k] != poison_;
    if (!written) return passed_.spec.name + tensor::index_string(passed_.spec.shape, static_cast<Index>(i)) + " is unwritten";
  }
  // Padding inside the shape may be written.
  if (token_axis(passed_) >= 0 && problem_->context.size() > 1) return "";
  for (std::size_t k = 0; k < bytes_.size(); ++k) {
    if (!inside[k] && bytes_[k] != poison_) return passed_.spec.name + ": wrote beside its elements, at byte " + std::to_string(k);
  }
  return "";
}

}  // namespace equinorm::kernels::testing
