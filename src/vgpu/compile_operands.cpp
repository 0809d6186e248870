// Operands: from the row's operand column and the instruction's text to slots.
#include <algorithm>
#include <cstring>
#include <tuple>

#include "vgpu/compiler.hpp"

namespace equinorm::vgpu {
namespace {

Type wide(Type type) {
  switch (type) {
    case Type::u16:
      return Type::u32;
    case Type::s16:
      return Type::s32;
    case Type::u32:
      return Type::u64;
    default:
      return Type::s64;
  }
}

/// Type of an item such as "0", "w", "pred", "b32".
Type type_of(const Form& form, std::string_view item) {
  if (item.size() == 1 && item[0] >= '0' && item[0] <= '2') return form.types.at(static_cast<std::size_t>(item[0] - '0'));
  if (item == "w") return wide(form.types.at(0));
  return parse_type(item).value();
}

int storage(Type type) { return type == Type::pred ? 0 : std::max(size_of(type), 2); }

u64 constant_bits(const Operand& operand, Type type) {
  if (operand.kind == Operand::Kind::float64 && size_of(type) == 4) {
    double value = 0;
    std::memcpy(&value, &operand.bits, sizeof value);
    const auto narrow = static_cast<float>(value);
    u32 bits = 0;
    std::memcpy(&bits, &narrow, sizeof bits);
    return bits;
  }
  if (operand.kind == Operand::Kind::float32 && type == Type::f64) {
    const auto raw = static_cast<u32>(operand.bits);
    float value = 0;
    std::memcpy(&value, &raw, sizeof value);
    const double wide_value = value;
    u64 bits = 0;
    std::memcpy(&bits, &wide_value, sizeof bits);
    return bits;
  }
  return operand.bits;
}

}  // namespace

Decoded Compiler::describe(const Frame& frame, const Instruction& instruction, const Form& form) const {
  const Row& row = rows()[static_cast<std::size_t>(form.row)];
  Decoded d;
  d.handler = handlers()[static_cast<std::size_t>(form.row)];
  d.flow = row.flow;
  d.row = form.row;
  d.place = instruction.place;
  d.line = instruction.line;
  if (!form.types.empty()) d.type = form.types[0];
  if (form.types.size() > 1) d.second_type = form.types[1];
  d.space = form.space;
  d.rounding = form.rounding;
  d.mode = static_cast<u8>(form.mode);
  d.combine = static_cast<u8>(form.combine);
  d.count = static_cast<u8>(form.count);
  d.ftz = form.ftz, d.sat = form.sat, d.relu = form.relu, d.nan = form.nan, d.to_integer = form.to_integer,
  d.has_rounding = form.has_rounding;
  d.aligned = instruction.opcode.starts_with("bar.") || instruction.opcode.ends_with(".aligned");
  if (instruction.guard >= 0) {
    d.guard = frame.slots[static_cast<std::size_t>(instruction.guard)];
    d.flip = instruction.guard_negated ? kAllLanes : 0;
  }
  return d;
}

std::string Compiler::bind(Frame& frame, const Instruction& instruction, const Form& form, Decoded& d) {
  const Row& row = rows()[static_cast<std::size_t>(form.row)];
  std::vector<u32> slots;
  std::size_t at = 0;
  std::string_view rest = row.operands;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    std::string_view item = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const bool optional = item.ends_with('?');
    if (optional) item.remove_suffix(1);
    if (at >= instruction.operands.size()) {
      if (optional) continue;
      return "too few operands";
    }
    if (optional) d.has_optional = true;
    if (std::string why = bind_item(frame, instruction, form, item, instruction.operands[at], d, slots); !why.empty())
      return "operand " + std::to_string(at + 1) + ": " + why;
    ++at;
  }
  // The cache policy at the end of an access says nothing about its result.
  const bool has_policy = at + 1 == instruction.operands.size() && instruction.opcode.find("L2::cache_hint") != std::string::npos;
  if (at != instruction.operands.size() && !has_policy) return "too many operands";
  if (row.shadow == ShadowOp::load || row.shadow == ShadowOp::store) d.source_bytes = static_cast<u8>(size_of(d.type));
  if (row.shadow == ShadowOp::copy_async && d.has_optional && d.register_bytes == 8) d.has_optional = false;  // a cache policy
  if (row.shadow == ShadowOp::copy_async && d.immediate != 4 && d.immediate != 8 && d.immediate != 16)
    return "cp.async copies 4, 8 or 16 bytes";
  d.shadow = row.shadow;
  if (row.operands[0] == '=') {
    const std::string_view result = std::string_view(row.operands).substr(1, std::string_view(row.operands).find(' ') - 1);
    d.results = result == "p" || result.find('*') != std::string_view::npos ? d.count
                : result.size() > 2 && result[1] == 'x'                     ? static_cast<u8>(result[0] - '0')
                                                                            : 1;
  }
  d.slot_count = static_cast<u32>(slots.size());
  std::copy_n(slots.begin(), std::min<std::size_t>(slots.size(), Decoded::kInline), d.slot);
  if (slots.size() > Decoded::kInline) d.slots = program_.long_slots.emplace_back(std::move(slots)).data();
  return {};
}

