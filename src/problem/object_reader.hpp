// Typed access to the members of one JSON object, remembering which were asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problem/json.hpp"
#include "problem/names.hpp"
#include "problem/spelling.hpp"
#include "scalar/error.hpp"

namespace equinorm::problem {

/// Each reader leaves its target alone when the key is missing, and throws Error `field is value; allowed: ...` when the type is wrong.
class ObjectReader {
 public:
  /// `field` is the dotted name of the object itself, "" for the root. Throws Error when `value` is no object.
  ObjectReader(const JsonValue& value, std::string field);

  /// The member, or null; the key now counts as known.
  const JsonValue* take(std::string_view key);
  /// Dotted name of a member.
  std::string field(std::string_view key) const { return field_.empty() ? std::string(key) : field_ + "." + std::string(key); }

  void integer(std::string_view key, Index& out);
  void seed(std::string_view key, std::uint64_t& out);
  void decimal(std::string_view key, Decimal& out);
  void boolean(std::string_view key, bool& out);
  void string(std::string_view key, std::string& out);
  /// Format or order: any type with a parser that throws Error.
  template <class T>
  void parsed(std::string_view key, T& out, T (*parse)(std::string_view));
  template <class E, std::size_t N>
  void word(std::string_view key, E& out, const NameTable<E, N>& table);

  /// Throws Error for a member that nobody asked for.
  void finish() const;

  [[noreturn]] void reject(std::string_view key, const JsonValue& value, const std::string& allowed) const;

 private:
  const JsonValue& object_;
  std::string field_;
  std::vector<std::string> known_;
};

/// An integer written without fraction or exponent, if it fits.
std::optional<Index> integer_of(const JsonValue& value);
/// A number as an exact decimal. Throws Error naming `field` when it is none, or has more than 400 characters.
Decimal decimal_of(const JsonValue& value, const std::string& field, const std::string& allowed = "a number");

template <class T>
void ObjectReader::parsed(std::string_view key, T& out, T (*parse)(std::string_view)) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (!value->is(JsonValue::Kind::string)) reject(key, *value, "a string");
  try {
    out = parse(value->text);
  } catch (const Error& error) {
    throw Error(field(key) + ": " + error.what());
  }
}

template <class E, std::size_t N>
void ObjectReader::word(std::string_view key, E& out, const NameTable<E, N>& table) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  const std::optional<E> found = value->is(JsonValue::Kind::string) ? value_of(table, value->text) : std::nullopt;
  if (!found) reject(key, *value, words_of(table));
  out = *found;
}

}  // namespace equinorm::problem
