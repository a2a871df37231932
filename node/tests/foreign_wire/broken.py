"""Frames that are broken in a few hundred ways, and what docs/wire.md promises of each."""

import asyncio
import os
import random

import client
import job
import wire

SEED = int(os.environ.get("TESSERA_SEED", "7"))
MUTATIONS = int(os.environ.get("TESSERA_MUTATIONS", "600"))
ERROR = wire.NUMBER_OF["Error"]
ANSWER_OF = {"Check": 4, "CheckBatch": 6, "Introspect": 8, "ListPermissions": 10, "Resolve": 12, "CheckRelation": 17}
ASKED = {wire.NUMBER_OF[name]: answer for name, answer in ANSWER_OF.items()}


# What the document promises

REFUSED = set(range(200, 400))
NAME_BYTES_MAX = 128
RELATION_BYTES_MAX = 562
# What a check of a relation may be refused with: why there is no answer (275 to 277) stands in the answer.
RELATION_REFUSED = {200, 233, 300, 301, 302, 303, 304}


def names_read(kind, values):
    """Whether what a question says of its names and flags is so."""
    names, items = values.get("names", b""), values.get("items", [values])
    if len(items) > wire.ITEMS_MAX:
        return False
    spelled, longest = [], NAME_BYTES_MAX
    if kind == wire.NUMBER_OF["CheckRelation"]:
        if values["flags"]:
            return False
        spelled = [values[f"{part}_len"] for part in ("object", "relation", "subject")]
        items, longest = [], RELATION_BYTES_MAX
    for item in items:
        if kind == wire.NUMBER_OF["Resolve"]:
            if item["noun"] not in (1, 2):
                return False
            spelled.append(item["len"])
            continue
        for noun in ("permission", "workspace"):
            length = item.get(f"{noun}_len", 0)
            if item.get(noun) and length:
                return False
            spelled.append(length)
        if item.get("flags", 0) > (3 if kind == wire.NUMBER_OF["ListPermissions"] else 1):
            return False
    if sum(spelled) != len(names) or max(spelled, default=0) > longest:
        return False
    for length in spelled:
        one, names = names[:length], names[length:]
        try:
            one.decode()
        except UnicodeDecodeError:
            return False
    return True


def fields_read(kind, found):
    """Whether these are the fields of a request, each once and written as it should; None where it is hard to say."""
    parts = wire.REQUESTS[wire.REQUEST_OF[kind]].parts
    sizes = {"PublicId": (16,), "IpAddr": (4, 16), "Network": (5, 17)}
    for part in parts:
        many, of = wire.inner(part.type)
        if of in wire.GROUPS or of in ("Identifier", "Attribute"):
            return None
        values = [(how, value) for tag, how, value in found if tag == part.tag]
        if len(values) > 1 and not many or not values and not wire.optional(part.type):
            return False
        for how, value in values:
            if how != wire.WRITTEN.get(of, wire.NUMBER) or of == "u32" and value >= 2**32:
                return False
            if of in sizes and len(value) not in sizes[of]:
                return False
    return not {tag for tag, _, _ in found} - {part.tag for part in parts}


def promised(kind, payload):
    """The answer to one whole frame: the kinds, and the codes of an Error that may come."""
    if kind == wire.NUMBER_OF["Hello"]:
        return set(), {wire.HELLO_EXPECTED}
    if kind not in ASKED and kind not in wire.REQUEST_OF:
        return set(), {wire.UNKNOWN}
    try:
        values = wire.decode(wire.layout_of(kind), payload)
    except wire.Malformed as error:
        return set(), {error.code}
    if kind in ASKED:
        if not names_read(kind, values):
            return set(), {wire.BAD_PAYLOAD}
        return {ASKED[kind]}, RELATION_REFUSED if kind == wire.NUMBER_OF["CheckRelation"] else REFUSED
    answer = {wire.NUMBER_OF["Receipt" if kind < 0x2000 else "Rows"]}
    try:
        whole = fields_read(kind, list(wire.listed(payload)))
    except wire.Malformed:
        whole = False
    if whole is None:
        return answer, REFUSED | {wire.BAD_PAYLOAD}
    # Of two mistakes either may be told: an ill-formed name (227) or instant (217) beside the form.
    return (answer, REFUSED) if whole else (set(), {wire.BAD_PAYLOAD, 227, 217, 220})


