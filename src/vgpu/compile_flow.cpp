// Branches, returns and calls. A call is replaced by the called function's instructions, with registers and local variables of their own.
#include "scalar/error.hpp"
#include "vgpu/compiler.hpp"

namespace equinorm::vgpu {

void Compiler::emit_flow(Frame& frame, const Instruction& instruction, Decoded& d, const Row& row) {
  const auto pc = static_cast<u32>(program_.code.size());
  switch (row.flow) {
    case Flow::branch:
      if (instruction.operands.size() != 1 || instruction.operands[0].kind != Operand::Kind::label)
        fail(instruction, "the operand is no label of this function");
      frame.branches.emplace_back(pc, instruction.operands[0].index);
      break;
    case Flow::branch_indexed: {
      int bytes = 0;
      if (instruction.operands.size() != 2 || instruction.operands[1].kind != Operand::Kind::label ||
          frame.function->targets[static_cast<std::size_t>(instruction.operands[1].index)].empty())
        fail(instruction, "the operands are an index and the label of .branchtargets");
      if (const std::string why = bind_value(frame, instruction, instruction.operands[0], Type::u32, false, false, d.slot[0], bytes);
          !why.empty())
        fail(instruction, why);
      frame.branches.emplace_back(pc, instruction.operands[1].index);
      break;
    }
    case Flow::call:
      return emit_call(frame, instruction, d);
    case Flow::leave:
      if (open_.size() == 1) {
        d.flow = Flow::exit;
      } else {
        d.flow = Flow::branch;
        frame.leaves.push_back(pc);
      }
      break;
    default:
      break;
  }
  program_.code.push_back(d);
}

/// call {(results),} name {, (arguments)} {, prototype}.
void Compiler::emit_call(Frame& frame, const Instruction& instruction, const Decoded& d) {
  std::size_t at = 0;
  std::vector<Operand> results, arguments;
  const auto& operands = instruction.operands;
  if (at < operands.size() && operands[at].kind == Operand::Kind::vector) results = operands[at++].parts;
  if (at >= operands.size() || operands[at].kind != Operand::Kind::name) fail(instruction, "only calls of a named function are supported");
  const std::string name = operands[at++].text;
  if (at < operands.size() && operands[at].kind == Operand::Kind::vector) arguments = operands[at++].parts;
  const Function* callee = module_.find_function(name);
  if (callee == nullptr || !callee->has_body) return emit_known_call(frame, instruction, d, name, results);

  // Not taken: a branch over the body.
  Decoded over = d;
  over.flow = Flow::branch;
  over.flip = ~d.flip;
  const auto over_pc = static_cast<u32>(program_.code.size());
  const bool is_guarded = instruction.guard >= 0;
  if (is_guarded) program_.code.push_back(over);
  Frame inner;
  inner.function = callee;
  place_variables(inner);
  map_parameters(frame, inner, instruction, callee->parameters, arguments);
  map_parameters(frame, inner, instruction, callee->results, results);
  inline_function(inner, false);
  if (is_guarded) program_.code[over_pc].target = static_cast<u32>(program_.code.size());
}

/// A .param of the callee is the caller's variable itself: both are only written before the call or read after it.
void Compiler::map_parameters(Frame& caller, Frame& callee, const Instruction& instruction, const std::vector<int>& declared,
                              const std::vector<Operand>& given) {
  if (declared.size() != given.size())
    fail(instruction, "the function takes " + std::to_string(declared.size()) + " operands here, not " + std::to_string(given.size()));
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (declared[i] < 0 || given[i].kind != Operand::Kind::variable) fail(instruction, "only .param variables can be passed");
    const auto from = static_cast<std::size_t>(given[i].index), to = static_cast<std::size_t>(declared[i]);
    if (caller.function->variables[from].bytes < callee.function->variables[to].bytes) fail(instruction, "a passed variable is too small");
    callee.variables[to] = caller.variables[from];
  }
}

/// Functions of the driver's library.
void Compiler::emit_known_call(Frame& frame, const Instruction& instruction, const Decoded& d, const std::string& name,
                               const std::vector<Operand>& results) {
  Decoded known = d;
  if (name == "__assertfail") {
    known.flow = Flow::trap;
    program_.code.push_back(known);
    return;
  }
  if (name != "vprintf") fail(instruction, "function '" + name + "' has no body");
  if (results.size() != 1 || results[0].kind != Operand::Kind::variable) return;
  // Nothing is printed; the result, the number of arguments printed, is 0.
  Instruction store = instruction;
  store.opcode = "st.param.b32";
  Operand address, zero;
  address.kind = Operand::Kind::address;
  address.parts.push_back(results[0]);
  zero.kind = Operand::Kind::integer;
  store.operands = {address, zero};
  emit(frame, store);
}

}  // namespace equinorm::vgpu
