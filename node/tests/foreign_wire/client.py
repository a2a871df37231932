"""A client of Tessera over QUIC: one connection, one stream, requests that know their answers by their ids.

async with connect("127.0.0.1", 7443, ca="certificate.pem") as line:
    await line.hello(wire.handle(key))
    decision = await line.check(wire.handle(session), "orders.read")
    made = await line.order("CreateRole", name="reader", patterns=["orders.*"])
    async for row in line.rows("ListRoles"): ...
"""

import asyncio
import contextlib
import ipaddress
import itertools
import ssl

import aioquic.asyncio
from aioquic.quic import configuration, events

import wire

ALPN = "tessera/1"
TRY_AGAIN = (300, 301, 303, 408)  # NotReady, Busy, Behind, Draining
OUTCOME_UNKNOWN = 500
SENT = set()  # the requests that were sent, by name


class Refused(Exception):
    """An Error in answer to a request."""

    def __init__(self, values):
        self.code, self.retry_ms, self.text = values["code"], values["retry_ms"], values["detail"].decode()
        super().__init__(f"{self.text} ({self.code})")


class Closed(Exception):
    """The end of the connection; `code` is that of the node, or None when it said none."""

    def __init__(self, code, why=""):
        super().__init__(f"closed: {code} {why}")
        self.code = code


class Line(aioquic.asyncio.QuicConnectionProtocol):
    """One connection."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.readers, self.waiting, self.stray = {}, {}, []
        self.ended, self.ends = None, asyncio.Event()
        self.ids, self.stream, self.node_ms, self.met_ms = itertools.count(1), None, 0, 0.0

    # What comes

    def quic_event_received(self, event):
        if isinstance(event, events.StreamDataReceived):
            try:
                for answer in self.readers.setdefault(event.stream_id, wire.Reader()).take(event.data):
                    self.arrived(event.stream_id, *answer)
            except wire.Malformed as error:
                self.close(wire.BAD_HEADER)
                self.fail(Closed(None, str(error)))
        elif isinstance(event, events.ConnectionTerminated):
            # A close of the transport has the type of the frame that it is about, or 0; the node's own has none.
            self.fail(Closed(event.error_code if event.frame_type is None else None, event.reason_phrase))

    def arrived(self, stream, kind, request_id, payload):
        waiter = self.waiting.pop((stream, request_id), None)
        if waiter is None or waiter.done():
            self.stray.append((stream, kind, request_id, payload))
        else:
            waiter.set_result((kind, payload))

    def fail(self, error):
        self.ended = self.ended or error
        self.ends.set()
        waiting, self.waiting = self.waiting, {}
        for waiter in waiting.values():
            if not waiter.done():
                waiter.set_exception(self.ended)

    async def close_code(self, seconds=30):
        """The code that the node closes the connection with."""
        async with asyncio.timeout(seconds):
            await self.ends.wait()
        return self.ended.code

    async def keep_alive(self):
        """The node ends a connection of which it hears nothing for 30 seconds, and sends nothing of its own."""
        while self.ended is None:
            await asyncio.sleep(8)
            if self.ended is None:
                await self.ping()

    # What goes

    def open(self):
        """A further stream."""
        return self._quic.get_next_available_stream_id()

    def send(self, data, stream=None, end=False):
        """Bytes as they are."""
        if self.stream is None:
            self.stream = self.open()
        self._quic.send_stream_data(self.stream if stream is None else stream, data, end)
        self.transmit()

    def reset(self, stream):
        """Gives a stream up."""
        self._quic.reset_stream(stream, 0)
        self.transmit()

    def takes_no_more(self):
        """For tests: the node may send what the window of each stream holds, and no more ever."""
        self._quic._write_stream_limits = lambda **_: None

    def expect(self, request_id, stream=None):
        """What will be the answer to a request: its kind and payload."""
        waiter = asyncio.get_running_loop().create_future()
        self.waiting[self.stream if stream is None else stream, request_id] = waiter
        if self.ended:
            waiter.set_exception(self.ended)
        return waiter

    async def ask(self, kind, payload, seconds=30):
        """One request and its answer; an Error raises Refused."""
        if self.ended:
            raise self.ended
        request_id = next(self.ids)
        self.send(wire.frame(kind, request_id, payload))
        async with asyncio.timeout(seconds):
            answered, data = await self.expect(request_id)
        if wire.KINDS[answered][0] == "Error":
            raise Refused(wire.decode("Error", data))
        return answered, data

    async def insist(self, kind, payload, answer, again=TRY_AGAIN):
        """The payload of the answer, which must be of that name; asked again while the node says so."""
        while True:
            try:
                answered, data = await self.ask(kind, payload)
            except Refused as error:
                if error.code not in again:
                    raise
                await asyncio.sleep(max(error.retry_ms, 20) / 1000)
                continue
            assert wire.KINDS[answered][0] == answer, f"kind {kind} answered by kind {answered}"
            return data

    async def put(self, name, answer, **values):
        """A question that has a layout of its own."""
        return wire.decode(answer, await self.insist(wire.NUMBER_OF[name], wire.encode(name, values), answer))

    # Questions

    async def hello(self, credential=None, tenant=None):
        """Binds the connection; without a credential it is a stranger's."""
        flags = (1 if credential else 0) | (2 if tenant is not None else 0)
        reply = await self.put("Hello", "HelloReply", credential=credential, tenant=tenant, flags=flags)
        self.node_ms, self.met_ms = reply["node_ms"], self._loop.time() * 1000
        return reply

    def now_ms(self):
        """The node's time, by its HelloReply."""
        return self.node_ms + int(self._loop.time() * 1000 - self.met_ms)

    async def check(self, handle, permission, workspace=0, address=None, at_least=(0, 0)):
        """May its holder do that there? Ids or names."""
        item, names = check_item(handle, permission, workspace, address)
        return await self.put("Check", "Decision", epoch=at_least[0], revision=at_least[1], names=names, **item)

    async def check_batch(self, checks, at_least=(0, 0)):
        """Many, each (handle, permission[, workspace[, address]])."""
        items, names = zip(*(check_item(*one) for one in checks))
        return await self.put(
            "CheckBatch", "DecisionBatch", epoch=at_least[0], revision=at_least[1], items=items, names=b"".join(names)
        )

    async def introspect(self, handle, at_least=(0, 0), address=None):
        """Whose it is, and until when."""
        values = {"epoch": at_least[0], "revision": at_least[1], "handle": handle} | used_from(address)
        return await self.put("Introspect", "Introspection", **values)

    async def permissions(self, handle, workspace=0, address=None):
        """The ids of everything that its holder may do there, and the names of these by id."""
        index, spelled = numbered(workspace)
        after, names = 0, {}
        while True:
            reply = await self.put(
                "ListPermissions",
                "Permissions",
                handle=handle,
                workspace=index,
                workspace_len=len(spelled),
                after=after,
                names=spelled,
                **used_from(address, 2),
            )
            at = 0
            for item in reply["items"]:
                names[item["id"]] = reply["names"][at : at + item["len"]].decode()
                at += item["len"]
            after = reply["next"]
            if after == 0:
                words = enumerate(reply["words"])
                ids = {at * 64 + bit for at, word in words for bit in range(64) if word >> bit & 1}
                return reply | {"ids": ids, "by_id": names}

    async def resolve(self, permissions=(), workspaces=()):
        """Names to ids, 0 for one that is unknown."""
        nouns = [(1, name.encode()) for name in permissions] + [(2, name.encode()) for name in workspaces]
        items = [{"noun": noun, "len": len(name)} for noun, name in nouns]
        return await self.put("Resolve", "Resolved", items=items, names=b"".join(name for _, name in nouns))

    # Commands and lists

    async def order(self, request, command_id=None, in_tenant=wire.CONNECTIONS_TENANT, **values):
        """A command by its name, with its parts; what it made. Repeated under its id while the outcome is unknown."""
        named = wire.REQUESTS[request]
        if any(part.name == "limit" for part in named.parts):
            values = {"limit": 0} | values
        SENT.add(request)
        command_id = command_id or wire.command_id(self.now_ms())
        payload = wire.fields(command_id, in_tenant, wire.fields_of(named.parts, values))
        return wire.receipt(await self.insist(named.number, payload, "Receipt", (*TRY_AGAIN, OUTCOME_UNKNOWN)))

    async def page(self, request, in_tenant=wire.CONNECTIONS_TENANT, **values):
        """One page of a list, and the cursor of the next one."""
        named = wire.REQUESTS[request]
        if any(part.name == "limit" for part in named.parts):
            values = {"limit": 0} | values
        SENT.add(request)
        payload = wire.fields(bytes(16), in_tenant, wire.fields_of(named.parts, values))
        return wire.page(named.answer, await self.insist(named.number, payload, "Rows"))

    async def rows(self, request, **values):
        """Every row of a list, page by page."""
        while True:
            found, after = await self.page(request, **values)
            for row in found:
                yield row
            if after is None:
                return
            values["after"] = after


