// compile() in pieces. Private to program.cpp, compile_operands.cpp and compile_flow.cpp.
#pragma once

#include "vgpu/program.hpp"

namespace equinorm::vgpu {

class Compiler {
 public:
  Compiler(const Module& module, const AddressOf& address_of) : module_(module), address_of_(address_of) {}
  Program compile(const Function& kernel);

 private:
  /// One function being inlined.
  struct Frame {
    const Function* function = nullptr;
    std::vector<u32> slots;                        // of its registers
    std::vector<std::pair<Space, u64>> variables;  // where they lie: shared, local, param, or global with an address
    std::vector<u32> pcs;                          // of its instructions
    std::vector<std::pair<u32, int>> branches;     // pc -> label
    std::vector<u32> leaves;                       // pcs of its returns, to be directed at its end
  };

  [[noreturn]] void fail(const Instruction& instruction, const std::string& what) const;
  u32 new_slot(int bytes);
  u32 constant(u64 bits, int bytes);
  u32 special(const Instruction& instruction, const std::string& name, int bytes);
  u32 scratch(int bytes);

  // program.cpp
  void place_shared(const std::vector<Variable>& variables);
  void place_variables(Frame& frame);
  void inline_function(Frame& frame, bool is_kernel);
  void emit(Frame& frame, const Instruction& instruction);
  void emit_flow(Frame& frame, const Instruction& instruction, Decoded& d, const Row& row);
  void emit_call(Frame& frame, const Instruction& instruction, const Decoded& d);
  void emit_known_call(Frame& frame, const Instruction& instruction, const Decoded& d, const std::string& name,
                       const std::vector<Operand>& results);
  void map_parameters(Frame& caller, Frame& callee, const Instruction& instruction, const std::vector<int>& declared,
                      const std::vector<Operand>& given);
  void resolve_branches(Frame& frame);

  // compile_operands.cpp
  Decoded describe(const Frame& frame, const Instruction& instruction, const Form& form) const;
  /// Fills slots, immediates and widths of `d`; returns an explanation if the operands do not fit the form.
  std::string bind(Frame& frame, const Instruction& instruction, const Form& form, Decoded& d);
  std::string bind_item(Frame& frame, const Instruction& instruction, const Form& form, std::string_view item, const Operand& operand,
                        Decoded& d, std::vector<u32>& slots);
  std::string bind_address(Frame& frame, const Instruction& instruction, const Operand& operand, Decoded& d, std::vector<u32>& slots,
                           bool is_second);
  std::string bind_parts(Frame& frame, const Instruction& instruction, const Form& form, const Operand& operand, Decoded& d,
                         std::vector<u32>& slots, bool is_result);
  std::string bind_value(Frame& frame, const Instruction& instruction, const Operand& operand, Type type, bool relaxed, bool is_result,
                         u32& slot, int& bytes);
  std::string symbol_address(Frame& frame, const Operand& operand, Space& space, u64& address) const;

  const Module& module_;
  const AddressOf& address_of_;
  Program program_;
  std::map<std::pair<u64, int>, u32> constants_;
  std::map<std::pair<SpecialRegister, int>, u32> specials_;
  std::map<int, u32> scratch_;
  std::map<const Variable*, u64> shared_addresses_;
  std::vector<const Function*> open_;
  u32 next_predicate_ = 4;  // slot 0 is all ones
};

}  // namespace equinorm::vgpu
