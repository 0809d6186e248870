#include "problem/object_reader.hpp"

#include <algorithm>
#include <charconv>

namespace equinorm::problem {
namespace {

using Kind = JsonValue::Kind;

template <class Integer>
std::optional<Integer> integer_from(const JsonValue& value) {
  Integer parsed{};
  const char* end = value.text.data() + value.text.size();
  const auto [stop, error] = std::from_chars(value.text.data(), end, parsed);
  if (!value.is(Kind::number) || error != std::errc() || stop != end) return std::nullopt;
  return parsed;
}

}  // namespace

ObjectReader::ObjectReader(const JsonValue& value, std::string field) : object_(value), field_(std::move(field)) {
  if (!value.is(Kind::object)) throw Error((field_.empty() ? "file" : field_) + " is " + describe(value) + "; allowed: an object");
}

const JsonValue* ObjectReader::take(std::string_view key) {
  known_.emplace_back(key);
  return object_.find(key);
}

void ObjectReader::integer(std::string_view key, Index& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  const std::optional<Index> parsed = integer_of(*value);
  if (!parsed) reject(key, *value, "an integer, at most 2^63 - 1");
  out = *parsed;
}

void ObjectReader::seed(std::string_view key, std::uint64_t& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  const std::optional<std::uint64_t> parsed = integer_from<std::uint64_t>(*value);
  if (!parsed) reject(key, *value, "an integer from 0 to 2^64 - 1");
  out = *parsed;
}

void ObjectReader::decimal(std::string_view key, Decimal& out) {
  const JsonValue* value = take(key);
  if (value != nullptr) out = decimal_of(*value, field(key));
}

void ObjectReader::boolean(std::string_view key, bool& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (!value->is(Kind::boolean)) reject(key, *value, "true, false");
  out = value->boolean;
}

void ObjectReader::string(std::string_view key, std::string& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (!value->is(Kind::string)) reject(key, *value, "a string");
  out = value->text;
}

void ObjectReader::finish() const {
  for (const std::string& key : object_.keys) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string where = field_.empty() ? "" : " in " + field_;
    std::string allowed;
    for (const std::string& name : known_) allowed += (allowed.empty() ? "" : ", ") + name;
    const std::string hint = did_you_mean(key, known_);
    throw Error("unknown key " + shown(key) + where + (hint.empty() ? "; allowed: " + allowed : hint));
  }
}

void ObjectReader::reject(std::string_view key, const JsonValue& value, const std::string& allowed) const {
  throw Error(field(key) + " is " + describe(value) + "; allowed: " + allowed);
}

std::optional<Index> integer_of(const JsonValue& value) { return integer_from<Index>(value); }

Decimal decimal_of(const JsonValue& value, const std::string& field, const std::string& allowed) {
  constexpr std::size_t kLongest = 400;
  if (!value.is(Kind::number) || value.text.size() > kLongest) throw Error(field + " is " + describe(value) + "; allowed: " + allowed);
  try {
    return Decimal(value.text);
  } catch (const Error& error) {
    throw Error(field + ": " + error.what());
  }
}

}  // namespace equinorm::problem
