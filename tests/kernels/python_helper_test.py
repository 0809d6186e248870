"""equinorm_kernel.py by itself: numbers, files, and the protocol spoken to a child. Needs numpy; uses ml_dtypes."""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import textwrap
import unittest

import ml_dtypes
import numpy as np

PYTHON = pathlib.Path(__file__).resolve().parents[2] / "src/kernels/python"
HELPER = PYTHON / "equinorm_kernel.py"
sys.path.insert(0, str(PYTHON))
import equinorm_kernel as helper  # noqa: E402

HEAD = """
from equinorm_kernel import Unsupported, kernel
import numpy as np

@kernel(path="absorbed", stages=["score", "softmax", "value"], outputs={"u": "bf16", "lse": {"dtype": "fp32"}}, inputs={"c": "bf16"})
"""
GOOD = HEAD + """
def run(c, problem, sink=None, **others):
    return {"u": c.astype(np.float32) * problem.scale, "lse": np.full((2, 3), problem.norm.eps + len(others) + problem.splits)}
"""


def nearest_bf16(value):
    """Bits, by search among the neighbours: nearest, ties to the even one. Finite values; exact in integers."""
    from fractions import Fraction
    with np.errstate(over="ignore"):
        bits = np.float64(abs(value)).astype(np.float32).view(np.uint32)
    base = int(bits) >> 16
    best = None
    for candidate in range(max(base - 2, 0), min(base + 3, 0x7F81)):
        number = np.array(candidate << 16, np.uint32).view(np.float32)
        exact = Fraction(2) ** 128 if candidate == 0x7F80 else Fraction(float(number))
        key = (abs(exact - Fraction(abs(float(value)))), candidate & 1)
        if best is None or key < best[0]:
            best = (key, candidate)
    return best[1] | (0x8000 if np.signbit(value) else 0)


class Numbers(unittest.TestCase):
    def test_every_bfloat16_goes_there_and_back(self):
        bits = np.arange(65536, dtype=np.uint16)
        self.assertTrue(np.array_equal(helper.bf16_bits(helper.bf16_values(bits)), bits))
        self.assertTrue(np.array_equal(helper.bf16_bits(bits.view(ml_dtypes.bfloat16)), bits))
        finite = bits[np.isfinite(helper.bf16_values(bits))]
        self.assertTrue(np.array_equal(helper.bf16_bits(helper.bf16_values(finite).astype(np.float64)), finite))

    def test_float32_rounds_as_ml_dtypes_does(self):
        bits = np.random.default_rng(1).integers(0, 1 << 32, 1 << 20, dtype=np.uint32)
        values = bits.view(np.float32)
        values = values[~np.isnan(values)]
        self.assertTrue(np.array_equal(helper.bf16_bits(values), values.astype(ml_dtypes.bfloat16).view(np.uint16)))

    def test_float64_is_rounded_once(self):
        random = np.random.default_rng(2)
        values = [1 + 2.0 ** -8 + 2.0 ** -40, 1 + 2.0 ** -8 - 2.0 ** -40, 1 + 3 * 2.0 ** -8 - 2.0 ** -40, 3.4e38, 3.395e38, 1e39, 1e-300, 2.0 ** -134,
                  2.0 ** -134 * (1 + 2.0 ** -30), -2.0 ** -133, 0.0, -0.0]
        # Next to a tie of the narrow format, on either side, in every binade.
        for exponent in range(-140, 127):
            tie = (2 * random.integers(128, 256) + 1) * 2.0 ** (exponent - 8)
            values += [tie, np.nextafter(tie, 0), np.nextafter(tie, np.inf), -tie * (1 + 2.0 ** -45)]
        rounded = helper.bf16_bits(np.array(values))
        for value, bits in zip(values, rounded):
            self.assertEqual(int(bits), nearest_bf16(value), value)

    def test_half_precision_and_nan(self):
        self.assertEqual(helper.bf16_bits(np.array([1.5], np.float16))[0], 0x3FC0)
        for dtype in (np.float16, np.float32, np.float64):
            self.assertTrue(np.isnan(helper.bf16_values(helper.bf16_bits(np.array([np.nan], dtype)))[0]))


