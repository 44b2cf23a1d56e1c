import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChangeListeners } from "../../testing/modern-request.ts";
import { ask, assertRefused, call, MISMATCH, start } from "../../testing/modern-ingress.ts";

const base64 = (text: string): string => `=?base64?${Buffer.from(text).toString("base64")}?=`;
const mismatches: Record<string, NonNullable<ChangeListeners["headers"]>> = {
  "no version header": { "mcp-protocol-version": null },
  "another version in the header": { "mcp-protocol-version": "2025-11-25" },
  "an unknown version in the header": { "mcp-protocol-version": "v999" },
  "no method header": { "mcp-method": null },
  "another method in the header": { "mcp-method": "tools/list" },
  "the method in capitals": { "mcp-method": "TOOLS/CALL" },
  "two methods": { "mcp-method": "tools/call, tools/call" },
  "no name header": { "mcp-name": null },
  "another name in the header": { "mcp-name": "other" },
  "the name in capitals": { "mcp-name": "TOOL" },
  "another name in base64": { "mcp-name": base64("other") },
  "base64 that is none": { "mcp-name": "=?base64?%%%?=" },
  "base64 without its padding": { "mcp-name": base64("tool").replaceAll("=?=", "?=") },
  "base64 of what is not UTF-8": { "mcp-name": "=?base64?/w==?=" },
};
for (const [name, headers] of Object.entries(mismatches)) {
  test(`${name} is -32020, and nothing runs`, async () => {
    const { endpoint, gateway } = start();
    assertRefused(await ask(endpoint, call({ headers })), MISMATCH);
    assert.equal(gateway.calls.length, 0);
  });
}

test("the name may stand in base64, with blanks around it, and in any script", async () => {
  const { endpoint, gateway } = start();
  assert.equal((await ask(endpoint, call({ headers: { "mcp-name": base64("tool") } }))).status, 200);
  assert.equal((await ask(endpoint, call({ headers: { "mcp-name": "  tool\t" } }))).status, 200);
  for (const name of ["größe", " x ", "=?base64?dG9vbA==?="])
    assert.equal((await ask(endpoint, call({ params: { name } }))).status, 200, name);
  assert.deepEqual(
    gateway.calls.slice(2).map((made) => made.call.name),
    ["größe", " x ", "=?base64?dG9vbA==?="],
  );
});
