#include "problem/json.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "scalar/error.hpp"

namespace equinorm::problem {
namespace {

using Kind = JsonValue::Kind;

/// Printable ASCII only: messages are one line whatever the input was.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

/// Receives nlohmann's parse events and grows the tree. Returning false stops the parse; `error` says why.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return add({}); }
  bool boolean(bool value) override {
    JsonValue node;
    node.kind = Kind::boolean;
    node.boolean = value;
    return add(std::move(node));
  }
  bool number_integer(number_integer_t value) override { return add_number(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add_number(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return add_number(text); }
  bool string(string_t& value) override { return add(JsonValue::string(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Kind::object); }
  bool start_array(std::size_t) override { return open(Kind::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (!names_.back().insert(name).second) {
      error = "key " + shown(name) + " appears twice";
      return false;
    }
    open_.back().keys.push_back(name);
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& problem) override {
    const std::string_view what = problem.what();
    const std::size_t tag = what.find("] ");
    error = printable(what.substr(tag == std::string_view::npos ? 0 : tag + 2, 200));
    return false;
  }

  JsonValue root;
  std::string error;

 private:
  bool add(JsonValue node) {
    (open_.empty() ? root : open_.back().items.emplace_back()) = std::move(node);
    return true;
  }

  bool add_number(std::string text) {
    JsonValue node;
    node.kind = Kind::number;
    node.text = std::move(text);
    return add(std::move(node));
  }

  bool open(Kind kind) {
    if (open_.size() == kMaxJsonDepth) {
      error = "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels";
      return false;
    }
    open_.emplace_back().kind = kind;
    names_.emplace_back();
    return true;
  }

  bool close() {
    JsonValue node = std::move(open_.back());
    open_.pop_back();
    names_.pop_back();
    return add(std::move(node));
  }

  std::vector<JsonValue> open_;
  std::vector<std::set<std::string>> names_;
};

}  // namespace

JsonValue JsonValue::string(std::string_view characters) {
  JsonValue node;
  node.kind = Kind::string;
  node.text = characters;
  return node;
}

const JsonValue* JsonValue::find(std::string_view key) const {
  const auto found = std::find(keys.begin(), keys.end(), key);
  return found == keys.end() ? nullptr : &items[static_cast<std::size_t>(found - keys.begin())];
}

JsonValue* JsonValue::find(std::string_view key) { return const_cast<JsonValue*>(std::as_const(*this).find(key)); }

void JsonValue::set(std::string_view key, JsonValue value) {
  if (JsonValue* present = find(key)) {
    *present = std::move(value);
  } else {
    keys.emplace_back(key);
    items.push_back(std::move(value));
  }
}

void JsonValue::erase(std::string_view key) {
  const auto found = std::find(keys.begin(), keys.end(), key);
  if (found == keys.end()) return;
  items.erase(items.begin() + (found - keys.begin()));
  keys.erase(found);
}

JsonValue parse_json(std::string_view text, std::string_view origin) {
  if (text.size() > kMaxJsonBytes) {
    throw Error(origin_prefix(origin) + "file has " + std::to_string(text.size()) + " bytes; allowed: at most " +
                std::to_string(kMaxJsonBytes));
  }
  TreeBuilder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) throw Error(origin_prefix(origin) + builder.error);
  return std::move(builder.root);
}

std::string json_string(std::string_view text) {
  return nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  const std::string cut = text.size() > kLongest ? std::string(text.substr(0, kLongest)) + "..." : std::string(text);
  return '"' + printable(cut) + '"';
}

std::string describe(const JsonValue& value) {
  switch (value.kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return value.boolean ? "true" : "false";
    case Kind::number:
      return value.text.size() > 60 ? value.text.substr(0, 60) + "..." : value.text;
    case Kind::string:
      return shown(value.text);
    case Kind::array:
      return "a list";
    case Kind::object:
      return "an object";
  }
  return "a value";
}

std::string read_small_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw Error(path + ": is a directory; a file is needed");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": cannot be opened; a readable file is needed");
  // One byte more than allowed tells a file that is too large (or endless) from one that just fits.
  std::string text(kMaxJsonBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) throw Error(path + ": cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxJsonBytes)
    throw Error(path + ": is larger than " + std::to_string(kMaxJsonBytes) + " bytes, the most that is allowed");
  return text;
}

std::string origin_prefix(std::string_view origin) { return origin.empty() ? "" : std::string(origin) + ": "; }

}  // namespace equinorm::problem
