#include "scalar/sum_order.hpp"

#include <charconv>

#include "scalar/error.hpp"

namespace equinorm::scalar {
namespace {

constexpr std::string_view kBlockedPrefix = "blocked:";
constexpr std::string_view kTensorCorePrefix = "tensor-core:";

[[noreturn]] void refuse(std::string_view text) {
  throw Error("summation order '" + std::string(text) +
              "' is unknown; allowed are any, sequential, pairwise, blocked:N (N >= 1) and tensor-core:ARCH");
}

std::int64_t parse_block(std::string_view text) {
  const std::string_view digits = text.substr(kBlockedPrefix.size());
  std::int64_t block = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), block);
  if (error != std::errc{} || end != digits.data() + digits.size() || block < 1) refuse(text);
  return block;
}

}  // namespace

SumOrder parse_order(std::string_view text) {
  if (text == "any") return {SumOrder::Kind::any, 0, {}};
  if (text == "sequential") return {SumOrder::Kind::sequential, 0, {}};
  if (text == "pairwise") return {SumOrder::Kind::pairwise, 0, {}};
  if (text.starts_with(kBlockedPrefix)) return {SumOrder::Kind::blocked, parse_block(text), {}};
  if (text.starts_with(kTensorCorePrefix) && text.size() > kTensorCorePrefix.size()) {
    return {SumOrder::Kind::tensor_core, 0, std::string(text.substr(kTensorCorePrefix.size()))};
  }
  refuse(text);
}

std::string to_string(const SumOrder& order) {
  switch (order.kind) {
    case SumOrder::Kind::any:
      return "any";
    case SumOrder::Kind::sequential:
      return "sequential";
    case SumOrder::Kind::pairwise:
      return "pairwise";
    case SumOrder::Kind::blocked:
      return std::string(kBlockedPrefix) + std::to_string(order.block);
    case SumOrder::Kind::tensor_core:
      return std::string(kTensorCorePrefix) + order.architecture;
  }
  return "?";
}

}  // namespace equinorm::scalar
