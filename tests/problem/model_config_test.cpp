#include "problem/model_config.hpp"

#include "problem/builtin.hpp"
#include "problem/names.hpp"
#include "support.hpp"

namespace equinorm::problem {
namespace {

using Catch::Contains;

Problem config(const std::string& json) { return from_model_config(json, "config.json"); }
std::string config_error(const std::string& json) {
  return error_of([&] { (void)config(json); });
}

/// Everything but name and note.
std::string attention_of(Problem p) {
  p.name = "same";
  p.note.clear();
  return to_json(p);
}
void check_same(const std::string& json, const std::string& preset) {
  INFO(preset);
  Problem expected = *find_builtin(preset);
  const Problem found = config(json);
  // Spellings of one number differ between configs and presets.
  CHECK(found.norm.eps == expected.norm.eps);
  CHECK(found.rope.theta == expected.rope.theta);
  expected.norm.eps = found.norm.eps;
  expected.rope.theta = found.rope.theta;
  if (expected.rope.scaling && found.rope.scaling) {
    CHECK(found.rope.scaling->factor == expected.rope.scaling->factor);
    CHECK(found.rope.scaling->beta_fast == expected.rope.scaling->beta_fast);
    CHECK(found.rope.scaling->mscale == expected.rope.scaling->mscale);
    expected.rope.scaling = found.rope.scaling;
  }
  CHECK(attention_of(found) == attention_of(expected));
}

const std::string kDeepseekRope =
    R"("rope_theta": 10000, "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
       "original_max_position_embeddings": 4096, "type": "yarn"})";

std::string deepseek_v3(const std::string& rope) {
  return R"({"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "hidden_size": 7168, "num_attention_heads": 128,
    "num_key_value_heads": 128, "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "rms_norm_eps": 1e-06, "torch_dtype": "bfloat16", "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}, )" +
         rope + "}";
}

TEST_CASE("model config: MLA families agree with their presets") {
  check_same(deepseek_v3(kDeepseekRope), "deepseek-v3");
  CHECK_THAT(config(deepseek_v3(kDeepseekRope)).note, Contains("QK-Normed here") && Contains("7168"));
  CHECK(config(deepseek_v3(kDeepseekRope)).name == "deepseek_v3");
  check_same(R"({"model_type": "deepseek_v2", "num_attention_heads": 16, "kv_lora_rank": 512, "q_lora_rank": null, "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64, "v_head_dim": 128, "rms_norm_eps": 1e-06, "rope_theta": 10000, "rope_scaling": {"beta_fast": 32, "beta_slow": 1,
    "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707, "original_max_position_embeddings": 4096, "type": "yarn"}})",
             "deepseek-v2-lite");
  check_same(R"({"model_type": "kimi_k2", "architectures": ["DeepseekV3ForCausalLM"], "num_attention_heads": 64, "kv_lora_rank": 512,
    "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "rms_norm_eps": 1e-6, "rope_theta": 50000.0,
    "rope_scaling": {"beta_fast": 1.0, "beta_slow": 1.0, "factor": 32.0, "mscale": 1.0, "mscale_all_dim": 1.0,
    "original_max_position_embeddings": 4096, "type": "yarn"}})",
             "kimi-k2");
  const Problem linear = config(R"({"model_type": "kimi_linear", "num_attention_heads": 32, "kv_lora_rank": 512, "q_lora_rank": null,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "rms_norm_eps": 1e-05, "mla_use_nope": true, "hidden_size": 2304})");
  CHECK((linear.rope.layout == RopeLayout::none && linear.norm.scheme == NormScheme::unified && !linear.output_gate &&
         linear.key_dim() == 192));
}

TEST_CASE("model config: newer files keep RoPE in rope_parameters") {
  const std::string nested = R"("rope_parameters": {"rope_theta": 10000, "rope_type": "yarn", "beta_fast": 32, "beta_slow": 1, "factor": 40,
    "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096})";
  CHECK(attention_of(config(deepseek_v3(nested))) == attention_of(config(deepseek_v3(kDeepseekRope))));
  CHECK(!config(deepseek_v3(R"("rope_parameters": {"rope_theta": 5, "rope_type": "default"}, "rope_interleave": false)")).rope.scaling);
}