std::string Compiler::bind_item(Frame& frame, const Instruction& instruction, const Form& form, std::string_view item,
                                const Operand& operand, Decoded& d, std::vector<u32>& slots) {
  const bool is_result = item.starts_with('=');
  if (is_result) item.remove_prefix(1);
  if (item == "[m]") return bind_address(frame, instruction, operand, d, slots, d.slot_count != 0);
  if (item == "p") return bind_parts(frame, instruction, form, operand, d, slots, is_result);
  if (item == "i") {
    if (operand.kind != Operand::Kind::integer) return "an integer constant is needed";
    d.immediate = static_cast<s64>(operand.bits);
    return {};
  }
  const bool relaxed = item.find('~') != std::string_view::npos, by_count = item.ends_with('*');
  if (by_count) item.remove_suffix(1);
  if (relaxed) item.remove_suffix(1);
  int lanes = by_count ? form.count : 1;
  const bool is_vector = (by_count && form.count > 1) || (item.size() > 2 && item[1] == 'x');
  if (item.size() > 2 && item[1] == 'x') lanes = item[0] - '0', item.remove_prefix(2);
  const std::size_t bar = item.find('|');
  const Type type = type_of(form, item.substr(0, bar));
  const auto one = [&](const Operand& value, Type as) -> std::string {
    u32 slot = 0;
    int bytes = 0;
    if (std::string why = bind_value(frame, instruction, value, as, relaxed, is_result, slot, bytes); !why.empty()) return why;
    if (relaxed) {
      u8& width = d.register_bytes == 0 || is_vector ? d.register_bytes : d.source_bytes;
      if (is_vector && width != 0 && width != bytes) return "registers of one width are needed";
      width = static_cast<u8>(bytes);
    }
    if (as == Type::pred && !is_result) d.negated |= value.negated;
    slots.push_back(slot);
    return {};
  };
  if (is_vector) {
    if (operand.kind != Operand::Kind::vector && lanes == 1) return one(operand, type);
    if (operand.kind != Operand::Kind::vector || static_cast<int>(operand.parts.size()) != lanes)
      return "a vector of " + std::to_string(lanes) + " is needed";
    for (const Operand& part : operand.parts)
      if (std::string why = one(part, type); !why.empty()) return why;
    return {};
  }
  if (operand.kind == Operand::Kind::vector && operand.parts.size() == 1) return one(operand.parts[0], type);
  if (bar == std::string_view::npos || operand.kind != Operand::Kind::pair) return one(operand, type);
  d.has_pair = true;
  if (std::string why = one(operand.parts[0], type); !why.empty()) return why;
  return one(operand.parts[1], type_of(form, item.substr(bar + 1)));
}

std::string Compiler::bind_value(Frame& frame, const Instruction& instruction, const Operand& operand, Type type, bool relaxed,
                                 bool is_result, u32& slot, int& bytes) {
  bytes = storage(type);
  switch (operand.kind) {
    case Operand::Kind::reg: {
      const Type own = frame.function->registers[static_cast<std::size_t>(operand.index)].type;
      if ((own == Type::pred) != (type == Type::pred)) return std::string("a ") + to_string(type) + " is needed, not a " + to_string(own);
      if (operand.negated && type != Type::pred) return "'!' belongs to a predicate";
      if (storage(own) != bytes && (!relaxed || storage(own) < bytes))
        return std::string("a register for ") + to_string(type) + " is needed, not " + to_string(own);
      bytes = storage(own);
      u32& known = frame.slots[static_cast<std::size_t>(operand.index)];
      if (known == ~u32{0}) known = new_slot(bytes);
      slot = known;
      return {};
    }
    case Operand::Kind::sink:
      slot = is_result ? scratch(bytes) : constant(0, bytes);
      return {};
    case Operand::Kind::integer:
    case Operand::Kind::float32:
    case Operand::Kind::float64:
      if (is_result) return "a register is needed";
      slot = constant(bytes == 2   ? constant_bits(operand, type) & 0xffff
                      : bytes == 4 ? constant_bits(operand, type) & 0xffffffffu
                                   : constant_bits(operand, type),
                      bytes);
      return {};
    case Operand::Kind::variable:
    case Operand::Kind::name: {
      if (is_result) return "a register is needed";
      if (operand.kind == Operand::Kind::name && operand.text == "WARP_SZ") {
        slot = constant(kLanes, bytes);
        return {};
      }
      if (operand.kind == Operand::Kind::name && operand.text.starts_with('%')) {
        if (type == Type::pred) return "a predicate is needed";
        slot = special(instruction, operand.text, bytes);
        return {};
      }
      Space space{};
      u64 address = 0;
      if (std::string why = symbol_address(frame, operand, space, address); !why.empty()) return why;
      if (bytes < 4) return "an address needs 32 or 64 bits";
      slot = constant(bytes == 4 ? address & 0xffffffffu : address, bytes);
      return {};
    }
    default:
      return "a register or constant is needed";
  }
}

