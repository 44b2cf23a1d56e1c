import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { describe, test } from "node:test";
import type { AuditEntry, IncompleteSession, Receipt } from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";
import { Instance, relink } from "./testing/instance.ts";
import { altered, entriesOf, EXPECTED, failures } from "./testing/session.ts";
import { verifyIncomplete } from "./verify-incomplete.ts";

const instance = new Instance();
const another = new Instance();
const entries = entriesOf(instance, false);
const left: IncompleteSession = {
  session_id: entries[0]?.session_id ?? "",
  incomplete: true,
  signing_key: { kty: "OKP", crv: "Ed25519", x: instance.jwk.x },
  entries,
  receipts: instance.receiptsOf(entries),
};

const judge = (
  session: object,
  expected: { trustedKey?: string; allowSoftwareOnly?: boolean } = {},
  receipts: readonly object[] = [],
) =>
  verifyIncomplete(
    { export: canonicalBytes(session), receipts: receipts.map((receipt) => canonicalBytes(receipt)) },
    { allowSoftwareOnly: true, ...expected },
    webcrypto,
  );
const found = async (session: object) => failures(await judge(session));

test("what an interrupted session left is accepted as an open prefix", async () => {
  const verdict = await judge(left, { trustedKey: instance.jwk.x });
  assert.deepEqual(
    [verdict.outcome, verdict.completeness, verdict.assurance],
    ["accepted", "open prefix", "functional only"],
  );
  assert.deepEqual(
    [verdict.origin, verdict.session, verdict.signingKey],
    ["trusted key", left.session_id, instance.jwk.x],
  );
  const passed = verdict.checks.filter(({ status }) => status === "passed").map(({ name }) => name);
  assert.deepEqual(passed, [
    "export form",
    "audit chain",
    ...[1, 2, 3, 4, 5].flatMap((at) => [`receipt ${at} signature`, `receipt ${at}`]),
    "a receipt for the last call",
    "trusted key",
    "software-only accepted",
    "something is signed",
    "enforcement mode",
  ]);
});

test("without a pinned key, or with another one, it says so", async () => {
  const unpinned = await judge(left);
  assert.deepEqual(
    [unpinned.outcome, unpinned.origin, unpinned.checks.find(({ name }) => name === "trusted key")?.status],
    ["accepted", "not proven", "not-performed"],
  );
  assert.deepEqual(failures(await judge(left, { trustedKey: another.jwk.x })), ["trusted key SIGNATURE_INVALID"]);
});

test("it too has no hardware evidence, and is accepted only when asked for", async () => {
  assert.deepEqual(failures(await judge(left, { allowSoftwareOnly: false })), [
    "software-only accepted SOFTWARE_ONLY_NOT_ACCEPTED",
  ]);
});

