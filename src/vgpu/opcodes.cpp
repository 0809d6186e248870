#include "vgpu/opcodes.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "vgpu/handler.hpp"

namespace equinorm::vgpu {
namespace {

constexpr Row kRows[] = {
#define EQUINORM_OP(pattern, operands, exactness, bound, shadow, handler) \
  {pattern, operands, Exactness::exactness, bound, ShadowOp::shadow, Flow::none},
#define EQUINORM_FLOW(pattern, operands, flow) {pattern, operands, Exactness::control, "0", ShadowOp::none, Flow::flow},
#include "vgpu/table.inc"
#undef EQUINORM_OP
#undef EQUINORM_FLOW
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    if (end != 0) parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool alternative_matches(std::string_view alternative, std::string_view modifier) {
  alternative.remove_prefix(1);  // its dot
  if (alternative.ends_with('*')) return modifier.starts_with(alternative.substr(0, alternative.size() - 1));
  return alternative == modifier;
}

/// Number of the alternative of a group such as ".a|.b" that a modifier takes, or -1.
int find_alternative(std::string_view group, std::string_view modifier) {
  int number = 0;
  for (const std::string_view alternative : split(group, '|')) {
    if (alternative_matches(alternative, modifier)) return number;
    ++number;
  }
  return -1;
}

void note_modifier(Form& form, std::string_view word) {
  constexpr std::array<std::pair<std::string_view, Space>, 7> kSpaces{{{"global", Space::global},
                                                                       {"shared", Space::shared},
                                                                       {"local", Space::local},
                                                                       {"const", Space::constant},
                                                                       {"param", Space::param},
                                                                       {"shared::cta", Space::shared},
                                                                       {"param::entry", Space::param}}};
  constexpr std::array<std::pair<std::string_view, Rounding>, 9> kRoundings{{{"rn", Rounding::nearest},
                                                                             {"rz", Rounding::zero},
                                                                             {"rm", Rounding::down},
                                                                             {"rp", Rounding::up},
                                                                             {"rna", Rounding::away},
                                                                             {"rni", Rounding::nearest},
                                                                             {"rzi", Rounding::zero},
                                                                             {"rmi", Rounding::down},
                                                                             {"rpi", Rounding::up}}};
  if (const auto type = parse_type(word)) form.types.push_back(*type);
  for (const auto& [name, space] : kSpaces)
    if (word == name) form.space = space;
  for (const auto& [name, rounding] : kRoundings)
    if (word == name) form.rounding = rounding, form.has_rounding = true, form.to_integer = word.size() == 3 && word[2] == 'i';
  if (word == "v2" || word == "v4" || word == "v8") form.count = word[1] - '0';
  form.ftz |= word == "ftz";
  form.sat |= word == "sat" || word == "satfinite";
  form.relu |= word == "relu";
  form.nan |= word == "NaN";
  if (word == "and") form.combine = 1;
  if (word == "or") form.combine = 2;
  if (word == "xor") form.combine = 3;
}

std::optional<Form> match_row(int row, const std::vector<std::string_view>& parts) {
  Form form;
  form.row = row;
  std::size_t at = 0;
  for (std::string_view group : split(kRows[row].pattern, ' ')) {
    const bool numbered = group.starts_with('#');
    if (numbered) group.remove_prefix(1);
    if (!group.starts_with('.') && !group.starts_with('[')) {
      if (at >= parts.size() || parts[at] != group) return std::nullopt;
      ++at;
      continue;
    }
    const bool optional = group.starts_with('[');
    if (optional) group = group.substr(1, group.size() - 2);
    const int taken = at < parts.size() ? find_alternative(group, parts[at]) : -1;
    if (taken < 0 && !optional) return std::nullopt;
    if (taken < 0) continue;
    if (numbered) form.mode = taken;
    note_modifier(form, parts[at++]);
  }
  if (at != parts.size()) return std::nullopt;
  return form;
}

/// First word of a pattern -> its rows.
const std::multimap<std::string_view, int>& rows_by_word() {
  static const std::multimap<std::string_view, int> index = [] {
    std::multimap<std::string_view, int> built;
    for (int row = 0; row < static_cast<int>(std::size(kRows)); ++row) built.emplace(split(kRows[row].pattern, ' ')[0], row);
    return built;
  }();
  return index;
}

}  // namespace

std::span<const Row> rows() { return kRows; }

std::vector<Form> match_opcode(std::string_view opcode) {
  const std::vector<std::string_view> parts = split(opcode, '.');
  std::vector<Form> found;
  if (parts.empty()) return found;
  const auto [begin, end] = rows_by_word().equal_range(parts[0]);
  for (auto entry = begin; entry != end; ++entry)
    if (auto form = match_row(entry->second, parts)) found.push_back(std::move(*form));
  return found;
}

Coverage coverage(const Module& module) {
  Coverage result;
  std::map<std::string, Unsupported> missing;
  std::map<std::string, bool> known;
  for (const Function& function : module.functions)
    for (const Instruction& instruction : function.body) {
      ++result.instructions;
      const auto [entry, is_new] = known.try_emplace(instruction.opcode, false);
      if (is_new) entry->second = !match_opcode(instruction.opcode).empty();
      if (entry->second) {
        ++result.runnable;
        continue;
      }
      Unsupported& one =
          missing.try_emplace(instruction.opcode, Unsupported{instruction.opcode, function.name, instruction.line, 0}).first->second;
      ++one.count;
    }
  for (auto& [opcode, one] : missing) result.unsupported.push_back(std::move(one));
  std::stable_sort(result.unsupported.begin(), result.unsupported.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  return result;
}

const char* to_string(Exactness exactness) {
  constexpr std::array<const char*, 7> kNames{"exact", "rounded", "contracted", "approximate", "matrix", "ordered", "control"};
  return kNames[static_cast<std::size_t>(exactness)];
}

}  // namespace equinorm::vgpu
