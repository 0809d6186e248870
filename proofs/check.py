#!/usr/bin/env python3
"""Builds the Coq development in a build folder and audits what its theorems assume.

    check.py --build DIR [--source DIR]

Exit status: 0 all is well; 1 something does not compile or breaks a rule; 77 skipped, because Coq or a library of it is missing.

Rules: nothing is admitted and nothing is assumed by keyword; every file opens with its purpose and has at most 400 lines; audit.v names
every `Theorem` of every file once, under a heading `(* assumptions: GROUP *)`; Coq's own `Print Assumptions` reports no axiom beyond
the group's (asked of all theorems of one file together, because each question takes seconds; of each alone where that fails: `coqc
audit.v` asks them all); and index.txt, which the C++ bounds refer to, lists only audited theorems: `NAME FILE.v STATEMENT`, one a line.
Only files whose text, or whose dependencies' text, has changed are compiled again; the audit is repeated when anything has changed.
"""

import argparse
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

SKIPPED = 77
MAX_LINES = 400
MAX_COLUMNS = 140

REALS = {
    "ClassicalDedekindReals.sig_forall_dec",
    "ClassicalDedekindReals.sig_not_dec",
    "FunctionalExtensionality.functional_extensionality_dep",
    "Classical_Prop.classic",
}
MACHINE_NUMBERS = re.compile(r"(PrimInt63|Uint63|PrimFloat|FloatAxioms|FloatOps|Int63)\.")
GROUPS = {
    "none": lambda axiom: False,
    "reals": lambda axiom: axiom in REALS,
    # Lemmas about numeric constants, proved by computing with machine integers and floats.
    "constants": lambda axiom: axiom in REALS or MACHINE_NUMBERS.match(axiom) is not None,
}
FORBIDDEN = re.compile(
    r"\b(Admitted|admit|Axioms?|Conjectures?|Parameters?|give_up|bypass_check|type-in-type)\b"
    r"|Unset\s+(Guard|Positivity|Universe)\s+Checking|Set\s+Rewrite\s+Rules")
# Outside the Coq library itself, and needed by some file: what tells that it is missing, and the package that holds it.
LIBRARIES = {"Flocq": "libcoq-flocq", "Interval": "libcoq-interval", "Coquelicot": "libcoq-coquelicot"}


def without_comments(text):
    """Coq comments nest."""
    kept, depth, i = [], 0, 0
    while i < len(text):
        pair = text[i:i + 2]
        if pair == "(*":
            depth, i = depth + 1, i + 2
        elif pair == "*)" and depth > 0:
            depth, i = depth - 1, i + 2
        else:
            if depth == 0:
                kept.append(text[i])
            i += 1
    return "".join(kept)


def listed_files(source):
    return [line.strip() for line in (source / "_CoqProject").read_text().splitlines() if line.strip().endswith(".v")]


def text_faults(source, files):
    """Faults that can be seen without Coq."""
    faults = []
    unlisted = {path.name for path in source.glob("*.v")} - set(files) - {"audit.v"}
    faults += [f"{name}: not listed in _CoqProject" for name in sorted(unlisted)]
    for name in files:
        text = (source / name).read_text()
        lines = text.splitlines()
        if not text.startswith("(** Purpose:"):
            faults.append(f"{name}: does not open with '(** Purpose:'")
        if "Depends on:" not in text[:2000]:
            faults.append(f"{name}: does not say what it depends on")
        if len(lines) > MAX_LINES:
            faults.append(f"{name}: {len(lines)} lines, at most {MAX_LINES} are allowed")
        faults += [f"{name}:{n}: {len(line)} columns, at most {MAX_COLUMNS} are allowed"
                   for n, line in enumerate(lines, 1) if len(line) > MAX_COLUMNS]
        for match in FORBIDDEN.finditer(without_comments(text)):
            faults.append(f"{name}: forbidden word '{match.group(0)}'")
    return faults


def theorems_of(source, files):
    return [f"{name[:-2]}.{theorem}" for name in files
            for theorem in re.findall(r"^\s*Theorem\s+([\w']+)", without_comments((source / name).read_text()), re.MULTILINE)]


