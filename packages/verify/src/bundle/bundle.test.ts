import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import { Instance, rehash, relink } from "../testing/instance.ts";
import { altered, claimOf, entriesOf, failures, judge, OTHER_HASH, recordOf } from "../testing/session.ts";
import type { Verdict } from "../verdict.ts";

const record = recordOf();
const { instance, entries, claim, bundle } = record;
const attacker = new Instance();

const whyOf = (verdict: Verdict, name: string): string =>
  verdict.checks.find((check) => check.name === name && check.status === "failed")?.why ?? "";

/** Everything of an entry stays, but for what is given. */
const replaced = (at: number, fields: Partial<AuditEntry>): AuditEntry[] =>
  entries.map((entry, index) => (index === at ? { ...entry, ...fields } : entry));

describe("a host that rearranges the entries of a signed record", () => {
  const rearrangements: Record<string, AuditEntry[]> = {
    reordered: entries.toSpliced(2, 2, ...entries.slice(2, 4).toReversed()),
    "truncated at the end": entries.slice(0, -1),
    "truncated at the start": entries.slice(1),
    "with one deleted": entries.toSpliced(2, 1),
    "with one inserted twice": entries.toSpliced(2, 0, ...entries.slice(2, 3)),
    "with one of another session inserted": entries.toSpliced(2, 0, ...entriesOf(instance).slice(2, 3)),
    "of another session altogether": entriesOf(instance),
  };
  for (const [what, rearranged] of Object.entries(rearrangements)) {
    test(`${what}, with and without linking and hashing again`, async () => {
      for (const list of [rearranged, relink(rearranged)]) {
        const verdict = await judge({ claim, bundle: { ...bundle, entries: list } });
        assert.deepEqual([verdict.outcome, failures(verdict)], ["rejected", ["audit chain CHAIN_BROKEN"]]);
      }
    });
  }

  test("under another session's id", async () => {
    const other = entriesOf(instance);
    const verdict = await judge({
      claim,
      bundle: { ...bundle, session_id: other[0]?.session_id ?? "", entries: other },
    });
    assert.deepEqual(failures(verdict), ["bundle's session CHAIN_BROKEN", "audit chain CHAIN_BROKEN"]);
  });

  test("a bundle signed by another key, or by none", async () => {
    assert.deepEqual(failures(await judge({ claim, bundle: attacker.bundle(entries) })), [
      "bundle signature SIGNATURE_INVALID",
    ]);
    assert.deepEqual(failures(await judge({ claim, bundle: { ...bundle, bundle_signature: "" } })), [
      "bundle signature SIGNATURE_INVALID",
    ]);
  });

  test("no entries at all", async () => {
    const verdict = await judge({ claim, bundle: { ...bundle, entries: [] } });
    assert.deepEqual([verdict.outcome, failures(verdict)], ["malformed", ["bundle form BUNDLE_MALFORMED"]]);
  });
});

describe("a chain that its own key signed and that is no chain", () => {
  const late = new Date(Date.parse(entries[3]?.timestamp_utc ?? "") + 3_600_000).toISOString();
  const [start, ...rest] = entries;
  const cases: Record<string, [AuditEntry[], RegExp]> = {
    "an entry of another session": [
      relink(replaced(2, { session_id: "11111111-1111-4111-8111-111111111111" })),
      /entry 2: belongs to another session/,
    ],
    "a gap in the numbers": [
      [...entries.slice(0, 6), rehash({ ...(entries[6] ?? entries[0]), sequence_number: 7 } as AuditEntry)],
      /entry 6: is numbered 7/,
    ],
    "a broken link": [
      replaced(6, rehash({ ...(entries[6] as AuditEntry), prev_entry_hash: "0".repeat(64) })),
      /entry 6: does not link/,
    ],
    "a changed entry under its old hash": [replaced(2, { policy_decision: "allow" }), /entry 2: does not hash/],
    "no session_start": [relink(rest), /entry 0: session_start/],
    "a second session_start": [relink([start as AuditEntry, ...entries]), /entry 1: session_start/],
    "a call after session_end": [relink([...entries, entries[1] as AuditEntry]), /entry 6: session_end is followed/],
    "a time that goes back": [relink(replaced(2, { timestamp_utc: late })), /entry 3: is earlier/],
  };
  for (const [what, [forged, why]] of Object.entries(cases)) {
    test(what, async () => {
      const sessionId = entries[0]?.session_id ?? "";
      const verdict = await judge({
        claim: claimOf(instance, forged),
        bundle: { ...instance.bundle(forged), session_id: sessionId },
      });
      assert.deepEqual([verdict.outcome, failures(verdict)], ["rejected", ["audit chain CHAIN_BROKEN"]]);
      assert.match(whyOf(verdict, "audit chain"), why);
    });
  }

  test("times are compared as times, not as text", async () => {
    const offset = relink(
      entries.map((entry, index) =>
        index === 0 ? { ...entry, timestamp_utc: entry.timestamp_utc.replace(/T.*Z$/, "T23:59:59+23:00") } : entry,
      ),
    );
    assert.equal(
      (await judge({ claim: claimOf(instance, offset), bundle: instance.bundle(offset) })).outcome,
      "accepted",
    );
  });
});

describe("entries that contradict the claim", () => {
  test("a call decided under another policy", async () => {
    const mixed = relink(replaced(3, { detail: { ...entries[3]?.detail, policy_hash: OTHER_HASH } }));
    assert.deepEqual(failures(await judge({ claim: claimOf(instance, mixed), bundle: instance.bundle(mixed) })), [
      "policy of every decision POLICY_HASH_MISMATCH",
    ]);
  });

  test("a call that names no policy", async () => {
    const silent = relink(replaced(3, { detail: null }));
    assert.deepEqual(failures(await judge({ claim: claimOf(instance, silent), bundle: instance.bundle(silent) })), [
      "policy of every decision POLICY_HASH_MISMATCH",
    ]);
  });

  test("a root entry that does not say what the session ran under", async () => {
    const bare = relink(replaced(0, { detail: { policy_hash: OTHER_HASH } }));
    assert.deepEqual(failures(await judge({ claim: claimOf(instance, bare), bundle: instance.bundle(bare) })), [
      "root entry CHAIN_BROKEN",
    ]);
  });

  test("a drift the claim does not mention", async () => {
    const drifted = relink(entries.toSpliced(2, 0, { ...(entries[2] as AuditEntry), entry_type: "catalog_drift" }));
    assert.deepEqual(failures(await judge({ claim: claimOf(instance, drifted), bundle: instance.bundle(drifted) })), [
      "drift CLAIM_INCONSISTENT",
    ]);
  });

  test("entries rewritten by somebody who has a key, but not this one", async () => {
    const rewritten = relink(replaced(2, { policy_decision: "allow" }));
    const forged = altered(claimOf(attacker, rewritten), (draft) => (draft.trace.cnf = claim.trace.cnf));
    const verdict = await judge(
      { claim: attacker.claim(forged), bundle: attacker.bundle(rewritten) },
      { trustedKey: instance.jwk.x },
    );
    assert.deepEqual(failures(verdict), [
      "claim signature SIGNATURE_INVALID",
      "key names SIGNATURE_INVALID",
      "key bound by report data PUBLIC_KEY_NOT_BOUND",
      "bundle signature SIGNATURE_INVALID",
    ]);
  });
});
