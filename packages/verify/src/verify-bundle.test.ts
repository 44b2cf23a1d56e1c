import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { describe, test } from "node:test";
import { canonicalBytes, CmcpError } from "@cmcp/boundary";
import { verifyBundle } from "./index.ts";
import { Instance, relink } from "./testing/instance.ts";
import { NO_CONDITIONS } from "./session/conditions.ts";
import { entriesOf, failures, recordOf } from "./testing/session.ts";
import type { Verdict } from "./verdict.ts";

const { instance, entries, bundle, receipts } = recordOf();
const other = new Instance();
/** Order of Ed25519's group, little-endian (RFC 8032 section 5.1). */
const ORDER = Buffer.from("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", "hex");

async function judge(
  record: { bundle: object; receipts?: readonly object[] },
  expected: { trustedKey?: string; allowSoftwareOnly?: boolean } = {},
): Promise<Verdict> {
  return await verifyBundle(
    {
      bundle: canonicalBytes(record.bundle),
      receipts: (record.receipts ?? []).map((receipt) => canonicalBytes(receipt)),
    },
    { allowSoftwareOnly: true, ...expected },
    webcrypto,
  );
}

const notPerformed = (verdict: Verdict): string[] =>
  verdict.checks.filter(({ status }) => status === "not-performed").map(({ name }) => name);

