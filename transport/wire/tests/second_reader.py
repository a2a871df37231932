"""Reads and writes every example of docs/wire.md by the rules of that document alone.

A second implementation of the wire in another language, standard library only. For each example it
decodes the frame, compares what it found with what the document says beside the bytes, and encodes
the values again: the same bytes. Usage: second_reader.py path/to/wire.md
"""

import re
import struct
import sys

FORMATS = {"u16": "<H", "u32": "<I", "u64": "<Q"}


def part(text, name):
    """The text between the marks of a made part."""
    return text.split(f"<!-- made: {name} -->")[1].split("<!-- end -->")[0]


def layouts_of(text):
    layouts, name = {}, None
    for line in part(text, "layouts").splitlines():
        head = re.fullmatch(r"(\w+) \((\d+) bytes, aligned to (\d+)\)", line)
        field = re.fullmatch(r" +(\d+)  (\w+): (.+)", line)
        if head:
            name = head[1]
            layouts[name] = {"size": int(head[2]), "align": int(head[3]), "fields": []}
        elif field:
            layouts[name]["fields"].append((int(field[1]), field[2], field[3]))
    return layouts


def kinds_of(text):
    rows = re.findall(r"\| (\d+) \| \w+ \| \w+ \| (\w+) \|", part(text, "kinds"))
    return {int(number): layout for number, layout in rows}


def requests_of(text):
    """Kind -> tags in the order of the table."""
    rows = re.findall(r"\| (0x[0-9a-f]+) \w+ -> \w+ \| (.*) \|", part(text, "requests"))
    return {int(number, 16): [int(tag) for tag in re.findall(r"` (\d+)", parts)] for number, parts in rows}


class Wire:
    def __init__(self, layouts):
        self.layouts = layouts

    def shape(self, kind):
        """Size and alignment of a type."""
        if kind in FORMATS:
            size = struct.calcsize(FORMATS[kind])
            return size, size
        if kind.startswith("Vec<"):
            return 8, 4
        if kind == "u8":
            return 1, 1
        if kind.startswith("["):
            return int(kind.strip("[]").split(";")[1]), 1
        return self.layouts[kind]["size"], self.layouts[kind]["align"]

    def read(self, data, at, kind):
        size, align = self.shape(kind)
        assert at % align == 0 and 0 <= at <= len(data) - size, "out of place"
        if kind in FORMATS:
            return struct.unpack_from(FORMATS[kind], data, at)[0]
        if kind.startswith("["):
            return bytes(data[at : at + size])
        if kind.startswith("Vec<"):
            offset, count = struct.unpack_from("<iI", data, at)
            item, start = kind[4:-1], at + offset
            if item == "u8":
                assert 0 <= start <= len(data) - count, "out of place"
                return bytes(data[start : start + count])
            step = self.shape(item)[0]
            return [self.read(data, start + nth * step, item) for nth in range(count)]
        return {name: self.read(data, at + place, of) for place, name, of in self.layouts[kind]["fields"]}

    def flat(self, value, kind):
        """A value without vectors, as bytes."""
        if kind in FORMATS:
            return struct.pack(FORMATS[kind], value)
        if kind.startswith("["):
            return value
        return b"".join(self.flat(value[name], of) for _, name, of in self.layouts[kind]["fields"])

    def write(self, value, name):
        """A payload: the contents of the vectors, then the root."""
        out, starts = bytearray(), {}
        for _, field, kind in self.layouts[name]["fields"]:
            if kind.startswith("Vec<"):
                item = kind[4:-1]
                out += bytes(-len(out) % self.shape(item)[1])
                starts[field] = len(out)
                out += value[field] if item == "u8" else b"".join(self.flat(one, item) for one in value[field])
        out += bytes(-len(out) % self.layouts[name]["align"])
        root = len(out)
        for place, field, kind in self.layouts[name]["fields"]:
            if kind.startswith("Vec<"):
                out += struct.pack("<iI", starts[field] - (root + place), len(value[field]))
            else:
                out += self.flat(value[field], kind)
        return bytes(out)


