#include "inputs/generate.hpp"

#include <fmt/format.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "inputs/family.hpp"
#include "inputs/rope_tables.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::inputs {
namespace {

using scalar::Format;
using scalar::FormatKind;
using tensor::AnyTensor;
using tensor::TensorMap;

/// Elements per parallel task; a row may be longer.
constexpr Index kBlockElements = 1 << 14;

tensor::DType storage_dtype(const Problem& problem) {
  const Format storage = problem.precision.storage;
  return storage.kind == FormatKind::real ? tensor::DType::f64 : tensor::dtype_of(storage);
}

/// Nearest number of `bits` < 53 bits (Veltkamp's splitting).
double to_bits(double value, int bits) {
  const double scaled = (std::ldexp(1.0, 53 - bits) + 1) * value;
  return scaled - (scaled - value);
}

/// The number on the grid of fp16 and bf16 that is near `value`: 8 bits, a multiple of 2^-24, at most 65280.
double to_common_grid(double value) {
  constexpr double kLargest = 65280;
  constexpr double kToGrid = 0x1.8p28;  // adding and subtracting it rounds to multiples of 2^-24
  const double rounded = scalar::round_to(scalar::kBf16, std::clamp(value, -kLargest, kLargest));
  return std::abs(rounded) < 0x1p-17 ? (rounded + kToGrid) - kToGrid : rounded;
}

/// What the storage format (and the common grid) makes of drawn values.
void round_values(const Problem& problem, bool common_grid, double* values, Index count) {
  const Format storage = problem.precision.storage;
  const bool short_format = storage.kind == FormatKind::fp16 || storage.kind == FormatKind::bf16;
  for (Index i = 0; i < count; ++i) {
    if (short_format && common_grid) {
      values[i] = to_common_grid(values[i]);
    } else if (storage.kind == FormatKind::real) {
      if (storage.precision < 53) values[i] = to_bits(values[i], storage.precision);
    } else {
      const double largest = scalar::limits(storage).largest;
      values[i] = std::clamp(values[i], -largest, largest);
    }
  }
}

const FamilyRow& find_family(const std::string& kind) {
  std::string known;
  for (const FamilyRow& row : family_table()) {
    if (row.name == kind) return row;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
  }
  throw Error(fmt::format("inputs.kind is \"{}\"; allowed are file, {}", kind, known));
}

AnyTensor generate_tensor(const Problem& problem, const Family& family, const TensorSpec& spec) {
  AnyTensor result(storage_dtype(problem), spec.shape);
  const Index width = spec.shape.back();
  if (result.size() == 0) return result;
  const Index rows = result.size() / width;
  tbb::parallel_for(tbb::blocked_range<Index>(0, rows, std::max<Index>(1, kBlockElements / width)),
                    [&](const tbb::blocked_range<Index>& range) {
                      const auto count = static_cast<Index>(range.size());
                      std::vector<double> values(static_cast<std::size_t>(count * width));
                      family.rows(spec, range.begin(), count, values.data());
                      round_values(problem, family.common_grid(), values.data(), count * width);
                      result.write(range.begin() * width, count * width, values.data());
                    });
  return result;
}

AnyTensor to_any(const tensor::Tensor<float>& table) {
  AnyTensor result(tensor::DType::f32, table.shape());
  std::memcpy(result.mutable_bytes(), table.data(), result.byte_size());
  return result;
}

}  // namespace

TensorMap generate_inputs(const Problem& problem) {
  std::set<std::string> names;
  for (const TensorSpec& spec : problem::input_tensors(problem, 1)) {
    if (spec.role != Role::positions) names.insert(spec.name);
  }
  return generate_inputs(problem, names);
}

TensorMap generate_inputs(const Problem& problem, const std::set<std::string>& names) {
  const FamilyRow& row = find_family(problem.inputs.kind);
  const Index table_rows = problem::default_table_rows(problem);
  const RopeTables tables = problem.rotated_dim() > 0 ? rope_tables(problem.rope, problem.rotated_dim(), table_rows) : RopeTables{};
  const std::unique_ptr<Family> family = row.make(problem, tables);
  TensorMap inputs;
  for (const TensorSpec& spec : problem::input_tensors(problem, table_rows)) {
    if (names.count(spec.name) == 0 || spec.role == Role::positions) continue;
    if (spec.role == Role::rope_table) {
      inputs.emplace(spec.name, to_any(spec.name == "rope_cos" ? tables.cos : tables.sin));
    } else {
      inputs.emplace(spec.name, generate_tensor(problem, *family, spec));
    }
  }
  for (const std::string& name : names) {
    if (inputs.count(name) == 0) throw Error(fmt::format("problem {} generates no input tensor \"{}\"", problem.name, name));
  }
  return inputs;
}

std::vector<std::pair<std::string, std::string>> input_families() {
  std::vector<std::pair<std::string, std::string>> families;
  for (const FamilyRow& row : family_table()) families.emplace_back(row.name, row.description);
  return families;
}

}  // namespace equinorm::inputs
