// A protected application in Node, with fetch alone.
//
// TESSERA is the base of the HTTP door, TESSERA_KEY an API key with `tessera.check`, PORT where to listen.
// GET /orders wants a bearer token that may `orders.read`; POST /refresh takes a refresh handle and gives the
// next one.
import { createServer } from "node:http";

const { TESSERA, TESSERA_KEY, PORT = "0" } = process.env;

// What Tessera answers. Whatever goes wrong, the answer is empty.
async function ask(path, members) {
  try {
    const answer = await fetch(TESSERA + path, {
      method: "POST",
      headers: { authorization: `Bearer ${TESSERA_KEY}`, "content-type": "application/json" },
      body: JSON.stringify(members),
      signal: AbortSignal.timeout(5000),
    });
    return answer.ok ? await answer.json() : {};
  } catch {
    return {};
  }
}

// Whether the holder of the token may do it, now.
const may = async (handle, permission) => (await ask("/v1/check", { handle, permission })).decision === "permit";

// The whole content, or the beginning of one that is too long for a handle.
async function content(request) {
  let text = "";
  for await (const part of request) {
    text += part;
    if (text.length > 128) break;
  }
  return text.slice(0, 128);
}

async function answer(request) {
  if (request.method === "POST" && request.url === "/refresh") {
    return (await ask("/v1/refresh", { refresh_handle: await content(request) })).refresh_handle;
  }
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  const allowed = request.url === "/orders" && scheme === "Bearer" && (await may(token, "orders.read"));
  return allowed ? '["order 1"]' : undefined;
}

const server = createServer(async (request, response) => {
  const text = await answer(request);
  response.writeHead(text ? 200 : 403).end(text ?? "no");
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(server.address().port));