async def change_settings(line, **changes):
    """Some settings by the names of their tags; the others stay."""
    return await line.order("ChangeSettings", settings=changes)


def numbered(what):
    """(id, name): one of them is given."""
    return (what, b"") if isinstance(what, int) else (0, what.encode())


def check_item(handle, permission, workspace=0, address=None):
    """A check without its names, and these."""
    (permission, called), (workspace, place) = numbered(permission), numbered(workspace)
    item = {
        "handle": handle,
        "permission": permission,
        "workspace": workspace,
        "permission_len": len(called),
        "workspace_len": len(place),
    } | used_from(address)
    return item, called + place


def used_from(address, flags=0):
    """The flags of a question, and where the holder's request came from, if that is said."""
    if address is None:
        return {"flags": flags}
    told = ipaddress.ip_address(address)
    packed = told.packed if told.version == 6 else bytes(10) + b"\xff\xff" + told.packed
    return {"flags": flags | 1, "address": packed}


@contextlib.asynccontextmanager
async def connect(host, port, ca, name="localhost", alpn=ALPN, window=1_048_576):
    """A connection that has shaken hands; Hello comes next."""
    settings = configuration.QuicConfiguration(
        is_client=True,
        alpn_protocols=[alpn],
        server_name=name,
        verify_mode=ssl.CERT_REQUIRED,
        idle_timeout=30,
        max_stream_data=window,
    )
    settings.load_verify_locations(cafile=str(ca))
    async with aioquic.asyncio.connect(host, port, configuration=settings, create_protocol=Line) as line:
        alive = asyncio.create_task(line.keep_alive())
        try:
            yield line
        finally:
            alive.cancel()
