// Declarations of variables: type, alignment, dimensions, initialisers.
#include <cstring>

#include "vgpu/parser.hpp"

namespace equinorm::vgpu {
namespace {

constexpr std::uint64_t kLargestVariable = std::uint64_t{1} << 28;  // all variables of a file together, in bytes

void store(std::vector<std::uint8_t>& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  if (bytes.size() < at + size) bytes.resize(at + size);
  for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace

std::uint64_t Parser::parse_dimensions(bool& open) {
  std::uint64_t count = 1;
  while (accept("[")) {
    if (accept("]")) {
      open = true;
      continue;
    }
    const auto size = static_cast<std::uint64_t>(expect_integer(0, static_cast<std::int64_t>(kLargestVariable)));
    if (size != 0 && count > kLargestVariable / size) fail("an array of at most 2^28 bytes is allowed");
    count *= size;
    expect("]");
  }
  return count;
}

/// [.align n] [.v2|.v4] .type name [dimensions] [= initialiser], and .ptr .space .align n of kernel parameters.
Variable Parser::parse_variable(Space space) {
  Variable variable;
  variable.space = space;
  variable.line = peek().line;
  std::uint64_t lanes = 1;
  std::uint32_t align = 0;
  bool has_type = false;
  while (peek().kind == Token::Kind::directive) {
    const std::string_view word = next().text.substr(1);
    if (word == "align") {
      align = static_cast<std::uint32_t>(expect_integer(1, 1 << 16));
      if ((align & (align - 1)) != 0) fail("an alignment is a power of two");
    } else if (word == "v2" || word == "v4") {
      lanes = word == "v2" ? 2 : 4;
    } else if (word == "ptr") {
      while (at(".global") || at(".shared") || at(".const") || at(".local")) next();
      if (accept(".align")) expect_integer(1, 1 << 16);
    } else if (const auto type = parse_type(word); type && *type != Type::pred) {
      variable.type = *type;
      has_type = true;
    } else if (word != "attribute" && word != "managed") {
      fail("expected a type, found '." + std::string(word) + "' before this");
    }
  }
  if (!has_type) fail("expected a type");
  variable.name = expect_word();
  const auto size = static_cast<std::uint64_t>(size_of(variable.type)) * lanes;
  variable.align = align != 0 ? align : static_cast<std::uint32_t>(size);
  bool open = false;
  const std::uint64_t count = parse_dimensions(open);
  if (count > kLargestVariable / size) fail("a variable of at most 2^28 bytes is allowed");
  variable.bytes = open ? 0 : count * size;
  if (accept("=")) parse_initial(variable);
  if (open) variable.bytes = variable.initial.size();
  variables_bytes_ += variable.bytes;
  if (variable.initial.size() > variable.bytes) fail("more initial values than '" + variable.name + "' holds");
  if (variables_bytes_ > kLargestVariable) fail("all variables together may have at most 2^28 bytes");
  return variable;
}

void Parser::parse_initial(Variable& variable) {
  if (!at("{")) return parse_initial_item(variable, 0);
  std::size_t element = 0;
  int depth = 0;  // nested braces only group
  do {
    while (accept("{")) ++depth;
    if (!at("}")) parse_initial_item(variable, element++);
    while (depth > 0 && accept("}")) --depth;
  } while (depth > 0 && (accept(",") || (fail("expected ',' or '}'"), false)));
}

void Parser::parse_initial_item(Variable& variable, std::size_t element) {
  const auto size = static_cast<std::size_t>(size_of(variable.type));
  const std::size_t at_byte = element * size;
  const Token& token = peek();
  if (token.kind == Token::Kind::word) {
    Relocation relocation{at_byte, expect_word(), 0, false};
    if (relocation.symbol == "generic" && accept("(")) {
      relocation.generic = true;
      relocation.symbol = expect_word();
      expect(")");
    }
    if (accept("+")) relocation.addend = expect_integer(0, std::int64_t{1} << 40);
    if (size != 8) fail("an address needs a 64-bit type");
    variable.relocations.push_back(std::move(relocation));
    return store(variable.initial, at_byte, 0, size);
  }
  const bool negative = accept("-");
  std::uint64_t bits = peek().bits;
  if (peek().kind == Token::Kind::integer) {
    if (negative) bits = 0 - bits;
  } else if (peek().kind == Token::Kind::float32) {
    if (negative) bits ^= std::uint64_t{1} << 31;
  } else if (peek().kind == Token::Kind::float64) {
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (negative) value = -value;
    std::memcpy(&bits, &value, sizeof value);
    if (variable.type == Type::f32) {
      const auto narrow = static_cast<float>(value);
      bits = 0;
      std::memcpy(&bits, &narrow, sizeof narrow);
    }
  } else {
    fail("expected a number or a name as initial value");
  }
  next();
  store(variable.initial, at_byte, bits, std::min<std::size_t>(size, 8));
  if (size > 8) store(variable.initial, at_byte + 8, 0, size - 8);
}

}  // namespace equinorm::vgpu
