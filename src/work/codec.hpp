// Data as one line of JSON and back, bit for bit.
#pragma once

#include <cmath>
#include <concepts>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "scalar/error.hpp"
#include "scalar/format.hpp"

namespace equinorm::work {

using Json = nlohmann::json;

/// A struct takes part by a function members(x) in its namespace that ties all of its members.
template <class T>
concept HasMembers = requires(T& x) {
  members(x);
};

namespace detail {

struct Anything {
  template <class T>
  operator T() const;  // NOLINT(google-explicit-constructor): stands for a member of any type
};

/// Members of an aggregate: the most initialisers that it takes.
template <class T, class... Given>
consteval std::size_t member_count() {
  if constexpr (requires { T{Given{}..., Anything{}}; })
    return member_count<T, Given..., Anything>();
  else
    return sizeof...(Given);
}

}  // namespace detail

/// One specialisation per kind of type, each with `to` and `from`. Throws Json::exception or Error where the JSON does not fit.
template <class T>
struct Codec;

template <class T>
Json encode(const T& x) {
  return Codec<T>::to(x);
}

template <class T>
void decode(const Json& json, T& x) {
  Codec<T>::from(json, x);
}

template <class T>
T decode(const Json& json) {
  T x{};
  Codec<T>::from(json, x);
  return x;
}

/// The text has no line break and no tab.
template <class T>
std::string to_line(const T& x) {
  return encode(x).dump();
}

template <class T>
T from_line(const std::string& line) {
  return decode<T>(Json::parse(line));
}

template <class T>
requires std::integral<T> || std::same_as<T, std::string>
struct Codec<T> {
  static Json to(const T& x) { return x; }
  static void from(const Json& json, T& x) { json.get_to(x); }
};

template <class T>
requires std::is_enum_v<T>
struct Codec<T> {
  static Json to(T x) { return static_cast<std::int64_t>(x); }
  static void from(const Json& json, T& x) { x = static_cast<T>(json.get<std::int64_t>()); }
};

/// Shortest decimals that read back as the same number; what is not finite by name.
template <>
struct Codec<double> {
  static Json to(double x) {
    if (std::isfinite(x)) return x;
    const std::string name = std::isnan(x) ? "nan" : "inf";
    return std::signbit(x) ? "-" + name : name;
  }
  static void from(const Json& json, double& x) {
    if (json.is_number()) {
      x = json.get<double>();
      return;
    }
    const std::string text = json.get<std::string>();
    const double sign = text.starts_with('-') ? -1 : 1;
    x = std::copysign(text.ends_with("nan") ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity(), sign);
  }
};

template <>
struct Codec<scalar::Format> {
  static Json to(const scalar::Format& x) { return scalar::to_string(x); }
  static void from(const Json& json, scalar::Format& x) { x = scalar::parse_format(json.get<std::string>()); }
};

template <class T>
struct Codec<std::optional<T>> {
  static Json to(const std::optional<T>& x) { return x ? Json::array({encode(*x)}) : Json::array(); }
  static void from(const Json& json, std::optional<T>& x) { json.empty() ? x.reset() : decode(json.at(0), x.emplace()); }
};

template <class T>
struct Codec<std::vector<T>> {
  static Json to(const std::vector<T>& x) {
    Json json = Json::array();
    for (const T& item : x) json.push_back(encode(item));
    return json;
  }
  static void from(const Json& json, std::vector<T>& x) {
    x.clear();
    for (const Json& item : json) x.push_back(decode<T>(item));
  }
};

template <class A, class B>
struct Codec<std::pair<A, B>> {
  static Json to(const std::pair<A, B>& x) { return Json::array({encode(x.first), encode(x.second)}); }
  static void from(const Json& json, std::pair<A, B>& x) { decode(json.at(0), x.first), decode(json.at(1), x.second); }
};

template <class K, class V>
struct Codec<std::map<K, V>> {
  static Json to(const std::map<K, V>& x) {
    Json json = Json::array();
    for (const auto& [key, value] : x) json.push_back(Json::array({encode(key), encode(value)}));
    return json;
  }
  static void from(const Json& json, std::map<K, V>& x) {
    x.clear();
    for (const Json& item : json) x.emplace(decode<K>(item.at(0)), decode<V>(item.at(1)));
  }
};

template <HasMembers T>
struct Codec<T> {
  using Tied = decltype(members(std::declval<T&>()));
  static_assert(detail::member_count<T>() == std::tuple_size_v<Tied>, "members() of this struct must tie all of its members");

  static Json to(const T& x) {
    Json json = Json::array();
    // members() ties what may be changed; nothing is changed here.
    std::apply([&](const auto&... member) { (json.push_back(encode(member)), ...); }, members(const_cast<T&>(x)));
    return json;
  }
  static void from(const Json& json, T& x) {
    if (json.size() != std::tuple_size_v<Tied>) throw Error("a journal's result has another form than this program's");
    std::size_t at = 0;
    std::apply([&](auto&... member) { (decode(json.at(at++), member), ...); }, members(x));
  }
};

}  // namespace equinorm::work