def audited(source):
    """[(theorem, group)] in the order of audit.v."""
    entries, group = [], None
    for number, line in enumerate((source / "audit.v").read_text().splitlines(), 1):
        if heading := re.fullmatch(r"\(\* assumptions: (\w+) \*\)", line):
            group = heading.group(1)
            if group not in GROUPS:
                raise SystemExit(f"audit.v: unknown group '{group}', allowed are {', '.join(GROUPS)}")
        elif entry := re.fullmatch(r"Print Assumptions (\w+\.[\w']+)\.", line):
            if group is None:
                raise SystemExit(f"audit.v: {entry.group(1)} stands under no heading '(* assumptions: GROUP *)'")
            entries.append((entry.group(1), group))
        elif group is not None and line:
            raise SystemExit(f"audit.v:{number}: neither a heading nor 'Print Assumptions FILE.THEOREM.'")
    return entries


def bundles_of(entries):
    """{(group, file): [theorem]}."""
    bundles = {}
    for name, group in entries:
        bundles.setdefault((group, name.split(".")[0]), []).append(name)
    return bundles


def axioms_in(report):
    """One list of axiom names for each Print Assumptions of a coqc report."""
    blocks = []
    for line in report.splitlines():
        if line.startswith("Closed under the global context"):
            blocks.append([])
        elif line.startswith("Axioms:"):
            blocks.append([])
        elif blocks and (match := re.match(r"([A-Za-z_][\w.']*)\s*(:|$)", line)):
            blocks[-1].append(match.group(1))
        elif blocks and line and not line[0].isspace():
            blocks[-1].append(line.strip())  # 'x is assumed to be guarded', ...: in no group's list, so it fails
    return blocks


def run_coqc(build, name):
    return subprocess.run(["coqc", "-q", "-Q", ".", "Equinorm", name], cwd=build, capture_output=True, text=True, check=False)


class Stamps:
    """What lies compiled in the build folder, by a key of everything that it was made from."""

    def __init__(self, build):
        self.path = build / "compiled.json"
        self.known = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.coq = subprocess.run(["coqc", "--version"], capture_output=True, text=True, check=True).stdout

    def key(self, text, needed_keys):
        return hashlib.sha256("\n".join([self.coq, text, *needed_keys]).encode()).hexdigest()

    def current(self, name, key):
        return self.known.get(name) == key

    def set(self, name, key):
        self.known[name] = key
        self.path.write_text(json.dumps(self.known))


def compile_all(source, build, files, stamps):
    """Compiles what has changed, in the order of _CoqProject. Returns (key of each file, fault or None)."""
    keys = {}
    for name in files:
        text = (source / name).read_text()
        required = re.findall(r"From Equinorm Require (?:Export |Import )?([^.]*)\.", text)
        needs = sorted({f"{word}.v" for words in required for word in words.split()})
        missing = [need for need in needs if need not in keys]
        if missing:
            return keys, f"{name}: requires {missing[0]}, which _CoqProject does not list before it"
        keys[name] = stamps.key(text, [keys[need] for need in needs])
        if stamps.current(name, keys[name]) and (build / name).with_suffix(".vo").exists():
            continue
        shutil.copyfile(source / name, build / name)
        start = time.monotonic()
        result = run_coqc(build, name)
        if result.returncode != 0:
            return keys, f"{name}: does not compile\n{result.stderr}{result.stdout}"
        print(f"{name}: compiled in {time.monotonic() - start:.1f} s", flush=True)
        stamps.set(name, keys[name])
    return keys, None


def ask_assumptions(build, name, questions):
    """Compiles a file that asks what each list of theorems assumes together. Returns (one list of axioms for each, fault or None)."""
    files = sorted({theorem.split(".")[0] for theorems in questions for theorem in theorems})
    lines = [f"From Equinorm Require {' '.join(files)}."]
    for number, theorems in enumerate(questions):
        together = ", ".join("@" + theorem for theorem in theorems)
        lines += [f"Definition question_{number} := ({together}).", f"Print Assumptions question_{number}."]
    (build / name).write_text("\n".join(lines) + "\n")
    result = run_coqc(build, name)
    if result.returncode != 0:
        return [], f"audit.v: does not compile\n{result.stderr}{result.stdout}"
    answers = axioms_in(result.stdout)
    return answers, None if len(answers) == len(questions) else f"audit.v: {len(questions)} questions, but {len(answers)} answers"


