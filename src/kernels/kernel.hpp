// A kernel in C++17 over kernel.h, header only: tensors as views that know strides, pages and 16-bit formats, and a macro that exports the
// three functions. A whole kernel:
//
//   #include <equinorm/kernel.hpp>
//   using namespace equinorm::kernels;
//
//   void run(const Call& call) {  // o = u W_V
//     const auto& p = call.problem;
//     const View u = call.view("u"), w_v = call.view("w_v"), o = call.view("o");
//     for (int64_t b = 0; b < p.batch; ++b) ...
//           o(b, s, h, j) = sum;  // rounded to o's format
//   }
//   EQUINORM_KERNEL(R"({"equinorm": 1, "name": "...", ...})", no_workspace, run)
//
// Memory on a device is none of a view's: its element functions read and write through the pointer.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#if __has_include("kernels/kernel.h")
#include "kernels/kernel.h"
#else
#include <equinorm/kernel.h>
#endif

namespace equinorm::kernels {

static_assert(EQUINORM_KERNEL_ABI == 1, "this header speaks version 1 of the interface");

/// Thrown by a kernel for a problem that it does not serve: the case is skipped, not failed.
class Unsupported : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace bits {

inline float as_float(std::uint32_t pattern) {
  float value;
  std::memcpy(&value, &pattern, sizeof value);
  return value;
}
inline std::uint32_t of_float(float value) {
  std::uint32_t pattern;
  std::memcpy(&pattern, &value, sizeof pattern);
  return pattern;
}

}  // namespace bits

/// The conversions are free of branches on the data, so that loops over them become vector code. Widening is exact; narrowing rounds to
/// nearest, ties to even, with gradual underflow; NaN stays NaN.
inline float bf16_to_float(std::uint16_t h) { return bits::as_float(std::uint32_t{h} << 16); }

inline std::uint16_t float_to_bf16(float value) {
  const std::uint32_t pattern = bits::of_float(value);
  const std::uint32_t rounded = (pattern + 0x7fffU + ((pattern >> 16) & 1U)) >> 16;
  const std::uint32_t quiet = (pattern >> 16) | 0x40U;
  return static_cast<std::uint16_t>((pattern & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}

inline float fp16_to_float(std::uint16_t h) {
  const std::uint32_t magnitude = h & 0x7fffU;
  // The exponents differ by 112; a subnormal of fp16 is a subnormal pattern here, which the product makes normal.
  const std::uint32_t finite = bits::of_float(bits::as_float(magnitude << 13) * 0x1p112F);
  const std::uint32_t special = (magnitude << 13) | 0x7f800000U;
  return bits::as_float((magnitude >= 0x7c00U ? special : finite) | (std::uint32_t{h} & 0x8000U) << 16);
}

inline std::uint16_t float_to_fp16(float value) {
  const std::uint32_t pattern = bits::of_float(value), magnitude = pattern & 0x7fffffffU;
  // Normal results: round the 13 dropped bits, then move the exponent. Small ones: adding 1/2 lines the last bit up with 2^-24.
  const std::uint32_t normal = (magnitude + 0xfffU + ((magnitude >> 13) & 1U) - (112U << 23)) >> 13;
  const std::uint32_t small = bits::of_float(bits::as_float(magnitude) + 0.5F) - 0x3f000000U;
  std::uint32_t result = magnitude < (113U << 23) ? small : normal;
  result = magnitude >= 0x477ff000U ? 0x7c00U : result;  // 65520 and beyond
  result = magnitude > 0x7f800000U ? 0x7e00U : result;
  return static_cast<std::uint16_t>(result | (pattern >> 16 & 0x8000U));
}

/// A tensor of a call. Indices are logical: (b, t, i) of a paged tensor goes through its block table.
class View {
 public:
  explicit View(const equinorm_tensor& tensor) : tensor_(&tensor) {}

  const equinorm_tensor& raw() const { return *tensor_; }
  std::int64_t dim(int axis) const { return tensor_->shape[axis]; }
  int rank() const { return tensor_->rank; }

  /// One element, read as a float (fp64 is rounded to it) or written by assignment (rounded to the tensor's format).
  class Element {
   public:
    Element(const equinorm_tensor& tensor, std::int64_t offset) : tensor_(&tensor), offset_(offset) {}
    operator float() const { return read(*tensor_, offset_); }  // NOLINT: reads like an array
    const Element& operator=(float value) const {
      write(*tensor_, offset_, value);
      return *this;
    }

   private:
    const equinorm_tensor* tensor_;
    std::int64_t offset_;
  };

  template <class... Index>
  Element operator()(Index... index) const {
    return {*tensor_, offset(static_cast<std::int64_t>(index)...)};
  }

  /// An element of an int64 or int32 tensor.
  template <class... Index>
  std::int64_t integer(Index... index) const {
    const std::int64_t at = offset(static_cast<std::int64_t>(index)...);
    return tensor_->dtype == EQUINORM_I64 ? static_cast<const std::int64_t*>(tensor_->data)[at]
                                          : static_cast<const std::int32_t*>(tensor_->data)[at];
  }

  /// A run of the last axis: out[j] = element (leading..., j), j < dim(rank - 1).
  template <class... Index>
  void load(float* out, Index... leading) const {
    load_row(offset(static_cast<std::int64_t>(leading)...), out);
  }
  /// Its reverse.
  template <class... Index>
  void store(const float* in, Index... leading) const {
    store_row(offset(static_cast<std::int64_t>(leading)...), in);
  }

  /// Where an element lies, counted in elements from data; axes left out at the end are 0.
  template <class... Index>
  std::int64_t offset(Index... index) const {
    const std::array<std::int64_t, sizeof...(Index)> at{index...};
    std::int64_t sum = 0;
    std::size_t first = 0;
    if (tensor_->block_table != nullptr) {
      if constexpr (sizeof...(Index) < 2) {
        throw std::runtime_error(std::string("paged tensor ") + tensor_->name + " needs row and token");
      } else {
        const std::int64_t page = tensor_->block_table[at[0] * tensor_->blocks_per_row + at[1] / tensor_->page_size];
        sum = page * tensor_->page_stride + at[1] % tensor_->page_size * tensor_->strides[1];
        first = 2;
      }
    }
    for (std::size_t axis = first; axis < at.size(); ++axis) sum += at[axis] * tensor_->strides[axis];
    return sum;
  }

 private:
  static float read(const equinorm_tensor& t, std::int64_t at) {
    switch (t.dtype) {
      case EQUINORM_F16:
        return fp16_to_float(static_cast<const std::uint16_t*>(t.data)[at]);
      case EQUINORM_BF16:
        return bf16_to_float(static_cast<const std::uint16_t*>(t.data)[at]);
      case EQUINORM_F32:
        return static_cast<const float*>(t.data)[at];
      case EQUINORM_F64:
        return static_cast<float>(static_cast<const double*>(t.data)[at]);
      default:
        throw std::runtime_error(std::string("tensor ") + t.name + " holds integers: read it with integer()");
    }
  }
  static void write(const equinorm_tensor& t, std::int64_t at, float value) {
    switch (t.dtype) {
      case EQUINORM_F16:
        static_cast<std::uint16_t*>(t.data)[at] = float_to_fp16(value);
        return;
      case EQUINORM_BF16:
        static_cast<std::uint16_t*>(t.data)[at] = float_to_bf16(value);
        return;
      case EQUINORM_F32:
        static_cast<float*>(t.data)[at] = value;
        return;
      case EQUINORM_F64:
        static_cast<double*>(t.data)[at] = double{value};
        return;
      default:
        throw std::runtime_error(std::string("tensor ") + t.name + " holds integers, which no kernel writes");
    }
  }

  template <class Stored, class Convert>
  void load_as(std::int64_t at, float* out, Convert convert) const {
    const std::int64_t n = dim(rank() - 1), stride = tensor_->strides[rank() - 1];
    const Stored* from = static_cast<const Stored*>(tensor_->data) + at;
    if (stride == 1) {
      for (std::int64_t j = 0; j < n; ++j) out[j] = convert(from[j]);
    } else {
      for (std::int64_t j = 0; j < n; ++j) out[j] = convert(from[j * stride]);
    }
  }
  void load_row(std::int64_t at, float* out) const {
    switch (tensor_->dtype) {
      case EQUINORM_F16:
        return load_as<std::uint16_t>(at, out, [](std::uint16_t h) { return fp16_to_float(h); });
      case EQUINORM_BF16:
        return load_as<std::uint16_t>(at, out, [](std::uint16_t h) { return bf16_to_float(h); });
      case EQUINORM_F32:
        return load_as<float>(at, out, [](float x) { return x; });
      case EQUINORM_F64:
        return load_as<double>(at, out, [](double x) { return static_cast<float>(x); });
      default:
        throw std::runtime_error(std::string("tensor ") + tensor_->name + " holds integers: read it with integer()");
    }
  }
  void store_row(std::int64_t at, const float* in) const {
    const std::int64_t n = dim(rank() - 1), stride = tensor_->strides[rank() - 1];
    for (std::int64_t j = 0; j < n; ++j) write(*tensor_, at + j * stride, in[j]);
  }

  const equinorm_tensor* tensor_;
};

/// Tokens [begin, end).
struct TokenRange {
  std::int64_t begin = 0, end = 0;
  bool empty() const { return begin >= end; }
};

/// A call with its tensors by name.
class Call {
 public:
  explicit Call(const equinorm_call& raw) : problem(*raw.problem), raw_(&raw) {}

  const equinorm_problem& problem;

  const equinorm_call& raw() const { return *raw_; }
  int threads() const { return raw_->threads; }
  std::int64_t context(std::int64_t b) const { return problem.context_lengths[b]; }
  std::int64_t group_of(std::int64_t head) const { return head * problem.groups / problem.heads; }

  bool has(const char* name) const { return find(name) != nullptr; }
  /// The input or output of this name. Throws where the call has none.
  View view(const char* name) const {
    if (const equinorm_tensor* found = find(name)) return View(*found);
    throw std::runtime_error(std::string("the call has no tensor ") + name);
  }

  /// The tokens that query s of batch row b sees.
  TokenRange visible(std::int64_t b, std::int64_t s) const {
    if (problem.mask == EQUINORM_MASK_NONE) return {0, context(b)};
    const std::int64_t last = context(b) - problem.queries + s;
    const std::int64_t first = problem.mask == EQUINORM_MASK_WINDOW ? last - problem.window + 1 : 0;
    return {std::max<std::int64_t>(0, first), std::max<std::int64_t>(0, last + 1)};
  }

  /// `count` numbers of the workspace, from byte `offset` on.
  float* workspace_floats(std::uint64_t offset, std::uint64_t count) const {
    if (offset + count * sizeof(float) > raw_->workspace_bytes) throw std::runtime_error("the workspace is too small");
    return reinterpret_cast<float*>(static_cast<char*>(raw_->workspace) + offset);
  }

 private:
  const equinorm_tensor* find(const char* name) const {
    for (std::int32_t i = 0; i < raw_->input_count; ++i) {
      if (std::strcmp(raw_->inputs[i].name, name) == 0) return &raw_->inputs[i];
    }
    for (std::int32_t i = 0; i < raw_->output_count; ++i) {
      if (std::strcmp(raw_->outputs[i].name, name) == 0) return &raw_->outputs[i];
    }
    return nullptr;
  }

  const equinorm_call* raw_;
};

/// For kernels that need none.
inline std::uint64_t no_workspace(const Call&) { return 0; }

/// Runs `run(Call)`, turning what it throws into a status and the call's message.
template <class Run>
std::int32_t guarded(const equinorm_call* call, Run run) noexcept {
  const auto say = [&](const char* text) {
    if (call->message != nullptr && call->message_bytes > 0) std::snprintf(call->message, call->message_bytes, "%s", text);
  };
  try {
    run(Call(*call));
    return EQUINORM_OK;
  } catch (const Unsupported& error) {
    say(error.what());
    return EQUINORM_UNSUPPORTED;
  } catch (const std::exception& error) {
    say(error.what());
  } catch (...) {
    say("the kernel threw something that is no std::exception");
  }
  return EQUINORM_FAILED;
}

/// Bytes of workspace; where that throws, so many that no machine has them.
template <class Workspace>
std::uint64_t guarded_workspace(const equinorm_call* call, Workspace workspace) noexcept {
  try {
    return workspace(Call(*call));
  } catch (...) {
    return UINT64_MAX;
  }
}

}  // namespace equinorm::kernels

/// Exports a kernel: its declaration (a JSON text), `uint64_t workspace(const Call&)` and `void run(const Call&)`.
#define EQUINORM_KERNEL(declaration, workspace, run)                                                                            \
  extern "C" {                                                                                                                  \
  EQUINORM_EXPORT const char* equinorm_kernel_describe(void) { return declaration; }                                            \
  EQUINORM_EXPORT std::uint64_t equinorm_kernel_workspace(const equinorm_call* call) {                                          \
    return equinorm::kernels::guarded_workspace(call, workspace);                                                               \
  }                                                                                                                             \
  EQUINORM_EXPORT std::int32_t equinorm_kernel_run(const equinorm_call* call) { return equinorm::kernels::guarded(call, run); } \
  }
