"use strict";
// The key stays in the page's memory: it is written nowhere.
const byId = (id) => document.getElementById(id);
const make = (tag, text, parent) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (parent) parent.append(element);
  return element;
};

function show(path, verb, operation, into) {
  const details = make("details", "", into);
  details.dataset.words = `${verb} ${path} ${operation.operationId} ${operation.summary}`.toLowerCase();
  const summary = make("summary", "", details);
  make("span", verb, summary).className = "verb";
  make("code", path, summary);
  make("span", ` ${operation.summary}`, summary);
  make("p", operation.description || "No credential is needed.", details);
  const inputs = (operation.parameters || []).map((parameter) => {
    const label = make("label", `${parameter.name} (${parameter.in}): ${parameter.description}`, details);
    const input = make("input", "", label);
    if (parameter.required && parameter.example !== undefined) input.value = parameter.example;
    return [parameter, input];
  });
  let body = null;
  const forms = (operation.requestBody && operation.requestBody.content) || {};
  const kind = "application/json" in forms ? "application/json" : Object.keys(forms)[0];
  if (kind) {
    const { schema, example } = forms[kind];
    const label = make("label", `Content: ${schema.properties ? Object.keys(schema.properties).join(", ") : kind}`, details);
    body = make("textarea", typeof example === "string" ? example : JSON.stringify(example, null, 2), label);
    body.rows = 6;
  }
  const button = make("button", "Send", details);
  const out = make("pre", "", details);
  button.addEventListener("click", async () => {
    let target = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [parameter, input] of inputs) {
      if (input.value === "") continue;
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (parameter.in === "query") query.set(parameter.name, input.value);
      else headers[parameter.name] = input.value;
    }
    if (byId("key").value) headers.authorization = `Bearer ${byId("key").value}`;
    if (byId("tenant").value) headers["x-tenant-id"] = byId("tenant").value;
    if (body) headers["content-type"] = kind;
    const asked = query.toString();
    out.textContent = "…";
    try {
      const answer = await fetch(asked ? `${target}?${asked}` : target, {
        method: verb.toUpperCase(), headers, body: body ? body.value : undefined, credentials: "omit",
      });
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it came */ }
      out.textContent = `${answer.status}\n${shown}`;
    } catch (error) {
      out.textContent = `not sent: ${error.message}`;
    }
  });
}

async function begin() {
  const main = byId("operations");
  const description = await (await fetch("/openapi.json")).json();
  main.textContent = "";
  for (const [path, verbs] of Object.entries(description.paths)) {
    for (const [verb, operation] of Object.entries(verbs)) show(path, verb, operation, main);
  }
  byId("search").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const details of main.children) details.hidden = !details.dataset.words.includes(wanted);
  });
}
begin();