describe("a host that changes what is left", () => {
  test("an entry under its old hash", async () => {
    assert.deepEqual(
      await found(altered(left, ({ entries: [, call] }) => Object.assign(call ?? {}, { latency_us: 1 }))),
      ["audit chain CHAIN_BROKEN"],
    );
  });

  test("an entry, linked and hashed again", async () => {
    const rewritten = relink(
      entries.map((entry, index) => (index === 2 ? { ...entry, policy_decision: "allow" as const } : entry)),
    );
    assert.deepEqual(
      await found({ ...left, entries: rewritten }),
      [2, 3, 4, 5].map((at) => `receipt ${at} CHAIN_BROKEN`),
    );
  });

  test("a forged call in place of one that has a receipt, with another's receipt given twice", async () => {
    const forged = relink([...entries.slice(0, 5), { ...(entries[5] as AuditEntry), tool_name: "transfer" }]);
    const receipts = [...left.receipts.slice(0, 4), left.receipts[3] as Receipt];
    assert.deepEqual(await found({ ...left, entries: forged, receipts }), [
      "a receipt for the last call RECEIPT_INVALID",
    ]);
  });

  test("a call without its receipt", async () => {
    assert.deepEqual(await found({ ...left, receipts: left.receipts.slice(1) }), [
      "a receipt for the last call RECEIPT_INVALID",
    ]);
  });

  test("a receipt given twice", async () => {
    assert.deepEqual(await found({ ...left, receipts: [...left.receipts, left.receipts[0]] }), [
      "a receipt for the last call RECEIPT_INVALID",
    ]);
  });

  test("entries that nothing signs", async () => {
    const verdict = await judge(
      { ...left, entries: entries.slice(0, 1), receipts: [] },
      { trustedKey: instance.jwk.x },
    );
    assert.deepEqual([verdict.outcome, failures(verdict)], ["rejected", ["something is signed RECEIPT_INVALID"]]);
    assert.deepEqual([verdict.session, verdict.signingKey], [null, null], "an unsigned name is nobody's");
  });

  test("another key than the receipts were signed with", async () => {
    const verdict = await judge({ ...left, signing_key: { ...left.signing_key, x: another.jwk.x } });
    assert.deepEqual(
      failures(verdict),
      [1, 2, 3, 4, 5].map((at) => `receipt ${at} signature RECEIPT_INVALID`),
    );
    assert.equal(verdict.signingKey, null);
  });

  test("one receipt of several, changed: no key is named for the whole", async () => {
    const verdict = await judge(
      altered(left, ({ receipts }) => Object.assign(receipts[0] ?? {}, { decision: "deny" })),
    );
    assert.deepEqual(failures(verdict), ["receipt 1 signature RECEIPT_INVALID"]);
    assert.deepEqual([verdict.session, verdict.signingKey], [null, null]);
  });
});

describe("receipts that somebody kept", () => {
  const cut: IncompleteSession = { ...left, entries: entries.slice(0, 3), receipts: left.receipts.slice(0, 2) };

  test("an end that was cut off is found by the receipt of what stood there, and by nothing else", async () => {
    const verdict = await judge(cut);
    assert.equal(verdict.outcome, "accepted");
    assert.equal(verdict.checks.find(({ name }) => name === "receipts")?.status, "not-performed");
    assert.equal((await judge(cut, {}, cut.receipts)).outcome, "accepted");
    const found = await judge(cut, {}, left.receipts.slice(2, 3));
    assert.deepEqual([found.outcome, failures(found)], ["rejected", ["receipt 3 CHAIN_BROKEN"]]);
  });

  test("one of another key, or that is none", async () => {
    assert.deepEqual(failures(await judge(left, {}, another.receiptsOf(entries).slice(0, 1))), [
      "receipt 1 signature RECEIPT_INVALID",
    ]);
    assert.deepEqual(failures(await judge(left, {}, [{}])), ["receipt form RECEIPT_MALFORMED"]);
  });
});

test("entries after the last receipt are named as signed by nothing", async () => {
  const closed = entriesOf(instance);
  const session = {
    ...left,
    session_id: closed[0]?.session_id,
    entries: closed,
    receipts: instance.receiptsOf(closed),
  };
  const verdict = await judge(session);
  assert.equal(verdict.outcome, "accepted");
  assert.match(
    verdict.checks.find(({ name, status }) => name === "entries after the last receipt" && status === "not-performed")
      ?.why ?? "",
    /^1 at the end/,
  );
  assert.ok(
    !(await judge(left)).checks.some(({ name }) => name === "entries after the last receipt"),
    "not where the last entry has a receipt",
  );
});

describe("files that are not the documented form", () => {
  const text = new TextDecoder().decode(canonicalBytes(left));
  const malformed: Record<string, string> = {
    empty: "",
    "a duplicate key": text.replace('"incomplete":true', '"incomplete":true,"incomplete":true'),
    "an unknown member": text.replace('"incomplete":true', '"incomplete":true,"note":""'),
    "not marked incomplete": text.replace('"incomplete":true', '"incomplete":false'),
    truncated: text.slice(0, -1),
  };
  for (const [what, file] of Object.entries(malformed)) {
    test(what, async () => {
      const verdict = await verifyIncomplete({ export: new TextEncoder().encode(file) }, EXPECTED, webcrypto);
      assert.deepEqual(
        [verdict.outcome, verdict.completeness, failures(verdict)],
        ["malformed", "unknown", ["export form BUNDLE_MALFORMED"]],
      );
    });
  }
});
