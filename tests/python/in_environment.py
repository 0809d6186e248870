"""Runs a Python program in a virtual environment with packages from PyPI: in_environment.py FOLDER PACKAGES PROGRAM [ARGUMENTS].

FOLDER is made once and kept; PACKAGES is a comma-separated list of requirements. Prints `skipped: why` and exits with 77 where the
environment cannot be made, PyPI being out of reach for one.
"""
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIPPED)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


def make(folder, packages):
    """Complete, or not there at all."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="environment-", dir=folder.parent))
    try:
        # The interpreter's place is written into the environment: it is made where it stays.
        shutil.rmtree(folder, ignore_errors=True)
        for command in ([sys.executable, "-m", "venv", str(folder)],
                        [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2",
                         "--timeout", "30", "--cache-dir", str(work), *packages]):
            try:
                made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            except subprocess.TimeoutExpired:
                skip(f"{' '.join(command[1:4])} took more than 300 s")
            if made.returncode != 0:
                skip(f"no virtual environment with {', '.join(packages)}: {last_line(made.stderr + made.stdout)}")
        (folder / "complete").write_text(",".join(packages), encoding="utf-8")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main(arguments):
    folder, packages = pathlib.Path(arguments[0]).absolute(), arguments[1].split(",")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{folder.name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        complete = folder / "complete"
        if not complete.is_file() or complete.read_text(encoding="utf-8") != arguments[1]:
            make(folder, packages)
    python = str(folder / "bin/python")
    os.execv(python, [python, "-B", *arguments[2:]])


if __name__ == "__main__":
    main(sys.argv[1:])
