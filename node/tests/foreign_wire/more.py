"""Keys, refresh handles, clients, settings, passwords of a stranger, and lists page by page."""

import base64
import ipaddress

import client
import job
import told
import wire
from told import kept, ms, same

# The names that the command line has for settings, as the document tells them: by the names of their tags.
SETTINGS = {wire.NAME_OF_TAG[tag]: name for tag, name in wire.NAMES_OF_SETTINGS.items()}


def spelled(value, choices):
    """A setting as the wire has it: a choice by its number."""
    return choices.index(value) if choices else int(value)


async def settings(of):
    """All of them, before and after a change; one out of bounds is named."""
    line = of.line
    for _ in range(2):
        [row] = [row async for row in line.rows("ReadSettings")]
        listed = (await of.told("settings", "list"))["settings"]
        theirs = {one["name"]: spelled(one["value"], one["choices"]) for one in listed}
        unnamed = {name for name in row["settings"] if not SETTINGS.get(name)}
        ours = {SETTINGS[name]: value for name, value in row["settings"].items() if name not in unnamed}
        same("the settings", ours, {name: value for name, value in theirs.items() if name in ours})
        assert len(theirs) == len(row["settings"]), (row, theirs)
        await client.change_settings(line, SessionTtl=43_200, SessionsOverLimit=1, RefreshGrace=60)
    if unnamed:
        print(f"settings that docs/wire.md does not name (`Settings`): {', '.join(sorted(unnamed))}")
    try:
        await client.change_settings(line, SessionIdle=1)
        raise AssertionError("a setting out of its bounds was taken")
    except client.Refused as error:
        assert (error.code, error.text.rsplit(": ", 1)[1]) == (218, "session_idle_s"), error


async def keys(operator, of, amy):
    """A key with patterns and networks: what it may, and from where. An operator makes it, in this tenant."""
    line = of.line
    ends = line.now_ms() // 1000 + 86_400
    networks = [bytes([192, 0, 2, 0, 24]), bytes.fromhex("20010db8") + bytes(12) + bytes([32])]
    made = await operator.order(
        "CreateKey",
        in_tenant=of.made["tenant"],
        subject=amy,
        patterns=["orders.read"],
        expires=ends,
        description="für nachts".encode(),
        networks=networks,
    )
    key = made["handle"]
    assert key[:2] == bytes([1, 2]), made
    for address, reason in (
        ("192.0.2.7", 0),
        ("192.0.3.7", 113),
        ("2001:db8::7", 0),
        ("2001:db9::7", 113),
        (None, 113),
    ):
        assert (await line.check(key, "orders.read", address=address))["reason"] == reason, address
    assert (await line.check(key, "customers.read", "sales", "192.0.2.7"))["reason"] == 110  # Restricted
    [row] = [row async for row in line.rows("ReadKey", key=made["session"])]
    assert [one async for one in line.rows("ListKeys", subject=amy)] == [row]
    [listed] = [one async for one in line.rows("ListSessions", subject=amy) if one["key"]]
    assert listed["session"] == made["session"] and listed["expires"] == ends and "idle_until" not in listed, listed
    theirs = (await of.told("key", "show", wire.public(made["session"])))["key"]
    same(
        "a key",
        (
            wire.public(row["session"]),
            wire.public(row["subject"]),
            ms(row["expires"]),
            ms(row["last_used"]),
            row["patterns"],
            row["description"].decode(),
            row.get("client_name"),
        ),
        (
            theirs["session"],
            theirs["subject"],
            theirs["expires_ms"],
            theirs["last_used_ms"],
            theirs["patterns"],
            theirs["description"],
            theirs["client"],
        ),
    )
    spelled = [ipaddress.ip_network((one[:-1], one[-1])) for one in row["networks"]]
    same("its networks", [str(one) for one in spelled], theirs["networks"])
    # One that is used from where it may be is told of itself.
    here = await operator.order(
        "CreateKey",
        in_tenant=of.made["tenant"],
        subject=amy,
        patterns=[],
        expires=ends,
        description=b"",
        networks=[bytes([127, 0, 0, 0, 8])],
    )
    async with job.connect() as own:
        await own.hello(here["handle"])
        assert (await own.introspect(here["handle"]))["reason"] == 0
        assert "orders.read" in (await own.permissions(here["handle"]))["by_id"].values()
    # Of a key that is bound to networks nobody is told who does not say from where; who says it, is.
    await job.ended(of, key, 113)
    for address, reason in (("192.0.2.7", 0), ("192.0.3.7", 113)):
        assert (await line.introspect(key, address=address))["reason"] == reason, address
        assert (await line.permissions(key, address=address))["reason"] == reason, address
    free = await operator.order(
        "CreateKey", in_tenant=of.made["tenant"], subject=amy, patterns=[], expires=ends, description=b""
    )
    shown, theirs = (
        await line.introspect(free["handle"]),
        await of.told("session", "show", handle_file=kept(wire.spelled(free["handle"]), f"{told.NODE}/free.key")),
    )
    same(
        "a key",
        (wire.public(shown["id"]), shown["flags"], ms(free["expires"]), None),
        (theirs["session"], theirs["kind"] == "key", theirs["expires_ms"], theirs["idle_until_ms"]),
    )
    assert (shown["expires_ms"], shown["idle_until_ms"]) == (ms(free["expires"]), wire.NEVER), shown
    await line.order("RevokeKey", key=free["session"])
    turned = await operator.order("RotateKey", in_tenant=of.made["tenant"], key=made["session"], expires=0, overlap_s=0)
    assert (await line.check(key, "orders.read", address="192.0.2.7"))["reason"] == 101
    # With what the old one had, as nothing else was said.
    for permission, address, reason in (
        ("orders.read", "192.0.2.7", 0),
        ("orders.read", None, 113),
        ("orders.write", "192.0.2.7", 110),
    ):
        assert (await line.check(turned["handle"], permission, "sales", address))["reason"] == reason, (
            permission,
            address,
        )
    await line.order("RevokeKey", key=turned["session"])
    await job.ended(of, turned["handle"], 101)


