"""The include rule: a room of src/ includes itself and the rooms that CMake lists for it, nothing else.

usage: include_rule.py SRC ROOMS_TXT
ROOMS_TXT has one line per room, "ROOM: OTHER OTHER ..." (spaces or semicolons), written by CMake from the equinorm_room calls.
Prints one line per violation and exits 1 if there is one.
"""

import pathlib
import re
import sys

SUFFIXES = {".cpp", ".hpp", ".cu", ".cuh", ".h", ".c"}
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b[ \t]*(.*)$", re.MULTILINE)
QUOTED = re.compile(r'"([^"]+)"')
ANGLED = re.compile(r"<([^>]+)>")
# The one source outside the rooms, and what it may include.
MAIN = "main.cpp"
MAIN_USES = {"commands"}


def read_rooms(text):
    """room -> set of the rooms that it may include."""
    rooms = {}
    for line in text.splitlines():
        if line.strip():
            room, uses = line.split(":", 1)
            rooms[room.strip()] = set(re.split(r"[;\s]+", uses.strip())) - {""}
    return rooms


def find_cycle(rooms):
    """A list of rooms that include each other in a ring, or None."""
    done = set()

    def visit(room, trail):
        if room in trail:
            return trail[trail.index(room):] + [room]
        if room in done:
            return None
        for other in sorted(rooms.get(room, ())):
            cycle = visit(other, trail + [room])
            if cycle:
                return cycle
        done.add(room)
        return None

    return next((cycle for cycle in (visit(room, []) for room in sorted(rooms)) if cycle), None)


def check_file(path, source, rooms):
    """Violations of one file as (line number, message)."""
    owner = path.parts[0] if len(path.parts) > 1 else None
    if owner is None and path.name != MAIN:
        return [(1, f"only {MAIN} may lie outside a room")]
    if owner is not None and owner not in rooms:
        return [(1, f"folder '{owner}' is no room of CMakeLists.txt")]
    allowed = MAIN_USES if owner is None else rooms[owner] | {owner}
    found = []
    for match in INCLUDE.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        quoted, angled = QUOTED.match(match[1]), ANGLED.match(match[1])
        if quoted:
            target = quoted[1].split("/")[0]
            if target not in rooms or "/" not in quoted[1]:
                found.append((line, f'"{quoted[1]}" does not begin with a room; rooms: {" ".join(sorted(rooms))}'))
            elif target not in allowed:
                found.append((line, f'"{quoted[1]}": {owner or MAIN} may include only {" ".join(sorted(allowed))}'))
        elif angled:
            if angled[1].split("/")[0] in rooms:
                found.append((line, f"<{angled[1]}> is a room's file: include it with quotes"))
        else:
            found.append((line, f"an include that cannot be read: {match[1]!r}"))
    return found


def violations(src, rooms):
    found = [f"CMakeLists.txt: room {room} uses {other}, which is no room" for room in rooms for other in sorted(rooms[room] - set(rooms))]
    cycle = find_cycle(rooms)
    if cycle:
        found.append(f"CMakeLists.txt: rooms include each other in a ring: {' -> '.join(cycle)}")
    files = sorted(path for path in src.rglob("*") if path.suffix in SUFFIXES)
    if not files:
        found.append(f"no sources under {src}")
    for path in files:
        relative = path.relative_to(src)
        found += [f"src/{relative}:{line}: {text}" for line, text in check_file(relative, path.read_text(encoding="utf-8"), rooms)]
    return found


def main(arguments):
    src, rooms_file = map(pathlib.Path, arguments)
    found = violations(src, read_rooms(rooms_file.read_text(encoding="utf-8")))
    print("\n".join(found) or "every include keeps the rule")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
