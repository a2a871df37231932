"""What docs/wire.md says in tables: kinds, layouts, requests, shapes, tags and examples.

Everything that is a table there is taken from the text itself, so that the client next to this file speaks
what the document says and nothing else. An implementation in another language writes these tables down.
"""

import collections
import os
import pathlib
import re

PATH = os.environ.get("TESSERA_WIRE") or pathlib.Path(__file__).parents[3] / "docs/wire.md"
TEXT = pathlib.Path(PATH).read_text(encoding="utf-8")

Layout = collections.namedtuple("Layout", "name size align fields")  # fields: [(offset, name, type)]
Part = collections.namedtuple("Part", "name type tag")
Request = collections.namedtuple("Request", "number answer parts")
Example = collections.namedtuple("Example", "title frame notes")  # notes: {"items[0].flags": 1}


def made(name):
    """The part of the document between the mark `made: name` and its end."""
    return TEXT.split(f"<!-- made: {name} -->", 1)[1].split("<!-- end -->", 1)[0]


def kinds():
    """Number -> (name, layout), for the kinds that have one number."""
    rows = re.findall(r"^\| (\d+) \| (\w+) \| \w+ \| (\w+) \|$", made("kinds"), re.M)
    return {int(number): (name, layout) for number, name, layout in rows}


def layouts():
    """Name -> Layout."""
    found = {}
    blocks = re.findall(r"^(\w+) \((\d+) bytes, aligned to (\d+)\)\n((?: .*\n)+)", made("layouts"), re.M)
    for name, size, align, lines in blocks:
        fields = re.findall(r"^ +(\d+) +(\w+): (.+)$", lines, re.M)
        found[name] = Layout(name, int(size), int(align), [(int(at), field, kind) for at, field, kind in fields])
    return found


def parts(cell):
    """The parts of a request or a shape: name, type, tag."""
    found = re.findall(r"(\w+) `([^`]+)` (\d+)", cell)
    return [Part(name, kind.replace(" ", ""), int(tag)) for name, kind, tag in found]


def requests():
    """Name -> Request."""
    rows = re.findall(r"^\| (0x[0-9a-f]+) (\w+) -> (\w+) \|(.*)\|$", made("requests"), re.M)
    return {name: Request(int(number, 16), answer, parts(cell)) for number, name, answer, cell in rows}


def shapes():
    """Name -> [Part]."""
    return {name: parts(cell) for name, cell in re.findall(r"^\| ([A-Z]\w+) \|(.*)\|$", made("shapes"), re.M)}


def tags():
    """Name -> tag."""
    return {name: int(tag) for tag, name in re.findall(r"(\d+) (\w+)", made("tags"))}


def settings():
    """Tag -> name of a setting, where the document tells it; tags without a name are those that its example has."""
    [line] = re.findall(r"^- `Settings`: .*$", TEXT, re.M)
    named = {int(tag): name for tag, name in re.findall(r"(\d+) `(\w+)`", line)}
    [example] = [one for one in examples() if one.title == "ChangeSettings"]
    used = [tag for name, tag in example.notes.items() if name.endswith(".tag")]
    return {tag: named.get(tag) for tag in {*used, *named}}


def examples():
    """Every example: its frame, and what stands beside the bytes of a number."""
    found = []
    for title, dump in re.findall(r"^### (.+)\n\n```text\n((?:.*\n)+?)```", made("examples"), re.M):
        frame, notes = b"", {}
        for line in dump.splitlines():
            assert int(line[:4], 16) == len(frame), f"{title}: a wrong offset: {line}"
            frame += bytes.fromhex(line[6:53])
            notes |= {name: int(value) for name, value in re.findall(r"([\w.\[\]]+) = (\d+)", line[53:])}
        found.append(Example(title, frame, notes))
    return found
