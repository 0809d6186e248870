"""Bounds and theorems name each other.

    theorems.py ROOT            checks
    theorems.py ROOT --write    puts the 'C++:' lines into proofs/*.v and checks

Forward: every public function of src/bounds that states a bound names its theorems in its doc block ('Proof: NAME, NAME.') or says there
'not machine-checked'; doc blocks of src/oracle, src/exact and src/scalar may name theorems too. Every name must be in proofs/index.txt,
whose names check.py holds against the audited development.
Back: the theorem's file says '(* C++: PATH FUNCTION; PATH FUNCTION. *)' in the line above it, for exactly the functions that name it.
Report: the table of src/report/bound_proofs.cpp, which every precision report shows, has one row for each function of src/bounds that names
theorems or is not machine-checked, with just those theorems, and 'not machine-checked' where the doc block says so.
"""
import pathlib
import re
import sys

ROOMS = ("bounds", "oracle", "exact", "scalar")
UNCHECKED = "not machine-checked"
# Functions of src/bounds that state no bound: they copy, look up, multiply matrices in binary64, or carry out and join what error_bounds
# says.
NO_BOUND = {
    "LogitTerms::operator+=", "OutputTerms::operator+=", "logit_terms", "output_terms", "kappa_w", "kappa_2", "kappa_centred", "kappa_v", "has_bounds",
    "has_apriori_bounds", "can_follow", "Vectors::held", "Vectors::replace",
    "HandedOver::remaining", "set_rotation", "multiply", "multiply_transposed", "absolute", "largest_of", "largest_moves", "has_radius",
    "token_blocks", "latent_lengths", "column_maxima", "own_plan", "measure_keys", "length", "finish_values", "has_matrix_unit", "multiply_plain", "multiply_rows", "Kept::find", "raise",
    "RowSources::of", "RowSources::values", "RowSources::latents", "RowSources::latent_radii", "RowSources::queries",
    "HandedOver::knows_keys", "HandedOver::operator==", "ValueView::held",
    "statistic_arithmetic", "BoundRun::share_scores", "BoundRun::run", "BoundRun::probable", "widest_bounds",
    "make_vectors", "Setting::folds_alpha_q", "Setting::rounds",
}


class Function:
    """A declaration and what its doc block says of theorems."""

    def __init__(self, path, line, kind, name, doc):
        self.path, self.line, self.kind, self.name = path, line, kind, name
        listed = re.sub(r"\([^)]*\)", "", ",".join(re.findall(r"Proof:\s+([^.;]+)", doc)))
        self.theorems = [word.strip() for word in listed.split(",") if word.strip()]
        self.unchecked = UNCHECKED in doc.lower()

    def place(self):
        return f"{self.path} {self.name}"


def declared(statement):
    """What a declaration introduces: (kind, name)."""
    if statement.startswith("namespace"):
        return "namespace", ""
    statement = re.sub(r"template\s*<[^<>]*>", " ", statement).strip()
    if kind := re.match(r"(?:struct|class|enum class)\s+(\w+)", statement):
        return "type", kind.group(1)
    head = statement.split("(")[0]
    if "(" not in statement or statement.startswith("using") or ("=" in head and "operator" not in head):
        return "other", ""
    name = re.search(r"(operator\s*\S+|~?\w+)\s*$", head)
    return ("function", name.group(1).replace(" ", "")) if name else ("other", "")


def functions_of(root, header):
    """Public functions and documented types of a header. An accessor, written out in its class without a doc block, is none."""
    path = header.relative_to(root / "src").as_posix()
    doc, statement, start = [], "", 0
    scopes, hidden, skip = [], [False], 0  # scopes: names of classes, '' for a namespace; skip: depth inside a body
    for number, line in enumerate(header.read_text().splitlines(), 1):
        text = line.strip()
        if text.startswith("///") and skip == 0 and statement == "":
            doc.append(text[3:].strip())
            continue
        text = re.sub(r'"(\\.|[^"\\])*"', '""', re.sub(r"//.*", "", text)).strip()
        if text.startswith("#"):
            continue
        if re.fullmatch(r"(public|private|protected):", text):
            hidden[-1] = text != "public:"
            continue
        if text == "" and statement == "":
            doc = []
        for letter in text + " ":
            balanced = statement.count("(") == statement.count(")")
            if skip > 0:
                skip += {"{": 1, "}": -1}.get(letter, 0)
            elif letter == "}" and balanced:
                scopes.pop()
                hidden.pop()
                doc, statement = [], ""
            elif letter in "{;" and balanced:
                kind, name = declared(statement)
                if name and not any(hidden) and (doc or (kind == "function" and letter == ";")):
                    yield Function(path, start, kind, "::".join([scope for scope in scopes if scope] + [name]), " ".join(doc))
                if letter == "{" and kind in ("type", "namespace"):
                    scopes.append(name)
                    hidden.append(statement.startswith("class"))
                elif letter == "{":
                    skip = 1
                doc, statement = [], ""
            else:
                start = start if statement else number
                statement = (statement + letter).lstrip()


