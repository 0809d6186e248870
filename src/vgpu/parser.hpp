// The parser's parts that are shared by its files. Private to the room; the entry is parse_module in module.hpp.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "vgpu/lexer.hpp"
#include "vgpu/module.hpp"

namespace equinorm::vgpu {

class Parser {
 public:
  Parser(std::string_view text, const std::string& name) : tokens_(read_tokens(text, name)) { module_.name = name; }
  Module parse();

 private:
  /// What a name means inside a function. Labels are looked up at the function's end, because a branch may precede its target.
  struct Meaning {
    enum class Kind : std::uint8_t { reg, range, variable } kind;
    int index;      // register, first register of a range, variable
    int count = 0;  // of a range
  };
  struct Scope {
    int parent;
    std::map<std::string, Meaning, std::less<>> names;
    std::map<std::string, int, std::less<>> labels;
  };

  // Tokens (parser.cpp).
  [[noreturn]] void fail(const std::string& what) const;
  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& next();
  bool at(std::string_view text) const;
  bool accept(std::string_view text);
  void expect(std::string_view text);
  std::string expect_word();
  std::int64_t expect_integer(std::int64_t smallest, std::int64_t largest);
  void skip_to_semicolon();

  // Module level (parser.cpp).
  void parse_directive();
  void parse_target();
  void parse_section();
  void parse_file();
  void parse_loc();
  void parse_declaration();

  // Variables (parser_variables.cpp).
  Variable parse_variable(Space space);
  void parse_initial(Variable& variable);
  void parse_initial_item(Variable& variable, std::size_t element);
  std::uint64_t parse_dimensions(bool& open);

  // Functions (parser_function.cpp).
  void parse_function(bool is_entry, bool is_extern);
  std::vector<int> parse_parameters(Function& function);
  void parse_tuning(Function& function);
  void parse_body(Function& function);
  void parse_statement(Function& function);
  void parse_registers(Function& function);
  void parse_instruction(Function& function);
  Operand parse_operand(Function& function, int depth = 0);
  Operand parse_address(Function& function);
  Operand parse_named();
  void resolve_labels(Function& function);
  int find_label(const std::string& name, int scope) const;
  bool find_register(std::string_view name, int& index) const;
  const Meaning* find_name(std::string_view name) const;
  void declare(const std::string& name, Meaning meaning);
  int open_scope(int parent);

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  Module module_;
  std::map<std::string, std::string> strings_;                        // labels of .debug_str
  std::vector<std::pair<std::size_t, std::string>> function_labels_;  // place -> label of its function's name
  std::map<std::array<int, 3>, int> place_by_position_;
  int place_ = -1;
  struct PendingTarget {
    std::size_t label;
    Operand target;
  };
  std::vector<PendingTarget> pending_targets_;
  std::vector<Scope> scopes_;
  int scope_ = -1;
  std::uint64_t variables_bytes_ = 0;
};

}  // namespace equinorm::vgpu
