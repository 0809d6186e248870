"""`compare`: outputs rounded here are measured as what they are."""
import json
import math
import unittest
import xml.etree.ElementTree as ElementTree

from support import CommandTest, rounded, write_safetensors

from decimal_files import read_safetensors

CASE = ["mla-nope-gated", "--latent", "16", "--context", "9", "--queries", "2"]
HOLDING = ("within", "suspect", "measured")
OUTPUTS = ("logits", "lse", "o", "o_gated", "y", "u", "q_tilde", "alpha_k", "k_hat", "q_rope_hat")


class CompareTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.reference = self.folder / "reference.safetensors"
        self.outputs = self.folder / "outputs.safetensors"
        self.succeed("generate", *CASE, "--out", self.reference, "--reference", "--quiet")
        self.exact = read_safetensors(self.reference)

    def write(self, dtype="F32", names=OUTPUTS, **changed):
        """The reference's outputs, rounded; `changed` gives whole tensors (shape, values)."""
        tensors = {name: (self.exact[name].shape, self.exact[name].values) for name in names}
        tensors = {name: (dtype, shape, [rounded(v, dtype) for v in values]) for name, (shape, values) in {**tensors, **changed}.items()}
        write_safetensors(self.outputs, tensors)

    def compare(self, code, *words):
        path, junit = self.folder / "run.json", self.folder / "junit.xml"
        result = self.succeed("compare", *CASE, *words, "--inputs", self.reference, "--outputs", self.outputs, "--json", path, "--junit", junit, code=code)
        document = json.loads(path.read_text())
        self.assertEqual((document["command"], document["exit_code"]), ("compare", code))
        root = ElementTree.parse(junit).getroot()
        self.assertEqual(int(root.get("failures")), sum(row["verdict"] not in HOLDING for row in document["cases"][0]["errors"]))
        return result, {row["tensor"]: row for row in document["cases"][0]["errors"]}

    def test_rounded_outputs(self):
        """The exact outputs, rounded as declared: measured as what they are, and within their bounds."""
        declared = [word for name in ("alpha", "q_tilde", "k_hat", "q_hat", "logits", "u") for word in ("--set", f"precision.{name}=bf16")]
        short = tuple(name for name in OUTPUTS if name != "lse")  # nothing declares a narrow lse
        for dtype, bits, names, words in (("F32", 24, OUTPUTS, []), ("BF16", 8, short, declared), ("F64", 53, OUTPUTS, [])):
            with self.subTest(dtype=dtype):
                self.write(dtype, names)
                _, rows = self.compare(0, *words)
                self.assertEqual(set(rows), set(names))
                for name, row in rows.items():
                    self.assertEqual((row["elements"], row["nonfinite"], row["verdict"]), (math.prod(self.exact[name].shape), 0, "within"), name)
                    self.assertGreater(row["bound"], 0)
                    self.assertLessEqual(row["error_over_bound"], 1)
                    self.assertLessEqual(row["max_ulp"], 0.5001, f"{dtype} {name}")
                    self.assertLessEqual(row["max_relative"], 1.0001 * 2.0 ** -bits, f"{dtype} {name}")
                    if dtype != "F64":
                        self.assertGreater(row["max_ulp"], 0.4, f"{dtype} {name}")

    def test_queries_before_the_first_token_have_no_rotation_to_judge(self):
        """The second row of 24 queries has 5 tokens, so that its first 19 queries stand before the first one."""
        case = ["mla-more-queries-than-keys", "--set", "precision.storage=fp32"]
        self.succeed("generate", *case, "--out", self.reference, "--reference", "--quiet")
        exact = read_safetensors(self.reference)["q_rope_hat"]
        self.assertEqual(exact.shape, [2, 24, 4, 32])
        for garbage, code in ((19 * 4 * 32, 0), (19 * 4 * 32 + 1, 1)):
            values = [rounded(v, "F32") for v in exact.values]
            values[24 * 4 * 32:24 * 4 * 32 + garbage] = [1e3] * garbage
            write_safetensors(self.outputs, {"q_rope_hat": ("F32", exact.shape, values)})
            self.run_json("compare", *case, "--inputs", self.reference, "--outputs", self.outputs, code=code)

    def test_bounds_that_would_let_zeros_pass_decide_nothing(self):
        case = ["mla-integers", "--set", "precision.accumulate=bf16"]
        self.succeed("generate", *case, "--out", self.reference, "--reference", "--quiet")
        shape = read_safetensors(self.reference)["o"].shape
        for value, code in ((0, 3), (1e4, 1)):
            write_safetensors(self.outputs, {"o": ("F32", shape, [value] * math.prod(shape))})
            row = self.run_json("compare", *case, "--inputs", self.reference, "--outputs", self.outputs, code=code)["cases"][0]["errors"][0]
            self.assertEqual("zeros would be within" in row["detail"], code == 3, row)

    def test_undeclared_rounding(self):
        """bf16 where fp32 was declared is beyond the bound of a tensor that little happens to."""
        self.write("BF16")
        rows = self.compare(1)[1]
        self.assertEqual({rows[name]["verdict"] for name in ("o", "o_gated", "y")}, {"within"})
        self.assertEqual({rows[name]["verdict"] for name in ("k_hat", "q_rope_hat", "lse")}, {"violates"})

    def test_bounds_of_a_reference(self):
        """generate --reference writes the bounds that compare judges by: just inside is within, just outside is not."""
        bound = self.exact["o.bound"].values
        shape, values = self.exact["o"].shape, self.exact["o"].values
        at = max(range(len(bound)), key=bound.__getitem__)
        for factor, code, verdict in ((0.999, 0, "within"), (1.001, 1, "violates")):
            changed = list(values)
            changed[at] += factor * bound[at]
            self.write("F64", ("o",), o=(shape, changed))
            row = self.compare(code)[1]["o"]
            self.assertEqual(row["verdict"], verdict)
            self.assertAlmostEqual(row["error_over_bound"], factor, places=6)

    def test_an_error_is_measured_where_it_is(self):
        shape, values = self.exact["o"].shape, list(self.exact["o"].values)
        largest = max(map(abs, values))
        values[137] += largest / 8
        self.write("F64", o=(shape, values))
        row = self.compare(code=1)[1]["o"]
        self.assertEqual(row["verdict"], "violates")
        self.assertAlmostEqual(row["normwise"], 0.125, places=9)
        flat = 0
        for i, n in zip(row["worst_index"], shape, strict=True):
            flat = flat * n + i
        self.assertEqual(flat, 137)

    def test_nonfinite(self):
        shape, values = self.exact["o"].shape, list(self.exact["o"].values)
        values[shape[-1] * 3 + 2] = math.nan
        self.write(o=(shape, values))
        result, rows = self.compare(code=1)
        self.assertEqual((rows["o"]["verdict"], rows["o"]["nonfinite"], rows["o"]["worst_index"]), ("nonfinite", 1, [0, 0, 3, 2]))
        self.assertEqual(rows["y"]["verdict"], "within")
        self.assertIn("[0,0,3,2]", result.out)
        self.assertIn("reproduce: equinorm compare", result.out)

    def test_masks(self):
        """A finite logit under the mask, and a masked one that should be seen, are both failures."""
        shape, values = self.exact["logits"].shape, self.exact["logits"].values
        masked = values.index(-math.inf)
        for flat, value, verdict in ((masked, -1e30, "violates"), (masked, math.inf, "nonfinite"), (0, -math.inf, "nonfinite")):
            changed = list(values)
            changed[flat] = value
            self.write(logits=(shape, changed))
            row = self.compare(code=1)[1]["logits"]
            self.assertEqual(row["verdict"], verdict)
            self.assertIn("-inf", row["detail"])

    def test_wrong_shape(self):
        self.write(lse=([3], [1.0, 2.0, 3.0]))
        result, rows = self.compare(code=1)
        self.assertEqual(rows["lse"]["verdict"], "wrong shape")
        self.assertIn("[3], wanted floating [", result.out)

    def test_foreign_files(self):
        """A misspelt output and inputs generated for another problem are refused, not passed over."""
        shape, values = self.exact["o"].shape, self.exact["o"].values
        self.write(attn_out=(shape, values))
        self.reject(["attn_out", "logits"], "compare", *CASE, "--inputs", self.reference, "--outputs", self.outputs)
        self.write(o=(shape, values))
        self.reject(["eps", "1e-2"], "compare", *CASE, "--set", "norm.eps=1e-2", "--inputs", self.reference, "--outputs", self.outputs)

    def test_bad_input(self):
        self.write(names=("o",))
        words = ["compare", *CASE, "--inputs", self.reference, "--outputs", self.outputs]
        write_safetensors(self.outputs, {"unrelated": ("F32", [1], [1.0])})
        self.reject(["outputs.safetensors", "no output", "logits"], *words)
        self.reject(["nowhere"], *words[:-1], self.folder / "nowhere")
        write_safetensors(self.outputs, {"o": ("I64", self.exact["o"].shape, [1] * math.prod(self.exact["o"].shape))})
        self.assertNotEqual(self.compare(code=1)[1]["o"]["verdict"], "measured")


if __name__ == "__main__":
    unittest.main()
