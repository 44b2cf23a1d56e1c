/** The verdict does not depend on whose WebCrypto is injected. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { canonicalBytes, toBase64Url } from "@cmcp/boundary";
import { Crypto } from "@peculiar/webcrypto";
import type { Claim } from "@cmcp/claim/schema";
import { Instance, relink } from "./testing/instance.ts";
import { altered, claimOf, EXPECTED, recordOf } from "./testing/session.ts";
import { verifyClaim, type ClaimRecord } from "./verify-claim.ts";
import { verifyIncomplete } from "./verify-incomplete.ts";

const peculiar = new Crypto();
const record = recordOf();
const { instance, claim, bundle, receipts, entries } = record;
const another = new Instance();

function files(parts: { claim?: object; bundle?: object; receipts?: readonly object[] } = {}): ClaimRecord {
  const whole = { claim, bundle, receipts, ...parts };
  return {
    claim: canonicalBytes(whole.claim),
    bundle: canonicalBytes(whole.bundle),
    receipts: whole.receipts.map((receipt) => canonicalBytes(receipt)),
  };
}

const withKey = (x: string): Claim => altered(claim, (draft) => (draft.trace.cnf.jwk.x = x));
const reordered = relink(entries.toSpliced(2, 2, ...entries.slice(2, 4).toReversed()));

const RECORDS: Record<string, [ClaimRecord, string]> = {
  intact: [files(), "accepted"],
  "claim changed": [files({ claim: altered(claim, (draft) => (draft.trace.iat += 1)) }), "rejected"],
  "claim of another key": [files({ claim: another.claim(claim) }), "rejected"],
  "claim over other entries": [files({ claim: claimOf(instance, reordered) }), "rejected"],
  "bundle of another key": [files({ bundle: another.bundle(entries) }), "rejected"],
  "entries reordered": [files({ bundle: instance.bundle(reordered) }), "rejected"],
  "receipt changed": [files({ receipts: [{ ...receipts[0], decision: "deny" }] }), "rejected"],
  "a key that is no point of the curve": [
    files({ claim: withKey(toBase64Url(new Uint8Array(32).fill(255))) }),
    "rejected",
  ],
  "a key of small order": [
    files({ claim: withKey(toBase64Url(Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0)))) }),
    "rejected",
  ],
  "not a claim": [files({ claim: {} }), "malformed"],
};

for (const [what, [files, outcome]] of Object.entries(RECORDS)) {
  test(`the same verdict with Node's and with @peculiar/webcrypto: ${what}`, async () => {
    const verdict = await verifyClaim(files, EXPECTED, webcrypto);
    assert.equal(verdict.outcome, outcome);
    assert.deepEqual(await verifyClaim(files, EXPECTED, peculiar), verdict);
  });
}

test("the same verdict with both on what a crash left", async () => {
  const bytes = canonicalBytes({
    session_id: claim.gateway.session_id,
    incomplete: true,
    signing_key: instance.jwk,
    entries,
    receipts,
  });
  const verdict = await verifyIncomplete({ export: bytes }, EXPECTED, webcrypto);
  assert.equal(verdict.outcome, "accepted");
  assert.deepEqual(await verifyIncomplete({ export: bytes }, EXPECTED, peculiar), verdict);
});
