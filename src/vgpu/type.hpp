// Types and state spaces of PTX.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace equinorm::vgpu {

enum class Type : std::uint8_t {
  pred,
  b8,
  b16,
  b32,
  b64,
  b128,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f16,
  f16x2,
  bf16,
  bf16x2,
  tf32,
  f32,
  f64
};

/// "f32" -> Type::f32; nothing for a word that is no type.
std::optional<Type> parse_type(std::string_view word);
const char* to_string(Type type);
/// Bytes of a value: 1 for pred (in a list of types only; predicates have no address), up to 16 for b128.
int size_of(Type type);
bool is_signed(Type type);
bool is_float(Type type);

enum class Space : std::uint8_t { reg, global, constant, shared, local, param, generic };
const char* to_string(Space space);

}  // namespace equinorm::vgpu
