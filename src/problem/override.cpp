// override_fields: keys of the problem file changed through its JSON form, so that every key works.
#include <algorithm>
#include <array>

#include "problem/object_reader.hpp"
#include "problem/problem_file.hpp"

namespace equinorm::problem {
namespace {

using Kind = JsonValue::Kind;

/// Short names of the command line.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kShortNames{{{"seed", "inputs.seed"},
                                                                                     {"inputs", "inputs.kind"},
                                                                                     {"storage", "precision.storage"},
                                                                                     {"accumulate", "precision.accumulate"},
                                                                                     {"statistics", "precision.statistics"},
                                                                                     {"path", "precision.path"},
                                                                                     {"order", "precision.order"},
                                                                                     {"splits", "precision.splits"},
                                                                                     {"tile", "precision.tile"},
                                                                                     {"ftz", "precision.ftz"},
                                                                                     {"eps", "norm.eps"},
                                                                                     {"scheme", "norm.scheme"},
                                                                                     {"theta", "rope.theta"},
                                                                                     {"window", "mask.window"}}};

std::string full_name(std::string_view field) {
  for (const auto& [brief, full] : kShortNames) {
    if (brief == field) return std::string(full);
  }
  return std::string(field);
}

/// The text as JSON where it is a number, word or structure of JSON, else as a string.
JsonValue value_of_text(const std::string& field, std::string_view text) {
  if (field == "name" || field == "note" || field == "inputs.path") return JsonValue::string(text);
  if (field == "context" && text.find(',') != std::string_view::npos && text.front() != '[')
    return parse_json("[" + std::string(text) + "]", field);
  const bool structured = !text.empty() && (text.front() == '{' || text.front() == '[' || text.front() == '"');
  if (structured) return parse_json(text, field);
  try {
    return parse_json(text, field);
  } catch (const Error&) {
    return JsonValue::string(text);
  }
}

void erase_in(JsonValue& root, std::string_view object, std::string_view key) {
  if (JsonValue* found = root.find(object)) found->erase(key);
}

/// Removes what made sense only with the value that is being replaced.
void drop_dependents(JsonValue& root, const std::string& field, const JsonValue& value) {
  const JsonValue* present = root.find("attention");
  if (field == "attention" && present != nullptr && present->text != value.text) {
    for (const char* key : {"latent", "content_dim", "query_latent", "head_dim"}) root.erase(key);
    erase_in(root, "norm", "scheme");
    erase_in(root, "rope", "part");
  }
  if (field == "mask.kind" && value.text != "window") erase_in(root, "mask", "window");
  if (field == "inputs.kind" && value.text != "file") erase_in(root, "inputs", "path");
}

void set_field(JsonValue& root, const std::string& field, JsonValue value) {
  JsonValue* object = &root;
  std::size_t begin = 0;
  for (std::size_t dot = field.find('.'); dot != std::string::npos; dot = field.find('.', begin)) {
    const std::string key = field.substr(begin, dot - begin);
    JsonValue* next = object->find(key);
    if (next == nullptr) throw Error("unknown key " + shown(field.substr(0, dot)) + did_you_mean(key, object->keys));
    if (!next->is(Kind::object))
      throw Error(field.substr(0, dot) + " is " + describe(*next) + ", which has no members; cannot set " + shown(field));
    object = next;
    begin = dot + 1;
  }
  object->set(field.substr(begin), std::move(value));
}

}  // namespace

void override_fields(Problem& problem, const std::vector<std::pair<std::string, std::string>>& fields) {
  if (fields.empty()) return;
  JsonValue root = parse_json(to_json(problem), "");
  // Dropping first leaves what the same call sets, whatever the order of the fields.
  std::vector<std::pair<std::string, JsonValue>> changes;
  for (const auto& [field, text] : fields) {
    std::string name = full_name(field);
    JsonValue value = value_of_text(name, text);
    changes.emplace_back(std::move(name), std::move(value));
  }
  for (const auto& [name, value] : changes) drop_dependents(root, name, value);
  for (auto& [name, value] : changes) set_field(root, name, std::move(value));
  problem = parse_problem(root, "");
}

void override_field(Problem& problem, std::string_view field, std::string_view value) {
  override_fields(problem, {{std::string(field), std::string(value)}});
}

}  // namespace equinorm::problem
