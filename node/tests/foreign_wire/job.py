"""The main job over the wire, each answer beside the command line's."""

import client
import told
import wire
from told import done, kept, ms, refused, same

PASSWORD = "correct horse battery staple"
# The names that the command line has for numbers.
STATUS, KIND = {1: "active", 2: "suspended", 3: "deleted"}, {1: "person", 2: "machine"}
CODES = {"Permit": 0, "Revoked": 101, "PermissionUnknown": 107, "WorkspaceUnknown": 108, "NotGranted": 109}


def connect(**named):
    return client.connect(told.HOST, int(told.PORT), told.CERTIFICATE, **named)


class Tenant:
    """A tenant of this test: its admin's line, and its admin's key for the command line."""

    def __init__(self, line, name, made, key_file):
        self.line, self.name, self.made, self.key_file = line, name, made, key_file

    async def told(self, *words, **flags):
        return await done(*words, key_file=flags.pop("key_file", self.key_file), **flags)

    async def refusal(self, request, **values):
        """The code that a command is refused with."""
        return await code_of(self.line.order(request, **values))


async def code_of(asking):
    """The code of a refusal; 0 when there is none."""
    try:
        await asking
        return 0
    except client.Refused as error:
        return error.code


async def tenant(operator, stack, name):
    """Makes a tenant whose passwords cost little."""
    made = await operator.order("CreateTenant", name=name)
    line = await stack.enter_async_context(connect())
    hello = await line.hello(made["handle"])
    assert (hello["flags"], hello["tenant"], hello["subject"]) == (1, made["tenant"], made["subject"]), hello
    of = Tenant(line, name, made, kept(wire.spelled(made["handle"]), f"{told.NODE}/{name}.key"))
    shown = (await done("tenant", "show", name, key_file=f"{told.NODE}/operator.key"))["tenant"]
    same("a tenant", f"{made['tenant']:016x}", shown["tenant"])
    pinged = await of.told("ping")
    same("whom the connection is bound to", wire.public(hello["subject"]), pinged["subject"])
    same("the cell", hello["cell"], pinged["cell"])
    same("the position", f"{hello['epoch']}.{hello['revision']}", pinged["seen"])
    await client.change_settings(line, ArgonMemory=64, ArgonPasses=1)
    return of


