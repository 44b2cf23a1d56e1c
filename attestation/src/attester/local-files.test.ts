import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { localDerivedKey, readLocalTdReport } from "./local-files.ts";
import { seal } from "../sealing/seal.ts";
import { snpSecret } from "../sealing/snp-secret.ts";

const folder = mkdtempSync(join(tmpdir(), "cmcp-local-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };

test("what the init left is read, and what it did not leave is said", async () => {
  assert.equal(localDerivedKey(folder), null);
  await assert.rejects(readLocalTdReport(folder), { ...UNAVAILABLE, message: /local-report/ });
  writeFileSync(join(folder, "derived-key"), new Uint8Array(32).fill(7));
  writeFileSync(join(folder, "local-report"), new Uint8Array(1024).fill(8));
  assert.deepEqual(await localDerivedKey(folder)?.(), new Uint8Array(32).fill(7));
  assert.deepEqual(await readLocalTdReport(folder), new Uint8Array(1024).fill(8));
});

test("a file longer than the key is no key", async () => {
  writeFileSync(join(folder, "derived-key"), new Uint8Array(33).fill(7));
  const derivedKey = localDerivedKey(folder);
  assert.ok(derivedKey !== null);
  await assert.rejects(
    seal(snpSecret(derivedKey), { launchDigest: new Uint8Array(32), purpose: "test" }, new Uint8Array(1)),
    UNAVAILABLE,
  );
});
