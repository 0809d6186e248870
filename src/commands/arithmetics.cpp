#include "commands/arithmetics.hpp"

#include <fmt/format.h>

#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

using problem::Precision;
using scalar::Format;

/// 16-bit arithmetic rounds products (no 16-bit unit adds exact ones with one rounding everywhere); wider formats have FMA.
bool has_fma(Format format) { return format.precision >= scalar::kFp32.precision; }

paths::Plan plan_of(Format storage, Format compute, const Precision& from) {
  paths::Plan plan;
  plan.precision = from;
  plan.precision.storage = storage;
  plan.precision.accumulate = plan.precision.statistics = compute;
  plan.precision.stored.fill(compute);
  plan.precision.of(problem::Stored::o) = storage;
  plan.fused = has_fma(compute);
  return plan;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> arithmetic_names() {
  return {{"fp16", "every operation rounded to fp16 (11 bits)"},
          {"bf16", "every operation rounded to bf16 (8 bits)"},
          {"fp16/fp32", "inputs and o in fp16, everything else in fp32"},
          {"bf16/fp32", "inputs and o in bf16, everything else in fp32"},
          {"fp32", "every operation rounded to fp32 (24 bits)"},
          {"fp64", "every operation rounded to fp64 (53 bits)"}};
}

NamedArithmetic find_arithmetic(const std::string& name, const problem::Problem& problem) {
  if (name == "declared") {
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
    throw Error(fmt::format("--formats: '{}' is not an arithmetic ({}); allowed: FORMAT, STORAGE/ACCUMULATE of fp16, bf16, fp32, fp64, "
                            "real:BITS, or declared",
                            name, error.what()));
  }
}

Format format_of_output(const paths::Plan& plan, const std::string& tensor) {
  if (tensor == "o") return plan.precision.of(problem::Stored::o);
  if (tensor == "y") return plan.precision.accumulate;
  if (tensor == "u") return plan.precision.of(problem::Stored::u);
  return plan.precision.statistics;
}

}  // namespace equinorm::commands
