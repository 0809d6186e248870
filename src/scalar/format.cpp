#include "scalar/format.hpp"

#include <charconv>

#include "scalar/error.hpp"

namespace equinorm::scalar {
namespace {

constexpr std::string_view kRealPrefix = "real:";

[[noreturn]] void refuse(std::string_view text) {
  throw Error("number format '" + std::string(text) + "' is unknown; allowed are fp16, bf16, fp32, fp64 and real:BITS with BITS from " +
              std::to_string(kMinRealBits) + " to " + std::to_string(kMaxRealBits));
}

}  // namespace

FormatLimits limits(Format format) {
  switch (format.kind) {
    case FormatKind::fp16:
      return {-14, 15, 0x1p-14, 0x1p-24, 0x1.ffcp15};
    case FormatKind::bf16:
      return {-126, 127, 0x1p-126, 0x1p-133, 0x1.fep127};
    case FormatKind::fp32:
      return {-126, 127, 0x1p-126, 0x1p-149, 0x1.fffffep127};
    case FormatKind::fp64:
      return {-1022, 1023, 0x1p-1022, 0x1p-1074, 0x1.fffffffffffffp1023};
    case FormatKind::real:
      break;
  }
  throw Error("format " + to_string(format) + " has no exponent limits; only fp16, bf16, fp32 and fp64 have");
}

Format parse_format(std::string_view text) {
  for (const Format& format : {kFp16, kBf16, kFp32, kFp64}) {
    if (text == to_string(format)) return format;
  }
  if (!text.starts_with(kRealPrefix)) refuse(text);
  const std::string_view digits = text.substr(kRealPrefix.size());
  int bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc{} || end != digits.data() + digits.size() || bits < kMinRealBits || bits > kMaxRealBits) refuse(text);
  return {FormatKind::real, bits};
}

std::string to_string(Format format) {
  switch (format.kind) {
    case FormatKind::fp16:
      return "fp16";
    case FormatKind::bf16:
      return "bf16";
    case FormatKind::fp32:
      return "fp32";
    case FormatKind::fp64:
      return "fp64";
    case FormatKind::real:
      break;
  }
  return std::string(kRealPrefix) + std::to_string(format.precision);
}

}  // namespace equinorm::scalar
