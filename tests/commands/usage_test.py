"""Bad usage and bad input: exit code 2 and one line that names what is wrong and what is allowed; nothing half-written."""
import json
import os
import signal
import struct
import subprocess
import time
import unittest

from support import BINARY, CommandTest, run, write_safetensors

from decimal_files import read_safetensors

SMALL = {"name": "small", "context": 3, "heads": 2, "groups": 1, "latent": 2, "content_dim": 2, "rope_dim": 2, "value_dim": 1,
         "inputs": {"kind": "file", "path": "in.safetensors"}}
INPUTS = {
    "c": ([1, 3, 2], [4, -3, 7, -7, 1, 2]), "k_rope": ([1, 3, 2], [1, 4, 7, 0, 2, 2]),
    "q_content": ([1, 1, 2, 2], [9, 4, 1, 2]), "q_rope": ([1, 1, 2, 2], [4, 1, 3, 3]),
    "w_k": ([1, 2, 2], [1, 1, 0, 1]), "w_v": ([1, 2, 1], [1, 2]),
    "gamma_cq": ([2], [2, 1]), "gamma_ck": ([2], [1, 3]), "gamma_rq": ([2], [1, 2]), "gamma_rk": ([2], [0.5, 1]),
    "rope_cos": ([3, 1], [1, 0, 1]), "rope_sin": ([3, 1], [0, 1, 0]),
}


