import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, isJsonObject, type ErrorCode, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { ReviewedEntry } from "./entries.ts";
import { knownServerName, mergeEntries } from "./merge.ts";

const SERVER: JsonObject = { name: "notes", url: "https://notes.example/mcp", tls_fingerprint: "SHA256:a" };
const NONE: ReadonlySet<string> = new Set();

function tool(name: string, hash = "1", url = "https://notes.example/mcp"): ReviewedEntry {
  return {
    section: "entries",
    name,
    entry: { tool_name: name, server: { url, tls_fingerprint: "SHA256:a" }, definition_hash: hash },
  };
}
function prompt(name: string, hash = "1", server = "notes"): ReviewedEntry {
  return { section: "prompts", name, entry: { prompt_name: name, server, definition_hash: hash } };
}
function template(name: string, hash = "1"): ReviewedEntry {
  return { section: "resources", name, entry: { uri_template: name, server: "notes", definition_hash: hash } };
}
function refused(
  catalog: JsonValue,
  entries: readonly ReviewedEntry[],
  code: ErrorCode,
  message: RegExp,
  server = SERVER,
  replace = NONE,
): void {
  assert.throws(
    () => mergeEntries(catalog, entries, server, replace),
    (thrown) => thrown instanceof CmcpError && thrown.code === code && message.test(thrown.message),
  );
}

test("tools alone stay the array they were", () => {
  const { catalog, added } = mergeEntries([], [tool("a")], SERVER, NONE);
  assert.ok(Array.isArray(catalog));
  assert.deepEqual(added, ["a"]);
  assert.deepEqual(mergeEntries({ entries: [] }, [tool("a")], SERVER, NONE).catalog, { entries: [tool("a").entry] });
});

test("what refers to its server by name brings the server along, once", () => {
  const first = mergeEntries([tool("a").entry], [prompt("p"), template("x://{a}")], SERVER, NONE);
  assert.deepEqual(first.catalog, {
    entries: [tool("a").entry],
    servers: [SERVER],
    resources: [template("x://{a}").entry],
    prompts: [prompt("p").entry],
  });
  assert.equal(knownServerName(first.catalog, new URL("https://notes.example/mcp")), "notes");
  const again = mergeEntries(first.catalog, [prompt("p"), template("x://{a}"), prompt("q")], SERVER, NONE);
  assert.deepEqual(
    [again.unchanged, again.added, isJsonObject(again.catalog) ? again.catalog.servers : null],
    [["p", "x://{a}"], ["q"], [SERVER]],
  );
});

test("another definition, or another key of the server, needs --replace", () => {
  const { catalog } = mergeEntries([], [prompt("p"), template("x://{a}")], SERVER, NONE);
  refused(catalog, [prompt("p", "2"), template("x://{a}", "2")], "CATALOG_DRIFT_DETECTED", /p, x:\/\/\{a\}/);
  const rekeyed = { ...SERVER, tls_fingerprint: "SHA256:b" };
  refused(catalog, [prompt("p")], "CATALOG_DRIFT_DETECTED", /another key/, rekeyed);
  const replaced = mergeEntries(catalog, [prompt("p", "2")], rekeyed, new Set(["p"]));
  assert.deepEqual(
    [replaced.replaced, isJsonObject(replaced.catalog) ? replaced.catalog.servers : null],
    [["p"], [rekeyed]],
  );
});

test("another way to know the server needs --replace, and takes the place of the one before", () => {
  const { catalog } = mergeEntries([], [prompt("p")], SERVER, NONE);
  const { tls_fingerprint: _, ...unpinned } = SERVER;
  const vouched = { ...unpinned, trust: "webpki", issuer_pins: ["SHA256:i"] };
  refused(catalog, [prompt("p")], "CATALOG_DRIFT_DETECTED", /known in another way/, vouched);
  const replaced = mergeEntries(catalog, [prompt("p", "2")], vouched, new Set(["p"]));
  assert.deepEqual(isJsonObject(replaced.catalog) ? replaced.catalog.servers : null, [vouched]);
  for (const other of [SERVER, { ...vouched, issuer_pins: ["SHA256:j"] }, { ...unpinned, trust: "webpki" }])
    refused(replaced.catalog, [prompt("p", "2")], "CATALOG_DRIFT_DETECTED", /known in another way/, other);
  const same = { ...SERVER, trust: "pinned" };
  assert.deepEqual(mergeEntries(catalog, [prompt("p")], same, NONE).unchanged, ["p"]);
});

test("a name of another server is not taken over", () => {
  const { catalog } = mergeEntries([], [prompt("p"), tool("a")], SERVER, NONE);
  const other: JsonObject = { name: "other", url: "https://other.example/mcp" };
  refused(
    catalog,
    [prompt("p", "1", "other")],
    "CATALOG_NAME_COLLISION",
    /p from another server, "https:\/\/notes/,
    other,
    new Set(["p"]),
  );
  refused(
    catalog,
    [tool("a", "1", "https://other.example/mcp")],
    "CATALOG_TOOL_NAME_COLLISION",
    /a from another server/,
    other,
    new Set(["a"]),
  );
  refused(
    catalog,
    [prompt("q", "1", "notes")],
    "CATALOG_NAME_COLLISION",
    /another server named "notes".*--server-name/,
    { ...other, name: "notes" },
  );
});

test("a tool and a prompt of one name are two things", () => {
  const { catalog } = mergeEntries([tool("same").entry], [prompt("same")], SERVER, NONE);
  assert.deepEqual(mergeEntries(catalog, [tool("same"), prompt("same")], SERVER, NONE).unchanged, ["same", "same"]);
});
