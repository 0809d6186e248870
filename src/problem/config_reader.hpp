// Access to the keys of a model's config.json. Unlike problem files these hold many keys that are none of our business.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "problem/json.hpp"
#include "problem/problem.hpp"

namespace equinorm::problem {

/// Members of one config object. A key that is null counts as missing. Every method throws Error naming the key when its type is wrong.
class ConfigReader {
 public:
  explicit ConfigReader(const JsonValue& object) : object_(object) {}

  /// The member unless it is missing or null.
  const JsonValue* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// Throws Error when the key is missing.
  Index integer(std::string_view key) const;
  Index integer_or(std::string_view key, Index otherwise) const;
  Decimal decimal_or(std::string_view key, const Decimal& otherwise) const;
  bool boolean_or(std::string_view key, bool otherwise) const;
  std::string string_or(std::string_view key, const std::string& otherwise) const;

 private:
  const JsonValue& object_;
};

/// RoPE settings, wherever this version of the config keeps them: `rope_parameters` (possibly one set per layer type), or `rope_theta` and
/// `rope_scaling` at the top.
struct ConfigRope {
  Decimal theta;
  std::optional<RopeScaling> scaling;
  std::optional<Decimal> partial_factor;  ///< the part of the head that turns
};

/// `layer_type` picks the set of `rope_parameters` ("full_attention", "sliding_attention"). YaRN is expressible where its factor on cosine
/// and sine amounts to one on the scale: `mla` says that the model itself puts it there (DeepSeek). Throws Error for other kinds of
/// scaling.
ConfigRope read_config_rope(const JsonValue& config, std::string_view layer_type, const Decimal& default_theta, bool mla);

}  // namespace equinorm::problem
