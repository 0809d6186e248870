// What a PTX text says: functions, variables, instructions, source places. Names of registers, variables and labels are already resolved.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vgpu/type.hpp"

namespace equinorm::vgpu {

/// A place in the CUDA source, from .loc; `inlined_at` is the place (index into Module::places) of the call that was inlined, or -1.
struct Place {
  int file = 0;
  int line = 0;
  int column = 0;
  int inlined_at = -1;
  std::string function;
};

struct Operand {
  enum class Kind : std::uint8_t {
    reg,       ///< index: register of the function
    integer,   ///< bits
    float32,   ///< bits
    float64,   ///< bits
    variable,  ///< index: variable of the function; offset
    name,      ///< text: a variable of the module, a function or a special register; offset
    label,     ///< index: label of the function
    address,   ///< parts[0] is the base (or an integer), plus offset
    vector,    ///< parts
    pair,      ///< parts[0] | parts[1]
    sink       ///< `_`
  };
  Kind kind = Kind::sink;
  bool negated = false;  ///< !%p
  int index = -1;
  std::int64_t offset = 0;
  std::uint64_t bits = 0;
  std::string text;
  std::vector<Operand> parts;
};

struct Instruction {
  std::uint32_t line = 0;  ///< of the PTX text
  int place = -1;          ///< index into Module::places, or -1
  int guard = -1;          ///< register of @p, or -1
  bool guard_negated = false;
  std::string opcode;
  std::vector<Operand> operands;
};

struct Register {
  std::string name;
  Type type = Type::b32;
};

/// The address of a symbol that belongs at byte `offset` of an initialiser.
struct Relocation {
  std::uint64_t offset = 0;
  std::string symbol;
  std::int64_t addend = 0;
  bool generic = false;
};

struct Variable {
  std::string name;
  Space space = Space::global;
  Type type = Type::b8;
  std::uint32_t align = 1;
  std::uint64_t bytes = 0;  ///< 0 for `extern .shared x[]`
  bool is_extern = false;
  std::uint32_t line = 0;
  std::vector<std::uint8_t> initial;  ///< shorter than bytes: the rest is zero
  std::vector<Relocation> relocations;
};

struct Function {
  std::string name;
  bool is_entry = false;
  bool has_body = false;
  std::uint32_t line = 0;
  std::vector<int> results, parameters;  ///< indices into variables (space param) or, for register parameters, -1 - register
  std::vector<Register> registers;
  std::vector<Variable> variables;
  std::vector<Instruction> body;
  std::vector<std::uint32_t> labels;                ///< label -> index into body (may be body.size())
  std::vector<std::string> label_names;             ///< for messages
  std::vector<std::vector<int>> targets;            ///< label -> the labels that it lists, if it is a .branchtargets
  std::array<std::uint32_t, 3> required_threads{};  ///< .reqntid, zeros if absent
  std::array<std::uint32_t, 3> maximum_threads{};   ///< .maxntid, zeros if absent
};

struct Module {
  std::string name;  ///< for messages: a file name
  int version_major = 0, version_minor = 0;
  int target = 0;  ///< 80 for sm_80
  std::string target_name;
  std::vector<std::string> files;  ///< .file, by number
  std::vector<Place> places;
  std::vector<Variable> variables;
  std::vector<Function> functions;

  const Function* find_function(std::string_view function) const;
  const Variable* find_variable(std::string_view variable) const;
  /// "rmsnorm.cu:7" or, for inlined code, "sm_30_intrinsics.hpp:120 inlined at rmsnorm.cu:8"; empty for -1.
  std::string describe_place(int place) const;
  /// The outermost place of the chain: where the kernel's own source stands. -1 for -1.
  int outermost_place(int place) const;
};

/// Reads PTX. `name` appears in messages. Throws Error with name and line for anything malformed; never crashes on any bytes.
/// Opcodes are not looked at here: see coverage() and Program.
Module parse_module(std::string_view text, const std::string& name);

}  // namespace equinorm::vgpu
