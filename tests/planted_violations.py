"""Self-check of include_rule.py and house.py: each planted violation must be reported, by its own message, and a clean tree must pass."""

import contextlib
import io
import pathlib
import sys
import tempfile

import house
import include_rule

ROOMS = "low: \nmiddle: low\ncommands: low;middle\n"
CLEAN = {
    "README.md": "`./dev verify` and `./dev test`\n",
    "rooms.txt": ROOMS,
    "src/low/a.hpp": "#include <vector>\n",
    "src/middle/b.cpp": '#include "low/a.hpp"\n#include "middle/b.hpp"\n',
    "src/middle/b.hpp": "#pragma once\n",
    "src/commands/c.cpp": '#include "low/a.hpp"\n  #  include "middle/b.hpp"\n',
    "src/main.cpp": '#include "commands/c.hpp"\n',
    "tests/low/a_test.cpp": '#include "middle/b.hpp"\n',
    "src/low/sine_table.hpp": "1,\n" * 401,
}

# checker, files written over the clean tree (None removes one), words that the report must hold; no words: must pass.
CASES = [
    (include_rule, {}, None),
    (include_rule, {"src/low/a.hpp": '#include "middle/b.hpp"\n'}, "src/low/a.hpp:1: \"middle/b.hpp\": low may include only low"),
    (include_rule, {"src/middle/b.cpp": '\n\n\t# include"commands/c.hpp"\n'}, "src/middle/b.cpp:3:"),
    (include_rule, {"src/main.cpp": '#include "low/a.hpp"\n'}, "main.cpp may include only commands"),
    (include_rule, {"src/low/a.hpp": '#include "b.hpp"\n'}, "does not begin with a room"),
    (include_rule, {"src/middle/b.cpp": '#include "../commands/c.hpp"\n'}, "does not begin with a room"),
    (include_rule, {"src/low/a.hpp": "#include <middle/b.hpp>\n"}, "include it with quotes"),
    (include_rule, {"src/low/a.hpp": "#include OTHER_ROOM\n"}, "cannot be read"),
    (include_rule, {"src/attic/d.cpp": "\n"}, "'attic' is no room"),
    (include_rule, {"src/d.cpp": "\n"}, "only main.cpp may lie outside"),
    (include_rule, {"rooms.txt": ROOMS.replace("low: \n", "low: middle\n")}, "low -> middle -> low"),
    (include_rule, {"rooms.txt": ROOMS.replace("low: \n", "low: cellar\n")}, "uses cellar, which is no room"),
    (include_rule, {path: None for path in CLEAN if path.startswith("src/")}, "no sources"),
    (house, {}, None),
    (house, {"src/low/long.cpp": "\n" * 401}, "src/low/long.cpp: 401 lines"),
    (house, {"tests/low/long_test.cpp": "\n" * 401}, "tests/low/long_test.cpp: 401 lines"),
    (house, {"src/low/a.hpp": "int a;\n// TO" + "DO: later\n"}, "src/low/a.hpp:2: marked as unfinished"),
    (house, {"README.md": "`./dev verify`\n"}, "README.md does not mention `./dev test`"),
    (house, {"README.md": None}, "README.md does not mention `./dev verify`"),
]


def run(script, changes):
    """Exit status and output of the script on the clean tree with the changes made."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for path, text in {**CLEAN, **changes}.items():
            if text is not None:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
        arguments = [root / "src", root / "rooms.txt"] if script is include_rule else [root]
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = script.main(arguments)
        return status, output.getvalue()


def main():
    failures = 0
    for script, changes, words in CASES:
        status, output = run(script, changes)
        right = status == 0 if words is None else status == 1 and words in output
        if not right:
            failures += 1
            print(f"{script.__name__} with {changes}: exit status {status}, wanted {words!r} in:\n{output}")
    print(f"{len(CASES) - failures} of {len(CASES)} cases as expected")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
