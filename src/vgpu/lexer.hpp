// PTX text -> tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace equinorm::vgpu {

/// A word is an identifier with its dotted and :: parts (`ld.global.nc.f32`, `%tid.x`, `$L__BB0_1`); a directive begins with a dot
/// (`.reg`); punctuation is one character. Views into the text that was read.
struct Token {
  enum class Kind : std::uint8_t { word, directive, integer, float32, float64, string, punctuation, end };
  Kind kind = Kind::end;
  std::string_view text;
  std::uint64_t bits = 0;  ///< value of an integer, bit pattern of a float
  std::uint32_t line = 0;  ///< from 1
};

/// All tokens, an end token last. Throws Error naming `name` and the line of anything that is no token.
std::vector<Token> read_tokens(std::string_view text, const std::string& name);

}  // namespace equinorm::vgpu
