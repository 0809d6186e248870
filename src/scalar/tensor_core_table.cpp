// The matrix units by architecture and input format. Another architecture is a few more rows.
#include <algorithm>
#include <array>
#include <vector>

#include "scalar/error.hpp"
#include "scalar/tensor_core.hpp"

namespace equinorm::scalar {
namespace {

using enum TensorInstruction;
using enum TensorInput;

constexpr TensorRounding kRz24 = TensorRounding::fp32;
constexpr TensorRounding kRz14 = TensorRounding::e8m13;

/// No fp16 accumulator.
constexpr int kNone = 0;

/// One line: L, F, rho into fp32 and the exponents of a zero for an fp32 and an fp16 accumulator.
struct Row {
  std::string_view architecture;
  TensorInstruction instruction;
  TensorInput input;
  int block, fraction;
  TensorRounding rounding;
  int zero_fp32, zero_fp16;
  bool halves = false;
};

constexpr Row kRows[] = {
    {"sm_70", mma, fp16, 4, 23, kRz24, -131, -20},          // m8n8k4
    {"sm_75", mma, fp16, 8, 24, kRz24, -132, -21},          // m16n8k8; its m8n8k4 would have L = 4
    {"sm_80", mma, fp16, 8, 24, kRz24, -132, -21},          // m16n8k16 is two links
    {"sm_80", mma, bf16, 8, 24, kRz24, -132, kNone},        //
    {"sm_80", mma, tf32, 4, 24, kRz24, -132, kNone},        //
    {"sm_86", mma, fp16, 8, 24, kRz24, -132, -21},          //
    {"sm_86", mma, bf16, 8, 24, kRz24, -132, kNone},        //
    {"sm_86", mma, tf32, 4, 24, kRz24, -132, kNone},        //
    {"sm_89", mma, fp16, 8, 24, kRz24, -132, -21},          //
    {"sm_89", mma, bf16, 8, 24, kRz24, -132, kNone},        //
    {"sm_89", mma, tf32, 4, 24, kRz24, -132, kNone},        //
    {"sm_89", mma, e4m3, 16, 13, kRz14, -132, -21},         // m16n8k32 is two links
    {"sm_89", mma, e5m2, 16, 13, kRz14, -132, -21},         //
    {"sm_90", mma, fp16, 16, 25, kRz24, -133, -22},         //
    {"sm_90", mma, bf16, 16, 25, kRz24, -133, kNone},       //
    {"sm_90", mma, tf32, 8, 25, kRz24, -133, kNone},        //
    {"sm_90", mma, e4m3, 32, 25, kRz24, -133, -22, true},   //
    {"sm_90", mma, e5m2, 32, 25, kRz24, -133, -22, true},   //
    {"sm_90", wgmma, fp16, 16, 25, kRz24, -133, -133},      //
    {"sm_90", wgmma, bf16, 16, 25, kRz24, -133, kNone},     //
    {"sm_90", wgmma, tf32, 8, 25, kRz24, -133, kNone},      //
    {"sm_90", wgmma, e4m3, 32, 13, kRz14, -133, -133},      //
    {"sm_90", wgmma, e5m2, 32, 13, kRz14, -133, -133},      //
    {"sm_100", mma, fp16, 16, 25, kRz24, -133, -22},        //
    {"sm_100", mma, bf16, 16, 25, kRz24, -133, kNone},      //
    {"sm_100", mma, tf32, 8, 25, kRz24, -133, kNone},       //
    {"sm_100", mma, e4m3, 32, 25, kRz24, -133, -22, true},  //
    {"sm_100", mma, e5m2, 32, 25, kRz24, -133, -22, true},  //
    {"sm_100", tcgen05, fp16, 16, 25, kRz24, -133, -133},   //
    {"sm_100", tcgen05, bf16, 16, 25, kRz24, -133, kNone},  //
    {"sm_100", tcgen05, tf32, 8, 25, kRz24, -133, kNone},   //
    {"sm_100", tcgen05, e4m3, 32, 25, kRz24, -133, -133},   //
    {"sm_100", tcgen05, e5m2, 32, 25, kRz24, -133, -133},   //
    {"sm_120", mma, fp16, 16, 25, kRz24, -133, -22},        //
    {"sm_120", mma, bf16, 16, 25, kRz24, -133, kNone},      //
    {"sm_120", mma, tf32, 8, 25, kRz24, -133, kNone},       //
    {"sm_120", mma, e4m3, 32, 25, kRz24, -133, -22},        //
    {"sm_120", mma, e5m2, 32, 25, kRz24, -133, -22},        //
};

std::vector<TensorCore> units_of_rows() {
  std::vector<TensorCore> units;
  for (const Row& row : kRows) {
    TensorCore unit{row.architecture, row.instruction, row.input, row.rounding, row.block, row.fraction, row.zero_fp32, row.halves};
    units.push_back(unit);
    if (row.zero_fp16 == kNone) continue;
    unit.rounding = TensorRounding::fp16;
    unit.zero_exponent = row.zero_fp16;
    units.push_back(unit);
  }
  return units;
}

std::string name_of(const TensorCore& unit) {
  constexpr std::array kSuffixes{"", ":wgmma", ":tcgen05"};
  return std::string(unit.architecture) + kSuffixes[static_cast<std::size_t>(unit.instruction)];
}

}  // namespace

std::span<const TensorCore> tensor_cores() {
  static const std::vector<TensorCore> units = units_of_rows();
  return units;
}

std::string tensor_core_architectures() {
  std::string all, last;
  for (const TensorCore& unit : tensor_cores()) {
    const std::string name = name_of(unit);
    if (name == last) continue;
    all += (all.empty() ? "" : ", ") + name;
    last = name;
  }
  return all;
}

const TensorCore* find_tensor_core(std::string_view architecture, TensorInput input, Format accumulate) {
  bool known = false;
  for (const TensorCore& unit : tensor_cores()) {
    if (name_of(unit) != architecture) continue;
    known = true;
    const Format format = unit.rounding == TensorRounding::fp16 ? kFp16 : kFp32;
    if (unit.input == input && format == accumulate) return &unit;
  }
  if (known) return nullptr;
  throw Error("tensor-core architecture '" + std::string(architecture) + "' is unknown; allowed are " + tensor_core_architectures());
}

const TensorCore& tensor_core(std::string_view architecture, TensorInput input, Format accumulate) {
  const TensorCore* unit = find_tensor_core(architecture, input, accumulate);
  if (unit != nullptr) return *unit;
  constexpr std::array kInputs{"fp16", "bf16", "tf32", "e4m3", "e5m2"};
  throw Error("tensor-core architecture '" + std::string(architecture) + "' has no unit for " + kInputs[static_cast<std::size_t>(input)] +
              " factors and accumulator " + to_string(accumulate));
}

}  // namespace equinorm::scalar
