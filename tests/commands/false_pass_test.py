"""`equinorm check`: kernels that are wrong where one might not look, in Python. None may come out with exit code 0."""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support import CommandTest, run as command

os.environ["EQUINORM_PYTHON"] = sys.executable


class FalsePass(CommandTest):
    def script(self, name, body, precision='{"storage": "fp32"}', more=""):
        """A kernel of the last stage whose function ends with `body`; there `o` is the right output and `turn` counts the calls."""
        path = self.folder / f"{name}.py"
        path.write_text(f"""import numpy as np, os
from equinorm_kernel import kernel
turn = 0
@kernel(path="absorbed", stages=["output"], outputs={{"o": "fp32"}}, precision={precision}, requires={{"model_dim": [0]}}{more})
def run(u, w_v, problem, **others):
    global turn
    turn += 1
    group = np.arange(problem.heads) * problem.groups // problem.heads
    o = np.einsum("bshr,hrv->bshv", u, w_v[group])
    {body}
""")
        return path

    def verdicts(self, kernel, *case, code):
        result = self.run_json("check", kernel, *case, code=code)["cases"][0]
        return {row["verdict"] for row in [*result["errors"], *result["kernel"]["conduct"]]}

    def test_the_end_to_end_run_counts_like_any_other(self):
        """Call 1 is on reversed inputs, 2 to 4 are repeats, 5 is end to end."""
        self.assertEqual(self.verdicts(self.script("right", 'return {"o": o}'), "mla-integers", code=0), {"kept", "within"})
        for name, fault, verdict in (("raises", 'raise RuntimeError("boom")', "failed"), ("exits", "os._exit(3)", "crashed"),
                                     ("shape", 'return {"o": o[..., :1]}', "wrong shape"), ("wrong", 'return {"o": o + 1}', "violates")):
            with self.subTest(name):
                kernel = self.script(name, f'if turn == 5: {fault}\n    return {{"o": o}}')
                self.assertIn(verdict, self.verdicts(kernel, "mla-integers", code=1))

    def test_what_no_bound_speaks_of_is_undecided(self):
        wide = self.script("wide", 'return {"o": o + 7}', '{"storage": "fp32", "accumulate": "real:100"}')
        empty = self.script("empty", 'return {"o": o * 0 + 123}', more=', empty_row_output="any"')
        for kernel, case in ((wide, ["mla-integers"]), (empty, ["mla-integers", "--context", "0"])):
            with self.subTest(kernel.name):
                self.assertEqual(self.verdicts(kernel, *case, code=3), {"kept", "undecided"})

    def test_splits_are_compared_with_the_run_that_was_judged(self):
        kernel = self.script("splits", 'return {"o": o if problem.splits == 4 else 0 * o + 3}', '{"storage": "fp32", "splits": 4}',
                             ', claims=["split-invariant"]')
        self.assertIn("not split-invariant", self.verdicts(kernel, "mla-integers", code=1))

    def test_a_journal_is_of_the_scripts_beside_the_kernel_too(self):
        (self.folder / "beside.py").write_text("offset = 0\n")
        kernel = self.script("imports", 'import beside\n    return {"o": o + beside.offset}')
        line = ["check", kernel, "mla-integers", "--resume", self.folder / "journal"]
        self.succeed(*line)
        (self.folder / "beside.py").write_text("offset = 7\n")
        self.assertEqual(command(*line).code, 2)


if __name__ == "__main__":
    unittest.main()
