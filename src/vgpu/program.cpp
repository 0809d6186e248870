#include "vgpu/program.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "scalar/error.hpp"
#include "vgpu/compiler.hpp"

namespace equinorm::vgpu {
namespace {

constexpr u64 kSharedRedZone = 64;  // between shared variables, so that an overrun is seen
constexpr u64 kFrameRedZone = 16;
constexpr std::size_t kLargestFile = std::size_t{1} << 26;
constexpr std::size_t kMostInstructions = 1 << 20;

u64 round_up(u64 x, u64 to) { return (x + to - 1) / to * to; }

constexpr std::array<std::pair<const char*, SpecialRegister>, 43> kSpecials{{{"%tid.x", SpecialRegister::tid_x},
                                                                             {"%tid.y", SpecialRegister::tid_y},
                                                                             {"%tid.z", SpecialRegister::tid_z},
                                                                             {"%ntid.x", SpecialRegister::ntid_x},
                                                                             {"%ntid.y", SpecialRegister::ntid_y},
                                                                             {"%ntid.z", SpecialRegister::ntid_z},
                                                                             {"%ctaid.x", SpecialRegister::ctaid_x},
                                                                             {"%ctaid.y", SpecialRegister::ctaid_y},
                                                                             {"%ctaid.z", SpecialRegister::ctaid_z},
                                                                             {"%nctaid.x", SpecialRegister::nctaid_x},
                                                                             {"%nctaid.y", SpecialRegister::nctaid_y},
                                                                             {"%nctaid.z", SpecialRegister::nctaid_z},
                                                                             {"%laneid", SpecialRegister::laneid},
                                                                             {"%warpid", SpecialRegister::warpid},
                                                                             {"%nwarpid", SpecialRegister::nwarpid},
                                                                             {"%smid", SpecialRegister::smid},
                                                                             {"%nsmid", SpecialRegister::nsmid},
                                                                             {"%gridid", SpecialRegister::gridid},
                                                                             {"%lanemask_eq", SpecialRegister::lanemask_eq},
                                                                             {"%lanemask_le", SpecialRegister::lanemask_le},
                                                                             {"%lanemask_lt", SpecialRegister::lanemask_lt},
                                                                             {"%lanemask_ge", SpecialRegister::lanemask_ge},
                                                                             {"%lanemask_gt", SpecialRegister::lanemask_gt},
                                                                             {"%clock", SpecialRegister::clock},
                                                                             {"%clock_hi", SpecialRegister::clock_hi},
                                                                             {"%clock64", SpecialRegister::clock64},
                                                                             {"%globaltimer", SpecialRegister::globaltimer},
                                                                             {"%dynamic_smem_size", SpecialRegister::dynamic_smem_size},
                                                                             {"%total_smem_size", SpecialRegister::total_smem_size},
                                                                             {"%clusterid.x", SpecialRegister::ctaid_x},
                                                                             {"%clusterid.y", SpecialRegister::ctaid_y},
                                                                             {"%clusterid.z", SpecialRegister::ctaid_z},
                                                                             {"%nclusterid.x", SpecialRegister::nctaid_x},
                                                                             {"%nclusterid.y", SpecialRegister::nctaid_y},
                                                                             {"%nclusterid.z", SpecialRegister::nctaid_z},
                                                                             {"%cluster_ctaid.x", SpecialRegister::cluster_zero},
                                                                             {"%cluster_ctaid.y", SpecialRegister::cluster_zero},
                                                                             {"%cluster_ctaid.z", SpecialRegister::cluster_zero},
                                                                             {"%cluster_nctaid.x", SpecialRegister::cluster_one},
                                                                             {"%cluster_nctaid.y", SpecialRegister::cluster_one},
                                                                             {"%cluster_nctaid.z", SpecialRegister::cluster_one},
                                                                             {"%cluster_ctarank", SpecialRegister::cluster_zero},
                                                                             {"%cluster_nctarank", SpecialRegister::cluster_one}}};

}  // namespace

void Compiler::fail(const Instruction& instruction, const std::string& what) const {
  throw Error(module_.name + ":" + std::to_string(instruction.line) + ": " + instruction.opcode + ": " + what);
}

u32 Compiler::new_slot(int bytes) {
  if (bytes == 0) {
    if (next_predicate_ + 4 > kPredicateBytes) throw Error(module_.name + ": more than 4096 predicates");
    next_predicate_ += 4;
    return next_predicate_ - 4;
  }
  const auto at = static_cast<u32>(program_.image.size());
  if (at > kLargestFile) throw Error(module_.name + ": the kernel needs more than 2^26 bytes of registers a warp");
  program_.image.resize(at + slot_bytes(bytes));
  return at;
}

u32 Compiler::constant(u64 bits, int bytes) {
  const auto [found, is_new] = constants_.try_emplace({bits, bytes}, 0);
  if (!is_new) return found->second;
  const u32 slot = found->second = new_slot(bytes);
  if (bytes == 0) {
    const u32 mask = bits != 0 ? kAllLanes : 0;
    std::memcpy(program_.image.data() + slot, &mask, 4);
    return slot;
  }
  for (int i = 0; i < kLanes; ++i) std::memcpy(program_.image.data() + slot + i * bytes, &bits, static_cast<std::size_t>(bytes));
  return slot;
}

u32 Compiler::scratch(int bytes) {
  const auto [found, is_new] = scratch_.try_emplace(bytes, 0);
  if (is_new) found->second = new_slot(bytes);
  return found->second;
}

u32 Compiler::special(const Instruction& instruction, const std::string& name, int bytes) {
  const auto* row = std::find_if(kSpecials.begin(), kSpecials.end(), [&](const auto& one) { return name == one.first; });
  if (row == kSpecials.end()) fail(instruction, "'" + name + "' is unknown");
  const auto [found, is_new] = specials_.try_emplace({row->second, bytes}, 0);
  if (is_new) {
    found->second = new_slot(bytes);
    program_.specials.emplace_back(row->second, found->second | (bytes == 8 ? 1u : bytes == 2 ? 2u : 0u));  // slots are multiples of 4
  }
  return found->second;
}

void Compiler::place_variables(Frame& frame) {
  const bool is_kernel = frame.function->is_entry;
  for (const Variable& variable : frame.function->variables) {
    const auto place = [&](u64& end, u64 red_zone, std::vector<Placed>& list) {
      const u64 offset = round_up(end, variable.align);
      list.push_back({offset, variable.bytes});
      end = offset + variable.bytes + red_zone;
      return offset;
    };
    switch (variable.space) {
      case Space::shared:
        frame.variables.emplace_back(Space::shared, variable.bytes == 0 ? program_.shared_bytes : shared_addresses_.at(&variable));
        break;
      case Space::param:
        if (is_kernel && &variable < frame.function->variables.data() + frame.function->parameters.size()) {
          frame.variables.emplace_back(Space::param, place(program_.parameter_bytes, 0, program_.parameters));
          break;
        }
        [[fallthrough]];
      case Space::local:
        frame.variables.emplace_back(Space::local, place(program_.frame_bytes, kFrameRedZone, program_.frame));
        break;
      default:
        frame.variables.emplace_back(Space::global, address_of_(variable));
    }
  }
}

/// Every shared variable that the kernel or a function may use, with red zones between them; dynamic shared memory follows.
void Compiler::place_shared(const std::vector<Variable>& variables) {
  for (const Variable& variable : variables) {
    if (variable.space != Space::shared || variable.bytes == 0) continue;
    const u64 offset = round_up(program_.shared_bytes, variable.align);
    program_.shared.push_back({offset, variable.bytes});
    shared_addresses_[&variable] = offset;
    program_.shared_bytes = offset + variable.bytes + kSharedRedZone;
  }
}

Program Compiler::compile(const Function& kernel) {
  program_.image.resize(kPredicateBytes);
  std::memset(program_.image.data(), 0xff, 4);
  place_shared(module_.variables);
  for (const Function& function : module_.functions)
    if (!function.is_entry || &function == &kernel) place_shared(function.variables);
  program_.shared_bytes = round_up(program_.shared_bytes, 1024);
  Frame frame;
  frame.function = &kernel;
  inline_function(frame, true);
  program_.frame_bytes = round_up(program_.frame_bytes, 16);
  return std::move(program_);
}

void Compiler::inline_function(Frame& frame, bool is_kernel) {
  const Function& function = *frame.function;
  if (std::find(open_.begin(), open_.end(), &function) != open_.end())
    throw Error(module_.name + ":" + std::to_string(function.line) + ": recursion is not supported");
  open_.push_back(&function);
  for (const Register& one : function.registers) {
    if (one.type == Type::b128 || size_of(one.type) == 1) {
      if (one.type != Type::pred) throw Error(module_.name + ": register " + one.name + ": a register has 16, 32 or 64 bits");
    }
    frame.slots.push_back(~u32{0});  // given when first used: PTX declares many that are not
  }
  if (frame.variables.empty()) place_variables(frame);
  for (const Instruction& instruction : function.body) {
    frame.pcs.push_back(static_cast<u32>(program_.code.size()));
    emit(frame, instruction);
    if (program_.code.size() > kMostInstructions) throw Error(module_.name + ": more than 2^20 instructions after inlining calls");
  }
  frame.pcs.push_back(static_cast<u32>(program_.code.size()));
  if (is_kernel) {
    Decoded end;
    end.flow = Flow::exit;
    program_.code.push_back(end);
  }
  for (const u32 pc : frame.leaves) program_.code[pc].target = frame.pcs.back();
  resolve_branches(frame);
  open_.pop_back();
}

void Compiler::resolve_branches(Frame& frame) {
  const auto target = [&](int label) { return frame.pcs[frame.function->labels[static_cast<std::size_t>(label)]]; };
  for (const auto& [pc, label] : frame.branches) {
    Decoded& d = program_.code[pc];
    if (d.flow == Flow::branch) {
      d.target = target(label);
    } else {
      d.immediate = static_cast<s64>(program_.tables.size());
      program_.tables.emplace_back();
      for (const int one : frame.function->targets[static_cast<std::size_t>(label)]) program_.tables.back().push_back(target(one));
    }
  }
}

void Compiler::emit(Frame& frame, const Instruction& instruction) {
  std::string opcode = instruction.opcode;
  if (opcode.starts_with("mov.") && instruction.operands.size() == 2) {
    if (instruction.operands[1].kind == Operand::Kind::vector)
      opcode.insert(3, "_pack");
    else if (instruction.operands[0].kind == Operand::Kind::vector)
      opcode.insert(3, "_unpack");
  }
  const std::vector<Form> forms = match_opcode(opcode);
  if (forms.empty()) fail(instruction, "unsupported instruction");
  std::string why;
  if (instruction.guard >= 0) {
    u32& slot = frame.slots[static_cast<std::size_t>(instruction.guard)];
    if (slot == ~u32{0}) slot = new_slot(0);
  }
  for (const Form& form : forms) {
    const Row& row = rows()[static_cast<std::size_t>(form.row)];
    Decoded d = describe(frame, instruction, form);
    if (row.flow != Flow::none && row.flow != Flow::barrier && row.flow != Flow::warp_barrier) {
      return emit_flow(frame, instruction, d, row);
    }
    why = bind(frame, instruction, form, d);
    if (why.empty()) {
      program_.code.push_back(d);
      return;
    }
  }
  fail(instruction, why);
}

Program compile(const Module& module, const Function& kernel, const AddressOf& address_of) {
  return Compiler(module, address_of).compile(kernel);
}

}  // namespace equinorm::vgpu
