#!/usr/bin/env python3
"""Checks that check.py bites: small developments with one fault each must fail for that fault, and the sound one must pass."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

GOOD = """(** Purpose: a sound development of one theorem.
    Depends on: nothing. *)
Theorem truth : True.
Proof. exact I. Qed.
"""
AUDIT = """From Equinorm Require Good.
(* assumptions: none *)
Print Assumptions Good.truth.
"""
PROVED = "Theorem truth : True.\nProof. exact I. Qed."
INDEX = "# a comment\ntruth Good.v True holds.\n"
CLASSICAL = GOOD.replace(PROVED,
                         "From Coq Require Import Classical.\nTheorem truth : forall p, p \\/ ~ p.\nProof. exact classic. Qed.")

# name: (text of Good.v, text of audit.v, what check.py must say; None: it must pass[, text of index.txt])
CASES = {
    "sound": (GOOD, AUDIT, None),
    "a word in a comment": (GOOD.replace("nothing.", "nothing; no Axiom, (* nested *) not Admitted."), AUDIT, None),
    "classical logic where it is allowed": (CLASSICAL, AUDIT.replace("none", "reals"), None),
    "classical logic where nothing is": (CLASSICAL, AUDIT, "assumes Classical_Prop.classic"),
    "admitted": (GOOD.replace("Proof. exact I. Qed.", "Proof. Admitted."), AUDIT, "forbidden word 'Admitted'"),
    "axiom": (GOOD.replace("Theorem", "Axiom"), AUDIT, "forbidden word 'Axiom'"),
    "axiom by another name": (GOOD.replace(PROVED,
                                           "Variable given : False.\nTheorem truth : False.\nProof. exact given. Qed."), AUDIT,
                              "assumes Good.given"),
    "unguarded": (GOOD.replace(PROVED,
                               "Unset  Guard Checking.\nFixpoint f (n : nat) : False := f n.\n"
                               "Theorem truth : False.\nProof. exact (f 0). Qed."),
                  AUDIT, "forbidden word"),
    "theorem not audited": (GOOD + "Theorem more : True.\nProof. exact I. Qed.\n", AUDIT, "a theorem that audit.v does not name"),
    "audit with another line": (GOOD, AUDIT + "Check 0.\n", "neither a heading nor"),
    "audited twice": (GOOD, AUDIT + "Print Assumptions Good.truth.\n", "named twice"),
    "false": (GOOD.replace("True", "False"), AUDIT, "does not compile"),
    "no purpose": (GOOD.replace("Purpose", "purpose"), AUDIT, "does not open with"),
    "too long": (GOOD + "\n" * 400, AUDIT, "lines, at most"),
    "index of an unknown theorem": (GOOD, AUDIT, "Good.falsehood is not a theorem", INDEX + "falsehood Good.v False holds.\n"),
    "index without a statement": (GOOD, AUDIT, "not of the form", "truth Good.v\n"),
    "index with a name twice": (GOOD, AUDIT, "is listed twice", INDEX + "truth Good.v Again.\n"),
}


def main():
    if shutil.which("coqc") is None:
        print("skipped: coqc is not installed (Debian package coq)")
        return 77
    check = pathlib.Path(__file__).resolve().parent / "check.py"
    failures = 0
    for name, (good, audit, expected, *index) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "source"
            source.mkdir()
            (source / "_CoqProject").write_text("-Q . Equinorm\nGood.v\n")
            (source / "Good.v").write_text(good)
            (source / "audit.v").write_text(audit)
            (source / "index.txt").write_text(index[0] if index else INDEX)
            result = subprocess.run([sys.executable, str(check), "--source", str(source), "--build", str(source.parent / "build")],
                                    capture_output=True, text=True, check=False)
        right = result.returncode == 0 if expected is None else result.returncode == 1 and expected in result.stdout + result.stderr
        print(f"{'ok  ' if right else 'FAIL'} {name}")
        if not right:
            failures += 1
            print(result.stdout + result.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
