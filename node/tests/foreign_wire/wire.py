"""Tessera's wire: frames, payloads, fields and handles, from docs/wire.md alone.

A payload of a layout is a dict of its fields; a Vec of bytes is bytes, another Vec a list.
The parts of a command, a receipt or a row are a dict of Python's own values (`Fields` below).
What does not read raises Malformed.
"""

import base64
import os
import re
import struct
import uuid
import zlib

import document

KINDS, LAYOUTS, REQUESTS, SHAPES = document.kinds(), document.layouts(), document.requests(), document.shapes()
TAGS, NAMES_OF_SETTINGS = document.tags(), document.settings()
NUMBER_OF = {name: number for number, (name, _) in KINDS.items()} | {n: r.number for n, r in REQUESTS.items()}
REQUEST_OF = {request.number: name for name, request in REQUESTS.items()}

HEADER = struct.Struct("<IHHQ")
PAYLOAD_BYTES_MAX, BEFORE_HELLO_BYTES_MAX = 262_144, 4_096
ITEMS_MAX = 1_024
CONNECTIONS_TENANT = NEVER = 2**64 - 1
UNKNOWN, LIMIT, HELLO_EXPECTED, HELLO_REFUSED = 402, 406, 404, 405
BAD_HEADER, TOO_LARGE, BAD_PAYLOAD, TOO_SLOW = 400, 401, 403, 407


class Malformed(Exception):
    """Bytes that are not what they should be; `code` is what a node says of them."""

    def __init__(self, code, why):
        super().__init__(f"{why} ({code})")
        self.code = code


# Frames


def frame(kind, request_id, payload, flags=0):
    """Header, payload, padding."""
    return HEADER.pack(len(payload), kind, flags, request_id) + payload + bytes(-len(payload) % 16)


class Reader:
    """Takes the bytes of one stream and gives its frames."""

    def __init__(self, cap=PAYLOAD_BYTES_MAX):
        self.held, self.cap = bytearray(), cap

    def take(self, data):
        """The frames that are whole now, as (kind, request id, payload)."""
        self.held += data
        while len(self.held) >= HEADER.size:
            length, kind, flags, request_id = HEADER.unpack_from(self.held)
            if flags != 0:
                raise Malformed(BAD_HEADER, "flags of a frame")
            if length > self.cap:
                raise Malformed(TOO_LARGE, "a frame over the cap")
            padded = HEADER.size + length + -length % 16
            if len(self.held) < padded:
                return
            payload = bytes(self.held[HEADER.size : HEADER.size + length])
            if any(self.held[HEADER.size + length : padded]):
                raise Malformed(BAD_HEADER, "padding that is not zero")
            del self.held[:padded]
            yield kind, request_id, payload


# Payloads

NUMBERS = {"u16": ("<H", 2), "u32": ("<I", 4), "u64": ("<Q", 8)}


def array(kind):
    """The n of `[u8; n]`."""
    found = re.fullmatch(r"\[u8; (\d+)\]", kind)
    return found and int(found[1])


def element(kind):
    """The T of `Vec<T>`."""
    found = re.fullmatch(r"Vec<(\w+)>", kind)
    return found and found[1]


def measure(kind):
    """Size and alignment of an element of a vector."""
    if kind == "u8":
        return 1, 1
    if kind in NUMBERS:
        return NUMBERS[kind][1], NUMBERS[kind][1]
    return LAYOUTS[kind].size, LAYOUTS[kind].align


def put(kind, value):
    """A value of fixed size, as bytes."""
    if kind in NUMBERS:
        return struct.pack(NUMBERS[kind][0], value or 0)
    if array(kind):
        held = bytes(array(kind)) if value is None else value
        assert len(held) == array(kind), f"{len(held)} bytes instead of {array(kind)}"
        return held
    return b"".join(put(of, value.get(name)) for _, name, of in LAYOUTS[kind].fields)


def get(kind, data, at):
    """A value of fixed size."""
    if kind in NUMBERS:
        return struct.unpack_from(NUMBERS[kind][0], data, at)[0]
    if array(kind):
        return bytes(data[at : at + array(kind)])
    return {name: get(of, data, at + offset) for offset, name, of in LAYOUTS[kind].fields}


def encode(name, values):
    """A payload: the contents of each vector, then the root."""
    layout, out, begins = LAYOUTS[name], bytearray(), {}
    for _, field, kind in layout.fields:
        if element(kind):
            out += bytes(-len(out) % measure(element(kind))[1])
            begins[field] = len(out)
            contents = values.get(field) or b""
            out += contents if element(kind) == "u8" else b"".join(put(element(kind), one) for one in contents)
    out += bytes(-len(out) % layout.align)
    root = len(out)
    for offset, field, kind in layout.fields:
        if element(kind):
            out += struct.pack("<iI", begins[field] - (root + offset), len(values.get(field) or b""))
        else:
            out += put(kind, values.get(field))
    return bytes(out)


