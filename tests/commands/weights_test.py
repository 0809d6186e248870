"""`verify config.json --weights F`: layers with Hugging Face names, written here."""
import json
import math
import random
import unittest

from support import CommandTest, rounded, write_safetensors

HIDDEN, HEADS = 32, 4
DEEPSEEK = {"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "hidden_size": HIDDEN, "num_attention_heads": HEADS,
            "q_lora_rank": 12, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 6, "rms_norm_eps": 1e-6,
            "rope_theta": 10000, "torch_dtype": "bfloat16",
            "rope_scaling": {"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0,
                             "original_max_position_embeddings": 4096}}
DEEPSEEK_SHAPES = {"q_a_proj": [12, HIDDEN], "q_a_layernorm": [12], "q_b_proj": [HEADS * 12, 12], "kv_a_proj_with_mqa": [16 + 4, HIDDEN],
                   "kv_a_layernorm": [16], "kv_b_proj": [HEADS * (8 + 6), 16], "o_proj": [HIDDEN, HEADS * 6]}
QWEN = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "hidden_size": HIDDEN, "num_attention_heads": HEADS,
        "num_key_value_heads": 2, "head_dim": 8, "rms_norm_eps": 1e-6, "rope_theta": 1000000, "torch_dtype": "bfloat16"}
QWEN_SHAPES = {"q_proj": [HEADS * 8, HIDDEN], "k_proj": [2 * 8, HIDDEN], "v_proj": [2 * 8, HIDDEN], "o_proj": [HIDDEN, HEADS * 8],
               "q_norm": [8], "k_norm": [8]}


class WeightsTest(CommandTest):
    def write_layer(self, config, shapes, layer, without=()):
        dice = random.Random(5)
        (self.folder / "config.json").write_text(json.dumps(config))
        tensors = {}
        for name, shape in shapes.items():
            centre = 1 if "norm" in name else 0
            values = [rounded(centre + dice.gauss(0, 0.3), "BF16") for _ in range(math.prod(shape))]
            if name not in without:
                tensors[f"model.layers.{layer}.self_attn.{name}.weight"] = ("BF16", shape, values)
        return write_safetensors(self.folder / "model.safetensors", tensors)

    def words(self, weights, layer, *more):
        return ["verify", self.folder / "config.json", "--weights", weights, "--layer", layer, "--context", "20", "--queries", "2", *more]

    def check(self, config, shapes, drawn):
        weights = self.write_layer(config, shapes, 3)
        exact = self.run_json(*self.words(weights, 3, "--exact-only"))["cases"][0]
        self.assertEqual([check["verdict"] for check in exact["exact_checks"]], ["equal"] * 3)
        self.assertEqual({note.split(":")[0] for note in exact["notes"]}, drawn)
        case = self.run_json(*self.words(weights, 3))["cases"][0]
        self.assertEqual({row["tensor"] for row in case["errors"]}, {"logits", "lse", "o", "y"})
        for row in case["errors"]:
            self.assertEqual(row["nonfinite"], 0, row)
            if row["arithmetic"] == "fp64":
                self.assertLess(row["normwise"], 1e-13, row)
        by_folder = self.run_json(*self.words(self.folder, 3, "--exact-only"))["cases"][0]
        self.assertEqual(by_folder["exact_checks"][0]["verdict"], "equal")

    def test_deepseek(self):
        self.check(DEEPSEEK, DEEPSEEK_SHAPES, {"x", "gamma_cq", "gamma_ck", "gamma_rq", "gamma_rk"})

    def test_qwen(self):
        self.check(QWEN, QWEN_SHAPES, {"x"})

    def test_weights_matter(self):
        """The layer's own latent norm is part of the path: other weights in it, other errors."""
        rows = []
        for scale in (1, 2):
            shapes = {**DEEPSEEK_SHAPES}
            weights = self.write_layer(DEEPSEEK, shapes, 0, without=() if scale == 1 else ("kv_a_layernorm", "q_a_layernorm"))
            rows.append(self.run_json(*self.words(weights, 0, "--formats", "fp32"))["cases"][0]["errors"])
        self.assertNotEqual(rows[0], rows[1])

    def test_slice(self):
        weights = self.write_layer(QWEN, QWEN_SHAPES, 0)
        case = self.run_json(*self.words(weights, 0, "--exact-only", "--heads", "2", "--groups", "1", "--first-head", "2"))["cases"][0]
        self.assertEqual(case["problem"]["heads"], 2)
        self.assertIn("--first-head 2", case["reproduce"])

    def test_what_is_wrong_is_named(self):
        weights = self.write_layer(DEEPSEEK, DEEPSEEK_SHAPES, 0, without=("kv_b_proj",))
        self.reject(["model.layers.0.self_attn.kv_b_proj.weight"], *self.words(weights, 0))
        self.reject(["layers.7", "layer 7"], *self.words(weights, 7))
        self.write_layer(DEEPSEEK, {**DEEPSEEK_SHAPES, "q_b_proj": [HEADS * 12, 11]}, 0)
        self.reject(["q_b_proj", "[48,11]", "12"], *self.words(weights, 0))


if __name__ == "__main__":
    unittest.main()
