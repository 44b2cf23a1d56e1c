import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { verifyIncomplete } from "@cmcp/verify";

const read = (name: string): Promise<Uint8Array> =>
  readFile(new URL(`../../claim/examples/record/${name}`, import.meta.url));

const verdict = await verifyIncomplete(
  { export: await read("incomplete.json"), receipts: [await read("receipt.json")] },
  { allowSoftwareOnly: true, trustedKey: "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw" },
  webcrypto,
);
assert.equal(verdict.outcome, "accepted");
assert.equal(verdict.session, "7b0f3c52-9a55-4f0e-8f6e-3d2f1f1a9c01");
