"""The standard's examples and the todo scenario of its interoperability tests, adapted, against a real node.

Adapted: who owns a todo is a relation and not a property of the request; a document's readers are a relation.
Usage: interop.py BASE KEY
"""

import sys

import httpx

base, key = sys.argv[1:]
http = httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=30)
asked = 0


def admin(method, path, body):
    told = http.request(method, path, json=body)
    assert told.status_code == 200, (path, told.text)
    return told.json()


def ask(endpoint, body, status=200, **headers):
    global asked
    asked += 1
    told = http.post(metadata[endpoint], json=body, headers=headers)
    assert told.status_code == status, (body, told.status_code, told.text)
    if status == 200:
        assert told.headers["content-type"] == "application/json"
    return told


def entity(kind, name):
    return {"type": kind, "id": name}


MODEL = """model
  schema 1.1
type user
type todo
  relations
    define owner: [user]
type document
  relations
    define reader: [user]
"""
PEOPLE = {
    "rick@the-citadel.com": ["admin"],
    "morty@the-citadel.com": ["editor"],
    "summer@the-smiths.com": ["editor"],
    "beth@the-smiths.com": ["viewer"],
    "jerry@the-smiths.com": ["viewer"],
}
READ = ["can_read_user", "can_read_todos"]
ROLES = {
    "viewer": READ,
    "editor": [*READ, "can_create_todo"],
    "admin": [*READ, "can_create_todo", "can_update_todo", "can_delete_todo"],
}
for role, patterns in ROLES.items():
    admin("POST", "/v1/roles", {"name": f"interop-{role}", "patterns": patterns})
admin("POST", "/v1/roles", {"name": "interop-none", "patterns": ["can_read"]})
ids = {}
for person, roles in PEOPLE.items():
    made = admin("POST", "/v1/subjects", {"identifiers": [person], "password": "a long pass phrase"})
    ids[person] = made["subject"]
    for role in roles:
        admin("POST", f"/v1/subjects/{made['subject']}/grants", {"role": f"interop-{role}"})
admin("PUT", "/v1/relations/model", {"model": MODEL})
for permission in ["can_update_todo", "can_delete_todo"]:
    mapped = {"permission": permission, "type": "todo", "relation": "owner"}
    admin("PUT", "/v1/relations/mappings", mapped)
admin("PUT", "/v1/relations/mappings", {"permission": "can_read", "type": "document", "relation": "reader"})
tuples = [
    {"user": f"user:{ids[person]}", "relation": "owner", "object": f"todo:{person.split('@')[0]}-1"}
    for person in PEOPLE
]
tuples += [
    {"user": f"user:{ids['beth@the-smiths.com']}", "relation": "reader", "object": f"document:{name}"}
    for name in ["boxcarring.md", "resource-search.md"]
]
admin("POST", "/v1/relations/tuples", {"write": tuples})

# Discovery: the identifier is the one that was asked for.
found = httpx.get(f"{base}/.well-known/authzen-configuration")
assert found.status_code == 200 and found.headers["content-type"] == "application/json"
metadata = found.json()
assert metadata.pop("policy_decision_point") == base
assert sorted(metadata) == [
    "access_evaluation_endpoint",
    "access_evaluations_endpoint",
    "search_action_endpoint",
    "search_resource_endpoint",
    "search_subject_endpoint",
]

# The todo scenario: who may what, by role or as the owner.
todos = [one["object"].split(":")[1] for one in tuples if one["relation"] == "owner"]
for person, [role] in PEOPLE.items():
    for action in ROLES["admin"]:
        for todo in todos:
            own = action in ("can_update_todo", "can_delete_todo") and todo == f"{person.split('@')[0]}-1"
            body = {
                "subject": {**entity("user", person), "properties": {"department": "Sales"}},
                "action": {"name": action, "properties": {"method": "GET"}},
                "resource": {**entity("todo", todo), "properties": {"ownerID": "rick@the-citadel.com"}},
                "context": {"time": "1985-10-26T01:22-07:00"},
            }
            told = ask("access_evaluation_endpoint", body).json()
            assert told["decision"] is (action in ROLES[role] or own), (person, action, todo, told)
            assert told["context"]["reason"]["name"] in ("None", "NotGranted")