TEST_CASE("model config: GQA families agree with their presets") {
  check_same(R"({"model_type": "qwen3", "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "hidden_size": 4096,
    "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null, "torch_dtype": "bfloat16"})",
             "qwen3-8b");
  check_same(R"({"model_type": "olmo2", "num_attention_heads": 32, "num_key_value_heads": 32, "hidden_size": 4096, "rms_norm_eps": 1e-06,
    "rope_theta": 500000})",
             "olmo2-7b");
  check_same(R"({"model_type": "minimax", "architectures": ["MiniMaxM2ForCausalLM"], "num_attention_heads": 48, "num_key_value_heads": 8,
    "head_dim": 128, "hidden_size": 3072, "rms_norm_eps": 1e-06, "rope_theta": 5000000, "rotary_dim": 64, "use_qk_norm": true,
    "qk_norm_type": "per_layer"})",
             "minimax-m2");
  check_same(R"({"model_type": "qwen3_next", "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256, "hidden_size": 2048,
    "partial_rotary_factor": 0.25, "rms_norm_eps": 1e-06, "rope_theta": 10000000})",
             "qwen3-next-80b");
  check_same(
      R"({"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "torch_dtype": "bfloat16", "vision_config": {},
    "text_config": {"model_type": "gemma3_text", "hidden_size": 3840, "num_attention_heads": 16, "num_key_value_heads": 8,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}})",
      "gemma3-12b");
  check_same(R"({"model_type": "cohere2", "num_attention_heads": 16, "num_key_value_heads": 4, "hidden_size": 2048, "layer_norm_eps": 1e-05,
    "rope_theta": 50000, "sliding_window": 4096})",
             "tiny-aya-local");
  CHECK(config(R"({"model_type": "qwen3_moe", "num_attention_heads": 32, "num_key_value_heads": 4})").groups == 4);
  CHECK(config(R"({"model_type": "qwen3_next", "num_attention_heads": 16, "num_key_value_heads": 2})").rope_dim == 64);
}

TEST_CASE("model config: Gemma's scale, soft cap and left-out dims") {
  const Problem small =
      config(R"({"model_type": "gemma3", "text_config": {"hidden_size": 2560, "model_type": "gemma3_text", "sliding_window": 1024}})");
  CHECK((small.heads == 8 && small.groups == 4 && small.head_dim == 256 && !small.scale));
  const Problem large = config(R"({"model_type": "gemma3_text", "num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 128,
    "query_pre_attn_scalar": 168, "attn_logit_softcapping": 50.0, "rope_parameters": {"full_attention": {"rope_theta": 1000000.0,
    "rope_type": "linear", "factor": 8.0}, "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}}})");
  REQUIRE(large.scale);
  CHECK(large.scale->to_double() == Approx(0.0771516749810460).epsilon(1e-15));
  CHECK((large.softcap.text() == "50.0" && large.rope.theta.text() == "1000000.0" && large.rope.scaling->factor.text() == "8.0"));
}

TEST_CASE("model config: storage follows the dtype, found inside or outside the text part") {
  const std::string rest = R"("model_type": "qwen3", "num_attention_heads": 4)";
  CHECK(config("{" + rest + R"(, "dtype": "float16"})").precision.of(Stored::o) == scalar::kFp16);
  CHECK(config("{" + rest + R"(, "torch_dtype": "float32"})").precision.storage == scalar::kFp32);
  CHECK(config("{" + rest + "}").precision.storage == scalar::kBf16);
  CHECK(config(R"({"model_type": "gemma3", "dtype": "float32", "text_config": {}})").precision.storage == scalar::kFp32);
}

TEST_CASE("model config: YaRN on a fully rotated head is a factor on the scale") {
  const std::string yarn = R"("rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768)";
  const std::string qwen = R"({"model_type": "qwen3", "num_attention_heads": 4, "head_dim": 128, )";
  const Problem p = config(qwen + yarn + "}}");
  CHECK((p.rope.scaling->type == RopeScaling::Type::yarn && p.rope.scaling->mscale.text() == "1.0" &&
         p.rope.scaling->original_context == 32768));
  CHECK_THAT(config_error(qwen + yarn + R"(, "attention_factor": 1.5}})"), Contains("rope_scaling.attention_factor is 1.5; allowed: none"));
  CHECK_THAT(config_error(qwen + yarn + R"(, "mscale": 1}})"), Contains("rope_scaling.mscale is given; allowed: only in MLA models"));
  CHECK_THAT(config_error(R"({"model_type": "qwen3_next", "num_attention_heads": 4, )" + yarn + "}}"),
             Contains("on a partly rotated head"));
}

