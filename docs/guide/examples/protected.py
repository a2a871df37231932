"""A protected application in Python, with the standard library alone.

TESSERA is the base of the HTTP door, TESSERA_KEY an API key with `tessera.check`, PORT where to listen.
GET /orders wants a bearer token that may `orders.read`; POST /refresh takes a refresh handle and gives the
next one.
"""
import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BASE, KEY = os.environ["TESSERA"], os.environ["TESSERA_KEY"]


def ask(path, members):
    """What Tessera answers. Whatever goes wrong, the answer is empty."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{BASE}{path}", json.dumps(members).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return {}


def may(token, permission):
    """Whether the holder of the token may do it, now."""
    return ask("/v1/check", {"handle": token, "permission": permission}).get("decision") == "permit"


class Orders(BaseHTTPRequestHandler):
    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        allowed = self.path == "/orders" and scheme == "Bearer" and may(token, "orders.read")
        self.answer('["order 1"]' if allowed else None)

    def do_POST(self):
        handle = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), 128)).decode("ascii", "replace")
        refresh = self.path == "/refresh"
        self.answer(ask("/v1/refresh", {"refresh_handle": handle}).get("refresh_handle") if refresh else None)

    def answer(self, text):
        body = (text or "no").encode()
        self.send_response(200 if text else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Orders)
print(server.server_address[1], flush=True)
server.serve_forever()