def said(value, name=""):
    """Every number in a value as the document writes it: path = value."""
    if isinstance(value, dict):
        for field, inner in value.items():
            yield from said(inner, f"{name}.{field}" if name else field)
    elif isinstance(value, list):
        for nth, inner in enumerate(value):
            yield from said(inner, f"{name}[{nth}]")
    elif isinstance(value, int):
        yield f"{name} = {value}"


def examples_of(text):
    for name, block in re.findall(r"### (.+?)\n\n```text\n(.*?)```", part(text, "examples"), re.S):
        data, words = bytearray(), []
        for line in block.splitlines():
            assert int(line[:4], 16) == len(data), f"{name}: offset {line[:4]}"
            data += bytes.fromhex(line[6:53].strip())
            words.append(line[55:].strip())
        yield name, bytes(data), words


def check(text):
    wire, kinds, requests = Wire(layouts_of(text)), kinds_of(text), requests_of(text)
    count = 0
    for name, data, words in examples_of(text):
        length, kind, flags, request_id = struct.unpack_from("<IHHQ", data)
        assert flags == 0 and len(data) == 16 + -(-length // 16) * 16, name
        assert words[0] == f"len = {length}, kind = {kind}, request_id = {request_id}", name
        layout = kinds.get(kind, "Fields")
        payload = data[16 : 16 + length]
        value = wire.read(payload, length - wire.layouts[layout]["size"], layout)
        found = sorted(said(value))
        assert found == sorted(word for word in words[1:] if " = " in word and '"' not in word), name
        again = wire.write(value, layout)
        frame = struct.pack("<IHHQ", len(again), kind, 0, request_id) + again
        assert frame + bytes(-len(frame) % 16) == data, f"{name}: other bytes"
        if kind in requests:
            tags = [field["tag"] for field in value["fields"]]
            known = set(requests[kind])
            # Pairs (25 before 26, 31 after 30), settings (80 to 99, 110 to 129) and a client's terms bring tags
            # of their own.
            known |= {25} if 26 in known else set()
            known |= {31} if 30 in known else set()
            known |= set(range(80, 100)) | set(range(110, 130)) if 80 in known else set()
            known |= {80, 81, 93, 95, 96} if 92 in known else set()
            # Each row of a load is opened by 1 and has tags of its own.
            known |= {22, 23, 25, 26, 30, 31, 40, 50, 60, 61, 161, 162} if 1 in known else set()
            # So is each entry of a service: permission, action, labels, description, deprecated, and what replaces it.
            known |= {138, 223, 224, 225, 226, 227} if 0x1082 == kind else set()
            # And each endpoint: method, path, and what it needs.
            known |= {291, 293, 294} if 0x10AA == kind else set()
            # And each rule of sight: role, reach, details, and the attributes that it shows.
            known |= {40, 300, 301, 302} if 0x10C0 == kind else set()
            # A tuple is object, relation, subject and window; those of a question have tags of their own; a
            # position is epoch and revision.
            known |= {60, 61, 190, 191, 192} if known & {190, 193} else set()
            known |= {198, 199, 211} if 197 in known else set()
            known |= {6} if 5 in known else set()
            known |= {247} if 246 in known else set()
            assert set(tags) <= known, name
            for field in value["fields"]:
                assert field["kind"] in (4, 5) or field["len"] == 0, name
                end = field["number"] + field["len"]
                assert field["kind"] not in (4, 5) or end <= len(value["bytes"]), name
        count += 1
    shown = {struct.unpack_from("<H", data, 4)[0] for _, data, _ in examples_of(text)}
    assert set(kinds) | set(requests) <= shown, "a kind without an example"
    return count


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as document:
        print(check(document.read()), "examples read and written by the document alone")
