import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { preset } from "@cmcp/appraise";
import { EAT_PROFILES } from "@cmcp/claim/schema";
import { verifyClaim } from "@cmcp/verify";

const read = (name: string): Promise<Uint8Array> =>
  readFile(new URL(`../../claim/examples/record/${name}`, import.meta.url));

const verdict = await verifyClaim(
  { claim: await read("claim.json"), bundle: await read("audit-bundle.json"), receipts: [await read("receipt.json")] },
  { now: new Date(1785542402000), eatProfile: EAT_PROFILES[0], allowSoftwareOnly: true, appraisal: preset("strict") },
  webcrypto,
);
assert.equal(verdict.outcome, "accepted");
// Software attestation without a pinned key: the parts fit together, and anybody could have made them.
assert.equal(verdict.origin, "not proven");
