/** What the host hands back of a closed session is believed as far as this instance signed it, and only whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalText, parseJsonText, untrusted, type JsonObject } from "@cmcp/boundary";
import type { AuditEntry } from "@cmcp/audit";
import { buildClaim, claimHash, signClaim, type Claim } from "@cmcp/claim";
import { WritingInstance } from "../../../audit/src/testing/instance.ts";
import { inputOf, SESSION } from "../../../claim/src/testing/session.ts";
import { Caller } from "../access/caller.ts";
import type { ScanFilter } from "./journal.ts";
import { readClosed, type SignedOwnJournal } from "./read-closed.ts";

const callerOf = (principalId: string): Caller => new Caller({ principalId, source: "bearer" }, null);

/** Writes a session of alice's into an instance's journal: two claims while it is open and one at its end. */
function writeSession(instance: WritingInstance): Claim[] {
  const entries: AuditEntry[] = [];
  const claims: Claim[] = [];
  const claim = (ended: boolean): void => {
    const unsigned = buildClaim({ ...inputOf(entries), jwk: instance.jwk, sequenceNumber: claims.length + 1 });
    const signed = signClaim(unsigned, instance.sign);
    claims.push(signed);
    instance.write({
      kind: "claim",
      body: {
        session_id: SESSION,
        sequence_number: claims.length,
        claim_hash: claimHash(signed),
        claim: parseJsonText(canonicalText(signed)) as JsonObject,
        ...(ended ? { end: { bundle_signature: "A".repeat(86) } } : {}),
      },
    });
  };
  const steps = [
    () => instance.start(SESSION, { principal: "alice" }),
    () => instance.call(SESSION, "c"),
    () => instance.end(SESSION),
  ];
  for (const step of steps) {
    entries.push(step());
    claim(entries.at(-1)?.entry_type === "session_end");
  }
  return claims;
}

const instance = new WritingInstance();
const claims = writeSession(instance);

/** Where an enclave reads back, whose host shows these records. */
function shown(records: WritingInstance["journal"]): SignedOwnJournal {
  const scan = async function* ({ kind }: ScanFilter) {
    for (const { statement, bytes } of records)
      if (statement.kind === kind) yield await Promise.resolve(untrusted<Uint8Array>(bytes));
  };
  return { jwk: instance.jwk, instance: instance.name, journal: { scan } };
}

test("a closed session is read as its last claim says, only for its principal", async () => {
  const found = await readClosed(shown(instance.journal), callerOf("alice"), SESSION);
  assert.deepEqual(found?.claim, claims.at(-1));
  assert.deepEqual(
    [found?.length, found?.tip, found?.principalId],
    [3, claims.at(-1)?.gateway.audit_chain.tip, "alice"],
  );
  assert.equal(await readClosed(shown(instance.journal), callerOf("bob"), SESSION), null);
  assert.equal(
    await readClosed(shown(instance.journal), callerOf("alice"), "11111111-1111-4111-8111-111111111111"),
    null,
    "records of another session than was asked for",
  );
  const reversed = await readClosed(shown(instance.journal.toReversed()), callerOf("alice"), SESSION);
  assert.deepEqual(reversed?.claim, claims.at(-1), "in whatever order the host shows them");
});

test("a host that hides the last claim shows no closed session", async () => {
  const withheld = instance.journal.filter(
    ({ statement }) => statement.kind !== "claim" || statement.body.sequence_number < claims.length,
  );
  assert.equal(await readClosed(shown(withheld), callerOf("alice"), SESSION), null);
});

test("claims that this instance did not sign are ignored", async () => {
  const stranger = new WritingInstance();
  writeSession(stranger);
  assert.equal(await readClosed(shown(stranger.journal), callerOf("alice"), SESSION), null);
  const changed = instance.journal.map((written) =>
    written.statement.kind === "claim"
      ? {
          ...written,
          bytes: new TextEncoder().encode(
            new TextDecoder().decode(written.bytes).replace('"call_count":1', '"call_count":0'),
          ),
        }
      : written,
  );
  assert.equal(await readClosed(shown(changed), callerOf("alice"), SESSION), null);
  const garbage = instance.journal.map((written) =>
    written.statement.kind === "claim" ? { ...written, bytes: new TextEncoder().encode("{]") } : written,
  );
  assert.equal(await readClosed(shown(garbage), callerOf("alice"), SESSION), null);
});

test("without the root entry that the claim names nobody is known to own the session", async () => {
  let first = true;
  const missing = instance.journal.filter(({ statement }) => {
    const isRoot = statement.kind === "entry" && first;
    if (isRoot) first = false;
    return !isRoot;
  });
  await assert.rejects(readClosed(shown(missing), callerOf("alice"), SESSION), { code: "AUDIT_STORE_MISMATCH" });
});