class Files(unittest.TestCase):
    def test_tensors_of_every_dtype_go_there_and_back(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "t.safetensors")
            random = np.random.default_rng(3)
            wanted = {name: (random.integers(-100, 100, (2, 3, 5)), name) for name in ("F16", "BF16", "F32", "F64", "I64", "I32")}
            wanted["empty"], wanted["scalar"] = (np.zeros((2, 0, 3)), "F32"), (np.array(7), "I32")
            helper.write_safetensors(path, wanted)
            read = helper.read_safetensors(path)
            self.assertEqual(set(read), set(wanted))
            for name, (array, dtype) in wanted.items():
                self.assertEqual(read[name].dtype, dtype)
                self.assertTrue(np.array_equal(read[name].values().astype(np.float64), array), name)
                self.assertFalse(read[name].differs(read[name].values()))
                self.assertEqual(read[name].bits.ctypes.data % max(1, read[name].bits.itemsize), 0)
            # Ours to write, and then it differs; the file does not.
            read["BF16"].values()[1, 2, 4] += 1
            self.assertTrue(read["BF16"].differs(read["BF16"].values()))
            self.assertFalse(helper.read_safetensors(path)["BF16"].differs(read["F32"].values() * 0 + wanted["BF16"][0]))


    def test_strided_tensors_are_views_of_their_buffer(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "t.safetensors")
            buffers = {name: (np.arange(60), name) for name in ("F16", "BF16", "F32", "F64")}
            helper.write_safetensors(path, buffers)
            shape, strides = [2, 3, 4], [28, 8, 1]
            wanted = [[[28 * i + 8 * j + k for k in range(4)] for j in range(3)] for i in range(2)]
            layouts = {name: {"shape": shape, "strides": strides} for name in buffers}
            read = helper.read_safetensors(path, layouts)
            for name, tensor in read.items():
                self.assertTrue(np.array_equal(tensor.values().astype(np.float64), wanted), name)
                self.assertEqual(tensor.values().strides, tuple(s * tensor.bits.itemsize for s in strides))
                self.assertFalse(tensor.differs(tensor.values()))
            # An element, then a gap.
            read["F16"].values()[1, 2, 3] += 1
            self.assertTrue(read["F16"].differs(read["F16"].values()))
            read["F32"].buffer[4] = 7
            self.assertTrue(read["F32"].differs(read["F32"].values()))
            for wrong in ([32, 8, 4], [28, -1, 1]):
                with self.assertRaises(ValueError):
                    helper.read_safetensors(path, {"F32": {"shape": shape, "strides": wrong}})


