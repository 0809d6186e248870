"""`equinorm check --device virtual --explain`: rounding by line, the line that departs from the formula, the origin of a NaN.

EQUINORM_BUNDLED_CUDA is the folder of the bundled kernels.
"""
import os
import pathlib
import re
import shutil
import unittest

from support import CommandTest

BUNDLED = pathlib.Path(os.environ["EQUINORM_BUNDLED_CUDA"])
NUMBERS = (BUNDLED / "common" / "numbers.cuh").read_text().splitlines()
INVERSE_NORM = f"numbers.cuh:{next(number for number, line in enumerate(NUMBERS, 1) if 'return 1.0f / sqrtf(' in line)}"
CASE = ["paper-tp8", "--context", "5", "--heads", "2", "--groups", "2", "--device", "virtual", "--repeats", "1"]


class Explain(CommandTest):
    def mutant(self, pattern, replacement):
        """The query kernel with every match replaced."""
        folder = self.folder / "query"
        shutil.copytree(BUNDLED / "query", folder)
        changed = 0
        for path in folder.glob("*.ptx"):
            text, count = re.subn(pattern, replacement, path.read_text())
            changed += count
            path.write_text(text)
        self.assertGreater(changed, 0)
        return folder / "query.fp32.json"

    def test_rounding_by_line(self):
        manifest = BUNDLED / "query" / "query.fp32.json"
        result = self.run_json("check", manifest, *CASE, "--explain")["cases"][0]
        found = result["explanation"]
        self.assertIsNone(found["departure"])
        self.assertNotIn("origins", result)
        self.assertIn("approximate functions", found["arithmetic"])
        self.assertEqual({row["tensor"] for row in found["rounding"]}, {"q_tilde", "alpha_q", "q_rope_hat"})
        for row in found["rounding"]:
            self.assertGreater(row["error"], 0, row)
            self.assertLess(row["rest"], 0.05 * row["error"], row)
            reaches = [line["reaches"] for line in row["lines"]]
            self.assertEqual(reaches, sorted(reaches, reverse=True))
            self.assertLessEqual(reaches[0], 3 * row["error"])
            self.assertIn(".cu", row["lines"][0]["place"])
        # The root and its reciprocal are in inverse_norm alone, and that reaches alpha_q and not q_tilde.
        reaching = {row["tensor"]: " ".join(line["place"] for line in row["lines"]) for row in found["rounding"]}
        self.assertIn(INVERSE_NORM, reaching["alpha_q"])
        self.assertNotIn(INVERSE_NORM, reaching["q_tilde"])
        for check in result["exact_checks"]:
            self.assertEqual(check["verdict"], "equal", check)
        text = self.succeed("check", manifest, *CASE, "--explain").out
        self.assertIn("where the rounding comes from", text)
        self.assertIn("every comparison comes out as without rounding", text)

    def test_threads_change_nothing(self):
        manifest = BUNDLED / "query" / "query.fp32.json"
        one, many = (self.run_json("check", manifest, *CASE, "--explain", "--threads", n)["cases"][0] for n in ("1", "3"))
        self.assertGreater(len(one["explanation"]["rounding"][0]["lines"]), 3)
        self.assertEqual(one["explanation"], many["explanation"])
        self.assertEqual([check["scope"] for check in one["exact_checks"]], [check["scope"] for check in many["exact_checks"]])

    def test_a_wrong_formula_is_traced_to_its_line(self):
        manifest = self.mutant(r"rcp\.rn\.f32\s+(%f\d+), (%f\d+);", r"add.f32 \1, \2, \2;\n\trcp.rn.f32 \1, \1;")
        result = self.run_json("check", manifest, *CASE, "--explain", code=1)["cases"][0]
        verdicts = {check["scope"].split()[0].split("[")[0]: check["verdict"] for check in result["exact_checks"]}
        self.assertEqual(verdicts["q_tilde"], "equal")
        self.assertEqual(verdicts["alpha_q"], "different")
        departure = result["explanation"]["departure"]
        self.assertEqual(departure["tensor"], "alpha_q")
        self.assertIn("query.cu:", departure["written"])
        self.assertIn(INVERSE_NORM, departure["computed"])
        self.assertIn("thread (0,0,0)", departure["thread"])

    def test_the_origin_of_a_nan(self):
        manifest = self.mutant(r"sqrt\.rn\.f32\s+(%f\d+), (%f\d+);", r"neg.f32 \1, \2;\n\tsqrt.rn.f32 \1, \1;")
        result = self.run_json("check", manifest, *CASE, code=1)["cases"][0]
        origins = {row["tensor"]: row for row in result["origins"]}
        self.assertEqual(set(origins), {"alpha_q", "q_rope_hat"})
        for row in origins.values():
            self.assertIn(INVERSE_NORM, row["place"])
            self.assertIn("a NaN from finite numbers", row["origin"])
            self.assertIn("(sqrt)", row["origin"])
        self.assertIn("thread (0,0,0)", origins["alpha_q"]["origin"])
        self.assertIn("where NaN and infinities come from", self.succeed("check", manifest, *CASE, code=1).out)


if __name__ == "__main__":
    unittest.main()