describe("a bundle by itself", () => {
  test("is one unbroken chain, and says what that does not show", async () => {
    const verdict = await judge({ bundle });
    assert.deepEqual(
      [verdict.outcome, verdict.completeness, verdict.assurance],
      ["accepted", "unknown", "none established"],
    );
    assert.deepEqual([verdict.origin, verdict.session, verdict.signingKey], ["not proven", null, null]);
    assert.deepEqual(notPerformed(verdict), ["bundle signature", "enforcement mode", "receipts", "claim"]);
    assert.deepEqual([verdict.coveredEntries, verdict.conditions], [null, NO_CONDITIONS]);
  });

  test("of an open session is an open prefix", async () => {
    const open = instance.bundle(entriesOf(instance, false));
    const verdict = await judge({ bundle: open }, { trustedKey: instance.jwk.x });
    assert.deepEqual([verdict.completeness, verdict.coveredEntries], ["open prefix", open.entries.length]);
  });

  test("is accepted only by who asks for no hardware evidence", async () => {
    const verdict = await judge({ bundle }, { allowSoftwareOnly: false });
    assert.deepEqual(failures(verdict), ["software-only accepted SOFTWARE_ONLY_NOT_ACCEPTED"]);
  });

  test("under a pinned key is that key's, with its receipts", async () => {
    const verdict = await judge({ bundle, receipts }, { trustedKey: instance.jwk.x });
    assert.deepEqual(
      [verdict.outcome, verdict.assurance, verdict.origin, verdict.signingKey],
      ["accepted", "functional only", "trusted key", instance.jwk.x],
    );
    assert.deepEqual(notPerformed(verdict), ["claim"]);
    assert.deepEqual(failures(await judge({ bundle }, { trustedKey: other.jwk.x })), [
      "bundle signature SIGNATURE_INVALID",
    ]);
    assert.deepEqual(failures(await judge({ bundle: other.bundle(entries) }, { trustedKey: instance.jwk.x })), [
      "bundle signature SIGNATURE_INVALID",
    ]);
  });

  test("that was rearranged, cut or changed is rejected", async () => {
    for (const changed of [
      entries.slice(1),
      entries.toSpliced(2, 1),
      entries.map((entry, index) => (index === 2 ? { ...entry, policy_decision: "allow" as const } : entry)),
    ]) {
      assert.deepEqual(failures(await judge({ bundle: { ...bundle, entries: changed } })), [
        "audit chain CHAIN_BROKEN",
      ]);
    }
  });

  test("that anybody rewrote is never anybody's in particular, and what no key signs is rejected without one too", async () => {
    const forged = {
      ...bundle,
      entries: relink(entries.map((entry, index) => (index === 1 ? { ...entry, tool_name: "wipe_disk" } : entry))),
    };
    const verdict = await judge({ bundle: { ...forged, bundle_signature: Buffer.alloc(64, 7).toString("base64url") } });
    assert.deepEqual(
      [verdict.outcome, verdict.origin, verdict.assurance],
      ["accepted", "not proven", "none established"],
    );
    const junk = [
      Buffer.alloc(64, 0xff),
      Buffer.concat([Buffer.alloc(32), ORDER]),
      Buffer.alloc(63, 7),
      Buffer.alloc(0),
    ];
    for (const signature of [...junk.map((bytes) => bytes.toString("base64url")), "not base64url"]) {
      const rejected = await judge({ bundle: { ...forged, bundle_signature: signature } });
      assert.deepEqual(
        [failures(rejected), rejected.origin],
        [["bundle signature SIGNATURE_INVALID"], "not proven"],
        signature,
      );
      const [held] = receipts;
      assert.ok(held !== undefined);
      const { log: _, kind: _kind, seq: _seq, ...shared } = held;
      const receipt = {
        ...shared,
        v: "cmcp-receipt-v2",
        signature: { index: 0, path: [], size: 1, value: signature },
      };
      assert.deepEqual(
        failures(await judge({ bundle, receipts: [receipt] })),
        [`receipt ${held?.sequence_number} signature RECEIPT_INVALID`],
        signature,
      );
    }
    const largest = Buffer.concat([
      Buffer.alloc(32),
      Buffer.from(ORDER.map((byte, at) => (at === 0 ? byte - 1 : byte))),
    ]);
    assert.deepEqual(
      failures(await judge({ bundle: { ...bundle, bundle_signature: largest.toString("base64url") } })),
      [],
    );
  });

  test("that is rejected for anything else is of no proven origin under its own key either", async () => {
    const verdict = await judge({ bundle }, { trustedKey: instance.jwk.x, allowSoftwareOnly: false });
    assert.deepEqual([verdict.outcome, verdict.origin], ["rejected", "not proven"]);
  });

  test("is held against receipts, with and without a key", async () => {
    const [held] = receipts;
    assert.ok(held !== undefined);
    const rewritten = relink(entries.map((entry, index) => (index === 1 ? { ...entry, tool_name: "other" } : entry)));
    for (const expected of [{}, { trustedKey: instance.jwk.x }]) {
      assert.deepEqual(failures(await judge({ bundle, receipts: [held] }, expected)), []);
      assert.deepEqual(failures(await judge({ bundle: instance.bundle(rewritten), receipts: [held] }, expected)), [
        `receipt ${held.sequence_number} CHAIN_BROKEN`,
      ]);
      const foreign = other.receipt({ ...held, session_id: "11111111-1111-4111-8111-111111111111" });
      assert.equal(failures(await judge({ bundle, receipts: [foreign] }, expected)).length, 1);
    }
  });

  test("that says it is of another session than its entries is rejected", async () => {
    const other = { ...bundle, session_id: "11111111-1111-4111-8111-111111111111" };
    assert.deepEqual(failures(await judge({ bundle: other })), ["audit chain CHAIN_BROKEN"]);
    const [first, ...rest] = entries;
    const mixed = [first, ...rest.map((entry) => ({ ...entry, session_id: other.session_id }))];
    assert.deepEqual(failures(await judge({ bundle: { ...bundle, entries: mixed } })), ["audit chain CHAIN_BROKEN"]);
  });

  test("whose bytes cannot be read is no finding, but an error", async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(canonicalBytes(bundle).subarray(0, 100));
      throw new CmcpError("USAGE", "the file is gone");
    };
    await assert.rejects(verifyBundle({ bundle: failing() }, { allowSoftwareOnly: true }, webcrypto), {
      code: "USAGE",
    });
  });

  test("that is none is malformed", async () => {
    for (const bytes of [new Uint8Array(), Buffer.from("{}"), Buffer.from("[")]) {
      const verdict = await verifyBundle({ bundle: bytes }, { allowSoftwareOnly: true }, webcrypto);
      assert.deepEqual([verdict.outcome, verdict.completeness], ["malformed", "unknown"]);
    }
  });
});