def decode(name, data):
    """The values of a payload, after looking that all of it lies where it may. Pads are not looked at."""
    layout, values = LAYOUTS[name], {}
    root = len(data) - layout.size
    if root < 0 or root % layout.align:
        raise Malformed(BAD_PAYLOAD, f"no root of {name}")
    free = 0  # contents stand in the order of their fields
    for offset, field, kind in layout.fields:
        of = element(kind)
        if not of:
            values[field] = get(kind, data, root + offset)
            continue
        away, count = struct.unpack_from("<iI", data, root + offset)
        (size, align), begin = measure(of), root + offset + away
        end = begin + count * size
        if begin < free or begin % align or end > root:
            raise Malformed(BAD_PAYLOAD, f"{field} lies elsewhere")
        free = end
        if of == "u8":
            values[field] = bytes(data[begin:end])
        else:
            values[field] = [get(of, data, at) for at in range(begin, end, size)]
    return values


def layout_of(kind):
    """The layout of a kind's payload."""
    if kind in KINDS:
        return KINDS[kind][1]
    if kind in REQUEST_OF:
        return "Fields"
    raise Malformed(UNKNOWN, f"kind {kind}")


# Commands, lists, receipts and pages

NONE, NUMBER, FLAG, INTEGER, TEXT, BYTES = range(6)
IDENTIFIER_KIND, ATTRIBUTE_VALUE = TAGS["IdentifierKind"], TAGS["Value"]
ROW, NEXT = TAGS["Row"], TAGS["Next"]
# Parts that are several fields: the tags that may stand for them, and how each is written.
CLIENT_TERMS = {
    "RefreshMode": NUMBER,
    "SessionTtl": NUMBER,
    "SessionIdle": NUMBER,
    "RefreshTtl": NUMBER,
    "SessionsMax": NUMBER,
    "Evict": FLAG,
}
SETTINGS = {name: NUMBER for name, tag in TAGS.items() if tag in NAMES_OF_SETTINGS}
GROUPS = {"Receipt": {"Epoch": NUMBER, "Revision": NUMBER}, "ClientTerms": CLIENT_TERMS, "Settings": SETTINGS}
# A change holds those settings that change.
GROUPS["SettingsChange"] = SETTINGS
NAME_OF_TAG = {tag: name for name, tag in TAGS.items()}
WRITTEN = {"Name": TEXT, "Pattern": TEXT, "Condition": TEXT, "String": TEXT, "Origin": TEXT, "bool": FLAG} | dict.fromkeys(
    ("Private", "PublicId", "IpAddr", "Network"), BYTES
)


NUMBERED = {"TenantId", "u32", "u64", "Deadline", "SubjectKind", "SubjectStatus", "TenantStatus", "AttributeKind"}
# What this client knows how to write; a type that came later may need to be taught here.
KNOWN = {*WRITTEN, *GROUPS, *NUMBERED, "Identifier", "Attribute"}


def inner(kind):
    """(many, T) of `Vec<T>`, `Option<T>` and `T`; a list of attributes is one of pairs."""
    if kind.startswith(("Vec<(Name", "(Name")):
        return True, "Attribute"
    found = re.fullmatch(r"(Vec|Option)<(.+)>", kind)
    return (found[1] == "Vec", found[2]) if found else (False, kind)


def optional(kind):
    """Whether a part may be absent: an option, or a list, which may be empty."""
    return kind.startswith(("Vec<", "Option<")) or kind in GROUPS


def how_written(kind, value):
    """The kind of the field of one value; one that is not text or bytes by its type is a number."""
    return WRITTEN.get(kind, {str: TEXT, bytes: BYTES}.get(type(value), NUMBER))


def written(kind, tag, value):
    """One value as fields: (tag, kind, value)."""
    if kind in GROUPS:
        return [(TAGS[name], GROUPS[kind][name], value[name]) for name in value]
    if kind == "Identifier":
        return [(IDENTIFIER_KIND, NUMBER, value[0]), (tag, TEXT, value[1])]
    if kind == "Attribute":
        name, held = value
        how = {type(None): NONE, bool: FLAG, int: INTEGER, str: TEXT}[type(held)]
        return [(tag, TEXT, name), (ATTRIBUTE_VALUE, how, held)]
    return [(tag, how_written(kind, value), value)]


