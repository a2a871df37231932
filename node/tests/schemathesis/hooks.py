"""What schemathesis is told about the door: a credential that stays alive, and values that read."""

import base64
import json
import os
import re
import ssl
import time
import urllib.request

import schemathesis
from hypothesis import strategies as st

BASE = os.environ["TESSERA_BASE"]
OPERATOR = os.environ["TESSERA_OPERATOR"]
UUID_V7 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
CONTEXT = ssl.create_default_context(cafile=os.environ.get("TESSERA_CERTIFICATE") or None)


def ask(method, path, key, body=None):
    """One request; its status and JSON."""
    request = urllib.request.Request(BASE + path, method=method, headers={"Authorization": f"Bearer {key}"})
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, context=CONTEXT, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class Caller:
    """The admin of a tenant of its own; when a request has ended it, that of a new tenant."""

    def __init__(self):
        self.made, self.key = 0, None

    def alive(self):
        if self.key is None or ask("GET", "/v1/me", self.key)[0] == 401:
            self.made += 1
            name = f"tried-{os.getpid()}-{self.made}"
            status, tenant = ask("POST", "/v1/tenants", OPERATOR, {"name": name})
            assert status == 200, tenant
            self.key = tenant["handle"]
            cheap = {"argon_memory_kib": 64, "argon_passes": 1}
            status, told = ask("PATCH", "/v1/settings", self.key, cheap)
            assert status == 200, told
        return self.key


CALLER = Caller()
# As the tenants' admin, or as the operator of the node, who alone manages tenants.
OF_OPERATOR = os.environ.get("TESSERA_AS") == "operator"


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """Shows the credential."""

    def get(self, case, context):
        return OPERATOR if OF_OPERATOR else CALLER.key or CALLER.alive()

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def before_call(context, case, kwargs):
    """A command's id is of now, which no description can say; the rest of it stays as it is."""
    headers = case.headers or {}
    key = headers.get("Idempotency-Key")
    if key == "":
        # Sent as if it could be left out with its name there.
        del headers["Idempotency-Key"]
    elif isinstance(key, str) and UUID_V7.fullmatch(key):
        now = f"{int(time.time() * 1000):012x}"
        headers["Idempotency-Key"] = f"{now[:8]}-{now[8:]}{key[13:]}"


@schemathesis.hook
def after_call(context, case, response):
    """What succeeds at an end may have ended the credential itself."""
    if not OF_OPERATOR and response.status_code == 200 and case.method in ("DELETE", "POST"):
        path = case.operation.path
        if case.method == "DELETE" or path.endswith(("/suspend", "/sign-out", "/reset", "/set-up")):
            CALLER.alive()


# Rows of a bulk load are sent as they are.
ROWS = ("application/x-ndjson", "application/jsonl", "text/csv")


@schemathesis.serializer(*ROWS)
def rows(context, value):
    """A content that is no JSON."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()


schemathesis.openapi.format(
    "tessera-rows",
    st.lists(
        st.from_regex(r"\A[a-z]{3,12}\Z").map(lambda name: json.dumps({"username": name})), min_size=1, max_size=5
    ).map("\n".join),
)

NAME = st.from_regex(r"\A[a-z][a-z0-9._-]{2,20}\Z")
schemathesis.openapi.format(
    "tessera-origin",
    st.sampled_from(
        ["https://app.example.com", "https://[2001:db8::1]:8443", "http://localhost:3000"]
        + [f"https://app{number}.example.com" for number in range(64)]
    ),
)
schemathesis.openapi.format("tessera-thumbprint", st.binary(min_size=32, max_size=32).filter(any).map(
    lambda key: base64.urlsafe_b64encode(key).decode().rstrip("=")))
schemathesis.openapi.format("tessera-receipt", st.sampled_from(["0.0", "1.0", "1.1"]))
schemathesis.openapi.format("tessera-handle", st.builds(lambda _: CALLER.alive(), st.none()))
schemathesis.openapi.format(
    "tessera-identifier",
    st.one_of(
        NAME,
        NAME.map(lambda name: f"{name}@example.org"),
        st.integers(min_value=10**7, max_value=10**14).map(lambda number: f"+{number}"),
    ),
)
