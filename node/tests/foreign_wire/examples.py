"""Every example of docs/wire.md reads and is written again, byte by byte, by wire.py."""

import document
import wire


def flat(values, path=""):
    """The numbers of a payload by the names that the examples use."""
    for name, value in values.items():
        if isinstance(value, int):
            yield path + name, value
        elif isinstance(value, list):
            for number, one in enumerate(value):
                if isinstance(one, dict):
                    yield from flat(one, f"{path}{name}[{number}].")
                else:
                    yield f"{path}{name}[{number}]", one


def parts_of(kind, title):
    """The parts of a request, a receipt or a row."""
    if kind in wire.REQUEST_OF:
        return wire.REQUESTS[wire.REQUEST_OF[kind]].parts
    return wire.SHAPES["Made" if wire.KINDS[kind][0] == "Receipt" else title.rsplit(" ", 1)[1]]


def again(kind, title, payload):
    """The parts of a command, list, receipt or page, read and written anew."""
    values = wire.decode("Fields", payload)
    if kind in wire.REQUEST_OF:
        parts = parts_of(kind, title)
        out = wire.fields_of(parts, wire.gathered(parts, wire.listed(payload)))
    elif wire.KINDS[kind][0] == "Receipt":
        out = wire.fields_of(wire.SHAPES["Made"], wire.receipt(payload))
    else:
        answer = title.rsplit(" ", 1)[1]
        rows, after = wire.page(answer, payload)
        out = [(wire.NEXT, wire.BYTES, after)]
        for row in rows:
            out += [(wire.ROW, wire.NONE, None), *wire.fields_of(wire.SHAPES[answer], row)]
    return wire.fields(values["command_id"], values["tenant"], out)


def main():
    examples, seen, untaught = document.examples(), set(), set()
    for title, data, notes in examples:
        [(kind, request_id, payload)] = wire.Reader().take(data)
        layout = wire.layout_of(kind)
        values = wire.decode(layout, payload)
        assert wire.frame(kind, request_id, wire.encode(layout, values)) == data, title
        if layout == "Fields":
            strange = {wire.inner(part.type)[1] for part in parts_of(kind, title)} - wire.KNOWN
            untaught |= strange
            assert strange or again(kind, title, payload) == payload, f"{title}, by its parts"
        told = dict(flat(values)) | {"len": len(payload), "kind": kind, "request_id": request_id}
        for name, value in notes.items():
            assert told[name] == value, f"{title}: {name} is {told[name]}, and {value} beside the bytes"
        seen.add(kind)
    missing = (set(wire.KINDS) | set(wire.REQUEST_OF)) - seen
    assert not missing, f"no example of the kinds {missing}"
    if untaught:
        print(f"examples: not looked into, for wire.py was not taught these types: {', '.join(sorted(untaught))}")
    print(f"examples: {len(examples)} frames of {len(seen)} kinds read and written again")


if __name__ == "__main__":
    main()