# Defaults, the override of one of them, and the three semantics, as the standard's examples have them.
documents = [{"resource": entity("document", name)} for name in ["boxcarring.md", "subject-search.md", "resource-search.md"]]
body = {
    "subject": entity("user", "beth@the-smiths.com"),
    "context": {"time": "2024-05-31T15:22-07:00"},
    "action": {"name": "can_read"},
    "evaluations": documents,
}


def decisions(body):
    told = ask("access_evaluations_endpoint", body).json()
    assert "decision" not in told
    return [one["decision"] for one in told["evaluations"]]


assert decisions(body) == [True, False, True]
edited = [*documents[:2], {**documents[2], "action": {"name": "can_edit"}}]
assert decisions({**body, "evaluations": edited}) == [True, False, False]
for semantic, right in [
    ("execute_all", [True, False, True]),
    ("deny_on_first_deny", [True, False]),
    ("permit_on_first_permit", [True]),
]:
    options = {"evaluations_semantic": semantic, "another_option": "value"}
    assert decisions({**body, "options": options}) == right, semantic
whole = {**body, "resource": entity("document", "boxcarring.md"), "evaluations": []}
assert ask("access_evaluations_endpoint", whole).json()["decision"] is True
del whole["evaluations"]
assert ask("access_evaluations_endpoint", whole).json()["decision"] is True


# Searches, page by page, each result of which an evaluation permits.
def search(endpoint, body, limit):
    results, page = [], {"limit": limit}
    while True:
        told = ask(endpoint, {**body, "page": page}).json()
        assert len(told["results"]) == told["page"]["count"] <= limit
        results += told["results"]
        page = {"token": told["page"]["next_token"]}
        if not page["token"]:
            return results


reads = {"action": {"name": "can_read_todos"}, "resource": entity("todo", "rick-1")}
for limit in [1, 2, 1000]:
    people = search("search_subject_endpoint", {"subject": {"type": "user"}, **reads}, limit)
    assert set(ids.values()) <= {one["id"] for one in people}
    assert len({one["id"] for one in people}) == len(people)
for one in people:
    assert ask("access_evaluation_endpoint", {"subject": one, **reads}).json()["decision"] is True
beth = {"subject": entity("user", "beth@the-smiths.com")}
for limit in [1, 2, 1000]:
    sought = {**beth, "action": {"name": "can_read"}, "resource": {"type": "document"}}
    found = search("search_resource_endpoint", sought, limit)
    assert sorted(one["id"] for one in found) == ["boxcarring.md", "resource-search.md"]
    found = search("search_resource_endpoint", {**sought, "action": {"name": "can_update_todo"}, "resource": {"type": "todo"}}, limit)
    assert found == [entity("todo", "beth-1")]
    found = search("search_action_endpoint", {**beth, "resource": entity("todo", "beth-1")}, limit)
    assert sorted(one["name"] for one in found) == ["can_delete_todo", "can_read_todos", "can_read_user", "can_update_todo"]

# Errors and identifiers of requests.
good = {**beth, "action": {"name": "can_read"}, "resource": entity("document", "boxcarring.md")}
identifier = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"
told = ask("access_evaluation_endpoint", good, **{"X-Request-ID": identifier})
assert told.headers["x-request-id"] == identifier
told = httpx.post(metadata["access_evaluation_endpoint"], json=good, headers={"X-Request-ID": identifier})
assert told.status_code == 401 and told.headers["x-request-id"] == identifier
assert "www-authenticate" in told.headers
for left_out in ["subject", "action", "resource"]:
    told = ask("access_evaluation_endpoint", {name: good[name] for name in good if name != left_out}, 400)
    assert told.json()["field"] == left_out
told = http.post(metadata["access_evaluation_endpoint"], content=b"{}", headers={"Content-Type": "text/plain"})
assert told.status_code == 415
print(f"{asked} requests, each answered as the standard says")