class UsageTest(CommandTest):
    def test_words(self):
        commands = ["verify", "generate", "compare", "list", "doctor"]
        self.reject(commands)
        self.reject(["frobnicate", *commands], "frobnicate")
        self.reject(["--threads", "0", "1"], "verify", "mla-integers", "--threads", "0")
        self.reject(["--bogus"], "verify", "--bogus")
        self.reject(["nonsense", "list mutants"], "verify", "mla-integers", "--mutant", "nonsense")
        self.reject(["sink-ignored", "mla-cosine", "a sink"], "verify", "mla-cosine", "--mutant", "sink-ignored")
        self.reject(["bf15", "bf16", "real:BITS"], "verify", "mla-integers", "--formats", "fp32,bf15")
        for words, order, accumulate in ((["sm_20", "sm_90:wgmma"], "sm_20", "fp32"), (["accumulate bf16", "sequential"], "sm_90", "bf16")):
            self.reject(words, "verify", "mla-integers", "--formats", "declared", "--set", f"precision.order=tensor-core:{order}",
                        "--set", f"precision.accumulate={accumulate}")
        self.reject(["mla-integerz", "mla-integers"], "verify", "mla-integerz")
        self.reject(["--out"], "generate", "mla-integers")
        self.reject(["--layer", "--weights"], "verify", "mla-integers", "--layer", "1")
        self.reject(["orchids", "cases", "mutants"], "list", "orchids")
        self.reject(["CASE is missing"], "list", "tensors")
        self.reject(["orchids", "one word too many"], "list", "cases", "orchids")
        self.reject(["a command is missing after ptx", "coverage", "run"], "ptx")
        self.reject(["orchids", "no command", "coverage"], "ptx", "orchids")
        self.reject([str(self.folder), "it is a folder"], "check", self.folder)
        self.reject([str(self.folder), "it is a folder"], "ptx", "coverage", self.folder)
        # Before anything is run: a library has no values without rounding.
        library = os.path.join(os.environ["EQUINORM_KERNELS"], "absorbed_path_fp32.so")
        self.reject(["--explain", library, "--device virtual"], "check", library, "--explain")
        # What would write nothing is no option.
        for command in (["list", "cases"], ["doctor"], ["generate", "mla-integers", "--out", self.folder / "x"], ["bench", "tightness"]):
            self.reject(["--json"], *command, "--json", self.folder / "y")
        # Nor is what would change nothing.
        for command in (["list", "cases"], ["doctor"]):
            for flag in (["-q"], ["-v"], ["--threads", "2"]):
                self.reject([flag[0]], *command, *flag)
        self.reject(["-v"], "bench", "tightness", "-v")
        self.reject(["--threads"], "ptx", "coverage", "none.ptx", "--threads", "2")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_decode_benchmark_without_a_gpu(self):
        result = run("bench", "decode", EQUINORM_CUDA_DRIVER="/nonexistent/libcuda.so")
        self.assertEqual(result.code, 3, result)
        self.assertTrue(result.out.startswith("skipped: no driver ("), result)
        self.assertEqual(result.out.count("\n"), 1, result)

    def test_messages_stay_one_line(self):
        for words in (["verify", "a\nb"], ["verify", "mla-integers", "--mutant", "a\nb"], ["verify", "mla-integers", "--a\nb"], ["a\nb"],
                      ["compare", "mla-integers", "--inputs", "a\nb", "--outputs", "c"], ["verify", "mla-integers", "--set", "a\nb=1"]):
            self.reject([], *words)

    def test_help(self):
        for command in ("verify", "generate", "compare", "list", "doctor"):
            self.assertIn(command, self.succeed(command, "--help").out)
        self.assertIn("verify", self.succeed("--help").out)
        self.assertRegex(self.succeed("--version").out, r"^equinorm \d+\.\d+\.\d+\n$")

    def test_meanings(self):
        listed = self.succeed("list", "tensors", "mla-integers").out
        for tensor, meaning in (("w_k", "key up-projection, k0 = c w_k"), ("w_v", "value up-projection, v = c w_v"), ("gamma_ck", "norm weight")):
            self.assertRegex(listed, rf"(?m)^in  {tensor} +\[[0-9,]+\] +{meaning}$")

    def test_fields(self):
        for words, setting in (
                (["colour", "allowed", "heads"], "colour=3"), (["epsilon", "norm", "eps"], "norm.epsilon=1"),
                (["heads is 5", "multiple of groups (2)"], "heads=5"), (["rope_dim is 3", "even"], "rope_dim=3"),
                (["norm.eps", ">= 0"], "norm.eps=-1"), (["norm.scheme", "blockwise", "unified"], "norm.scheme=sideways"),
                (["inputs.seed is -1"], "inputs.seed=-1"), (["context"], "context=[1,2,3]"), (["precision", "bf16"], "precision.storage=bf15"),
                (["KEY=VALUE"], "nothing")):
            with self.subTest(setting=setting):
                self.reject(words, "verify", "mla-integers", "--set", setting)
        path = self.folder / "problem.json"
        for text in ('{"heads": 4, "groups": 3}', '{"haeds": 4}', '{"heads": }', "[]", '{"heads": 1, "heads": 2}', '{"heads": 1e999999999}'):
            path.write_text(text)
            self.reject([str(path)], "verify", path)

    def test_what_no_machine_holds_is_refused_at_once(self):
        sizes = ("--heads", "16777216", "--context", "32768")
        for name, *extra in (["verify", "--exact-only"], ["verify"], ["generate", "--out", self.folder / "out"]):
            self.reject(["heads is 16777216", "context 32768", "allowed", "GiB"], name, "mla-integers", *sizes, *extra)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_output_paths(self):
        missing = self.folder / "nowhere" / "file"
        for flag in ("--json", "--junit"):
            self.reject([str(missing), "no folder"], "verify", "mla-integers", "--exact-only", flag, missing)
            self.reject([str(self.folder), "folder"], "verify", "mla-integers", "--exact-only", flag, self.folder)
        self.reject([str(missing)], "generate", "mla-integers", "--out", missing)
        self.reject([str(self.folder)], "generate", "mla-integers", "--out", self.folder)
        self.assertEqual(list(self.folder.iterdir()), [])
        # A pipe, a device or a link to anything is not replaced by a file.
        pipe, link, target = self.folder / "pipe", self.folder / "link", self.folder / "target"
        os.mkfifo(pipe)
        target.write_text("kept")
        link.symlink_to(target)
        for path in (pipe, link):
            self.reject([str(path), "link, device, pipe or socket"], "generate", "mla-integers", "--out", path)
            self.reject([str(path), "link, device, pipe or socket"], "verify", "mla-integers", "--exact-only", "--json", path)
        self.assertTrue(pipe.is_fifo() and link.is_symlink())
        self.assertEqual((target.read_text(), sorted(self.folder.iterdir())), ("kept", [link, pipe, target]))


class InputTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.problem = self.write_problem(SMALL)

    def write(self, **changes):
        """The inputs with tensors replaced (None: left out)."""
        tensors = {name: ("F32", *tensor) for name, tensor in {**INPUTS, **changes}.items() if tensor is not None}
        return write_safetensors(self.folder / "in.safetensors", tensors)

    def refused(self, words, **changes):
        self.write(**changes)
        for command in (["verify", self.problem], ["generate", self.problem, "--out", self.folder / "out", "--reference"]):
            self.reject(["in.safetensors", *words], *command)
        self.assertFalse((self.folder / "out").exists())

    def test_tensors(self):
        self.write()
        self.succeed("verify", self.problem, "--exact-only")
        self.refused(["\"w_v\"", "missing", "[1,2,1]"], w_v=None)
        self.refused(["\"w_q\"", "allowed", "q_content"], w_q=([1], [1]))
        self.refused(["\"c\"", "[1,2,2]", "[1,3,2]"], c=([1, 2, 2], [1, 2, 3, 4]))
        self.refused(["\"c\"", "nan", "[0,1,0]", "finite"], c=([1, 3, 2], [4, -3, float("nan"), -7, 1, 2]))
        self.refused(["\"w_k\"", "inf", "[0,1,1]", "finite"], w_k=([1, 2, 2], [1, 1, 0, float("inf")]))
        self.refused(["rope_cos", "3"], rope_cos=([2, 1], [1, 0]), rope_sin=([2, 1], [0, 1]))

    def test_broken_files(self):
        path = self.write()
        whole = path.read_bytes()
        absurd = (b"", b"\1\2\3", whole[:-1], whole[:40], struct.pack("<Q", 1 << 62) + whole[8:], struct.pack("<Q", 2) + b"[]",
                  whole.replace(b'"F32"', b'"F99"', 1), whole.replace(b"[1, 3, 2]", b"[9, 9, 9]", 1))
        for number, content in enumerate(absurd):
            with self.subTest(number=number):
                path.write_bytes(content)
                self.reject(["in.safetensors"], "verify", self.problem, "--exact-only")
        path.unlink()
        self.reject(["in.safetensors", "No such file"], "verify", self.problem)

    def test_eps_zero(self):
        self.problem = self.write_problem({**SMALL, "norm": {"eps": 0}})
        self.write()
        self.succeed("verify", self.problem, "--exact-only")
        self.refused(["\"c\"", "[0,1]", "norm.eps 0"], c=([1, 3, 2], [4, -3, 0, 0, 1, 2]))
        self.refused(["\"k_rope\"", "[0,2]", "norm.eps 0"], k_rope=([1, 3, 2], [1, 4, 7, 0, 0, 0]))
        self.refused(["\"q_content\"", "[0,0]", "norm.eps 0"], q_content=([1, 1, 2, 2], [9, 4, 0, 0]))

    def test_eps_zero_behind_a_product(self):
        """Only the product c w_k is zero: no input row shows it."""
        self.problem = self.write_problem({**SMALL, "norm": {"eps": 0}})
        self.write(w_k=([1, 2, 2], [0, 0, 0, 0]))
        self.reject(["norm.eps is 0"], "generate", self.problem, "--out", self.folder / "out", "--reference")
        self.reject(["norm.eps is 0"], "verify", self.problem)
        self.reject(["norm.eps is 0"], "verify", self.problem, "--exact-only")
        self.assertFalse((self.folder / "out").exists())


class KilledTest(CommandTest):
    def kill_while_writing(self, out):
        """Kills a run once its file grows; the files of the folder, or None if the run was faster."""
        process = subprocess.Popen([BINARY, "generate", "paper-tp8", "--context", "32768", "--inputs", "uniform", "--out", out, "--quiet"])
        deadline = time.monotonic() + 100
        while process.poll() is None and time.monotonic() < deadline:
            if any(path.stat().st_size > 0 for path in self.folder.iterdir()):
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.001)
        if process.wait() == 0:
            return None
        self.assertEqual(process.returncode, -signal.SIGKILL)
        return list(self.folder.iterdir())

    def test_nothing_under_the_final_name(self):
        out = self.folder / "big.safetensors"
        for _ in range(3):
            left = self.kill_while_writing(out)
            if left is not None:
                self.assertNotIn(out, left)
                return
            out.unlink()
        self.skipTest("the file was complete before the signal came, three times")


class WrittenTest(CommandTest):
    def test_generated_metadata_is_a_problem(self):
        out = self.folder / "x.safetensors"
        self.succeed("generate", "mla-from-x", "--context", "[6,9]", "--out", out, "--quiet")
        self.assertEqual(read_safetensors(out)["x"].shape, [2, 9, 256])
        blob = out.read_bytes()
        metadata = json.loads(blob[8:8 + struct.unpack_from("<Q", blob)[0]])["__metadata__"]
        again = self.folder / "again.safetensors"
        (self.folder / "again.json").write_text(metadata["problem"])
        self.succeed("generate", self.folder / "again.json", "--out", again, "--quiet")
        self.assertEqual(again.read_bytes(), blob)

    def test_quiet_is_quiet(self):
        self.assertEqual(self.succeed("verify", "mla-integers", "--exact-only", "--quiet").out, "")
        self.assertEqual(run("doctor").code, 0)


if __name__ == "__main__":
    unittest.main()
