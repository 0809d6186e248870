"""Writes model configs of every family, and wrong ones, as a fuzzer's first inputs beside the built-in cases: problem_seeds.py FOLDER."""

import json
import pathlib
import sys

YARN = {"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1, "mscale": 0.707, "mscale_all_dim": 0.707, "original_max_position_embeddings": 4096}
MLA = {"num_attention_heads": 16, "kv_lora_rank": 512, "q_lora_rank": None, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
       "rms_norm_eps": 1e-06, "hidden_size": 2048, "rope_theta": 10000, "rope_scaling": YARN, "torch_dtype": "bfloat16"}
GQA = {"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "hidden_size": 4096, "rms_norm_eps": 1e-06, "rope_theta": 1000000,
       "sliding_window": None, "max_position_embeddings": 40960}
CONFIGS = {
    "deepseek_v2": MLA,
    "deepseek_v3": {**MLA, "q_lora_rank": 1536, "rope_interleave": False, "architectures": ["DeepseekV3ForCausalLM"]},
    "kimi_k2": {**MLA, "rope_parameters": {"rope_theta": 50000, "rope_type": "default"}},
    "kimi_linear": {**MLA, "mla_use_nope": True},
    "qwen3": GQA,
    "qwen3_moe": {**GQA, "rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    "qwen3_next": {**GQA, "partial_rotary_factor": 0.25},
    "olmo2": GQA,
    "minimax_m2": {**GQA, "rotary_dim": 64, "use_qk_norm": True, "qk_norm_type": "per_layer"},
    "gemma3": {"text_config": {**GQA, "attn_logit_softcapping": 50.0, "query_pre_attn_scalar": 256, "sliding_window": 1024}},
    "gemma3_text": {**GQA, "rope_local_base_freq": 10000},
    "cohere2": {**GQA, "layer_norm_eps": 1e-05, "sliding_window": 4096},
}


def main():
    folder = pathlib.Path(sys.argv[1])
    for name, config in CONFIGS.items():
        (folder / f"config-{name}.json").write_text(json.dumps({"model_type": name, **config}))
    (folder / "config-unknown.json").write_text(json.dumps({"model_type": "llama", **GQA}))
    # A problem file with every key, and numbers at the edge of what a decimal may be.
    (folder / "problem-edge.json").write_text('{"scale": -1.5e-400, "softcap": 1E+400, "context": [1, 2, 9223372036854775807], "precision": {'
                                              '"storage": "real:237", "order": "blocked:32", "p": "fp16", "ftz": true, "splits": 4, "tile": 64}}')
    (folder / "problem-deep.json").write_text("[" * 300 + "]" * 300)


if __name__ == "__main__":
    main()
