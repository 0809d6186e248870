#include "vgpu/matrix.hpp"

#include <bit>
#include <charconv>

#include "scalar/rounding.hpp"
#include "vgpu/launch.hpp"

namespace equinorm::vgpu {
namespace {

int number_of(std::string_view architecture) {
  int number = 0;
  architecture.remove_prefix(3);  // sm_
  std::from_chars(architecture.data(), architecture.data() + architecture.size(), number);
  return number;
}

scalar::TensorInput input_of(Type type) {
  switch (type) {
    case Type::bf16:
      return scalar::TensorInput::bf16;
    case Type::tf32:
      return scalar::TensorInput::tf32;
    default:
      return scalar::TensorInput::fp16;
  }
}

}  // namespace

const scalar::TensorCore* matrix_unit(int target, scalar::TensorInput input, bool fp16_output) {
  int newest = 0;
  const scalar::TensorCore* found = nullptr;
  for (const scalar::TensorCore& unit : scalar::tensor_cores()) {
    const int number = number_of(unit.architecture);
    if (unit.instruction != scalar::TensorInstruction::mma || number > target || number < newest) continue;
    if (number > newest) found = nullptr;
    newest = number;
    if (unit.input == input && (unit.rounding == scalar::TensorRounding::fp16) == fp16_output) found = &unit;
  }
  return found;
}

const scalar::TensorCore* matrix_unit(int target, const Decoded& d) {
  return matrix_unit(target, input_of(d.second_type), d.type == Type::f16);
}

void multiply_matrices(const Warp& warp, const Decoded& d, int depth, const float* a, const float* b, u32* c) {
  constexpr int kElements = 16 * 8;
  const bool half = d.type == Type::f16;
  const auto input = static_cast<std::size_t>(input_of(d.second_type));
  float sum[kElements];
  for (int i = 0; i < kElements; ++i) sum[i] = half ? scalar::fp16_value(static_cast<u16>(c[i])) : std::bit_cast<float>(c[i]);
  scalar::tensor_core_multiply(*warp.block->launch->matrix_units[half ? 1 : 0][input], 16, 8, depth, a, b, sum);
  for (int i = 0; i < kElements; ++i) c[i] = half ? scalar::fp16_bits(sum[i]) : std::bit_cast<u32>(sum[i]);
}

}  // namespace equinorm::vgpu