async def people(of):
    """A person with identifiers, attributes, roles and workspaces; beside `user show` and the lists."""
    line = of.line
    for name, number in (("floor", 2), ("staff", 1), ("motto", 3)):
        await line.order("DeclareAttribute", name=name, kind=number)
    identifiers = [(1, "Amy.Poe@Example.org"), (2, "+44 20 7946-0958"), (3, "amy")]
    amy = (await line.order("CreateSubject", kind=1, identifiers=identifiers, password=PASSWORD.encode()))["subject"]
    values = [("floor", -3), ("staff", True), ("motto", "süß"), ("nickname", "A"), ("gone", "x")]
    await line.order("SetAttributes", subject=amy, values=values)
    await line.order("SetAttributes", subject=amy, values=[("gone", None)])
    await line.order("RegisterPermission", name="orders.write")
    made = await line.order("CreateRole", name="reader", patterns=["orders.read"])
    roles = (await of.told("role", "list"))["roles"]
    same("the role's id", made["role"], next(role["id"] for role in roles if role["role"] == "reader"))
    await line.order("CreateRole", name="clerk", patterns=["orders.*", "customers.read"])
    sales = await line.order("CreateWorkspace", name="sales", inherits=True)
    await line.order("CreateWorkspace", name="sales/eu", parent="sales", inherits=True)
    await line.order("CreateWorkspace", name="vault", inherits=False)
    soon = line.now_ms() // 1000 + 3600
    await line.order("Grant", subject=amy, role="reader", **{"from": 0, "until": 0})
    await line.order("Grant", subject=amy, role="clerk", workspace="sales", **{"from": 0, "until": soon})

    shown = (await of.told("user", "show", "amy"))["subject"]
    [row] = [row async for row in line.rows("ReadSubject", identifier=(3, "amy"))]
    same(
        "a subject",
        (wire.public(row["subject"]), KIND[row["kind"]], STATUS[row["status"]], row["has_password"]),
        (shown["subject"], shown["kind"], shown["status"], shown["has_password"]),
    )
    same("the same by its id", [row], [row async for row in line.rows("ReadSubject", subject=amy)])
    names = {1: "email", 2: "phone", 3: "username"}
    rows = [row async for row in line.rows("ListIdentifiers", subject=amy)]
    same(
        "its identifiers",
        sorted((names[row["identifier"][0]], row["identifier"][1], row["failures"]) for row in rows),
        sorted((one["kind"], one["identifier"], one["failures"]) for one in shown["identifiers"]),
    )
    rows = [value async for row in line.rows("ListAttributeValues", subject=amy) for value in row["values"]]
    same("its attributes", dict(rows), shown["attributes"])
    rows = [row async for row in line.rows("ListGrants", subject=amy)]
    same(
        "its grants",
        [(row["role"], row.get("workspace"), ms(row["from"]), ms(row["until"])) for row in rows],
        [(one["role"], one["workspace"], one["from_ms"], one["until_ms"]) for one in shown["grants"]],
    )

    places = {one["workspace"]: one for one in (await of.told("workspace", "list"))["workspaces"]}
    same(
        "a workspace",
        (sales["workspace"], wire.public(sales["workspace_id"])),
        (places["sales"]["index"], places["sales"]["id"]),
    )
    rows = {row["name"]: row async for row in line.rows("ListWorkspaces")}
    same(
        "the workspaces",
        {name: (row["index"], row.get("parent"), row["inherits"]) for name, row in rows.items()},
        {name: (one["index"], one["parent"], one["inherits"]) for name, one in places.items()},
    )
    rows = [(row["id"], row["name"], row["patterns"]) async for row in line.rows("ListRoles", limit=2)]
    same(
        "the roles",
        rows,
        [(one["id"], one["role"], one["patterns"]) for one in (await of.told("role", "list"))["roles"]],
    )
    return amy


