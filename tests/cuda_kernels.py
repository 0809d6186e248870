"""The bundled CUDA kernels compile, and the PTX beside them is what the compiler makes of them.

nvcc comes from PATH, else from CUDA_HOME or /usr/local/cuda, else from NVIDIA's PyPI wheels in a virtual environment inside the build folder
(EQUINORM_SETUP=skip: nothing is downloaded), else this is skipped with the reason. Text is compared only where the compiler's release is the
one that wrote the committed PTX; file names, debugging names and the compiler's header do not count.

Usage: cuda_kernels.py FOLDER_OF_KERNELS WORK_FOLDER
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import venv

SKIPPED = 77
RELEASE = "13.0"
WHEELS = ["nvidia-cuda-nvcc", "nvidia-nvvm", "nvidia-cuda-crt", "nvidia-cuda-runtime", "nvidia-cuda-cccl"]


def nvcc_of_wheels(work: pathlib.Path) -> str:
    """nvcc from PyPI; empty, with the reason printed, if it cannot be had."""
    if os.environ.get("EQUINORM_SETUP") == "skip":
        print("skipped: no nvcc on PATH, in CUDA_HOME or in /usr/local/cuda, and EQUINORM_SETUP=skip forbids downloads")
        return ""
    folder = work / "nvcc"
    found = list(folder.glob("lib/python*/site-packages/nvidia/*/bin/nvcc"))
    if found:
        return str(found[0])
    try:
        venv.create(folder, with_pip=True, clear=True)
        command = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--no-input", "--timeout", "10", "--retries", "1"]
        subprocess.run(command + [f"{wheel}=={RELEASE}.*" for wheel in WHEELS], check=True, timeout=900)
        return str(next(folder.glob("lib/python*/site-packages/nvidia/*/bin/nvcc")))
    except (subprocess.SubprocessError, OSError, StopIteration) as error:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"skipped: no nvcc on PATH, in CUDA_HOME or in /usr/local/cuda, and none from PyPI ({error})")
        return ""


def find_nvcc(work: pathlib.Path) -> str:
    homes = [os.environ.get("CUDA_HOME", ""), "/usr/local/cuda"]
    places = [shutil.which("nvcc")] + [os.path.join(home, "bin", "nvcc") for home in homes if home]
    return next((place for place in places if place and os.access(place, os.X_OK)), "") or nvcc_of_wheels(work)


def normalised(path: pathlib.Path) -> list:
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line.rstrip() for line in lines if line.strip() and not line.startswith("//") and not re.match(r"\s*\.(file|b8)\s", line)]
    # Names of internal functions hold a hash of the source's path; among the bytes of debugging names (.b8) they stand too.
    return [re.sub(r"_INTERNAL_[0-9a-f]{8}_", "_INTERNAL_", line) for line in kept]


def main() -> int:
    kernels, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    nvcc = find_nvcc(work)
    if not nvcc:
        return SKIPPED
    version = re.search(r"release ([0-9]+\.[0-9]+)", subprocess.run([nvcc, "--version"], check=True, capture_output=True, text=True).stdout)
    release = version.group(1) if version else "unknown"
    out = work / "ptx"
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run(["bash", str(kernels / "compile.sh"), str(out)], check=True, env={**os.environ, "NVCC": nvcc})
    compiled = sorted(out.glob("*/*.ptx"))
    committed = sorted(path.relative_to(kernels) for path in kernels.glob("*/*.ptx"))
    if [path.relative_to(out) for path in compiled] != committed:
        print("the committed PTX files are others than those that compile.sh makes")
        return 1
    if release != RELEASE:
        print(f"{len(compiled)} files compile with nvcc {release}; their text is not compared, as {RELEASE} wrote the committed ones")
        return 0
    stale = [str(path) for path in committed if normalised(out / path) != normalised(kernels / path)]
    for path in stale:
        print(f"{path} is not what nvcc {release} makes of its source: run {kernels}/compile.sh")
    print(f"{len(compiled)} files compiled with nvcc {release} ({nvcc}), {len(stale)} of them stale")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
