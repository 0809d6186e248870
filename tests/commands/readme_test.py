"""README's kernels, exactly as it shows them: each fenced block with a file's name is that file, each line of a `sh` block must end with 0.

Runs in a folder with README's files and a link to src/; `equinorm` and its Python are those under test. Needs numpy, and a C compiler.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## Bring your own kernel\n(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Readme(unittest.TestCase):
    def test_every_example_runs_as_it_is_shown(self):
        (section,) = SECTION.findall((ROOT / "README.md").read_text(encoding="utf-8"))
        blocks = BLOCK.findall(section)
        self.assertLessEqual({"python", "c", "sh"}, {language for language, _, _ in blocks})
        with tempfile.TemporaryDirectory(prefix="equinorm-readme-") as name:
            folder = pathlib.Path(name)
            folder.chmod(0o755)
            (folder / "src").symlink_to(ROOT / "src")
            program = pathlib.Path(os.environ["EQUINORM"]).resolve()
            environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "EQUINORM_PYTHON": sys.executable}
            for language, file, text in blocks:
                if file:
                    (folder / file).write_text(text, encoding="utf-8")
                    continue
                self.assertEqual(language, "sh", "a block without a file's name is a shell's")
                for line in text.splitlines():
                    done = subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)
                    self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}")
                    if line.startswith("equinorm check"):
                        self.assertIn("0 fail", done.stdout, line)
                        self.assertNotIn(" 0 hold", done.stdout, line)


if __name__ == "__main__":
    unittest.main()