def fields_of(parts, values):
    """Parts by name as fields, in the order of the table."""
    out = []
    for part in parts:
        many, kind = inner(part.type)
        value = values.get(part.name)
        if value is None:
            assert optional(part.type), f"{part.name} is missing"
            continue
        for one in value if many else [value]:
            out += written(kind, part.tag, one)
    unknown = set(values) - {part.name for part in parts}
    assert not unknown, f"no parts: {unknown}"
    return out


def fields(command_id, tenant, listed):
    """A payload of the layout Fields."""
    pool, out = bytearray(), []
    for tag, kind, value in listed:
        number, length = value or 0, 0
        if kind in (TEXT, BYTES):
            held = value.encode() if kind == TEXT else value
            number, length = len(pool), len(held)
            pool += held
        out.append({"tag": tag, "kind": kind, "len": length, "number": int(number) % 2**64})
    return encode("Fields", {"command_id": command_id, "tenant": tenant, "fields": out, "bytes": bytes(pool)})


def listed(payload):
    """The fields of such a payload as (tag, kind, value)."""
    values = decode("Fields", payload)
    for field in values["fields"]:
        tag, kind, length, number = field["tag"], field["kind"], field["len"], field["number"]
        if kind in (TEXT, BYTES):
            if number + length > len(values["bytes"]):
                raise Malformed(BAD_PAYLOAD, "a field outside the bytes")
            held = values["bytes"][number : number + length]
            try:
                yield tag, kind, held.decode() if kind == TEXT else held
            except UnicodeDecodeError as error:
                raise Malformed(BAD_PAYLOAD, "text that is no UTF-8") from error
            continue
        if length or kind > BYTES or (kind == NONE and number) or (kind == FLAG and number > 1):
            raise Malformed(BAD_PAYLOAD, "a field that is not written like this")
        if kind == INTEGER and number >= 2**63:
            number -= 2**64
        yield tag, kind, None if kind == NONE else bool(number) if kind == FLAG else number


def gathered(parts, found):
    """Fields as parts by name; fields that nobody knows are passed over."""
    values, before = {}, {}
    kinds = [(part, *inner(part.type)) for part in parts]
    single = {part.tag: (part.name, many, kind) for part, many, kind in kinds if kind not in GROUPS}
    groups = {TAGS[name]: (part.name, name) for part, _, kind in kinds if kind in GROUPS for name in GROUPS[kind]}
    for part in parts:
        if part.type in GROUPS:
            values[part.name] = {}
        elif inner(part.type)[0]:
            values[part.name] = []
    for tag, _, value in found:
        if tag in (IDENTIFIER_KIND, TAGS["Attribute"]) and tag not in before:
            before[tag] = value
            continue
        if tag == ATTRIBUTE_VALUE and TAGS["Attribute"] in before:
            tag, value = TAGS["Attribute"], (before.pop(TAGS["Attribute"]), value)
        elif tag == TAGS["Identifier"] and IDENTIFIER_KIND in before:
            value = (before.pop(IDENTIFIER_KIND), value)
        if tag in single:
            name, many, _ = single[tag]
            values[name] = [*values[name], value] if many else value
        elif tag in groups:
            # A group that may be absent is there with its first field.
            values.setdefault(groups[tag][0], {})[groups[tag][1]] = value
    return values


def receipt(payload):
    """What a command made."""
    return gathered(SHAPES["Made"], listed(payload))


def page(answer, payload):
    """The rows of a page and the cursor of the next one, or None."""
    after, rows = None, []
    for tag, kind, value in listed(payload):
        if tag == NEXT:
            after = value
        elif tag == ROW:
            rows.append([])
        elif rows:
            rows[-1].append((tag, kind, value))
    return [gathered(SHAPES[answer], row) for row in rows], after


# Handles and identifiers

PREFIXES = {1: "tess_", 2: "tkey_", 3: "tref_", 4: "tset_"}
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def checksum(text):
    """Six digits of base62."""
    number, out = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        out = DIGITS[digit] + out
    return out


def handle(text):
    """The 40 bytes of a handle from its text form."""
    held = base64.urlsafe_b64decode(text[5:59] + "==") if len(text) == 65 else b""
    if len(held) != 40 or spelled(held) != text:
        raise Malformed(BAD_PAYLOAD, "no handle")
    return held


def spelled(held):
    """The text form of a handle."""
    body = PREFIXES[held[1]] + base64.urlsafe_b64encode(held).decode().rstrip("=")
    return body + checksum(body)


def command_id(node_ms):
    """A UUIDv7 of this instant."""
    head = node_ms << 80 | 7 << 76 | 2 << 62
    return (head | int.from_bytes(os.urandom(10), "big") & ~(15 << 76 | 3 << 62)).to_bytes(16, "big")


def public(held):
    """The text form of a public id."""
    return str(uuid.UUID(bytes=held))