def foretold(data):
    """(the answers by request id, the code of the close or None) to bytes that end their stream."""
    reader, answers = wire.Reader(), []
    try:
        for kind, request_id, payload in reader.take(data):
            answers.append((request_id, promised(kind, payload)))
    except wire.Malformed as error:
        return answers, error.code
    return answers, wire.TOO_SLOW if reader.held else None


# What is sent


def corpus(session, ids):
    """Good frames."""
    read, write, place = ids
    item, names = client.check_item(session, "orders.read", "sales", "192.0.2.7")
    bare, _ = client.check_item(session, write, place)
    encode, number = wire.encode, wire.NUMBER_OF
    yield number["Check"], encode("Check", {**bare})
    yield number["Check"], encode("Check", {**item, "names": names})
    yield number["CheckBatch"], encode("CheckBatch", {"items": [bare, item, bare], "names": names})
    yield number["Introspect"], encode("Introspect", {"handle": session})
    yield (
        number["ListPermissions"],
        encode("ListPermissions", {"handle": session, "flags": 2, "workspace_len": 5, "names": b"sales"}),
    )
    about = {"object_len": 10, "relation_len": 6, "subject_len": 8, "names": b"document:1vieweruser:ann"}
    yield number["CheckRelation"], encode("CheckRelation", about)
    nouns = [{"noun": 1, "len": 11}, {"noun": 2, "len": 5}]
    yield number["Resolve"], encode("Resolve", {"items": nouns, "names": b"orders.readsales"})
    for name, values in (
        ("ListRoles", {"limit": 3}),
        ("ReadSettings", {}),
        ("SignOut", {"handle": bytes(40)}),
        ("CreateRole", {"name": "broken", "patterns": ["orders.read", "orders.*"]}),
        ("Ungrant", {"subject": bytes(16), "role": "reader", "workspace": "sales"}),
        (
            "SetAttributes",
            {"subject": bytes(16), "values": [("floor", 3), ("staff", True), ("motto", "x"), ("gone", None)]},
        ),
    ):
        parts = wire.REQUESTS[name].parts
        yield number[name], wire.fields(bytes(16), wire.CONNECTIONS_TENANT, wire.fields_of(parts, values))


def flipped(dice, data, low=0, high=None):
    held = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 5))):
        held[dice.randrange(low, high or len(held))] ^= 1 << dice.randrange(8)
    return bytes(held)


def mutated(dice, kind, payload):
    """One broken frame, or one that happens to be whole."""
    whole = wire.frame(kind, dice.randrange(1, 2**63), payload)
    how = dice.randrange(12)
    if how <= 2:
        return flipped(dice, whole)
    if how == 3:
        return flipped(dice, whole, 0, 16)
    if how == 4:  # the root: offsets and counts, numbers and pads
        return flipped(dice, whole, max(16, 16 + len(payload) - 40), 16 + len(payload))
    if how == 5:
        return whole[: dice.randrange(1, len(whole))]
    if how == 6:
        length = dice.choice((dice.randrange(2**32), wire.PAYLOAD_BYTES_MAX + 1, dice.randrange(2 * len(payload) + 1)))
        return length.to_bytes(4, "little") + whole[4:]
    if how == 7:
        return wire.frame(dice.choice((dice.randrange(2**16), dice.randrange(18))), dice.randrange(2**64), payload)
    if how == 8:
        cut = dice.randrange(len(payload) + 1)
        return wire.frame(kind, 5, payload[:cut])
    if how == 9:
        at = dice.randrange(len(payload) + 1)
        return wire.frame(kind, 6, payload[:at] + dice.randbytes(dice.randrange(1, 40)) + payload[at:])
    if how == 10:
        padded = wire.frame(kind, 7, payload + bytes(dice.randrange(1, 16)))
        return padded[:-1] + bytes([dice.randrange(256)])
    return wire.frame(kind, 8, dice.randbytes(dice.randrange(200)))


# What comes


class Lines:
    """A connection that is made anew after each close."""

    def __init__(self, stack, credential):
        self.stack, self.credential, self.line, self.made = stack, credential, None, 0

    async def get(self):
        if self.line is None or self.line.ended:
            self.line = await self.stack.enter_async_context(job.connect())
            self.made += 1
            await self.line.hello(self.credential)
        return self.line