TEST_CASE("model config: what cannot be used is said on one line") {
  CHECK_THAT(config_error(R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"]})"),
             Contains("config.json: model_type is \"llama\"; allowed: deepseek_v2, deepseek_v3, kimi_k2") && Contains("cohere2"));
  CHECK_THAT(config_error(R"({"architectures": []})"), Contains("model_type is missing; allowed"));
  CHECK_THAT(config_error(R"({"model_type": 5})"), Contains("model_type is 5; allowed: a string"));
  CHECK_THAT(config_error(R"([1])"), Contains("file is a list; allowed: an object"));
  CHECK_THAT(config_error(R"({"model_type": "deepseek_v3"})"), Contains("num_attention_heads is missing; allowed: an integer"));
  CHECK_THAT(config_error(R"({"model_type": "qwen3", "num_attention_heads": -3})"),
             Contains("num_attention_heads is -3; allowed: an integer from 1"));
  CHECK_THAT(config_error(R"({"model_type": "qwen3", "num_attention_heads": 4, "num_key_value_heads": 3})"),
             Contains("heads is 4; allowed: a multiple"));
  CHECK_THAT(config_error(R"({"model_type": "olmo2", "num_attention_heads": 4, "hidden_size": 2})"), Contains("head_dim is 0; allowed"));
  CHECK_THAT(config_error(R"({"model_type": "qwen3", "num_attention_heads": 4, "rope_scaling": {"type": "llama3", "factor": 8}})"),
             Contains("rope_scaling.rope_type is \"llama3\"; allowed: default, linear, yarn"));
  CHECK_THAT(config_error(R"({"model_type": "qwen3", "num_attention_heads": 4, "rope_scaling": {"type": "linear"}})"),
             Contains("rope_scaling.factor is missing"));
  CHECK_THAT(config_error(R"({"model_type": "qwen3", "num_attention_heads": 4, "partial_rotary_factor": 0.3})"),
             Contains("partial_rotary_factor is 0.3; allowed: a factor that makes 1 to 128 whole dims"));
  CHECK_THAT(config_error(R"({"model_type": "minimax_m2", "num_attention_heads": 4, "qk_norm_type": "per_head"})"),
             Contains("qk_norm_type is \"per_head\""));
  CHECK_THAT(config_error(R"({"model_type": "gemma3_text", "query_pre_attn_scalar": 0})"), Contains("query_pre_attn_scalar is 0; allowed"));
  CHECK_THAT(config_error(deepseek_v3(R"("rope_scaling": {"type": "yarn", "factor": 40, "mscale": 1.0})")),
             Contains("rope_scaling.mscale_all_dim is missing; allowed: the value of mscale (1.0)"));
  CHECK_THAT(config_error(deepseek_v3(R"("rope_scaling": "yarn")")), Contains("rope_scaling is \"yarn\"; allowed: an object, null"));
}

TEST_CASE("model config: told apart from problem files") {
  CHECK(looks_like_model_config(R"({"model_type": "llama"})"));
  CHECK(looks_like_model_config(R"({"architectures": ["X"]})"));
  CHECK(!looks_like_model_config(R"({"name": "p", "heads": 4})"));
  CHECK(!looks_like_model_config(R"([])"));
  CHECK(!looks_like_model_config("{"));
}

}  // namespace
}  // namespace equinorm::problem
