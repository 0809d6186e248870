"""House rules that a program can check: house.py ROOT. Prints one line per violation and exits 1 if there is one.

- no source or test file is longer than MAX_LINES, tables (files whose name says so) aside;
- nothing in src/ is marked as unfinished;
- README names the two commands that everybody needs.
"""

import pathlib
import re
import sys

MAX_LINES = 400
CODE = {".cpp", ".hpp", ".cu", ".cuh", ".h", ".c", ".py", ".cmake", ".txt"}
TABLE = re.compile(r"(^|_)tables?(_|\.)|\.inc$")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
README_NAMES = ("./dev verify", "./dev test")


def code_files(root):
    return sorted(path for folder in ("src", "tests") for path in (root / folder).rglob("*") if path.suffix in CODE and path.is_file())


def violations(root):
    found = []
    files = code_files(root)
    if not files:
        found.append(f"no code under {root}")
    for path in files:
        relative = path.relative_to(root)
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > MAX_LINES and not TABLE.search(path.name):
            found.append(f"{relative}: {len(lines)} lines, at most {MAX_LINES} are allowed: split it")
        if relative.parts[0] == "src":
            found += [f"{relative}:{number}: marked as unfinished: {line.strip()}" for number, line in enumerate(lines, 1) if UNFINISHED.search(line)]
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    found += [f"README.md does not mention `{name}`" for name in README_NAMES if name not in text]
    return found


def main(arguments):
    found = violations(pathlib.Path(arguments[0]))
    print("\n".join(found) or "the house is in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