def all_functions(root, faults):
    """Functions that name theorems or say that they are not checked; a fault for those of src/bounds that do neither."""
    kept, silent, seen = {}, [], set()
    for room in ROOMS:
        for header in sorted((root / "src" / room).glob("*.hpp")):
            for function in functions_of(root, header):
                seen.add(function.name)
                parts = function.name.split("::")
                constructor = parts[-1] in parts[:-1]
                if function.theorems or function.unchecked:
                    same = kept.setdefault(function.place(), function)
                    same.theorems += [name for name in function.theorems if name not in same.theorems]
                elif room == "bounds" and function.kind == "function" and function.name not in NO_BOUND and not constructor:
                    silent.append(function)
    faults += [f"src/{function.path}:{function.line}: {function.name} neither names a theorem ('Proof: NAME.') nor says '{UNCHECKED}'"
               for function in silent if function.place() not in kept]  # overloads share one doc block
    faults += [f"tests/theorems.py: NO_BOUND names {name}, which no header declares" for name in sorted(NO_BOUND - seen)]
    return kept


def theorem_lines(root):
    """{theorem: (file, line index)} and {theorem: places it names}."""
    where, back = {}, {}
    for file in sorted((root / "proofs").glob("*.v")):
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines):
            if found := re.match(r"\s*Theorem\s+([\w']+)", line):
                where[found.group(1)] = (file, number)
                above, first = [], number - 1
                if number > 0 and lines[number - 1].rstrip().endswith("*)"):
                    while first >= 0 and "(*" not in lines[first]:
                        first -= 1
                    above = lines[first:number]
                comment = " ".join(part.strip() for part in above)
                if note := re.fullmatch(r"\(\* C\+\+: (.*)\. \*\)", comment):
                    back[found.group(1)] = note.group(1).split("; ")
    return where, back


def index_rows(root):
    rows = [line.split() for line in (root / "proofs" / "index.txt").read_text().splitlines() if line and not line.startswith("#")]
    return {row[0]: row[1] for row in rows}


def wanted_links(kept):
    """{theorem: the functions that name it}."""
    links = {}
    for place, function in sorted(kept.items()):
        for name in function.theorems:
            links.setdefault(name, []).append(place)
    return links


def wrapped(places):
    """The comment for a theorem, at most 140 columns a line."""
    lines, words = [], ("(* C++: " + "; ".join(places) + ". *)").split(" ")
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= 140:
            lines[-1] += " " + word
        else:
            lines.append(word if not lines else "   " + word)
    return lines


def write_links(root, links):
    """Replaces every 'C++:' comment of proofs/*.v."""
    for file in sorted((root / "proofs").glob("*.v")):
        lines = re.sub(r"^\(\* C\+\+: [^*]*\*\)\n", "", file.read_text(), flags=re.MULTILINE).splitlines()
        out = []
        for line in lines:
            found = re.match(r"Theorem\s+([\w']+)", line)
            out += (wrapped(links[found.group(1)]) if found and found.group(1) in links else []) + [line]
        text = "\n".join(out) + "\n"
        if text != file.read_text():
            file.write_text(text)


def link_faults(root, kept, links):
    rows = index_rows(root)
    where, back = theorem_lines(root)
    for place, function in kept.items():
        for name in function.theorems:
            if name not in rows:
                yield f"src/{function.path}:{function.line}: theorem '{name}' is not in proofs/index.txt"
            elif name not in where:
                yield f"src/{function.path}:{function.line}: no file of proofs/ has a theorem '{name}'"
            elif place not in back.get(name, []):
                yield f"{where[name][0]}:{where[name][1] + 1}: {name} does not name '{place}' back (tests/theorems.py ROOT --write)"
    for name, places in back.items():
        for place in places:
            if place not in links.get(name, []):
                yield f"{where[name][0]}:{where[name][1] + 1}: {name} names '{place}', whose doc block does not name it"


def table_rows(root):
    """[(place, theorems, not checked)] of src/report/bound_proofs.cpp."""
    text = re.sub(r'"\s*\n\s*"', "", (root / "src" / "report" / "bound_proofs.cpp").read_text())
    return re.findall(r'\{"[^"]*",\s*"([\w/.]+ [\w:]+)",\s*"([^"]*)",\s*"([^"]*)"\}', text)


def table_faults(root, kept):
    rows = table_rows(root)
    places = {place for place, function in kept.items() if function.path.startswith("bounds/")}
    for place in sorted(places - {row[0] for row in rows}):
        yield f"src/report/bound_proofs.cpp: no row for '{place}'"
    for place, theorems, unchecked in rows:
        if place not in places:
            yield f"src/report/bound_proofs.cpp: '{place}' is no function of src/bounds that names theorems or is {UNCHECKED}"
            continue
        function = kept[place]
        named = [name for name in theorems.split(", ") if name]
        if sorted(named) != sorted(function.theorems):
            yield f"src/report/bound_proofs.cpp: '{place}': {sorted(set(named) ^ set(function.theorems))} on one side only"
        if (unchecked != "") != function.unchecked:
            yield f"src/report/bound_proofs.cpp: '{place}': '{UNCHECKED}' on one side only"


def main(root, write):
    faults = []
    kept = all_functions(root, faults)
    links = wanted_links(kept)
    if write:
        write_links(root, links)
    faults += list(link_faults(root, kept, links)) + list(table_faults(root, kept))
    bounds = [function for function in kept.values() if function.path.startswith("bounds/")]
    if not bounds:
        faults.append("src/bounds: no theorem is named at all")
    open_ones = sum(function.unchecked for function in bounds)
    print("\n".join(faults) if faults else f"{len(links)} theorems and {len(kept)} functions name each other; {len(bounds)} functions of "
          f"src/bounds, {open_ones} of them in part or whole {UNCHECKED}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), "--write" in sys.argv[2:]))
