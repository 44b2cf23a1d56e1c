/**
 * An interrupted session as a later instance answers for it: the log of that instance proves the key of the one that
 * wrote the session, so that what somebody kept of the dead instance is held to the export.
 */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { describe, test } from "node:test";
import {
  MAX_RECORD_BYTES,
  RECEIPT_V2,
  receiptV2Leaf,
  treeSigningInput,
  type IncompleteSession,
  type ProvenHandOver,
  type Receipt,
} from "@cmcp/audit";
import { canonicalBytes, toBase64Url } from "@cmcp/boundary";
import { leafHash } from "@cmcp/log";
import * as fc from "fast-check";
import { Instance } from "../testing/instance.ts";
import { answeredBy, handOverOf, interruptedSession, leafOf } from "../testing/interrupted.ts";
import { failures } from "../testing/session.ts";
import type { Verdict } from "../verdict.ts";
import { verifyIncomplete } from "../verify-incomplete.ts";

const [writer, answering, another] = [new Instance(), new Instance(), new Instance()];
const died = interruptedSession(writer);
const exported = answeredBy(answering, writer, died);
const handOver = exported.hand_over as ProvenHandOver;
const [early, late] = died.receipts as [Receipt, Receipt];
const place = late.sequence_number;

const judge = (session: object, receipts: readonly object[] = [], trustedKey?: string): Promise<Verdict> =>
  verifyIncomplete(
    { export: canonicalBytes(session), receipts: receipts.map((receipt) => canonicalBytes(receipt)) },
    { allowSoftwareOnly: true, ...(trustedKey === undefined ? {} : { trustedKey }) },
    webcrypto,
  );
const found = async (session: object, receipts: readonly object[] = []): Promise<string[]> =>
  failures(await judge(session, receipts));
const unproven = [`hand-over HAND_OVER_INVALID`, `receipt ${place} signature RECEIPT_INVALID`];

/** The export with its entries cut off before the last call, as a host shows it that has hidden the rest. */
function cutOff(): IncompleteSession {
  const entries = died.entries.slice(0, place);
  return answeredBy(answering, writer, { ...died, entries, receipts: [early] });
}

test("it verifies, and so does what was kept of the instance that died", async () => {
  const verdict = await judge(exported, [early, late], answering.jwk.x);
  assert.deepEqual(failures(verdict), []);
  assert.deepEqual(
    [verdict.outcome, verdict.origin, verdict.completeness, verdict.coveredEntries, verdict.signingKey],
    ["accepted", "trusted key", "open prefix", place + 1, answering.jwk.x],
  );
  assert.equal(verdict.checks.find(({ name }) => name === "hand-over")?.status, "passed");
});

test("a kept receipt shows that the end was cut off, and nothing else does", async () => {
  assert.deepEqual(await found(cutOff(), [early]), []);
  const verdict = await judge(cutOff(), [early, late], answering.jwk.x);
  assert.deepEqual([verdict.outcome, failures(verdict)], ["rejected", [`receipt ${place} CHAIN_BROKEN`]]);
});

test("the pinned key is that of the instance that answers", async () => {
  const verdict = await judge(exported, [late], writer.jwk.x);
  assert.deepEqual(failures(verdict), ["trusted key SIGNATURE_INVALID"]);
  assert.match(
    verdict.checks.find(({ name }) => name === "trusted key")?.why ?? "",
    /pin the key of the one that answers/,
  );
  assert.deepEqual(failures(await judge(exported, [late], another.jwk.x)), ["trusted key SIGNATURE_INVALID"]);
});

describe("a receipt of an instance that has no proven hand-over", () => {
  test("is refused where the hand-over is missing", async () => {
    const { hand_over: _, ...without } = exported;
    assert.deepEqual(await found({ ...without, receipts: [] }, [late]), [
      "a receipt for the last call RECEIPT_INVALID",
      `receipt ${place} signature RECEIPT_INVALID`,
    ]);
    assert.deepEqual(await found(without), [`receipt ${place} signature RECEIPT_INVALID`]);
  });

  test("is refused beside the hand-over of another instance of the same log", async () => {
    const other = handOverOf(another);
    const [log] = answering.logged([leafOf(other), leafOf(handOverOf(writer))]);
    const session = { ...exported, hand_over: { body: other, log } };
    assert.deepEqual(await found(session), [`receipt ${place} signature RECEIPT_INVALID`]);
    const held = [early, late].map((receipt) => `receipt ${receipt.sequence_number} signature RECEIPT_INVALID`);
    assert.deepEqual((await found(session, [early, late])).slice(1), held);
  });

  test("is refused if another instance decided, or signed the note", async () => {
    for (const receipt of [
      another.receipt(late),
      another.receipt({ ...late, instance: another.name }),
      writer.receipt({ ...late, instance: another.name }),
      answering.receipt({ ...late, instance: another.name }),
      answering.receipt({ ...late, instance: answering.name }),
    ])
      assert.deepEqual(await found(exported, [receipt]), [`receipt ${place} signature RECEIPT_INVALID`]);
  });

  test("of version 2 is refused unless the instance that decided signed it", async () => {
    const { kind: _, seq: __, log: ___, ...said } = late;
    const body = { ...said, v: RECEIPT_V2 } as const;
    const signedBy = (instance: Instance): object => {
      const value = toBase64Url(instance.sign(treeSigningInput(1, leafHash(receiptV2Leaf(body)))));
      return { ...body, signature: { index: 0, path: [], size: 1, value } };
    };
    assert.deepEqual(await found(exported, [signedBy(writer)]), []);
    assert.deepEqual(await found(exported, [signedBy(answering)]), [`receipt ${place} signature RECEIPT_INVALID`]);
  });
});

