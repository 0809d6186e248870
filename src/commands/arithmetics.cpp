#include "commands/arithmetics.hpp"

#include <fmt/format.h>

#include <optional>

#include "problem/stored_tensors.hpp"
#include "scalar/error.hpp"
#include "scalar/tensor_core.hpp"

namespace equinorm::commands {
namespace {

using problem::Precision;
using scalar::Format;

/// 16-bit arithmetic rounds products (no 16-bit unit adds exact ones with one rounding everywhere); wider formats have FMA.
bool has_fma(Format format) { return format.precision >= scalar::kFp32.precision; }

/// Throws Error for a declared precision that no arithmetic here carries out.
void check_runnable(const Precision& p) {
  if (p.order.kind == scalar::SumOrder::Kind::tensor_core) {
    if (!(p.accumulate == scalar::kFp32 || p.accumulate == scalar::kFp16)) {
      throw Error(
          fmt::format("precision.order is {}; allowed with accumulate {}: any, sequential, pairwise, blocked:N (matrix units "
                      "accumulate in fp32 or fp16)",
                      scalar::to_string(p.order), scalar::to_string(p.accumulate)));
    }
    scalar::tensor_core(p.order.architecture, scalar::TensorInput::fp16, p.accumulate);
  }
  const auto real = [](Format f) { return f.kind == scalar::FormatKind::real; };
  const bool some = real(p.storage) || real(p.accumulate) || real(p.statistics);
  for (std::size_t i = 0; i < p.stored.size(); ++i) {
    const bool narrowed = p.stored[i].precision < scalar::kFp32.precision && !real(p.stored[i]);
    if ((some && narrowed) || (!some && real(p.stored[i]))) {
      throw Error(fmt::format("precision.{} is {}; allowed: a format of the same kind as storage, accumulate and statistics ({})",
                              problem::kStoredNames[i], scalar::to_string(p.stored[i]), scalar::to_string(p.accumulate)));
    }
  }
  if (some && !(p.storage == p.accumulate && p.accumulate == p.statistics)) {
    throw Error(fmt::format("precision.accumulate is {}; allowed: one real:BITS for storage, accumulate and statistics alike",
                            scalar::to_string(p.accumulate)));
  }
}

paths::Plan plan_of(Format storage, Format compute, const Precision& from) {
  paths::Plan plan;
  plan.precision = from;
  // A matrix unit's order belongs to its own formats; any order of ours is as good a sample of the format.
  if (from.order.kind == scalar::SumOrder::Kind::tensor_core) plan.precision.order = {};
  plan.precision.storage = storage;
  plan.precision.accumulate = plan.precision.statistics = compute;
  plan.precision.stored.fill(compute);
  plan.precision.of(problem::Stored::o) = storage;
  plan.fused = has_fma(compute);
  return plan;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> arithmetic_names() {
  return {{"fp16", "every operation rounded to fp16 (11 bits)"},          {"bf16", "every operation rounded to bf16 (8 bits)"},
          {"fp16/fp32", "inputs and o in fp16, everything else in fp32"}, {"bf16/fp32", "inputs and o in bf16, everything else in fp32"},
          {"fp32", "every operation rounded to fp32 (24 bits)"},          {"fp64", "every operation rounded to fp64 (53 bits)"}};
}

std::vector<std::pair<std::string, std::string>> further_arithmetics() {
  return {{"STORAGE/ACCUMULATE", "any two of fp16, bf16, fp32, fp64: inputs and o in the first, everything else in the second"},
          {"real:BITS", "every operation rounded to BITS bits, exponents unlimited"},
          {"declared", "the problem's own `precision`, every tensor that it stores in a narrower format rounded there"}};
}

NamedArithmetic find_arithmetic(const std::string& name, const problem::Problem& problem) {
  if (name == "declared") {
    check_runnable(problem.precision);
    paths::Plan plan;
    plan.precision = problem.precision;
    plan.fused = has_fma(problem.precision.accumulate);
    return {name, plan};
  }
  const std::size_t slash = name.find('/');
  try {
    const Format storage = scalar::parse_format(name.substr(0, slash));
    const Format compute = slash == std::string::npos ? storage : scalar::parse_format(name.substr(slash + 1));
    if (slash != std::string::npos && (storage.kind == scalar::FormatKind::real || compute.kind == scalar::FormatKind::real)) {
      throw Error("real:BITS cannot be mixed");
    }
    if (compute.precision < storage.precision) throw Error("the accumulator is narrower than the storage format");
    return {name, plan_of(storage, compute, problem.precision)};
  } catch (const Error& error) {
    throw Error(
        fmt::format("--formats: '{}' is not an arithmetic ({}); allowed: FORMAT, STORAGE/ACCUMULATE of fp16, bf16, fp32, fp64, "
                    "real:BITS, or declared",
                    name, error.what()));
  }
}

Format format_of_output(const paths::Plan& plan, const std::string& tensor) {
  const Format computed = tensor == "y" || tensor == "u" ? plan.precision.accumulate : plan.precision.statistics;
  const std::optional<problem::Stored> stored = problem::stored_of(tensor);
  if (!stored) return computed;
  const Format kept = plan.precision.of(*stored);
  return kept.precision < computed.precision ? kept : computed;
}

}  // namespace equinorm::commands
