// A protected application in Node, with fetch alone.
//
// TESSERA is the base of the HTTP door, TESSERA_KEY an API key with `tessera.check`, PORT where to listen.
// GET /orders wants a bearer token that may `orders.read`.
import { createServer } from "node:http";

const { TESSERA, TESSERA_KEY, PORT = "0" } = process.env;

// Whether the holder of the token may do it, now. Whatever goes wrong, the answer is no.
async function may(handle, permission) {
  try {
    const answer = await fetch(`${TESSERA}/v1/check`, {
      method: "POST",
      headers: { authorization: `Bearer ${TESSERA_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ handle, permission }),
      signal: AbortSignal.timeout(5000),
    });
    return answer.ok && (await answer.json()).decision === "permit";
  } catch {
    return false;
  }
}

const server = createServer(async (request, response) => {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  const allowed = request.url === "/orders" && scheme === "Bearer" && (await may(token, "orders.read"));
  response.writeHead(allowed ? 200 : 403).end(allowed ? '["order 1"]' : '"no"');
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(server.address().port));
