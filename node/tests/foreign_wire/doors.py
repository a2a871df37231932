"""What a connection hears before and beside its requests: closes, their codes and the Errors before them."""

import asyncio
import contextlib
import socket
import struct

import client
import job
import told
import wire

HELLO = wire.NUMBER_OF["Hello"]
ERROR = wire.NUMBER_OF["Error"]


async def first(data, end=False, seconds=30):
    """(Error's code or None, code of the close) in answer to the first bytes of a connection."""
    async with job.connect() as line:
        if data:
            line.send(data, end=end)
        code = await line.close_code(seconds)
        errors = [
            (request_id, wire.decode("Error", payload)) for _, kind, request_id, payload in line.stray if kind == ERROR
        ]
        assert len(errors) == len(line.stray) <= 1, line.stray
        return errors[0][1]["code"] if errors else None, code


def hello(**values):
    return wire.encode("Hello", {"flags": 1, **values})


async def first_frames(admin, suspended):
    """The table of what a first frame is answered by."""
    forged = admin[:-1] + bytes([admin[-1] ^ 1])
    frame, good = wire.frame, hello(credential=admin)
    expected = [
        ("another kind", frame(3, 1, wire.encode("Check", {})), 404, 404),
        ("a kind that nobody knows", frame(999, 1, good), 404, 404),
        ("a short Hello", frame(HELLO, 1, good[:40]), 403, 404),
        ("an empty Hello", frame(HELLO, 1, b""), 403, 404),
        ("unknown flags", frame(HELLO, 1, hello(credential=admin, flags=5)), 403, 404),
        ("a forged credential", frame(HELLO, 1, hello(credential=forged)), 405, 405),
        ("no credential", frame(HELLO, 1, hello(flags=0)), 405, 405),
        ("a credential of zeros", frame(HELLO, 1, hello()), 405, 405),
        ("a suspended tenant, and nothing more", frame(HELLO, 1, hello(credential=suspended)), 202, 407),
        ("a tenant that is another's", frame(HELLO, 1, hello(credential=admin, flags=3, tenant=2**48 - 1)), 405, 405),
        ("flags of the frame", frame(HELLO, 1, good, flags=1), None, 400),
        ("padding", frame(3, 1, bytes(8))[:-1] + b"\1", None, 400),
        ("4,097 bytes", frame(HELLO, 1, bytes(4_097)), None, 401),
        ("4,096 bytes of another kind", frame(3, 1, bytes(4_096)), 404, 404),
        ("half a Hello, and the end", frame(HELLO, 1, good)[:50], None, 407),
    ]
    gate = asyncio.Semaphore(4)

    async def one(what, data):
        async with gate:
            return await first(data, end="the end" in what)

    got = await asyncio.gather(*(one(what, data) for what, data, _, _ in expected))
    wrong = [
        f"{what}: {answer}, not {(error, close)}"
        for (what, _, error, close), answer in zip(expected, got)
        if answer != (error, close)
    ]
    assert not wrong, "\n".join(wrong)
    # What is neither 404 nor 405 leaves the connection open for another Hello.
    async with job.connect() as line:
        assert await job.code_of(line.hello(suspended)) == 202
        assert (await line.hello(admin))["flags"] == 1


async def slow(admin):
    """Whoever is slow is closed: without Hello after 5 seconds, with half a frame after 10."""
    clock = asyncio.get_running_loop().time

    async def half():
        async with job.connect() as line:
            await line.hello(admin)
            since = clock()
            line.send(wire.frame(7, 9, wire.encode("Introspect", {"handle": admin}))[:40], line.open())
            for _ in range(3):  # others on the connection go on
                assert (await line.introspect(admin))["reason"] == 0
            return await line.close_code(60), clock() - since

    async def silent(data):
        since = clock()
        _, code = await first(data, seconds=60)
        return code, clock() - since

    async def unread():
        """Asks for more than it takes."""
        async with job.connect(window=4_096) as line:
            await line.hello(admin)
            line.takes_no_more()
            stream = line.open()
            for number in range(500):
                line.send(wire.frame(7, number, wire.encode("Introspect", {"handle": admin})), stream)
            return await line.close_code(90), 10

    part = wire.frame(HELLO, 1, hello(credential=admin))[:30]
    answers = await asyncio.gather(silent(b""), silent(part), silent(part[:7]), half(), unread())
    for (code, took), least in zip(answers, (4, 4, 4, 9, 9)):
        assert code == wire.TOO_SLOW and took >= least, answers


async def limits(admin, suspended):
    """A connection has 16 Hellos, and 128 streams that end without a whole frame."""
    async with job.connect() as line:
        for number in range(17):
            line.send(wire.frame(HELLO, number, hello(credential=suspended)))
        assert await line.close_code() == wire.LIMIT
    async with job.connect() as line:
        await line.hello(admin)
        for number in range(129):
            if number == 128:
                assert (await line.introspect(admin))["reason"] == 0
            line.send(b"", line.open(), end=True)
            await line.ping()
        assert await line.close_code() == wire.LIMIT


