// Functions: parameters, scopes, registers, labels, instructions.
#include <algorithm>

#include "vgpu/parser.hpp"

namespace equinorm::vgpu {
namespace {

constexpr int kMostRegisters = 1 << 20;
constexpr int kDeepestScope = 64;
constexpr int kDeepestOperand = 4;
constexpr std::size_t kMostParts = 256;  // of a vector operand or a call's argument list

}  // namespace

int Parser::open_scope(int parent) {
  scopes_.push_back({parent, {}, {}});
  return static_cast<int>(scopes_.size()) - 1;
}

void Parser::declare(const std::string& name, Meaning meaning) {
  if (!scopes_[static_cast<std::size_t>(scope_)].names.emplace(name, meaning).second) fail("'" + name + "' is declared twice");
}

const Parser::Meaning* Parser::find_name(std::string_view name) const {
  for (int scope = scope_; scope >= 0; scope = scopes_[static_cast<std::size_t>(scope)].parent) {
    const auto& names = scopes_[static_cast<std::size_t>(scope)].names;
    if (const auto found = names.find(name); found != names.end()) return &found->second;
    // %r12 belongs to a declared range %r<n>, whose key is "%r<".
    std::size_t digits = name.size();
    while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9') --digits;
    if (digits == name.size() || digits == 0) continue;
    if (const auto found = names.find(std::string(name.substr(0, digits)) + "<"); found != names.end()) return &found->second;
  }
  return nullptr;
}

bool Parser::find_register(std::string_view name, int& index) const {
  const Meaning* meaning = find_name(name);
  if (meaning == nullptr || meaning->kind == Meaning::Kind::variable) return false;
  index = meaning->index;
  if (meaning->kind == Meaning::Kind::range) {
    std::size_t digits = name.size();
    while (name[digits - 1] >= '0' && name[digits - 1] <= '9') --digits;
    if (name.size() - digits > 7) return false;
    const int offset = std::atoi(std::string(name.substr(digits)).c_str());
    if (offset >= meaning->count) return false;
    index += offset;
  }
  return true;
}

std::vector<int> Parser::parse_parameters(Function& function) {
  std::vector<int> found;
  if (!accept("(")) return found;
  while (!accept(")")) {
    if (accept(".reg")) {
      const auto type = peek().kind == Token::Kind::directive ? parse_type(peek().text.substr(1)) : std::nullopt;
      if (!type) fail("expected a type");
      next();
      const std::string name = expect_word();
      const int index = static_cast<int>(function.registers.size());
      declare(name, {Meaning::Kind::reg, index});
      function.registers.push_back({name, *type});
      found.push_back(-1 - index);
    } else {
      expect(".param");
      const int index = static_cast<int>(function.variables.size());
      function.variables.push_back(parse_variable(Space::param));
      declare(function.variables.back().name, {Meaning::Kind::variable, index});
      found.push_back(index);
    }
    if (!at(")")) expect(",");
  }
  return found;
}

void Parser::parse_tuning(Function& function) {
  const auto sizes = [this](std::array<std::uint32_t, 3>& into) {
    into = {1, 1, 1};
    for (std::uint32_t& x : into) {
      x = static_cast<std::uint32_t>(expect_integer(1, 1 << 30));
      if (!accept(",")) break;
    }
  };
  for (;;) {
    std::array<std::uint32_t, 3> ignored{};
    if (accept(".maxntid"))
      sizes(function.maximum_threads);
    else if (accept(".reqntid"))
      sizes(function.required_threads);
    else if (accept(".minnctapersm") || accept(".maxnreg") || accept(".maxnctapersm") || accept(".maxclusterrank"))
      expect_integer(0, 1 << 30);
    else if (accept(".reqnctapercluster"))
      sizes(ignored);
    else if (accept(".pragma"))
      skip_to_semicolon();
    else if (!accept(".noreturn") && !accept(".explicitcluster") && !accept(".blocksareclusters"))
      return;
  }
}

void Parser::parse_function(bool is_entry, bool is_extern) {
  Function function;
  function.is_entry = is_entry;
  function.line = peek().line;
  scopes_.clear();
  pending_targets_.clear();
  scope_ = open_scope(-1);
  if (!is_entry && at("(")) function.results = parse_parameters(function);
  function.name = expect_word();
  function.parameters = parse_parameters(function);
  parse_tuning(function);
  place_ = -1;
  if (!accept(";")) {
    if (is_extern) fail("expected ';' after an external function");
    function.has_body = true;
    expect("{");
    parse_body(function);
    resolve_labels(function);
  }
  scope_ = -1;
  for (const Function& other : module_.functions)
    if (other.name == function.name && other.has_body && function.has_body) fail("function '" + function.name + "' is defined twice");
  module_.functions.push_back(std::move(function));
}

void Parser::parse_body(Function& function) {
  std::vector<int> open;
  for (;;) {
    if (accept("{")) {
      if (open.size() >= kDeepestScope) fail("scopes nested deeper than " + std::to_string(kDeepestScope));
      open.push_back(scope_);
      scope_ = open_scope(scope_);
    } else if (accept("}")) {
      if (open.empty()) return;
      scope_ = open.back();
      open.pop_back();
    } else {
      parse_statement(function);
    }
  }
}

void Parser::parse_statement(Function& function) {
  if (accept(";")) return;
  if (accept(".reg")) return parse_registers(function);
  if (accept(".loc")) return parse_loc();
  if (accept(".file")) return parse_file();
  if (accept(".pragma")) return skip_to_semicolon();
  for (const auto& [word, space] : {std::pair{".local", Space::local},
                                    {".shared", Space::shared},
                                    {".param", Space::param},
                                    {".global", Space::global},
                                    {".const", Space::constant}})
    if (accept(word)) {
      do {
        const int index = static_cast<int>(function.variables.size());
        function.variables.push_back(parse_variable(space));
        declare(function.variables.back().name, {Meaning::Kind::variable, index});
      } while (accept(","));
      return expect(";");
    }
  if (peek().kind == Token::Kind::word && peek(1).text == ":" && peek(1).kind == Token::Kind::punctuation) {
    const std::string name = expect_word();
    expect(":");
    Scope& scope = scopes_[static_cast<std::size_t>(scope_)];
    if (accept(".callprototype") || accept(".calltargets")) return skip_to_semicolon();
    if (!scope.labels.emplace(name, static_cast<int>(function.labels.size())).second) fail("label '" + name + "' is defined twice");
    function.label_names.push_back(name);
    function.labels.push_back(static_cast<std::uint32_t>(function.body.size()));
    function.targets.emplace_back();
    if (accept(".branchtargets")) {
      do {
        Operand target;
        target.text = expect_word();
        target.index = scope_;
        pending_targets_.push_back({function.targets.size() - 1, std::move(target)});
      } while (accept(","));
      expect(";");
    }
    return;
  }
  if (peek().kind == Token::Kind::directive) fail("expected an instruction");
  parse_instruction(function);
}

void Parser::parse_registers(Function& function) {
  if (peek().kind != Token::Kind::directive) fail("expected a type");
  const auto type = parse_type(next().text.substr(1));
  if (!type) fail("expected a register type before this");
  do {
    const std::string name = expect_word();
    const int index = static_cast<int>(function.registers.size());
    int count = 1;
    if (accept("<")) {
      count = static_cast<int>(expect_integer(0, kMostRegisters));
      expect(">");
      declare(name + "<", {Meaning::Kind::range, index, count});
    } else {
      declare(name, {Meaning::Kind::reg, index});
    }
    if (index + count > kMostRegisters) fail("more than " + std::to_string(kMostRegisters) + " registers");
    for (int i = 0; i < count; ++i) function.registers.push_back({count == 1 ? name : name + std::to_string(i), *type});
  } while (accept(","));
  expect(";");
}

void Parser::parse_instruction(Function& function) {
  Instruction instruction;
  instruction.line = peek().line;
  instruction.place = place_;
  if (accept("@")) {
    instruction.guard_negated = accept("!");
    const std::string name = expect_word();
    if (!find_register(name, instruction.guard)) fail("'" + name + "' is no register; before this");
    if (function.registers[static_cast<std::size_t>(instruction.guard)].type != Type::pred)
      fail("'" + name + "' is no predicate; before this");
  }
  instruction.opcode = expect_word();
  if (!at(";")) {
    do instruction.operands.push_back(parse_operand(function));
    while (accept(","));
    if (instruction.operands.size() > kMostParts) fail("too many operands");
  }
  expect(";");
  function.body.push_back(std::move(instruction));
}

Operand Parser::parse_operand(Function& function, int depth) {
  if (depth > kDeepestOperand) fail("an operand nested too deeply");
  if (accept("[")) return parse_address(function);
  Operand operand;
  if (at("{") || at("(")) {
    const char* close = next().text == "{" ? "}" : ")";
    operand.kind = Operand::Kind::vector;
    while (!accept(close)) {
      operand.parts.push_back(parse_operand(function, depth + 1));
      if (operand.parts.size() > kMostParts) fail("too many elements");
      if (!at(close)) expect(",");
    }
    return operand;
  }
  const bool not_it = accept("!");
  const bool minus = !not_it && accept("-");
  const Token& token = peek();
  if (token.kind == Token::Kind::integer || token.kind == Token::Kind::float32 || token.kind == Token::Kind::float64) {
    operand.kind = token.kind == Token::Kind::integer   ? Operand::Kind::integer
                   : token.kind == Token::Kind::float32 ? Operand::Kind::float32
                                                        : Operand::Kind::float64;
    operand.bits = token.bits;
    if (minus && operand.kind == Operand::Kind::integer) operand.bits = 0 - operand.bits;
    if (minus && operand.kind == Operand::Kind::float32) operand.bits ^= std::uint64_t{1} << 31;
    if (minus && operand.kind == Operand::Kind::float64) operand.bits ^= std::uint64_t{1} << 63;
    next();
    return operand;
  }
  if (minus) fail("expected a number after '-'");
  operand = parse_named();
  operand.negated = not_it;
  if (at("|") && depth < kDeepestOperand) {
    next();
    Operand pair;
    pair.kind = Operand::Kind::pair;
    pair.parts.push_back(std::move(operand));
    pair.parts.push_back(parse_operand(function, kDeepestOperand));
    return pair;
  }
  return operand;
}

Operand Parser::parse_named() {
  Operand operand;
  const std::string name = expect_word();
  if (name == "_") return operand;
  if (find_register(name, operand.index)) {
    operand.kind = Operand::Kind::reg;
    return operand;
  }
  if (const Meaning* meaning = find_name(name); meaning != nullptr && meaning->kind == Meaning::Kind::variable) {
    operand.kind = Operand::Kind::variable;
    operand.index = meaning->index;
  } else {
    operand.kind = Operand::Kind::name;
    operand.text = name;
    operand.index = scope_;  // where a label of this name is looked for at the function's end
  }
  if (at("+") || at("-")) {
    const bool minus = next().text == "-";
    const std::int64_t offset = expect_integer(-(std::int64_t{1} << 40), std::int64_t{1} << 40);
    operand.offset = minus ? -offset : offset;
  }
  return operand;
}

/// [base], [base + offset], [integer]; also [base, {coordinates}] as written by instructions on tensors, which keep their parts.
Operand Parser::parse_address(Function& function) {
  Operand operand;
  operand.kind = Operand::Kind::address;
  if (peek().kind == Token::Kind::integer) {
    Operand base;
    base.kind = Operand::Kind::integer;
    base.bits = next().bits;
    operand.parts.push_back(base);
  } else {
    operand.parts.push_back(parse_named());
    std::swap(operand.offset, operand.parts[0].offset);
  }
  while (at("+") || at("-")) {
    const bool minus = next().text == "-";
    const std::int64_t offset = expect_integer(-(std::int64_t{1} << 40), std::int64_t{1} << 40);
    if (operand.offset > (std::int64_t{1} << 50) || operand.offset < -(std::int64_t{1} << 50)) fail("an offset that is too large");
    operand.offset += minus ? -offset : offset;
  }
  while (accept(",")) operand.parts.push_back(parse_operand(function, 1));
  expect("]");
  return operand;
}

int Parser::find_label(const std::string& name, int scope) const {
  for (; scope >= 0; scope = scopes_[static_cast<std::size_t>(scope)].parent) {
    const auto& labels = scopes_[static_cast<std::size_t>(scope)].labels;
    if (const auto found = labels.find(name); found != labels.end()) return found->second;
  }
  return -1;
}

void Parser::resolve_labels(Function& function) {
  for (Instruction& instruction : function.body)
    for (Operand& operand : instruction.operands) {
      if (operand.kind != Operand::Kind::name) continue;
      const int label = find_label(operand.text, operand.index);
      operand.index = label;
      if (label >= 0) operand.kind = Operand::Kind::label;
    }
  for (const PendingTarget& pending : pending_targets_) {
    const int label = find_label(pending.target.text, pending.target.index);
    if (label < 0) fail("'" + pending.target.text + "' of .branchtargets is no label; before this");
    function.targets[pending.label].push_back(label);
  }
  pending_targets_.clear();
}

}  // namespace equinorm::vgpu