def assumption_report(source, build, keys, stamps):
    """The axioms behind each bundle of audit.v's theorems, in order, and a fault or None."""
    report = build / "audit.json"
    key = stamps.key((source / "audit.v").read_text(), keys.values())
    if stamps.current("audit.v", key) and report.exists():
        return json.loads(report.read_text()), None
    answers, fault = ask_assumptions(build, "audit_bundles.v", list(bundles_of(audited(source)).values()))
    if fault is None:
        report.write_text(json.dumps(answers))
        stamps.set("audit.v", key)
    return answers, fault


def audit_faults(source, build, files, answers):
    entries = audited(source)
    names = [name for name, _ in entries]
    theorems = theorems_of(source, files)
    faults = [f"{name}: a theorem that audit.v does not name" for name in theorems if name not in names]
    faults += [f"{name}: named by audit.v, but no file has such a theorem" for name in names if name not in theorems]
    faults += [f"{name}: named twice by audit.v" for name in sorted(set(names)) if names.count(name) > 1]
    for ((group, file), members), axioms in zip(bundles_of(entries).items(), answers):
        numbers = [axiom for axiom in axioms if MACHINE_NUMBERS.match(axiom)]
        others = [axiom for axiom in axioms if axiom not in numbers] + ([f"{len(numbers)} of machine numbers"] if numbers else [])
        print(f"{file}: {len(members)} theorem{'s' if len(members) > 1 else ''}, {', '.join(others) if others else 'no axioms'}")
        if all(GROUPS[group](axiom) for axiom in axioms):
            continue
        single, fault = ask_assumptions(build, "audit_singles.v", [[member] for member in members])
        named = [f"{member}: assumes {axiom}, which group '{group}' does not allow"
                 for member, found in zip(members, single) for axiom in found if not GROUPS[group](axiom)]
        faults += [fault] if fault else named or [f"{file}: assumes {', '.join(axioms)}: more than group '{group}' allows"]
    print(f"{len(entries)} theorems audited")
    return faults


def index_faults(source):
    """Faults of index.txt: every line names one audited theorem and says what it states; no name stands twice."""
    path = source / "index.txt"
    if not path.exists():
        return ["index.txt: missing"]
    known, faults, seen = {name for name, _ in audited(source)}, [], set()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        entry = re.fullmatch(r"([\w']+) (\w+)\.v (\S.*)", line)
        if entry is None:
            faults.append(f"index.txt:{number}: not of the form NAME FILE.v STATEMENT")
            continue
        name, file, _ = entry.groups()
        if f"{file}.{name}" not in known:
            faults.append(f"index.txt:{number}: {file}.{name} is not a theorem that audit.v names")
        if name in seen:
            faults.append(f"index.txt:{number}: {name} is listed twice")
        seen.add(name)
    return faults


def missing_tools(source, files):
    """Why the development cannot be built here; empty if it can."""
    if shutil.which("coqc") is None:
        return "coqc is not installed (Debian package coq)"
    where = subprocess.run(["coqc", "-where"], capture_output=True, text=True, check=True).stdout.strip()
    text = "\n".join((source / name).read_text() for name in files)
    for library, package in LIBRARIES.items():
        if re.search(rf"From {library}\b", text) and not (pathlib.Path(where) / "user-contrib" / library).is_dir():
            return f"Coq's library {library} is not installed (Debian package {package})"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--source", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    arguments = parser.parse_args()
    files = listed_files(arguments.source)
    reason = missing_tools(arguments.source, files)
    if reason:
        print(f"skipped: {reason}")
        return SKIPPED
    start = time.monotonic()
    faults = text_faults(arguments.source, files) + index_faults(arguments.source)
    arguments.build.mkdir(parents=True, exist_ok=True)
    stamps = Stamps(arguments.build)
    keys, fault = compile_all(arguments.source, arguments.build, files, stamps)
    if fault is None:
        answers, fault = assumption_report(arguments.source, arguments.build, keys, stamps)
    faults += [fault] if fault else audit_faults(arguments.source, arguments.build, files, answers)
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"{len(files)} files, {time.monotonic() - start:.0f} s, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