class Protocol(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def request(self, **changes):
        inputs = self.folder / "in.safetensors"
        helper.write_safetensors(inputs, {"c": (np.arange(6).reshape(2, 3), "BF16"), "alpha_k": (np.ones((2, 3)), "F32"),
                                          "c.block_table": (np.zeros((2, 1)), "I32")})
        return {"request": "run", "id": 7, "inputs": str(inputs), "outputs": str(self.folder / "out.safetensors"), "splits": 2, "tile": 0,
                "threads": 1, "scalars": {"scale": 0.5, "eps": 1e-6, "softcap": 0.0},
                "expect": {"u": {"dtype": "BF16", "shape": [2, 3]}, "lse": {"dtype": "F32", "shape": [2, 3]}},
                "problem": {"norm": {"eps": 1e-6}, "scale": "default"}, **changes}

    def talk(self, script, *requests, arguments=None, name="mine.py"):
        """Answers of a child to requests, and what it wrote to stderr."""
        path = self.folder / name
        path.write_text(textwrap.dedent(script))
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        environment = {**os.environ, "PYTHONPATH": str(PYTHON)}
        if arguments is None:
            environment["EQUINORM_PROCESS"] = "1"
        command = [sys.executable, "-B", *(arguments or [str(HELPER), str(path), "describe"])]
        child = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=60, env=environment)
        return [json.loads(line) for line in child.stdout.splitlines()], child.stderr

    def test_describes_runs_again_and_again_and_goes(self):
        answers, _ = self.talk(GOOD, {"request": "describe"}, self.request(), self.request(id=8), {"request": "exit"}, self.request())
        self.assertEqual(len(answers), 3)
        self.assertEqual(answers[0], {"equinorm": 1, "name": "run", "path": "absorbed", "stages": ["score", "softmax", "value"], "process": "persistent",
                                      "outputs": {"u": {"dtype": "bf16"}, "lse": {"dtype": "fp32"}}, "inputs": {"c": {"dtype": "bf16"}}})
        self.assertEqual([(a["id"], a["status"], a["changed"]) for a in answers[1:]], [(7, "ok", []), (8, "ok", [])])
        read = helper.read_safetensors(self.folder / "out.safetensors")
        self.assertEqual((read["u"].dtype, read["lse"].dtype), ("BF16", "F32"))
        self.assertTrue(np.array_equal(read["u"].values().astype(float), np.arange(6).reshape(2, 3) / 2))
        self.assertEqual(read["lse"].values()[0, 0], np.float32(1e-6 + 2 + 2))  # alpha_k and the block table are others

    def test_noise_does_not_reach_the_protocol(self):
        loud = ("import os, subprocess, sys\nprint('{hello}'); os.system('echo {from a child}'); os.write(1, b'{raw}\\n')\n"
                "assert sys.stdin.read() == ''\n")
        answers, errors = self.talk(loud + GOOD.replace("    return", "    print('{again}')\n    return"), {"request": "describe"}, self.request())
        self.assertEqual([a.get("status") for a in answers], [None, "ok"])
        for word in ("{hello}", "{from a child}", "{raw}", "{again}"):
            self.assertIn(word, errors)

    def test_failures_are_answers(self):
        rows = {"raise Unsupported('not mine')": ("unsupported", "not mine"), "raise ValueError('two\\nlines')": ("failed", "ValueError: two lines"),
                "return [c]": ("failed", "returned list"), "return {'u': 'text'}": ("failed", "ValueError")}
        for body, (status, message) in rows.items():
            (answer,), _ = self.talk(HEAD + f"def run(c, problem):\n    {body}\n", self.request())
            self.assertEqual((answer["id"], answer["status"]), (7, status), body)
            self.assertIn(message, answer["message"])
        (answer,), _ = self.talk(HEAD + "def run(q_tilde, problem):\n    pass\n", self.request())
        self.assertIn("needs q_tilde; this problem passes alpha_k, c, c_block_table, problem", answer["message"])
        (answer,), _ = self.talk(HEAD.replace('path="a', 'packages=["sunshine"], path="a') + "def run(c):\n    pass\n", self.request())
        self.assertEqual((answer["status"], answer["message"]), ("unsupported", "package sunshine is not installed"))

    def test_changed_inputs_are_named(self):
        (answer,), _ = self.talk(HEAD + "def run(c, alpha_k, problem):\n    alpha_k[1, 2] = 3\n    return {'u': c}\n", self.request())
        self.assertEqual((answer["status"], answer["changed"]), ("ok", ["alpha_k"]))

    def test_scripts_without_a_kernel_say_so(self):
        for script, words in {"x = 1": "0 functions with @kernel", "import sys; sys.exit(3)": "SystemExit", "import sunshine": "No module named 'sunshine'",
                              "def": "SyntaxError", GOOD + GOOD: "2 functions"}.items():
            (answer,), _ = self.talk(script, {"request": "describe"})
            self.assertEqual(answer["status"], "failed")
            self.assertIn(words, answer["message"])

    def test_by_hand(self):
        script = str(self.folder / "mine.py")
        for start in ([str(HELPER), script, "describe"], [script, "describe"]):
            (answer,), _ = self.talk(GOOD, arguments=start)
            self.assertEqual(answer["name"], "run")
            self.assertNotIn("process", answer)
        request = self.folder / "request.json"
        request.write_text(json.dumps(self.request()))
        (answer,), _ = self.talk(GOOD, arguments=[script, "run", str(request)])
        self.assertEqual(answer["status"], "ok")
        # Without such a word it is a script like any other, and as a module nothing happens.
        use = "import json\nfrom equinorm_kernel import Record\nproblem = Record(scale=1, splits=0, norm=Record(eps=0))\n"
        answers, _ = self.talk(GOOD + use + "print(json.dumps(run(np.ones(2), problem)['u'].tolist()))\n", arguments=[script])
        self.assertEqual(answers, [[1.0, 1.0]])

    def test_header_is_what_the_format_says(self):
        path = self.folder / "t.safetensors"
        helper.write_safetensors(path, {"a": (np.array([1, 2]), "I32"), "b": (np.array([3.0]), "F64")})
        blob = path.read_bytes()
        (size,) = struct.unpack_from("<Q", blob)
        self.assertEqual(size % 8, 0)
        self.assertEqual(json.loads(blob[8:8 + size]), {"b": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]},
                                                        "a": {"dtype": "I32", "shape": [2], "data_offsets": [8, 16]}})
        self.assertEqual(blob[8 + size:], struct.pack("<dii", 3.0, 1, 2))


if __name__ == "__main__":
    unittest.main()
