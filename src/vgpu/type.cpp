#include "vgpu/type.hpp"

#include <array>

namespace equinorm::vgpu {
namespace {

struct TypeRow {
  const char* name;
  int size;
};
// In the order of Type.
constexpr std::array<TypeRow, 21> kTypes{{{"pred", 1}, {"b8", 1},    {"b16", 2},  {"b32", 4},    {"b64", 8},  {"b128", 16}, {"u8", 1},
                                          {"u16", 2},  {"u32", 4},   {"u64", 8},  {"s8", 1},     {"s16", 2},  {"s32", 4},   {"s64", 8},
                                          {"f16", 2},  {"f16x2", 4}, {"bf16", 2}, {"bf16x2", 4}, {"tf32", 4}, {"f32", 4},   {"f64", 8}}};

}  // namespace

std::optional<Type> parse_type(std::string_view word) {
  for (std::size_t i = 0; i < kTypes.size(); ++i)
    if (word == kTypes[i].name) return static_cast<Type>(i);
  return std::nullopt;
}

const char* to_string(Type type) { return kTypes[static_cast<std::size_t>(type)].name; }
int size_of(Type type) { return kTypes[static_cast<std::size_t>(type)].size; }
bool is_signed(Type type) { return type >= Type::s8 && type <= Type::s64; }
bool is_float(Type type) { return type >= Type::f16; }

const char* to_string(Space space) {
  constexpr std::array<const char*, 7> kNames{"register", "global", "const", "shared", "local", "param", "generic"};
  return kNames[static_cast<std::size_t>(space)];
}

}  // namespace equinorm::vgpu
