"""What the end-to-end tests share: running the binary (path in the environment variable EQUINORM), writing safetensors, checking messages.

Nothing here is taken from the program under test: files are written by struct, rounding is done on integers.
"""
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent / "src"
sys.path.insert(0, str(HERE.parent / "python"))

BINARY = os.environ.get("EQUINORM", "equinorm")


class Result:
    """A finished run."""

    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr

    def __str__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def run(*arguments, **environment):
    process = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300,
                             env={**os.environ, **environment})
    return Result(process)


class CommandTest(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="equinorm-test-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def succeed(self, *arguments, code=0, **environment):
        result = run(*arguments, **environment)
        self.assertEqual(result.code, code, f"{arguments}: {result}")
        self.assertEqual(result.err, "", f"{arguments}: {result}")
        return result

    def reject(self, words, *arguments):
        """Exit code 2, nothing on stdout, one line on stderr that holds every one of `words`."""
        result = run(*arguments)
        self.assertEqual(result.code, 2, f"{arguments}: {result}")
        self.assertEqual(result.out, "", f"{arguments}: {result}")
        self.assertTrue(result.err.startswith("equinorm: ") and result.err.endswith("\n"), f"{arguments}: {result}")
        self.assertEqual(result.err.count("\n"), 1, f"{arguments}: {result}")
        for word in words:
            self.assertIn(word, result.err, f"{arguments}")
        return result

    def run_json(self, *arguments, code=0, **environment):
        """The --json file of a run."""
        path = self.folder / "run.json"
        path.unlink(missing_ok=True)
        self.succeed(*arguments, "--json", path, code=code, **environment)
        return json.loads(path.read_text())

    def write_problem(self, problem, name="problem.json"):
        path = self.folder / name
        path.write_text(json.dumps(problem))
        return path


def without_seconds(value):
    """A JSON value without its fields `seconds`, which alone may differ between equal runs."""
    if isinstance(value, dict):
        return {key: without_seconds(member) for key, member in value.items() if key != "seconds"}
    return [without_seconds(member) for member in value] if isinstance(value, list) else value


# ---- numbers ---------------------------------------------------------------------------------------------------------------------------

BITS = {"BF16": 8, "F16": 11, "F32": 24, "F64": 53}
STRUCT_CODES = {"F16": "e", "F32": "f", "F64": "d", "I64": "q"}


def rounded(x, dtype):
    """x to the nearest number of that precision, ties to even; for x in the format's normal range, 0 and what is not finite."""
    if x == 0 or not math.isfinite(x):
        return x
    fraction, exponent = math.frexp(x)
    return math.ldexp(round(math.ldexp(fraction, BITS[dtype])), exponent - BITS[dtype])


def encode(values, dtype):
    """Bytes of values that the format holds exactly."""
    if dtype == "BF16":
        raw = struct.pack(f"<{len(values)}f", *values)
        return b"".join(raw[i + 2:i + 4] for i in range(0, len(raw), 4))
    return struct.pack(f"<{len(values)}{STRUCT_CODES[dtype]}", *values)


# ---- safetensors -----------------------------------------------------------------------------------------------------------------------


def write_safetensors(path, tensors):
    """tensors: {name: (dtype, shape, values that the dtype holds exactly)}."""
    header, data = {}, []
    position = 0
    for name, (dtype, shape, values) in tensors.items():
        raw = encode(values, dtype)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, position + len(raw)]}
        data.append(raw)
        position += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))
    return path


# ---- cases -----------------------------------------------------------------------------------------------------------------------------


def builtin(folder):
    """{name: problem} of src/problem/cases or src/problem/presets."""
    problems = [json.loads(path.read_text()) for path in sorted((SOURCE / "problem" / folder).glob("*.json"))]
    return {problem["name"]: problem for problem in problems}


def shrinking(problem, tokens=9):
    """{key: value} that makes a built-in problem small and keeps its structure."""
    smaller = {"latent": 12, "content_dim": 8, "head_dim": 12, "value_dim": 5, "model_dim": 10, "query_latent": 7, "heads": 4, "queries": 3}
    change = {key: min(problem[key], value) for key, value in smaller.items() if problem.get(key, 0) > 0}
    if problem["rope_dim"] > 0:
        full = problem["attention"] == "gqa" and problem["rope_dim"] == problem["head_dim"]
        change["rope_dim"] = 12 if full else 4
    if problem["groups"] > 1:
        change["groups"] = 4 if problem["groups"] == problem["heads"] else 2
    lengths = problem["context"]
    if isinstance(lengths, int):
        change["context"] = min(lengths, tokens)
    else:  # a row with fewer tokens than queries stays one
        short = change.get("queries", 1) - 1
        change["context"] = [min(n, short if n < problem.get("queries", 1) else tokens - row) for row, n in enumerate(lengths)]
    if problem.get("mask", {}).get("window"):
        change["mask.window"] = 4
    return change


def as_settings(change):
    """The --set arguments of {key: value}."""
    return [word for key, value in change.items() for word in ("--set", f"{key}={json.dumps(value)}")]


def changed(problem, change):
    """The problem with the changes applied by hand."""
    result = json.loads(json.dumps(problem))
    for key, value in change.items():
        *parents, last = key.split(".")
        target = result
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    return result