/// Address of a variable within its own space, offset included.
std::string Compiler::symbol_address(Frame& frame, const Operand& operand, Space& space, u64& address) const {
  if (operand.kind == Operand::Kind::variable) {
    std::tie(space, address) = frame.variables[static_cast<std::size_t>(operand.index)];
  } else {
    const Variable* variable = module_.find_variable(operand.text);
    if (variable == nullptr) return "'" + operand.text + "' is unknown";
    space = variable->space;
    if (space == Space::shared) {
      const auto found = shared_addresses_.find(variable);
      address = found != shared_addresses_.end() ? found->second : program_.shared_bytes;  // extern .shared x[]
    } else {
      address = address_of_(*variable);
    }
  }
  address += static_cast<u64>(operand.offset);
  return {};
}

std::string Compiler::bind_address(Frame& frame, const Instruction& instruction, const Operand& operand, Decoded& d,
                                   std::vector<u32>& slots, bool is_second) {
  if (operand.kind != Operand::Kind::address || operand.parts.size() != 1) return "an address is needed";
  const Operand& base = operand.parts[0];
  u32 slot = 0;
  bool is_64 = true;
  if (base.kind == Operand::Kind::reg) {
    const int bytes = storage(frame.function->registers[static_cast<std::size_t>(base.index)].type);
    if (bytes < 4) return "an address has 32 or 64 bits";
    is_64 = bytes == 8;
    int ignored = 0;
    if (std::string why = bind_value(frame, instruction, base, is_64 ? Type::b64 : Type::b32, false, false, slot, ignored); !why.empty())
      return why;
  } else if (base.kind == Operand::Kind::integer) {
    slot = constant(base.bits, 8);
  } else if (base.kind == Operand::Kind::variable || base.kind == Operand::Kind::name) {
    Space space{};
    u64 address = 0;
    if (std::string why = symbol_address(frame, base, space, address); !why.empty()) return why;
    if (d.space == Space::param && !is_second) d.space = space;  // a .param variable of a call lies in the frame
    if (d.space == Space::generic && space == Space::shared) address += kSharedWindow;
    if (d.space == Space::generic && space == Space::local) address += kLocalWindow;
    if (d.space == Space::generic && space == Space::param) address += kParamWindow;
    slot = constant(address, 8);
  } else {
    return "an address is a register, a variable or a number, and an offset";
  }
  (is_second ? d.second_offset : d.offset) = operand.offset;
  (is_second ? d.second_is_64 : d.address_is_64) = is_64;
  slots.push_back(slot);
  d.slot_count = 1;  // until bind() ends: an address has been seen
  return {};
}

std::string Compiler::bind_parts(Frame& frame, const Instruction& instruction, const Form& form, const Operand& operand, Decoded& d,
                                 std::vector<u32>& slots, bool is_result) {
  const int whole = size_of(form.types.at(0)), parts = static_cast<int>(operand.parts.size());
  if (operand.kind != Operand::Kind::vector || (parts != 2 && parts != 4) || whole / parts < 2)
    return "a vector of 2 or 4 parts of 16 or 32 bits is needed";
  d.count = static_cast<u8>(parts);
  d.register_bytes = static_cast<u8>(whole);
  const Type type = whole / parts == 2 ? Type::b16 : Type::b32;
  for (const Operand& part : operand.parts) {
    u32 slot = 0;
    int bytes = 0;
    if (std::string why = bind_value(frame, instruction, part, type, false, is_result, slot, bytes); !why.empty()) return why;
    slots.push_back(slot);
  }
  return {};
}

}  // namespace equinorm::vgpu
