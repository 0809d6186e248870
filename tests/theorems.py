"""Bounds and theorems name each other.

Every theorem that a doc block of src/bounds names after 'Proof:' must be in proofs/index.txt (whose names check.py holds against the audited
development), and every header there that states a bound must name one. Fails, with the file and line, on a name that does not exist.
"""
import pathlib
import re
import sys

# Headers that state no bound of their own, and the one whose bounds rest on a model of rounding errors.
PLAIN = {"amplification.hpp", "keys.hpp", "probable.hpp", "queries.hpp", "sources.hpp"}


def index_names(index):
    rows = [line for line in index.read_text().splitlines() if line and not line.startswith("#")]
    return {row.split()[0] for row in rows}


def named(text):
    """(line number, name) of every theorem named after 'Proof:' up to the full stop."""
    joined = re.sub(r"\n\s*///\s?", lambda found: "\x00", text)
    for found in re.finditer(r"Proof:[ \x00]([^.;]+)", joined):
        line = joined[:found.start()].count("\n") + joined[:found.start()].count("\x00") + 1
        for name in re.split(r"[,\x00]| \([^)]*\)", found.group(1)):
            if name.strip():
                yield line, name.strip()


def main(root):
    names = index_names(root / "proofs" / "index.txt")
    faults, count = [], 0
    for header in sorted((root / "src" / "bounds").glob("*.hpp")):
        here = list(named(header.read_text()))
        count += len(here)
        faults += [f"{header}:{line}: theorem '{name}' is not in proofs/index.txt" for line, name in here if name not in names]
        if not here and header.name not in PLAIN:
            faults.append(f"{header}:1: names no theorem ('Proof: NAME.')")
    if count == 0:
        faults.append("src/bounds: no theorem is named at all")
    print("\n".join(faults) if faults else f"{count} references to {len(names)} theorems, all there")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
