"""Tenants, people, roles and workspaces as they change and go; each beside the command line."""

import asyncio

import client
import job
import told
import wire
from told import done, kept, ms, same

TENANT_STATUS = {1: "active", 2: "suspended", 3: "closing", 4: "deleted"}


async def tenants(operator):
    """Three of them: suspended, resumed, deleted, and listed in pages."""
    key_file = f"{told.NODE}/operator.key"
    made = [await operator.order("CreateTenant", name=f"row-{number}") for number in range(3)]
    first = made[0]["tenant"]
    for order, status in (("SuspendTenant", "suspended"), ("ResumeTenant", "active")):
        await operator.order(order, tenant=first)
        [row] = [row async for row in operator.rows("ReadTenant", tenant=first)]
        theirs = (await done("tenant", "show", "row-0", key_file=key_file))["tenant"]
        same(
            "a tenant",
            (f"{row['tenant']:016x}", row["name"], TENANT_STATUS[row["status"]], ms(row["created"])),
            (theirs["tenant"], theirs["name"], theirs["status"], theirs["created_ms"]),
        )
        assert theirs["status"] == status, theirs
    await operator.order("DeleteTenant", tenant=made[1]["tenant"])
    async with asyncio.timeout(60):  # it is closing for a moment
        while await job.code_of(operator.page("ReadTenant", name="row-1")) != 201:
            await asyncio.sleep(0.02)
    rows = [row async for row in operator.rows("ListTenants", limit=2)]
    theirs = (await done("tenant", "list", key_file=key_file))["tenants"]
    same(
        "the tenants",
        [(f"{row['tenant']:016x}", row["name"], TENANT_STATUS[row["status"]]) for row in rows],
        [(one["tenant"], one["name"], one["status"]) for one in theirs],
    )
    for wrong in ({}, {"tenant": first, "name": "row-0"}):
        assert await job.code_of(operator.page("ReadTenant", **wrong)) == 227, wrong


async def person(of):
    """Identifiers come and go, failures are counted and forgotten, and what is deleted stays deleted."""
    line = of.line

    async def rows(subject):
        kinds = {1: "email", 2: "phone", 3: "username"}
        ours = [row async for row in line.rows("ListIdentifiers", subject=subject)]
        theirs = (await of.told("user", "show", wire.public(subject)))["subject"]["identifiers"]
        ours = sorted((kinds[row["identifier"][0]], row["identifier"][1], row["failures"]) for row in ours)
        same("identifiers", ours, sorted((one["kind"], one["identifier"], one["failures"]) for one in theirs))
        return ours

    made = await line.order("CreateSubject", kind=1, identifiers=[(3, "ben")], password=job.PASSWORD.encode())
    ben = made["subject"]
    await line.order("AddIdentifier", subject=ben, identifier=(1, "ben@example.org"))
    await line.order("AddIdentifier", subject=ben, identifier=(2, "+49 30 1234567"))
    await line.order("RemoveIdentifier", subject=ben, identifier=(3, "ben"))
    assert await of.refusal("RemoveIdentifier", subject=ben, identifier=(3, "ben")) == 210
    for _ in range(2):
        assert await of.refusal("SignIn", identifier=b"BEN@example.org", password=b"a wrong one") == 215
    assert await rows(ben) == [("email", "ben@example.org", 2), ("phone", "+49 30 1234567", 0)]
    await line.order("ForgetFailures", subject=ben)
    assert [failures for _, _, failures in await rows(ben)] == [0, 0]
    session = await job.sign_in(of, "+49 (30) 1234567")
    assert session["subject"] == ben, session
    path = kept(wire.spelled(session["handle"]), f"{told.NODE}/ben.wire")
    touched, theirs = (
        await line.order("TouchSession", handle=session["handle"]),
        await of.told("session", "touch", handle_file=path),
    )
    same("when it is idle", ms(touched["idle_until"]), theirs["idle_until_ms"])

    await line.order("CreateRole", name="packer", patterns=["parcels.*"])
    await line.order("RegisterPermission", name="parcels.send")
    for name, parent in (("docks", None), ("docks/1", "docks")):
        await line.order("CreateWorkspace", name=name, parent=parent, inherits=True)
    await line.order("Grant", subject=ben, role="packer", workspace="docks", **{"from": 0, "until": 0})

    async def reason(code, workspace="docks/1"):
        ours = await line.check(session["handle"], "parcels.send", workspace)
        theirs = await of.told("check", "parcels.send", handle_file=path, workspace=workspace)
        same("a check", ours["reason"], theirs["reason_code"])
        assert ours["reason"] == code, (ours, code)

    await reason(0)
    await line.order("ChangeRole", name="packer", patterns=["orders.read"])
    await reason(109)
    await line.order("ChangeRole", name="packer", patterns=["parcels.*"])
    await reason(0)
    await line.order("Ungrant", subject=ben, role="packer", workspace="docks")
    await reason(109)
    await line.order("Grant", subject=ben, role="packer", workspace="docks", **{"from": 0, "until": 0})
    assert await of.refusal("DeleteWorkspace", name="docks") == 221
    await line.order("DeleteWorkspace", name="docks/1")
    await reason(108)
    await reason(0, "docks")
    await line.order("DeleteRole", name="packer")
    await reason(109, "docks")
    assert await of.refusal("Grant", subject=ben, role="packer", **{"from": 0, "until": 0}) == 205
    await line.order("DeleteSubject", subject=ben)
    await reason(106, "docks")
    assert await job.code_of(line.page("ListGrants", subject=ben)) in (203, 230)


async def declared(of):
    """Attributes and clients as they are listed."""
    line, kinds = of.line, {1: "bool", 2: "integer", 3: "text"}
    rows = [(row["name"], kinds[row["kind"]]) async for row in line.rows("ListAttributes")]
    theirs = (await of.told("attribute", "list"))["attributes"]
    same("the attributes", rows, [(one["name"], one["kind"]) for one in theirs])
    terms = {
        "RefreshMode": 1,
        "SessionTtl": 7_200,
        "SessionIdle": 600,
        "RefreshTtl": 0,
        "SessionsMax": 3,
        "Evict": False,
    }
    await line.order("CreateClient", name="desk", terms=terms)
    await line.order("ChangeClient", name="desk", terms=terms | {"Evict": True, "RefreshTtl": 900})
    [row] = [row async for row in line.rows("ReadClient", name="desk")]
    theirs = (await of.told("client", "show", "desk"))["client"]
    ours = row["terms"]
    same(
        "a client",
        (
            row["index"],
            ["off", "fixed", "rotating"][ours["RefreshMode"]],
            ours["SessionTtl"],
            ours["SessionIdle"],
            ours["RefreshTtl"],
            ours["SessionsMax"],
            "evict" if ours["Evict"] else "refuse",
        ),
        (
            theirs["id"],
            theirs["refresh"],
            theirs["session_ttl_s"],
            theirs["session_idle_s"],
            theirs["refresh_ttl_s"],
            theirs["sessions_max"],
            theirs["over_limit"],
        ),
    )


async def main(operator, of):
    await tenants(operator)
    await person(of)
    await declared(of)
    sent = len(client.SENT & set(wire.REQUESTS))
    print(
        "admin: tenants, people, roles and workspaces are the command line's; "
        f"{sent} of {len(wire.REQUESTS)} requests sent"
    )
