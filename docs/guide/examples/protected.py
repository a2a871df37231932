"""A protected application in Python, with the standard library alone.

TESSERA is the base of the HTTP door, TESSERA_KEY an API key with `tessera.check`, PORT where to listen.
GET /orders wants a bearer token that may `orders.read`.
"""
import json
import os
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BASE, KEY = os.environ["TESSERA"], os.environ["TESSERA_KEY"]


def may(token, permission):
    """Whether the holder of the token may do it, now. Whatever goes wrong, the answer is no."""
    asked = json.dumps({"handle": token, "permission": permission}).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{BASE}/v1/check", asked, headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)["decision"] == "permit"
    except (urllib.error.URLError, ValueError, KeyError):
        return False


class Orders(BaseHTTPRequestHandler):
    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        allowed = self.path == "/orders" and scheme == "Bearer" and may(token, "orders.read")
        body = b'["order 1"]' if allowed else b'"no"'
        self.send_response(200 if allowed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Orders)
print(server.server_address[1], flush=True)
server.serve_forever()
