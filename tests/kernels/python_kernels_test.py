"""The example kernels against certified outputs, each element under its own bound, and through the process runner of the program.

Environment: EQUINORM (the program), EQUINORM_KERNELS_TESTS (the room's test program). Needs numpy; torch and jax where they are there.
"""
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "src/kernels/python"
EXAMPLES = PYTHON / "examples"
sys.path.insert(0, str(PYTHON))
import equinorm_kernel as helper  # noqa: E402

DTYPES = {"fp16": "F16", "bf16": "BF16", "fp32": "F32", "fp64": "F64"}
HANDED_OVER = {"alpha_k": "alpha", "k_rope_cached": "k_hat", "alpha_q": "statistics", "q_tilde": "q_tilde", "q_rope_hat": "q_hat"}


def describe(script, python=sys.executable):
    text = subprocess.run([python, "-B", str(HELPER), str(script), "describe"], capture_output=True, text=True, check=True, timeout=300).stdout
    return json.loads(text)


HELPER = PYTHON / "equinorm_kernel.py"


class Kernels(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def generate(self, case, precision, *changes):
        """Inputs and certified outputs of a case under a kernel's precision, and the problem."""
        path = self.folder / "reference.safetensors"
        words = [word for key, value in {"splits": 1, "tile": 0, **precision}.items() for word in ("--set", f"precision.{key}={value}")]
        subprocess.run([os.environ["EQUINORM"], "generate", case, "--out", str(path), "--reference", *words, *changes], check=True, capture_output=True,
                       timeout=300)
        blob = path.read_bytes()
        header = json.loads(blob[8:8 + int.from_bytes(blob[:8], "little")])
        return {name: tensor.values() for name, tensor in helper.read_safetensors(path).items()}, json.loads(header["__metadata__"]["problem"])

    def judge(self, script, case, *changes, python=sys.executable):
        """What the judge will do: hand over rounded inputs, read what comes back, hold it against the bounds. Returns the worst share."""
        declared = describe(script, python)
        precision = {**declared["precision"], "path": declared["path"]}
        known, problem = self.generate(case, precision, *changes)
        storage = DTYPES[precision["storage"]]
        rows = problem["batch"]
        lengths = np.broadcast_to(np.array(problem["context"]), (rows,))
        inputs = {"context_lengths": (lengths, "I32")}
        last = lengths[:, None] - problem["queries"] + np.arange(problem["queries"])
        if declared["path"] == "explicit":
            inputs["positions_q"], inputs["positions_k"] = (last, "I64"), (np.tile(np.arange(lengths.max()), (rows, 1)), "I64")
        for name, array in known.items():
            if name in HANDED_OVER and declared["path"] == "absorbed":
                inputs[name] = (array, DTYPES[precision.get(HANDED_OVER[name], "fp32")])
            elif name + ".bound" not in known and "." not in name and (declared["path"] == "explicit" or name in ("c", "sink")):
                inputs[name] = (array, "F32" if name.startswith("rope_") else storage)
        helper.write_safetensors(self.folder / "in.safetensors", inputs)
        expect = {name: {"dtype": DTYPES[entry["dtype"]]} for name, entry in declared["outputs"].items()}
        width = problem["content_dim"] + problem["rope_dim"]
        scale = width ** -0.5 if problem["scale"] == "default" else problem["scale"]
        if problem["rope"]["scaling"] and problem["rope"]["scaling"]["type"] == "yarn":
            scale *= (0.1 * problem["rope"]["scaling"]["mscale"] * np.log(problem["rope"]["scaling"]["factor"]) + 1) ** 2
        request = {"id": 1, "inputs": str(self.folder / "in.safetensors"), "outputs": str(self.folder / "out.safetensors"), "splits": 1, "tile": 0,
                   "threads": 1, "problem": problem, "expect": expect, "scalars": {"scale": scale, "eps": problem["norm"]["eps"],
                                                                                    "softcap": problem["softcap"]}}
        (self.folder / "request.json").write_text(json.dumps(request))
        answer = json.loads(subprocess.run([python, "-B", str(HELPER), str(script), "run", str(self.folder / "request.json")], capture_output=True,
                                           text=True, check=True, timeout=300).stdout)
        if answer["status"] != "ok":
            return answer
        self.assertEqual(answer["changed"], [])
        return self.worst(known, helper.read_safetensors(self.folder / "out.safetensors"), declared, lengths)

    def worst(self, known, outputs, declared, lengths):
        self.assertEqual(set(outputs), set(declared["outputs"]))
        worst = 0.0
        for name, tensor in outputs.items():
            got, exact, bound = (array.astype(np.float64) for array in (tensor.values(), known[name], known[name + ".bound"]))
            self.assertEqual(got.shape, exact.shape, name)
            slack = bound + known[name + ".radius"]
            for b, length in enumerate(lengths if name == "k_hat" else []):
                got[b, length:] = exact[b, length:]  # past the context nothing is asked for
            infinite = np.isinf(exact)
            self.assertTrue(np.array_equal(got[infinite], exact[infinite]), name)
            error = np.abs(np.where(infinite, 0, got) - np.where(infinite, 0, exact))
            slack = np.where(infinite, 0, slack)
            self.assertTrue(bool((error <= slack).all()), f"{name}: {np.count_nonzero(~(error <= slack))} elements beyond their bound")
            self.assertGreater(np.count_nonzero(exact), 0, name)
            worst = max(worst, float(np.max(np.divide(error, slack, out=np.zeros_like(error), where=slack > 0), initial=0)))
        return worst

    def within(self, script, *cases, python=sys.executable):
        for case in cases:
            with self.subTest(case=case):
                share = self.judge(EXAMPLES / script, *case.split(), python=python)
                self.assertIsInstance(share, float, share)
                print(f"{script} {case}: at most {share:.3f} of the bound")

    def test_absorbed_float32(self):
        self.within("absorbed_decode.py", "mla-planted-key", "mla-full-width-ragged", "mla-unified-anisotropic", "mla-no-norm-softcap-sink",
                    "mla-window-edge", "mla-more-queries-than-keys")

    def test_absorbed_bfloat16(self):
        self.within("absorbed_decode_bf16.py", "mla-blockwise-yarn", "mla-planted-key", "mla-cosine")

    def test_explicit(self):
        self.within("explicit_attention.py", "mla-wide-tokens", "mla-small-tokens", "mla-more-queries-than-keys", "mla-integers")

    @unittest.skipUnless(os.path.exists("/usr/bin/python3") and subprocess.run(
        ["/usr/bin/python3", "-c", "import torch, numpy"], capture_output=True, check=False).returncode == 0, "Debian's python3-torch is not installed")
    def test_torch(self):
        self.within("absorbed_decode_torch.py", "mla-blockwise-yarn --context 100", "mla-small-tokens", python="/usr/bin/python3")

    @unittest.skipUnless(importlib.util.find_spec("jax"), "jax is not installed")
    def test_jax(self):
        self.within("absorbed_decode_jax.py", "mla-blockwise-yarn --context 100", "mla-small-tokens")

    def test_the_quick_matrix(self):
        """Ragged batches, empty rows and planted keys through `check` itself."""
        found = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
        path = self.folder / "run.json"
        done = subprocess.run([os.environ["EQUINORM"], "check", str(EXAMPLES / "absorbed_decode_bf16.py"), "--cases", "quick", "--json", str(path)],
                              env=found, capture_output=True, text=True, check=False, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        cases = json.loads(path.read_text())["cases"]
        self.assertGreaterEqual(len(cases), 10)
        self.assertEqual({row["verdict"] for case in cases for row in case["errors"]}, {"within"})

    def test_a_wrong_kernel_is_beyond_the_bound(self):
        wrong = self.folder / "wrong.py"
        text = (EXAMPLES / "absorbed_decode.py").read_text()
        self.assertEqual(text.count(".T[group]"), 1)
        wrong.write_text(text.replace(".T[group]", ".T[group * 0]"))
        with self.assertRaisesRegex(AssertionError, "beyond their bound"):
            self.judge(wrong, "mla-planted-key")

    def test_torch_is_asked_for_in_words(self):
        if importlib.util.find_spec("torch") is None:
            failed = subprocess.run([sys.executable, "-B", str(HELPER), str(EXAMPLES / "absorbed_decode_torch.py"), "describe"], capture_output=True,
                                    text=True, check=False, timeout=60)
            self.assertIn("No module named 'torch'", failed.stdout)

    def test_through_the_process_runner(self):
        environment = {**os.environ, "EQUINORM_PYTHON": sys.executable}
        done = subprocess.run([os.environ["EQUINORM_KERNELS_TESTS"], "[numpy]"], env=environment, capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("All tests passed", done.stdout)


if __name__ == "__main__":
    unittest.main()