async def checks(of, session, amy):
    """Decisions about a session, one at a time and in a batch; beside `check`, `check-batch` and their like."""
    line, path = of.line, f"{told.NODE}/amy.wire"
    kept(wire.spelled(session), path)
    asked = [
        ("orders.read", "", 0),
        ("orders.write", "", 109),
        ("orders.write", "sales/eu", 0),
        ("orders.read", "vault", 109),
        ("orders.fly", "", 107),
        ("orders.read", "nowhere", 108),
        ("customers.read", "sales", 0),
    ]
    for permission, workspace, reason in asked:
        ours = await line.check(session, permission, workspace or 0)
        theirs = await of.told("check", permission, handle_file=path, workspace=workspace or None)
        same(
            f"{permission} in {workspace!r}",
            (ours["reason"], told.until(ours["valid_until_ms"])),
            (theirs["reason_code"], theirs["valid_until_ms"]),
        )
        same("where it was seen", f"{ours['epoch']}.{ours['revision']}", theirs["seen"])
        assert ours["reason"] == reason, f"{permission} in {workspace!r}: {ours}"

    found = await line.resolve(["orders.read", "orders.fly", "orders.write"], ["sales", "nowhere"])
    theirs = await of.told(
        "resolve", "orders.read", "orders.fly", "orders.write", "--workspace", "sales", "--workspace", "nowhere"
    )
    same("ids of names", found["ids"], [one["id"] or 0 for one in theirs["names"]])
    read, _, write, sales, _ = found["ids"]
    assert (await line.check(session, read))["reason"] == 0
    assert (await line.check(session, write, sales))["reason"] == 0
    assert (await line.check(session, write, "sales"))["reason"] == 0
    assert (await line.check(session, "orders.write", sales))["reason"] == 0

    forged = session[:-1] + bytes([session[-1] ^ 1])
    batch = [(session, permission, workspace or 0) for permission, workspace, _ in asked] + [(forged, read)]
    ours = await line.check_batch(batch)
    stdin = "".join(f"{wire.spelled(who)} {what} {'' if where == 0 else where}\n" for who, what, where in batch[:-1])
    theirs = await of.told("check-batch", stdin=stdin + f"{wire.spelled(forged)} orders.read\n")
    same(
        "a batch",
        [(one["reason"], told.until(one["valid_until_ms"])) for one in ours["items"]],
        [(one["reason_code"], one["valid_until_ms"]) for one in theirs["results"]],
    )
    assert ours["items"][-1]["reason"] == 100, ours  # HandleUnknown

    ours, theirs = await line.introspect(session), await of.told("session", "show", handle_file=path)
    same(
        "a session",
        (
            wire.public(ours["id"]),
            wire.public(ours["subject"]),
            f"{ours['tenant']:016x}",
            ours["authenticated_ms"],
            ours["expires_ms"],
            ours["idle_until_ms"],
        ),
        (
            theirs["session"],
            theirs["subject"],
            theirs["tenant"],
            theirs["authenticated_at_ms"],
            theirs["expires_ms"],
            theirs["idle_until_ms"],
        ),
    )
    assert ours["reason"] == 0 and ours["flags"] == 0 and ours["subject"] == amy, ours
    for workspace in ("", "sales", "vault"):
        ours = await line.permissions(session, workspace or 0)
        theirs = await of.told("permissions", handle_file=path, workspace=workspace or None)
        same("what is permitted", ours["by_id"], {one["id"]: one["name"] for one in theirs["permissions"]})
        assert ours["ids"] == set(ours["by_id"]), ours
        same("until when", told.until(ours["valid_until_ms"]), theirs["valid_until_ms"])


async def ended(of, session, code):
    """A session that has ended: denied in all ways, with one reason."""
    path = kept(wire.spelled(session), f"{told.NODE}/ended.wire")
    ours, theirs = await of.line.check(session, "orders.read"), await of.told("check", "orders.read", handle_file=path)
    same("a check of what has ended", ours["reason"], theirs["reason_code"])
    shown = await of.told("session", "show", handle_file=path)
    told_of = await of.line.introspect(session)
    same("what it is", (told_of["reason"], False), (shown["reason_code"], shown["alive"]))
    assert ours["reason"] == told_of["reason"] == code, (ours, told_of)
    blank = {name: value for name, value in told_of.items() if name not in ("epoch", "revision", "reason")}
    assert not any(value if isinstance(value, int) else any(value) for value in blank.values()), told_of


async def sign_in(of, who="amy", password=PASSWORD, **values):
    return await of.line.order("SignIn", identifier=who.encode(), password=password.encode(), **values)


