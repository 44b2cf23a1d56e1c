import assert from "node:assert/strict";
import { test } from "node:test";
import { scanTools } from "./index.ts";
import { tool } from "./testing/scanned-tool.ts";

/** What is said of a second server's host. */
function said(left: string, right: string): string[] {
  const at = (host: string, toolName: string) => tool({ toolName, server: `https://${host}/mcp` });
  return scanTools([at(left, "alpha"), at(right, "beta")])
    .filter(({ kind }) => kind === "look-alike-host")
    .map(({ severity, tool: named, message }) => `${severity} ${named}: ${message}`);
}

test("letters that look alike are grave, also those behind punycode", () => {
  assert.deepEqual(said("tools.example.com", "tools.examp1e.com"), [
    "high beta: the host tools.examp1e.com looks like tools.example.com",
  ]);
  assert.equal(said("example.com", "ex\u0430mple.com").length, 1, "a Cyrillic letter");
  assert.match(said("example.com", "xn--exmple-4nf.com")[0] ?? "", /^high beta/);
});

test("one edit in what somebody registered, wherever the tools are below it", () => {
  for (const other of ["exampl.com", "examples.com", "exmaple.com", "example.co"])
    assert.equal(said("api.example.com", `mcp.${other}`).length, 1, other);
  assert.equal(said("example.co.uk", "exampel.co.uk").length, 1);
});

test("a known name before further labels", () => {
  assert.deepEqual(said("example.com", "example.com.tools.net"), [
    "medium beta: the host example.com.tools.net has the same labels, and others after them, as example.com",
  ]);
  assert.equal(said("example.com.tools.net", "example.com").length, 1);
});

test("hosts of one owner, other names, addresses and this machine are none", () => {
  for (const [left, right] of [
    ["api1.example.com", "api2.example.com"],
    ["api1.example.com", "apil.example.com"],
    ["example.com", "mcp.example.com"],
    ["example.com", "other.org"],
    ["a.example", "b.example"],
    ["127.0.0.1:3001", "127.0.0.2:3001"],
    ["localhost:1", "localhosts:1"],
    ["example.com", "example.com:8443"],
  ] as const)
    assert.deepEqual(said(left, right), [], right);
});

test("thousands of hosts are bounded, and the rest is said", () => {
  const many = Array.from({ length: 2_000 }, (_, at) =>
    tool({ toolName: `t${at}`, server: `https://h${at * 7_919}.test/` }),
  );
  const found = scanTools(many).filter(({ path }) => path === "/server/url");
  assert.equal(found.at(-1)?.kind, "not-scanned");
});