async def refreshed(operator, of):
    """A rotating refresh handle of a client: its successor, the same again in its grace, and its reuse."""
    line = of.line
    terms = {
        "RefreshMode": 2,
        "SessionTtl": 0,
        "SessionIdle": 1_200,
        "RefreshTtl": 600,
        "SessionsMax": 0,
        "Evict": True,
    }
    made = await line.order("CreateClient", name="phone", terms=terms)
    rows = [row async for row in line.rows("ListClients")]
    [theirs] = (await of.told("client", "list"))["clients"]
    same("a client", [(row["index"], row["name"]) for row in rows], [(theirs["id"], theirs["client"])])
    assert rows[0]["index"] == made["client"] and rows[0]["terms"] == terms, rows
    assert (theirs["refresh"], theirs["session_idle_s"], theirs["over_limit"]) == ("rotating", 1_200, "evict"), theirs
    backend = (await line.order("CreateSubject", kind=2, identifiers=[(3, "phone-backend")]))["subject"]
    await line.order("Grant", subject=backend, role="tessera.service", **{"from": 0, "until": 0})
    ends = line.now_ms() // 1000 + 86_400
    assert await of.refusal("CreateKey", subject=backend, patterns=["tessera.*"], expires=0, description=b"") == 217
    key = await operator.order(
        "CreateKey",
        in_tenant=of.made["tenant"],
        subject=backend,
        patterns=[],
        expires=ends,
        description=b"",
        client="phone",
    )
    async with job.connect() as phone:
        await phone.hello(key["handle"])
        first = await phone.order(
            "SignIn", identifier=b"amy", password=job.PASSWORD.encode(), address=bytes([192, 0, 2, 7])
        )
        assert first["refresh"][:2] == bytes([1, 3]), first
        command_id = wire.command_id(phone.now_ms())
        second = await phone.order("RefreshSession", command_id, handle=first["refresh"])
        again = await phone.order("RefreshSession", command_id, handle=first["refresh"])
        assert again["repeated"] and again["refresh"] == second["refresh"] != first["refresh"], (second, again)
        same(
            "twice within the grace",
            (await phone.order("RefreshSession", handle=first["refresh"]))["refresh"],
            second["refresh"],
        )
        # The command line takes the chain on, and this side from there.
        path = kept(wire.spelled(second["refresh"]), f"{told.NODE}/amy.refresh")
        key_file = kept(wire.spelled(key["handle"]), f"{told.NODE}/phone.key")
        theirs = await of.told("session", "refresh", handle_file=path, key_file=key_file)
        same("the session refreshed", wire.public(first["session"]), theirs["session"])
        with open(path, encoding="ascii") as file:
            third = wire.handle(file.read().strip())
        fourth = await phone.order("RefreshSession", handle=third)
        assert fourth["refresh_until"] >= first["refresh_until"], fourth
        assert await job.code_of(line.order("RefreshSession", handle=fourth["refresh"])) == 238  # WrongClient
        assert (await phone.check(first["handle"], "orders.read"))["reason"] == 0
        assert await job.code_of(phone.order("RefreshSession", handle=first["refresh"])) == 235  # RefreshReused
        assert (await phone.check(first["handle"], "orders.read"))["reason"] == 101
    await line.order("RotateRefreshKeys", now=False)
    rows = [(row["number"], ms(row["created"]), row["current"]) async for row in line.rows("ListRefreshKeys")]
    theirs = (await of.told("keys", "list"))["keys"]
    same("the refresh keys", rows, [(one["number"], one["created_ms"], one["current"]) for one in theirs])
    await line.order("DeleteClient", name="phone")


