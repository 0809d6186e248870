"""Checks that theorems.py bites: copies of what it reads with one fault each must fail for that fault, and the sound copy must pass."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

# name: (file, text in it, what it becomes, what theorems.py must say; None: it must pass)
FAULTS = {
    "sound": ("proofs/Pipeline.v", "", "", None),
    "a theorem that does not name its function": (
        "proofs/Pipeline.v", "; bounds/statistic.hpp stored_rho. *)", ". *)", "does not name 'bounds/statistic.hpp stored_rho' back"),
    "a theorem that names a function that does not name it": (
        "proofs/Pipeline.v", "bounds/statistic.hpp stored_rho. *)", "bounds/statistic.hpp stored_rho; bounds/linear.hpp absolute. *)",
        "whose doc block does not name it"),
    "a theorem gone": ("proofs/Pipeline.v", "Theorem stored_ratio ", "Lemma stored_ratio ", "no file of proofs/ has a theorem 'stored_ratio'"),
    "a name that is no theorem": ("src/bounds/statistic.hpp", "Proof: stored_ratio", "Proof: stored", "is not in proofs/index.txt"),
    "a bound without a theorem": ("src/bounds/statistic.hpp", "Proof: stored_ratio", "See stored_ratio", "stored_rho neither names a theorem"),
    "a new function": ("src/bounds/linear.hpp", "}  // namespace", "double new_bound(double x);\n\n}  // namespace",
                       "new_bound neither names a theorem"),
    "a report that names another theorem": ("src/report/bound_proofs.cpp", "logit_stage", "other_stage", "on one side only"),
    "a report that hides what is not checked": (
        "src/report/bound_proofs.cpp", "what underflow adds to a logit, and binary64's own errors", "", "'not machine-checked' on one side only"),
}


def run(script, root, file, old, new):
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        for part in ("proofs", "src/bounds", "src/oracle", "src/exact", "src/scalar", "src/report"):
            shutil.copytree(root / part, copy / part)
        text = (copy / file).read_text()
        if old not in text:
            return f"{file} does not contain '{old}'"
        (copy / file).write_text(text.replace(old, new, 1))
        result = subprocess.run([sys.executable, "-B", str(script), str(copy)], capture_output=True, text=True, check=False)
        return result.stdout + result.stderr if result.returncode else ""


def main(root):
    failed = 0
    for name, (file, old, new, expected) in FAULTS.items():
        said = run(root / "tests" / "theorems.py", root, file, old, new)
        right = said == "" if expected is None else expected in said
        failed += not right
        print(f"{'ok' if right else 'WRONG'}: {name}" + ("" if right else f"\n{said}"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
