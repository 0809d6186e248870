"""`generate --reference` against the formula in 60-digit decimals: every element of every output."""
import math
import os
import unittest
from decimal import Decimal as D

from support import CommandTest, as_settings, builtin, changed, shrinking, write_safetensors  # sets the path to tests/python

from decimal_files import Problem, read_safetensors
from decimal_reference import Formula, judge
from random_problems import GQA_SCHEMES, MLA_SCHEMES, Dice, random_inputs, random_problem

SEED = int(os.environ.get("EQUINORM_SEED", "20260"))
RANDOM_PROBLEMS = 45


class ReferenceTest(CommandTest):
    elements = close = 0  # of all judged elements; with NAME.lo nearer than 2^-90

    def judge_file(self, problem_path, reference_path, context):
        tensors = read_safetensors(reference_path)
        exact = Formula(Problem(problem_path), tensors).run()
        outputs = [name for name in tensors if name + ".radius" in tensors]
        self.assertTrue({"logits", "lse", "o"} <= set(outputs), f"{context}: {outputs}")
        self.assertFalse(set(outputs) - set(exact), f"{context}: outputs that the decimal formula does not know")
        for name in outputs:
            judgement = judge(name, exact[name], tensors)
            self.assertEqual(judgement.failures, 0, f"{context}: {judgement.line()}")
            self.count_low_parts(exact[name], tensors[name], tensors[name + ".lo"])
            for value, radius in zip(tensors[name].values, tensors[name + ".radius"].values, strict=True):
                self.assertTrue(math.isfinite(radius) and (math.isfinite(value) or (value == -math.inf and radius == 0)), f"{context}: {name}")
        return tensors

    def count_low_parts(self, exact, value, low):
        for flat, truth in enumerate(exact.values):
            if truth is None or not truth.is_finite():
                continue
            error = abs(D(value.values[flat]) + D(low.values[flat]) - truth)
            ReferenceTest.elements += 1
            ReferenceTest.close += error <= abs(truth) * D(2) ** -90

    def check_builtin(self, name, problem):
        change = shrinking(problem)
        out = self.folder / "ref.safetensors"
        self.succeed("generate", name, "--out", out, "--reference", "--quiet", *as_settings(change))
        self.judge_file(self.write_problem(changed(problem, change)), out, name)

    def test_builtin_cases(self):
        for name, problem in builtin("cases").items():
            with self.subTest(case=name):
                self.check_builtin(name, problem)

    def test_presets(self):
        for name, problem in builtin("presets").items():
            with self.subTest(preset=name):
                self.check_builtin(name, problem)

    def test_balls_take_over_where_the_oracle_is_too_wide(self):
        """Logits near 1e24: pairs of doubles cannot tell their exponentials."""
        problem = builtin("cases")["mla-planted-key"]
        change = {**shrinking(problem), "scale": 1e24}
        out = self.folder / "ref.safetensors"
        said = self.succeed("generate", "mla-planted-key", "--out", out, "--reference", *as_settings(change)).out
        self.assertRegex(said, r"\(oracle, radius at most 2\^-\d+ .*\(ball arithmetic of 192 bits: lse, o, p, u\)")
        self.judge_file(self.write_problem(changed(problem, change)), out, "scale 1e24")

    def check_random(self, seed):
        dice = Dice(seed)
        problem, with_positions = random_problem(dice)
        tensors = random_inputs(dice, problem, with_positions)
        path = self.write_problem(problem)
        write_safetensors(self.folder / "in.safetensors", tensors)
        out = self.folder / "ref.safetensors"
        context = f"seed {seed}: {problem}"
        self.succeed("generate", path, "--out", out, "--reference", "--quiet")
        written = self.judge_file(path, out, context)
        for name, (_, shape, values) in tensors.items():
            self.assertEqual((written[name].shape, written[name].values), (list(shape), values), f"{context}: input {name} was changed")

    def test_every_norm_scheme_is_drawn(self):
        listed = self.succeed("list", "norms").out.split("kind:")[0].splitlines()
        self.assertEqual({line.split()[0] for line in listed}, {*MLA_SCHEMES, *GQA_SCHEMES},
                         "the formula is in tests/python/decimal_reference.py, the draw in tests/commands/random_problems.py")

    def test_random_problems(self):
        print(f"random problems from seed {SEED} on")
        for seed in range(SEED, SEED + RANDOM_PROBLEMS):
            with self.subTest(seed=seed):
                self.check_random(seed)

    @classmethod
    def tearDownClass(cls):
        print(f"{cls.elements} elements judged, {cls.close} of them within 2^-90 relative with NAME.lo")
        if cls.close < 0.9 * cls.elements:
            raise AssertionError("NAME.lo does not carry the second part")


if __name__ == "__main__":
    unittest.main()
