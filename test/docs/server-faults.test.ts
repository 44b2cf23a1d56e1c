/** The reasons of docs/how-to/monitor.md are those that the enclave gives, with its actions. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { SERVER_FAULTS } from "../../packages/enclave/src/servers/server-faults.ts";
import { ROOT } from "../gateway/deployment.ts";

test("the page has each reason of a server that does not work, and what to do", async () => {
  const page = await readFile(join(ROOT, "docs/how-to/monitor.md"), "utf8");
  const section = page.slice(page.indexOf("### A server that does not work"));
  const rows = [...section.matchAll(/^\| `([a-z-]+)` \| (.+) \|$/gm)].map(([, reason, action]) => [reason, action]);
  assert.deepEqual(rows, Object.entries(SERVER_FAULTS));
});