async def set_up(of, amy):
    """A one-time secret becomes a password over a stranger's connection, once."""
    line = of.line
    assert await of.refusal("ResetPassword", subject=amy, until=0, clear=False) == 217
    made = await line.order("ResetPassword", subject=amy, until=line.now_ms() // 1000 + 3_600, clear=False)
    secret, password = made["handle"], b"another pass phrase"
    assert secret[:2] == bytes([1, 4]), made
    async with job.connect() as stranger:
        assert (await stranger.hello(secret))["flags"] == 0
        await stranger.order("SetUpPassword", secret=secret, password=password)
    async with job.connect() as stranger:
        code = await job.code_of(stranger.hello(secret))
        code = code or await job.code_of(stranger.order("SetUpPassword", secret=secret, password=password))
        assert code in (224, wire.HELLO_REFUSED), code
    answer = await of.told("session", "sign-in", "amy", password_stdin=True, stdin=password.decode() + "\n")
    path = kept(answer["handle"], f"{told.NODE}/set-up.wire")
    async with job.connect() as own:
        reply = await own.hello(wire.handle(answer["handle"]))
        same("whose it is", wire.public(reply["subject"]), answer["subject"])
        await own.order("ChangePassword", old=password, new=job.PASSWORD.encode())
    assert (await of.told("session", "show", handle_file=path))["alive"]
    await line.order("SignOut", handle=wire.handle(answer["handle"]))


async def origins(of):
    """Whose scripts may ask over HTTP."""
    await of.line.order("ChangeOrigins", origins=["https://app.example.com", "http://localhost:5173"])
    rows = [one async for row in of.line.rows("ReadOrigins") for one in row["origins"]]
    same("the origins", rows, (await of.told("origin", "list"))["origins"])
    assert len(rows) == 2 and await of.refusal("ChangeOrigins", origins=["app.example.com"]) == 227, rows


async def pages(of):
    """Lists in pages of every length hold the same rows."""
    line = of.line
    for number in range(23):
        await line.order("CreateSubject", kind=2, identifiers=[(3, f"machine-{number}")])
    whole = [row async for row in line.rows("ListSubjects")]
    theirs = (await of.told("user", "list"))["subjects"]
    same(
        "the subjects",
        [(wire.public(row["subject"]), job.KIND[row["kind"]], job.STATUS[row["status"]]) for row in whole],
        [(one["subject"], one["kind"], one["status"]) for one in theirs],
    )
    for limit in (1, 2, 7, len(whole), len(whole) + 1):
        same(f"in pages of {limit}", [row async for row in line.rows("ListSubjects", limit=limit)], whole)
    rows, after = await line.page("ListPermissionNames", limit=3)
    theirs = await of.told("permission", "list", limit=3)
    ours, theirs = (
        [(row["id"], row["name"]) for row in rows],
        [(one["id"], one["name"]) for one in theirs["permissions"]],
    )
    same("a page", ours, theirs)
    rest, _ = await line.page("ListPermissionNames", after=after)
    assert [row async for row in line.rows("ListPermissionNames")] == rows + rest, (rows, rest)


async def main(operator, of, amy):
    await settings(of)
    await keys(operator, of, amy)
    await refreshed(operator, of)
    await set_up(of, amy)
    await origins(of)
    await pages(of)
    print("more: settings, keys, refresh handles, passwords and pages are the command line's")