async def sessions(of, amy):
    """Signing in, and every way in which it ends."""
    line = of.line
    made = await sign_in(of)
    assert made["subject"] == amy and made["handle"][:2] == bytes([1, 1]), made
    await checks(of, made["handle"], amy)
    rows = [row async for row in line.rows("ListSessions", subject=amy)]
    theirs = (await of.told("session", "list", "amy"))["sessions"]
    same(
        "the sessions",
        [(wire.public(row["session"]), row["key"], ms(row["expires"]), ms(row["idle_until"])) for row in rows],
        [(one["session"], one["kind"] == "key", one["expires_ms"], one["idle_until_ms"]) for one in theirs],
    )
    same(
        "the ends of a session",
        (ms(made["expires"]), ms(made["idle_until"])),
        (theirs[0]["expires_ms"], theirs[0]["idle_until_ms"]),
    )

    # A wrong password; by the command line the same.
    assert await of.refusal("SignIn", identifier=b"amy", password=b"a wrong pass phrase") == 215
    same(
        "a wrong password",
        215,
        await refused(
            "session", "sign-in", "amy", key_file=of.key_file, password_stdin=True, stdin="a wrong pass phrase\n"
        ),
    )

    await line.order("EndSession", session=made["session"])
    await ended(of, made["handle"], 101)
    again = await line.order("EndSession", session=made["session"])
    assert "handle" not in again, again
    many = [await sign_in(of) for _ in range(3)]
    async with connect() as own:
        await own.hello(many[0]["handle"])
        assert (await own.check(many[0]["handle"], "orders.read"))["reason"] == 0
        await own.order("SignOut", handle=many[0]["handle"])
        # The connection's own credential has ended: the next question closes it.
        try:
            await own.check(many[0]["handle"], "orders.read")
            raise AssertionError("an ended credential was answered")
        except client.Closed as error:
            assert error.code == wire.HELLO_REFUSED, error
    await ended(of, many[0]["handle"], 101)
    assert (await line.check(many[1]["handle"], "orders.read"))["reason"] == 0
    receipt = (await line.order("EndSubjectSessions", subject=amy))["receipt"]
    seen = await line.check(many[1]["handle"], "orders.read", at_least=(receipt["Epoch"], receipt["Revision"]))
    assert seen["reason"] == 101 and seen["revision"] >= receipt["Revision"], seen
    await ended(of, many[2]["handle"], 101)
    opened = await line.order("OpenSession", subject=amy)
    assert (await line.check(opened["handle"], "orders.read"))["reason"] == 0
    await line.order("EndTenantSessions")
    await ended(of, opened["handle"], 101)
    last = await sign_in(of)
    await line.order("SuspendSubject", subject=amy)
    await ended(of, last["handle"], 101)
    await line.order("ResumeSubject", subject=amy)


async def repeats(of):
    """Command ids: once, in time, for one command; and positions that are not here."""
    line = of.line
    command_id = wire.command_id(line.now_ms())
    first = await line.order("CreateRole", command_id, name="once", patterns=["orders.read"])
    again = await line.order("CreateRole", command_id, name="once", patterns=["orders.read"])
    assert (first["repeated"], again["repeated"]) == (False, True) and "role" not in again, again
    assert first["receipt"] == again["receipt"], (first, again)
    for code, number, name in (
        (212, command_id, "other"),
        (211, None, "once"),
        (213, wire.command_id(line.now_ms() + 60_000), "soon"),
        (214, wire.command_id(line.now_ms() - 3_600_000), "late"),
    ):
        assert await code_of(line.order("CreateRole", number, name=name, patterns=["orders.read"])) == code, name
    here = first["receipt"]
    handle = of.made["handle"]
    values = {"epoch": here["Epoch"], "revision": here["Revision"] + 1_000_000, "handle": handle}
    assert await code_of(line.ask(wire.NUMBER_OF["Introspect"], wire.encode("Introspect", values))) == 303
    # What somebody may not do, and what no operator's connection alone may name.
    machine = (await line.order("CreateSubject", kind=2, identifiers=[(3, "machine")]))["subject"]
    weak = await line.order("OpenSession", subject=machine)
    async with connect() as other:
        await other.hello(weak["handle"])
        assert await code_of(other.order("CreateRole", name="mine", patterns=[])) == 200
        assert await code_of(other.check(handle, "orders.read")) == 200
        assert (await other.check(weak["handle"], "orders.read"))["reason"] == 109
    path = kept(wire.spelled(weak["handle"]), f"{told.NODE}/weak.wire")
    same("what is not allowed", 200, await refused("role", "create", "mine", "orders.read", key_file=path))


async def main(stack, operator):
    of = await tenant(operator, stack, "foreign")
    amy = await people(of)
    await sessions(of, amy)
    await repeats(of)
    print("job: every answer is the command line's")
    return of, amy
