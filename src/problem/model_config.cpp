#include "problem/model_config.hpp"

#include <array>
#include <cmath>
#include <cstdio>

#include "problem/config_reader.hpp"
#include "scalar/error.hpp"

namespace equinorm::problem {
namespace {

using Kind = JsonValue::Kind;

/// Storage named by `dtype` or, in older files, `torch_dtype`, in the text part or at the top; bf16 when neither says.
void set_storage(const JsonValue& text_part, const JsonValue& root, Problem& p) {
  const ConfigReader inner(text_part);
  const ConfigReader outer(root);
  const std::string above = outer.string_or("dtype", outer.string_or("torch_dtype", "bfloat16"));
  const std::string dtype = inner.string_or("dtype", inner.string_or("torch_dtype", above));
  p.precision.storage = dtype == "float16" ? scalar::kFp16 : dtype == "float32" ? scalar::kFp32 : scalar::kBf16;
  p.precision.stored = Precision::default_stored(p.precision.storage);
}

std::string hidden_note(const ConfigReader& config) {
  return config.has("hidden_size") ? " Hidden size " + std::to_string(config.integer("hidden_size")) + "." : "";
}

Problem mla_problem(const JsonValue& json) {
  const ConfigReader config(json);
  Problem p;
  p.heads = config.integer("num_attention_heads");
  p.groups = p.heads;
  p.latent = config.integer("kv_lora_rank");
  p.content_dim = config.integer("qk_nope_head_dim");
  p.rope_dim = config.integer("qk_rope_head_dim");
  p.value_dim = config.integer("v_head_dim");
  p.query_latent = config.integer_or("q_lora_rank", 0);
  p.norm.eps = config.decimal_or("rms_norm_eps", Decimal("1e-6"));
  return p;
}

Problem deepseek(const JsonValue& json) {
  const ConfigReader config(json);
  Problem p = mla_problem(json);
  const ConfigRope rope = read_config_rope(json, "full_attention", Decimal("10000.0"), true);
  p.rope.layout = config.boolean_or("rope_interleave", true) ? RopeLayout::interleaved : RopeLayout::half;
  p.rope.theta = rope.theta;
  p.rope.scaling = rope.scaling;
  p.note = "The model itself has no norm on q and k; QK-Normed here (blockwise)." + hidden_note(config);
  return p;
}

Problem kimi_linear(const JsonValue& json) {
  const ConfigReader config(json);
  if (!config.boolean_or("mla_use_nope", false)) return deepseek(json);
  Problem p = mla_problem(json);
  p.rope.layout = RopeLayout::none;
  p.norm.scheme = NormScheme::unified;
  p.note = "The MLA layers, which rotate nothing. The model itself has no norm on q and k; QK-Normed here (unified)." + hidden_note(config);
  return p;
}

/// What a gqa family's configs may leave out.
struct FamilyDefaults {
  Index head_dim;  ///< 0: hidden_size / heads
  const char* theta;
  const char* partial_factor = nullptr;
  const char* layer_type = "full_attention";
};

/// Rotated dims of a head: `rotary_dim`, or a fraction of the head, or all of it.
Index rotated_dims(const ConfigReader& config, const std::optional<Decimal>& factor, Index head_dim) {
  if (config.has("rotary_dim")) return config.integer("rotary_dim");
  if (!factor) return head_dim;
  const scalar::Rational dims = factor->value() * head_dim;
  if (denominator(dims) != 1 || dims < 1 || dims > head_dim) {
    throw Error("partial_rotary_factor is " + factor->text() + "; allowed: a factor that makes 1 to " + std::to_string(head_dim) +
                " whole dims of head_dim " + std::to_string(head_dim));
  }
  return static_cast<Index>(numerator(dims));
}

void set_gqa_rope(const JsonValue& json, const FamilyDefaults& defaults, Problem& p) {
  ConfigRope rope = read_config_rope(json, defaults.layer_type, Decimal(defaults.theta), false);
  if (!rope.partial_factor && defaults.partial_factor != nullptr) rope.partial_factor = Decimal(defaults.partial_factor);
  p.rope.layout = RopeLayout::half;
  p.rope.theta = rope.theta;
  p.rope.scaling = rope.scaling;
  p.rope_dim = rotated_dims(ConfigReader(json), rope.partial_factor, p.head_dim);
  if (p.rope.scaling && p.rope.scaling->type == RopeScaling::Type::yarn && p.rope_dim != p.head_dim) {
    throw Error(
        "rope_scaling.rope_type is \"yarn\"; allowed: default, linear on a partly rotated head, where YaRN's factor is not one on the "
        "scale");
  }
}

Problem gqa_problem(const JsonValue& json, const FamilyDefaults& defaults) {
  const ConfigReader config(json);
  Problem p;
  p.attention = Attention::gqa;
  p.norm.scheme = NormScheme::per_head;
  p.heads = config.integer("num_attention_heads");
  p.groups = config.integer_or("num_key_value_heads", p.heads);
  const Index usual = defaults.head_dim;
  p.head_dim = usual == 0 && !config.has("head_dim") ? config.integer("hidden_size") / p.heads : config.integer_or("head_dim", usual);
  p.value_dim = p.head_dim;
  p.norm.eps = config.decimal_or("rms_norm_eps", Decimal("1e-6"));
  set_gqa_rope(json, defaults, p);
  p.note = "Attention of one full-attention layer." + hidden_note(config);
  return p;
}

Problem qwen3(const JsonValue& json) { return gqa_problem(json, {128, "10000.0"}); }

Problem qwen3_next(const JsonValue& json) {
  Problem p = gqa_problem(json, {256, "10000.0", "0.25"});
  p.norm.weight = NormWeight::zero_centred;
  p.output_gate = true;
  return p;
}

Problem olmo2(const JsonValue& json) {
  Problem p = gqa_problem(json, {0, "500000"});
  p.norm.scheme = NormScheme::full_width;
  return p;
}

Problem minimax_m2(const JsonValue& json) {
  const ConfigReader config(json);
  Problem p = gqa_problem(json, {128, "5000000"});
  const std::string type = config.string_or("qk_norm_type", "per_layer");
  if (type != "per_layer") throw Error("qk_norm_type is " + shown(type) + "; allowed: per_layer");
  p.norm.scheme = config.boolean_or("use_qk_norm", true) ? NormScheme::full_width : NormScheme::none;
  return p;
}

/// x^(-1/2) in binary64, which is what the model's own code computes.
Decimal inverse_sqrt(const Decimal& x) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.17g", std::pow(x.to_double(), -0.5));
  return Decimal(text.data());
}

/// Multimodal files leave out what is at the family's default.
JsonValue gemma3_filled(JsonValue json) {
  for (const auto& [key, value] : {std::pair{"num_attention_heads", "8"}, std::pair{"num_key_value_heads", "4"}}) {
    if (!ConfigReader(json).has(key)) json.set(key, parse_json(value, ""));
  }
  return json;
}

Problem gemma3(const JsonValue& json) {
  const ConfigReader config(json);
  Problem p = gqa_problem(gemma3_filled(json), {256, "1000000.0"});
  p.norm.weight = NormWeight::zero_centred;
  p.softcap = config.decimal_or("attn_logit_softcapping", p.softcap);
  const Decimal pre_scale = config.decimal_or("query_pre_attn_scalar", Decimal("256"));
  if (!(pre_scale.value() >= 1 && pre_scale.value() <= kMaxDim)) {
    throw Error("query_pre_attn_scalar is " + pre_scale.text() + "; allowed: a number from 1 to " + std::to_string(kMaxDim));
  }
  if (pre_scale.value() != p.head_dim) p.scale = inverse_sqrt(pre_scale);
  p.note += " Global layers; for the local ones set mask.kind window, mask.window " +
            std::to_string(config.integer_or("sliding_window", 4096)) + ", rope.theta " +
            config.decimal_or("rope_local_base_freq", Decimal("10000.0")).text() + ", rope.scaling null.";
  return p;
}

Problem cohere2(const JsonValue& json) {
  const ConfigReader config(json);
  Problem p = gqa_problem(json, {0, "10000.0", nullptr, "sliding_attention"});
  p.norm.scheme = NormScheme::none;
  p.rope.layout = RopeLayout::interleaved;
  p.mask.kind = MaskKind::window;
  p.mask.window = config.integer_or("sliding_window", 4096);
  p.note = "No QK-norm, on purpose. Windowed layers, which rotate; for the global ones set rope.layout none and mask.kind causal." +
           hidden_note(config);
  return p;
}

struct Family {
  std::string_view model_type;
  std::string_view architecture;
  Problem (*read)(const JsonValue&);
};

constexpr std::array<Family, 12> kFamilies{{{"deepseek_v2", "DeepseekV2ForCausalLM", deepseek},
                                            {"deepseek_v3", "DeepseekV3ForCausalLM", deepseek},
                                            {"kimi_k2", "DeepseekV3ForCausalLM", deepseek},
                                            {"kimi_linear", "KimiLinearForCausalLM", kimi_linear},
                                            {"qwen3", "Qwen3ForCausalLM", qwen3},
                                            {"qwen3_moe", "Qwen3MoeForCausalLM", qwen3},
                                            {"qwen3_next", "Qwen3NextForCausalLM", qwen3_next},
                                            {"olmo2", "Olmo2ForCausalLM", olmo2},
                                            {"minimax_m2", "MiniMaxM2ForCausalLM", minimax_m2},
                                            {"gemma3", "Gemma3ForConditionalGeneration", gemma3},
                                            {"gemma3_text", "Gemma3ForCausalLM", gemma3},
                                            {"cohere2", "Cohere2ForCausalLM", cohere2}}};

/// The first architecture named, or "".
std::string architecture_of(const JsonValue& root) {
  const JsonValue* list = root.find("architectures");
  if (list == nullptr || !list->is(Kind::array) || list->items.empty() || !list->items[0].is(Kind::string)) return "";
  return list->items[0].text;
}

/// model_type decides; files of custom code sometimes misname it, and then the architecture does.
const Family& family_of(const JsonValue& root) {
  const std::string type = ConfigReader(root).string_or("model_type", "");
  const std::string architecture = architecture_of(root);
  for (const Family& family : kFamilies) {
    if (family.model_type == type) return family;
  }
  for (const Family& family : kFamilies) {
    if (family.architecture == architecture) return family;
  }
  throw Error("model_type is " + (type.empty() ? "missing" : shown(type)) + "; allowed: " + known_model_types() +
              " (how other models normalise q and k is not known here: describe the model in a problem file)");
}

Problem read_config(const JsonValue& root) {
  if (!root.is(Kind::object)) throw Error("file is " + describe(root) + "; allowed: an object");
  const Family& family = family_of(root);
  const JsonValue* text_part = root.find("text_config");
  const JsonValue& config = text_part != nullptr && text_part->is(Kind::object) ? *text_part : root;
  Problem p = family.read(config);
  set_storage(config, root, p);
  p.name = ConfigReader(root).string_or("model_type", std::string(family.model_type));
  validate(p);
  return p;
}

}  // namespace

std::string known_model_types() {
  std::string text;
  for (const Family& family : kFamilies) text += (text.empty() ? "" : ", ") + std::string(family.model_type);
  return text;
}

bool looks_like_model_config(const JsonValue& root) { return root.find("model_type") != nullptr || root.find("architectures") != nullptr; }

bool looks_like_model_config(std::string_view json) {
  try {
    return looks_like_model_config(parse_json(json, ""));
  } catch (const Error&) {
    return false;
  }
}

Problem from_model_config(const JsonValue& root, std::string origin) {
  try {
    return read_config(root);
  } catch (const Error& error) {
    throw Error(origin_prefix(origin) + error.what());
  }
}

Problem from_model_config(std::string_view json, std::string origin) {
  const JsonValue root = parse_json(json, origin);
  return from_model_config(root, std::move(origin));
}

}  // namespace equinorm::problem
