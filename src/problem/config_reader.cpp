#include "problem/config_reader.hpp"

#include "problem/object_reader.hpp"
#include "scalar/error.hpp"

namespace equinorm::problem {
namespace {

using Kind = JsonValue::Kind;

[[noreturn]] void reject(std::string_view key, const JsonValue& value, const std::string& allowed) {
  throw Error(std::string(key) + " is " + describe(value) + "; allowed: " + allowed);
}

/// YaRN as the problem file knows it. DeepSeek multiplies the softmax scale by m(mscale_all_dim)^2 and cosine and sine by
/// m(mscale) / m(mscale_all_dim), m(s) = 0.1 s ln(factor) + 1; other models multiply cosine and sine by m(1), which on a fully rotated head
/// is the same as m(1)^2 on the scale.
RopeScaling read_yarn(const JsonValue& value, Index default_original, bool mla) {
  const ConfigReader yarn(value);
  RopeScaling scaling;
  scaling.type = RopeScaling::Type::yarn;
  scaling.beta_fast = yarn.decimal_or("beta_fast", scaling.beta_fast);
  scaling.beta_slow = yarn.decimal_or("beta_slow", scaling.beta_slow);
  scaling.original_context = yarn.integer_or("original_max_position_embeddings", default_original);
  const JsonValue* attention_factor = yarn.find("attention_factor");
  if (attention_factor != nullptr) reject("rope_scaling.attention_factor", *attention_factor, "none (a problem has YaRN's own factor)");
  const JsonValue* all_dim = yarn.find("mscale_all_dim");
  const Decimal mscale = yarn.decimal_or("mscale", Decimal("1.0"));
  if (mla) {
    if (all_dim == nullptr || !(yarn.decimal_or("mscale_all_dim", Decimal("0")) == mscale)) {
      throw Error("rope_scaling.mscale_all_dim is " + (all_dim == nullptr ? "missing" : describe(*all_dim)) +
                  "; allowed: the value of mscale (" + mscale.text() + "), else cosine and sine are scaled too");
    }
    scaling.mscale = mscale;
  } else if (all_dim != nullptr || yarn.has("mscale")) {
    throw Error("rope_scaling.mscale is given; allowed: only in MLA models");
  }
  return scaling;
}

std::optional<RopeScaling> read_scaling(const JsonValue* value, Index default_original, bool mla) {
  if (value == nullptr) return std::nullopt;
  if (!value->is(Kind::object)) reject("rope_scaling", *value, "an object, null");
  const ConfigReader reader(*value);
  const std::string type = reader.string_or("rope_type", reader.string_or("type", "default"));
  if (type == "default") return std::nullopt;
  if (type != "linear" && type != "yarn") throw Error("rope_scaling.rope_type is " + shown(type) + "; allowed: default, linear, yarn");
  if (!reader.has("factor")) throw Error("rope_scaling.factor is missing; allowed: a number");
  RopeScaling scaling;
  if (type == "yarn") scaling = read_yarn(*value, default_original, mla);
  scaling.factor = reader.decimal_or("factor", scaling.factor);
  return scaling;
}

}  // namespace

const JsonValue* ConfigReader::find(std::string_view key) const {
  const JsonValue* value = object_.find(key);
  return value == nullptr || value->is(Kind::null) ? nullptr : value;
}

Index ConfigReader::integer(std::string_view key) const {
  const JsonValue* value = find(key);
  if (value == nullptr) throw Error(std::string(key) + " is missing; allowed: an integer from 1 to " + std::to_string(kMaxDim));
  const std::optional<Index> parsed = integer_of(*value);
  if (!parsed || *parsed < 1 || *parsed > kMaxDim) reject(key, *value, "an integer from 1 to " + std::to_string(kMaxDim));
  return *parsed;
}

Index ConfigReader::integer_or(std::string_view key, Index otherwise) const { return has(key) ? integer(key) : otherwise; }

Decimal ConfigReader::decimal_or(std::string_view key, const Decimal& otherwise) const {
  const JsonValue* value = find(key);
  return value == nullptr ? otherwise : decimal_of(*value, std::string(key));
}

bool ConfigReader::boolean_or(std::string_view key, bool otherwise) const {
  const JsonValue* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is(Kind::boolean)) reject(key, *value, "true, false");
  return value->boolean;
}

std::string ConfigReader::string_or(std::string_view key, const std::string& otherwise) const {
  const JsonValue* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is(Kind::string)) reject(key, *value, "a string");
  return value->text;
}

ConfigRope read_config_rope(const JsonValue& config, std::string_view layer_type, const Decimal& default_theta, bool mla) {
  const ConfigReader top(config);
  const Index original = top.integer_or("max_position_embeddings", RopeScaling().original_context);
  const JsonValue* parameters = top.find("rope_parameters");
  if (parameters != nullptr) {
    const ConfigReader sets(*parameters);
    if (const JsonValue* set = sets.find(layer_type)) parameters = set;
  }
  const ConfigReader reader(parameters != nullptr ? *parameters : config);
  ConfigRope rope;
  rope.theta = reader.decimal_or("rope_theta", top.decimal_or("rope_theta", default_theta));
  rope.scaling = read_scaling(parameters != nullptr ? parameters : top.find("rope_scaling"), original, mla);
  const JsonValue* part = reader.find("partial_rotary_factor");
  if (part == nullptr) part = top.find("partial_rotary_factor");
  if (part != nullptr) rope.partial_factor = decimal_of(*part, "partial_rotary_factor");
  return rope;
}

}  // namespace equinorm::problem