describe("a hand-over that the log of the instance that answers does not have", () => {
  const { body, log } = handOver;
  const leaves = [leafOf(body), leafOf(handOverOf(another))];
  const [own] = writer.logged(leaves);
  const [others] = another.logged(leaves);
  const later = JSON.parse(new TextDecoder().decode(leafOf(body))) as Record<string, unknown>;
  const asLeaf = (change: object) => answering.logged([canonicalBytes({ ...later, ...change })])[0];
  const [lowest = "", ...rest] = log.path;
  const large = { ...body, evidence: { quote: "A".repeat(MAX_RECORD_BYTES) } };

  const forgeries: Record<string, object> = {
    "of another body": { body: { ...body, gateway_version: "0.1.1" }, log },
    "without its evidence": { body: { ...body, evidence: undefined }, log },
    "of a key that its leaf does not name": { body: { ...body, jwk: another.jwk }, log },
    "at another index": { body, log: { ...log, index: log.index + 1 } },
    "beyond the head": { body, log: { ...log, index: 1_000 } },
    "along a shorter path": { body, log: { ...log, path: rest } },
    "along a longer path": { body, log: { ...log, path: [...log.path, lowest] } },
    "along another path": { body, log: { ...log, path: ["A".repeat(43), ...rest] } },
    "under a note of its own key": { body, log: own },
    "under a note of another instance": { body, log: others },
    "under no note": { body, log: { ...log, note: "" } },
    "under a note that was changed": {
      body,
      log: { ...log, note: log.note.replace("log.example/0", "log.example/1") },
    },
    "that is a record of another kind": { body, log: asLeaf({ kind: "provision" }) },
    "that is no instance's first record": { body, log: asLeaf({ seq: 1 }) },
    "that another instance wrote": { body, log: asLeaf({ instance: another.name }) },
    "that is larger than a record": { body: large, log: answering.logged([leafOf(large)])[0] },
  };
  for (const [what, changed] of Object.entries(forgeries)) {
    test(what, async () => {
      const session = JSON.parse(JSON.stringify({ ...exported, hand_over: changed })) as object;
      assert.deepEqual(await found(session), unproven);
      const verdict = await judge(session, [late], answering.jwk.x);
      assert.deepEqual([verdict.outcome, verdict.session, verdict.signingKey], ["rejected", null, null]);
    });
  }

  test("with a member that no hand-over has, or without one, is malformed", async () => {
    const { policy_hash: _, ...lacking } = body;
    for (const changed of [
      null,
      {},
      { body },
      { body: { ...body, note: "" }, log },
      { body: lacking, log },
      { body, log, leaf: "" },
      { body, log: { ...log, path: Array.from({ length: 49 }, () => lowest) } },
      { body: { ...body, gateway_version: "x".repeat(4097) }, log },
      { body: { ...body, jwk: { ...body.jwk, d: "x" } }, log },
    ])
      assert.deepEqual(await found({ ...exported, hand_over: changed }), ["export form BUNDLE_MALFORMED"]);
  });
});

test("evidence as deep as a platform has it is read", async () => {
  const depth = 12;
  let evidence: object = {};
  for (let level = 1; level < depth; level += 1) evidence = { nested: evidence };
  const body = { ...handOver.body, evidence };
  const [log] = answering.logged([leafOf(body as ProvenHandOver["body"]), leafOf(handOverOf(another))]);
  assert.deepEqual(await found({ ...exported, hand_over: { body, log } }), []);
});

test("any changed byte of the hand-over is not accepted", async () => {
  const file = canonicalBytes(exported);
  const text = new TextDecoder().decode(file);
  const member = `"hand_over":${new TextDecoder().decode(canonicalBytes(handOver))}`;
  // A note has a character of several bytes: places are counted in bytes.
  const from = new TextEncoder().encode(text.slice(0, text.indexOf(member))).length;
  const length = new TextEncoder().encode(member).length;
  const places = fc.tuple(fc.nat(length - 1), fc.integer({ min: 1, max: 255 }));
  await fc.assert(
    fc.asyncProperty(places, async ([at, by]) => {
      const copy = Uint8Array.from(file);
      copy[from + at] = (copy[from + at] ?? 0) ^ by;
      const { outcome } = await verifyIncomplete({ export: copy }, { allowSoftwareOnly: true }, webcrypto);
      assert.notEqual(outcome, "accepted");
    }),
    { numRuns: 1000 },
  );
});
