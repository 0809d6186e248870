"""`compare --rules`: public acceptance rules beside the verdict, on outputs made here."""
import json
import math
import unittest

from support import CommandTest, rounded, run, write_safetensors

from decimal_files import read_safetensors

CASE = ["mla-nope-gated", "--latent", "16", "--context", "9", "--queries", "2"]
RULES = ["onednn", "hipdnn", "ggml", "flashinfer-bench", "kernelbench", "flash-attention", "flash-attention-3", "flashmla", "cutlass"]


def flat(index, shape):
    position = 0
    for i, n in zip(index, shape, strict=True):
        position = position * n + i
    return position


class CompareRulesTest(CommandTest):
    def generate(self, *case):
        self.case = case
        self.inputs, self.outputs = self.folder / "inputs.safetensors", self.folder / "outputs.safetensors"
        self.succeed("generate", *case, "--out", self.inputs, "--reference", "--quiet")
        self.exact = read_safetensors(self.inputs)

    def compare(self, dtype, rules="all", **tensors):
        """The rule rows {(tensor, rule): row} of a comparison of the given values. Rules never change verdicts or the exit code."""
        write_safetensors(self.outputs, {n: (dtype, self.exact[n].shape, [rounded(v, dtype) for v in values]) for n, values in tensors.items()})
        path = self.folder / "run.json"
        words = ["compare", *self.case, "--inputs", self.inputs, "--outputs", self.outputs, "--json", path]
        plain = run(*words)
        self.assertIn(plain.code, (0, 1, 3), plain)
        without = json.loads(path.read_text())["cases"][0]
        self.assertNotIn("rules", without)
        self.result = self.succeed(*words, "--rules", rules, code=plain.code)
        self.document = json.loads(path.read_text())["cases"][0]
        self.assertEqual(self.document["errors"], without["errors"])
        for row in self.document["errors"]:
            self.assertIn(f"{row['tensor']} ({dtype}), own verdict: {row['verdict']}\n", self.result.out)
        return {(row["tensor"], row["rule"]): row for row in self.document["rules"]}

    def outcomes(self, rows, tensor="o"):
        return {rule: row["outcome"] for (name, rule), row in rows.items() if name == tensor}

    def test_rounded_outputs_are_accepted(self):
        for case in (CASE, ["gqa-from-x-window", "--context", "60"], ["mla-from-x", "--context", "20", "--latent", "24"],
                     ["mla-full-width-ragged", "--latent", "8"]):
            with self.subTest(case=case):
                self.generate(*case)
                rows = self.compare("BF16", o=self.exact["o"].values, lse=self.exact["lse"].values)
                self.assertEqual(self.outcomes(rows), dict.fromkeys(RULES, "accepts"))
                self.assertEqual(self.outcomes(rows, "lse")["flashmla"], "accepts")
                self.assertEqual(self.outcomes(rows, "lse")["hipdnn"], "not applicable")
                for rule in RULES:
                    self.assertIn(rule, self.result.out)
                self.assertIn("--rules all", self.document["reproduce"])

    def test_wrong_outputs(self):
        """Rules reject; the exit code is the verdict's alone."""
        self.generate(*CASE)
        rows = self.compare("BF16", o=[-v for v in self.exact["o"].values])
        self.assertEqual(set(self.outcomes(rows).values()), {"rejects"})
        values = list(self.exact["o"].values)
        values[7] = math.nan
        self.assertEqual(set(self.outcomes(self.compare("BF16", o=values)).values()), {"rejects"})

    def test_masked_logits(self):
        """A right -inf fails flashinfer-bench, as published."""
        self.generate(*CASE)
        outcomes = self.outcomes(self.compare("F32", o=self.exact["o"].values, logits=self.exact["logits"].values), "logits")
        self.assertEqual((outcomes["flashinfer-bench"], outcomes["cutlass"], outcomes["ggml"]), ("rejects", "accepts", "accepts"))

    def test_choice(self):
        self.generate(*CASE)
        rows = self.compare("F32", rules="ggml,flash-attention,ggml", o=self.exact["o"].values)
        self.assertEqual(self.outcomes(rows), {"ggml": "accepts", "flash-attention": "not applicable"})
        words = ["compare", *CASE, "--inputs", self.inputs, "--outputs", self.outputs, "--rules"]
        self.reject(["flash-atention", "did you mean flash-attention", "onednn"], *words, "ggml,flash-atention")

    def test_list(self):
        rows = self.succeed("list", "rules").out.splitlines()
        self.assertEqual([row.split()[0] for row in rows if not row.startswith(" ")], RULES)

    def values(self):
        """v[h][t][j] of CASE, and p[h][s][t]."""
        c, w_v, p = self.exact["c"], self.exact["w_v"], self.exact["p"]
        _, tokens, r = c.shape
        groups, _, width = w_v.shape
        v = [[[sum(float(c.values[t * r + k]) * float(w_v.values[(g * r + k) * width + j]) for k in range(r)) for j in range(width)]
              for t in range(tokens)] for g in range(groups)]
        self.assertEqual(p.shape[1], groups)
        return v, [[[float(p.values[flat((0, h, s, t), p.shape)]) for t in range(tokens)] for s in range(p.shape[2])] for h in range(groups)]

    def test_hipdnn_tolerance(self):
        """The threshold, from the definition: q, k and v are the attention's own operands."""
        self.generate(*CASE)
        largest = {name: max(abs(float(x)) for x in self.exact[name].values) for name in ("q_hat", "k_hat")}
        v, _ = self.values()
        largest["v"] = max(abs(x) for head in v for token in head for x in token)
        u, width, keys = 2.0 ** -23, self.exact["q_hat"].shape[-1], 9
        gamma = [2 * n * u / (1 - 2 * n * u) for n in (width, keys)]
        score = width * largest["q_hat"] * largest["k_hat"] / math.sqrt(width)
        expected = largest["v"] * ((gamma[0] + u) * score + 2 * gamma[1] + (keys + 1) * u + 2.0 ** -7)
        row = self.compare("BF16", o=self.exact["o"].values)["o", "hipdnn"]
        self.assertTrue(math.isclose(row["threshold"], expected, rel_tol=1e-4), (row, expected))

    def test_onednn_floor(self):
        """Where v cancels, a difference up to eps sum p|v| passes although it is relatively large."""
        self.generate(*CASE)
        v, p = self.values()
        o, shape = [float(x) for x in self.exact["o"].values], self.exact["o"].shape
        magnitude = [0.0] * len(o)
        for s in range(shape[1]):
            for h in range(shape[2]):
                for j in range(shape[3]):
                    magnitude[flat((0, s, h, j), shape)] = sum(p[h][s][t] * abs(v[h][t][j]) for t in range(len(v[h])))
        at = min(range(len(o)), key=lambda i: abs(o[i]) / magnitude[i])
        eps = 2.0 ** -23
        self.assertGreater(0.8 * eps * magnitude[at], 8 * 10 * eps * abs(o[at]), "no element cancels enough")
        for factor, outcome in ((0.8, "accepts"), (1.2, "rejects")):
            changed = list(o)
            changed[at] += factor * eps * magnitude[at]
            self.assertEqual(self.compare("F32", rules="onednn", o=changed)["o", "onednn"]["outcome"], outcome, factor)


if __name__ == "__main__":
    unittest.main()
