// A small JSON tree that keeps every number as the text it was written as.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace equinorm::problem {

/// Largest text and deepest nesting that parse_json accepts.
inline constexpr std::size_t kMaxJsonBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxJsonDepth = 32;

/// One JSON value. Numbers are never converted, so decimals stay exact.
struct JsonValue {
  enum class Kind { null, boolean, number, string, array, object } kind = Kind::null;
  bool boolean = false;
  std::string text;               ///< the number as written, or the string's characters (UTF-8)
  std::vector<std::string> keys;  ///< objects: keys[i] names items[i]; all different
  std::vector<JsonValue> items;   ///< elements of an array, values of an object

  static JsonValue string(std::string_view characters);

  bool is(Kind wanted) const { return kind == wanted; }
  /// The member named `key`, or null when this is no object or has none.
  const JsonValue* find(std::string_view key) const;
  JsonValue* find(std::string_view key);
  /// Sets or adds a member of an object.
  void set(std::string_view key, JsonValue value);
  void erase(std::string_view key);
};

/// Parses one JSON text. Throws Error (one line, starting with `origin: `) on bad syntax, bad UTF-8, a key that appears twice, more than
/// kMaxJsonBytes or deeper nesting than kMaxJsonDepth.
JsonValue parse_json(std::string_view text, std::string_view origin);

/// The value for an error message: short, on one line, printable.
std::string describe(const JsonValue& value);
/// `text` in double quotes, escaped as JSON; invalid UTF-8 is replaced.
std::string json_string(std::string_view text);
/// The same, cut to what fits an error message and with nothing but printable ASCII.
std::string shown(std::string_view text);

/// Reads a file of at most kMaxJsonBytes. Throws Error when there is none, or it cannot be read, or is larger.
std::string read_small_file(const std::string& path);

/// "" for an empty origin, else "origin: ".
std::string origin_prefix(std::string_view origin);

}  // namespace equinorm::problem