async def beside(admin):
    """What a bound connection hears, and that it goes on."""
    async with job.connect() as line:
        await line.hello(admin)

        async def answered(kind, payload):
            try:
                return (await line.ask(kind, payload))[0]
            except client.Refused as error:
                return -error.code

        number, encode = wire.NUMBER_OF, wire.encode
        check, _ = client.check_item(admin, 1)
        for what, kind, payload, answer in (
            ("an answer's kind", 4, encode("Decision", {}), -402),
            ("an unknown kind", 40, b"", -402),
            ("an unknown command", 0x1FFE, bytes(40), -402),
            ("an unknown list", 0x2FFF, bytes(40), -402),
            ("the largest frame", 40, bytes(wire.PAYLOAD_BYTES_MAX), -402),
            ("an empty check", number["Check"], b"", -403),
            ("1,024 checks", number["CheckBatch"], encode("CheckBatch", {"items": [check] * 1_024}), 6),
            ("1,025 checks", number["CheckBatch"], encode("CheckBatch", {"items": [check] * 1_025}), -403),
            ("no checks", number["CheckBatch"], encode("CheckBatch", {}), 6),
            ("1,024 names", number["Resolve"], encode("Resolve", {"items": [{"noun": 1, "len": 0}] * 1_024}), 12),
            ("1,025 names", number["Resolve"], encode("Resolve", {"items": [{"noun": 1, "len": 0}] * 1_025}), -403),
            ("an unknown noun", number["Resolve"], encode("Resolve", {"items": [{"noun": 3, "len": 0}]}), -403),
        ):
            got = await answered(kind, payload)
            assert got == answer, f"{what}: {got} instead of {answer}"
        # Streams side by side, and answers by their ids.
        streams, waiters = [line.open()], []
        for turn in range(200):
            if turn % 25 == 0:
                line.send(b"", streams[-1])
                streams.append(line.open() if turn else streams[0])
            line.send(wire.frame(number["Check"], turn + 1, encode("Check", check)), streams[-1])
            waiters.append(line.expect(turn + 1, streams[-1]))
        assert {kind for kind, _ in await asyncio.gather(*waiters)} == {4}
    # A second Hello is refused, and the connection goes on.
    async with job.connect() as line:
        await line.hello(admin)
        for second in (hello(credential=admin), b""):
            assert await job.code_of(line.ask(HELLO, second)) == wire.HELLO_EXPECTED
        assert (await line.introspect(admin))["reason"] == 0
        # The end of a stream behind a frame is answered by its end; a reset within one ends nothing else.
        stream = line.open()
        line.send(wire.frame(7, 1, wire.encode("Introspect", {"handle": admin}))[:30], stream)
        line.reset(stream)
        assert (await line.introspect(admin))["reason"] == 0


async def stranger(secret):
    """A stranger may do one thing, is small, and does not stay."""
    async with job.connect() as line:
        assert (await line.hello(secret))["flags"] == 0
        check, _ = client.check_item(secret, 1)
        for kind, payload in (
            (3, wire.encode("Check", check)),
            (3, b""),
            (999, b""),
            (wire.NUMBER_OF["ListRoles"], bytes(40)),
        ):
            assert await job.code_of(line.ask(kind, payload)) == 200, kind
        line.send(wire.frame(999, 9, bytes(4_097)))
        assert await line.close_code() == wire.TOO_LARGE
    async with job.connect() as line:
        await line.hello(secret)
        assert await line.close_code(90) == wire.TOO_SLOW


async def elsewhere():
    """Another protocol and another version of QUIC are refused before anything is said."""
    try:
        async with client.connect(told.HOST, int(told.PORT), told.CERTIFICATE, alpn="tessera/2"):
            raise AssertionError("another protocol was taken")
    except ConnectionError:
        pass
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as plain:
        plain.setblocking(False)
        initial = b"\xc0" + struct.pack(">I", 0x1A2A3A4A) + b"\x08firsthop\x08fromhere" + bytes(1_200)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(plain, (told.HOST, int(told.PORT)))
        await loop.sock_sendall(plain, initial)
        async with asyncio.timeout(30):
            answer = await loop.sock_recv(plain, 1_500)
        # RFC 9000 section 17.2.1: version 0, the connection ids turned around, then the versions.
        assert answer[1:5] == bytes(4) and answer[5:23] == b"\x08fromhere\x08firsthop", answer
        versions = {version for (version,) in struct.iter_unpack(">I", answer[23:])}
        assert 1 in versions, versions


async def main(operator, of, amy):
    made = await operator.order("CreateTenant", name="closed")
    await operator.order("SuspendTenant", tenant=made["tenant"])
    admin = of.made["handle"]
    await elsewhere()
    await first_frames(admin, made["handle"])
    await limits(admin, made["handle"])
    await beside(admin)
    until = of.line.now_ms() // 1000 + 3_600
    secret = (await of.line.order("ResetPassword", subject=amy, until=until, clear=False))["handle"]
    await asyncio.gather(slow(admin), stranger(secret))
    print("doors: first frames, slow ones, unknown ones and other versions are answered as promised")
