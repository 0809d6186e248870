"""Installs equinorm into a folder, builds the example project against it, and has the installed program judge the example.

Environment: CMAKE, EQUINORM_BUILD (a built tree), EXAMPLE (the example's sources), CXX.
"""
import os
import pathlib
import subprocess
import tempfile
import unittest

CMAKE, BUILD, EXAMPLE = (os.environ[name] for name in ("CMAKE", "EQUINORM_BUILD", "EXAMPLE"))


def run(*command, code=0):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=500)
    if done.returncode != code:
        raise AssertionError(f"{command} ended with {done.returncode}, not {code}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Example(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="equinorm-example-")
        root = pathlib.Path(cls.folder.name)
        cls.prefix, cls.build = root / "installed", root / "build"
        run(CMAKE, "--install", BUILD, "--prefix", cls.prefix)
        cls.program = cls.prefix / "bin" / "equinorm"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_the_example_is_built_and_holds(self):
        run(CMAKE, "-S", EXAMPLE, "-B", self.build, f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DCMAKE_BUILD_TYPE=Release")
        run(CMAKE, "--build", self.build)
        libraries = list(self.build.glob("libexample.so"))
        self.assertEqual(len(libraries), 1)
        report = run(self.program, "check", libraries[0], "mla-nope-gated", "mla-small-tokens")
        self.assertIn("within", report)

    def test_headers_serve_c_and_name_nothing_of_equinorm(self):
        include = self.prefix / "include"
        source = pathlib.Path(self.folder.name) / "plain.c"
        source.write_text("#include <equinorm/kernel.h>\nint main(void) { return EQUINORM_KERNEL_ABI - 1; }\n")
        run(os.environ.get("CC", "cc"), "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{include}", "-c", source, "-o", source.with_suffix(".o"))
        self.assertEqual(sorted(path.name for path in (include / "equinorm").iterdir()), ["kernel.h", "kernel.hpp"])

    def test_the_installed_program_finds_its_kernels(self):
        listed = run(self.program, "list", "kernels")
        for word in ("cache_write..output", "score..value", "fp16", "bf16", "fp32", "cpu", str(self.prefix)):
            self.assertIn(word, listed)
        kernels = self.prefix / "lib" / "equinorm" / "kernels"
        # Where `bench decode` looks for its own.
        for name in ("absorbed_mma.bf16.json", "absorbed_mma.bf16_alpha.json", "absorbed_mma.sm_80.ptx", "absorbed_mma.sm_90.ptx"):
            self.assertTrue((kernels / "cuda" / "absorbed_mma" / name).is_file(), name)
        kernel = kernels / "output_fp16.so"
        run(self.program, "check", kernel, "mla-integers")


if __name__ == "__main__":
    unittest.main()
