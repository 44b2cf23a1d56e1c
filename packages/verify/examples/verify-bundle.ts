import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { verifyBundle } from "@cmcp/verify";

const read = (name: string): Promise<Uint8Array> =>
  readFile(new URL(`../../claim/examples/record/${name}`, import.meta.url));

const record = { bundle: await read("audit-bundle.json"), receipts: [await read("receipt.json")] };
const trustedKey = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const verdict = await verifyBundle(record, { allowSoftwareOnly: true, trustedKey }, webcrypto);
assert.equal(verdict.outcome, "accepted");

// Nothing is accepted unless the caller says what they accept.
const refused = await verifyBundle(record, { allowSoftwareOnly: false, trustedKey }, webcrypto);
assert.ok(refused.checks.some(({ code }) => code === "SOFTWARE_ONLY_NOT_ACCEPTED"));