async def tried(lines, data):
    """Sends bytes on a stream of their own and looks at what comes; the code of the close."""
    line = await lines.get()
    answers, close = foretold(data)
    stream = line.open()
    waiters = [(line.expect(request_id, stream), *allowed) for request_id, allowed in answers]
    line.send(data, stream, end=True)
    if close is None:
        for waiter, kinds, codes in waiters:
            async with asyncio.timeout(30):
                kind, payload = await waiter
            if kind == ERROR:
                code = wire.decode("Error", payload)["code"]
                assert code in codes, f"Error {code} instead of {kinds} or {codes if len(codes) < 9 else '2xx, 3xx'}"
            else:
                assert kind in kinds, f"kind {kind} instead of {kinds} or {codes}"
                if kind == wire.NUMBER_OF["RelationDecision"]:
                    told = wire.decode("RelationDecision", payload)
                    assert (told["flags"], told["code"]) in {(1, 0), (0, 0), (0, 275), (0, 276), (0, 277)}, told
        # Others on the connection go on.
        await line.introspect(lines.credential)
    else:
        code = await line.close_code()
        for waiter, *_ in waiters:
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # looked at
        assert code == close, f"closed with {code} instead of {close}"
    return close


async def mutations(stack, of, session, ids):
    """A few hundred, in turn on one connection until it is closed; another one is served throughout."""
    dice, frames = random.Random(SEED), list(corpus(session, ids))
    lines, counted, wrong = Lines(stack, of.made["handle"]), {}, []
    for number in range(MUTATIONS):
        data = mutated(dice, *dice.choice(frames))
        try:
            close = await tried(lines, data)
            counted[close] = counted.get(close, 0) + 1
        except (AssertionError, TimeoutError, client.Closed) as error:
            wrong.append(f"mutation {number} of seed {SEED}: {error!r}: {data.hex()}")
            lines.line = None
        if number % 10 == 0:
            assert (await of.line.check(session, "orders.read"))["reason"] == 0, number
    assert not wrong, "\n".join([f"{len(wrong)} of {MUTATIONS}:", *wrong])
    told = ", ".join(
        f"{count} {'answered' if code is None else f'closed by {code}'}"
        for code, count in sorted(counted.items(), key=str)
    )
    print(f"broken: {MUTATIONS} mutations, {told}; {lines.made} connections")


async def hellos(of):
    """The same of first frames, each on a connection of its own."""
    dice, good = random.Random(SEED + 1), wire.encode("Hello", {"credential": of.made["handle"], "flags": 1})
    hello, gate, wrong = wire.NUMBER_OF["Hello"], asyncio.Semaphore(4), []

    def expected(data):
        try:
            kind, _, payload = next(wire.Reader(wire.BEFORE_HELLO_BYTES_MAX).take(data), (None, 0, b""))
        except wire.Malformed as error:
            return None, error.code
        if kind is None:
            return None, wire.TOO_SLOW
        if kind != hello:
            return wire.HELLO_EXPECTED, wire.HELLO_EXPECTED
        try:
            values = wire.decode("Hello", payload)
        except wire.Malformed:
            values = {"flags": 4}
        if values["flags"] > 3:
            return wire.BAD_PAYLOAD, wire.HELLO_EXPECTED
        taken = values["flags"] & 1 and values["credential"] == of.made["handle"]
        if not taken or values["flags"] & 2 and values["tenant"] != of.made["tenant"]:
            return wire.HELLO_REFUSED, wire.HELLO_REFUSED
        return 0, 0

    async def one(number, data):
        async with gate, job.connect() as line:
            line.send(data, end=True)
            want = expected(data)
            if want == (0, 0):
                async with asyncio.timeout(30):
                    while not line.stray and not line.ended:
                        await asyncio.sleep(0.01)
                got = (0, 0) if line.stray and line.stray[0][1] == wire.NUMBER_OF["HelloReply"] else line.ended
            else:
                code = await line.close_code()
                errors = [wire.decode("Error", payload)["code"] for _, kind, _, payload in line.stray if kind == ERROR]
                got = (errors[0] if errors else None), code
            if got != want:
                wrong.append(f"Hello {number} of seed {SEED}: {got} instead of {want}: {data.hex()}")

    frames = [mutated(dice, hello, good) for _ in range(MUTATIONS // 4)]
    await asyncio.gather(*(one(number, data) for number, data in enumerate(frames)))
    assert not wrong, "\n".join([f"{len(wrong)} of {len(frames)}:", *wrong])
    print(f"broken: {len(frames)} first frames")


async def main(stack, of):
    session = (await job.sign_in(of))["handle"]
    found = await of.line.resolve(["orders.read", "orders.write"], ["sales"])
    await mutations(stack, of, session, found["ids"])
    await hellos(of)
