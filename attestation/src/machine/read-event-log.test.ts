import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MAX_LOG_BYTES } from "@cmcp/appraise/evidence";
import { readEventLog } from "./read-event-log.ts";

const folder = mkdtempSync(join(tmpdir(), "cmcp-log-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };

test("a log is read whole, up to its bound", async () => {
  assert.deepEqual(await readEventLog(file("log", Uint8Array.of(1, 2, 3))), Uint8Array.of(1, 2, 3));
  assert.equal((await readEventLog(file("largest", new Uint8Array(MAX_LOG_BYTES))))?.length, MAX_LOG_BYTES);
  await assert.rejects(readEventLog(file("larger", new Uint8Array(MAX_LOG_BYTES + 1))), {
    ...UNAVAILABLE,
    message: /larger than/,
  });
});

test("no log and an empty one explain nothing; one that cannot be read is said", async () => {
  assert.equal(await readEventLog(join(folder, "absent")), null);
  assert.equal(await readEventLog(file("empty", new Uint8Array())), null);
  await assert.rejects(readEventLog(folder), { ...UNAVAILABLE, message: /cannot be read/ });
  await assert.rejects(readEventLog(join(file("plain", Uint8Array.of(1)), "below")), UNAVAILABLE);
});
