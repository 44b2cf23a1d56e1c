import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalText } from "@cmcp/boundary";
import { handOverLeaf, handOverSchema } from "./hand-over.ts";
import { LAUNCH, WritingInstance } from "./testing/instance.ts";
import { signedLostStore } from "./testing/lost-store.ts";

const GOOD = new WritingInstance().handOver;
const accepted = (change: object): boolean => handOverSchema.safeParse({ ...GOOD, ...change }).success;
const text = (length: number): string => "x".repeat(length);
const PREDECESSOR = { size: 1, root: "0".repeat(64), instance: null };

test("every member of a hand-over is read up to its bound, and not beyond", () => {
  assert.ok(accepted({}));
  for (const [within, beyond] of [
    [{ gateway_version: text(4096) }, { gateway_version: text(4097) }],
    [{ platform: text(4096) }, { platform: text(4097) }],
    [{ measurement: text(4096) }, { measurement: text(4097) }],
    [{ witnesses: text(1) }, { witnesses: "" }],
    [{ witnesses: text(65_536) }, { witnesses: text(65_537) }],
    [{ sealed_identity: text(10_923) }, { sealed_identity: text(10_924) }],
    [{ seal_keys: "A".repeat(43) }, { seal_keys: "A".repeat(44) }],
    [{ boot_time: "2026-08-01T00:00:00+02:00" }, { boot_time: "yesterday" }],
    [{ predecessor: null }, { predecessor: undefined }],
    [{ predecessor: PREDECESSOR }, { predecessor: { ...PREDECESSOR, size: 0 } }],
    [{ predecessor: { ...PREDECESSOR, instance: "A".repeat(43) } }, { predecessor: { ...PREDECESSOR, instance: "A" } }],
    [{ lost_store: signedLostStore() }, { lost_store: null }],
    [{ history: { state: "incomplete", reason: "lost-store" } }, { history: { state: "incomplete" } }],
    [{ evidence: { any: ["thing"] } }, { evidence: [] }],
  ] as const)
    assert.deepEqual([accepted(within), accepted(beyond)], [true, false], JSON.stringify(beyond).slice(0, 60));
  assert.ok(!accepted({ extra: 1 }));
});

test("the leaf of a hand-over is an instance's first", () => {
  assert.equal(
    Buffer.from(handOverLeaf("A".repeat(43), LAUNCH)).toString(),
    canonicalText({ v: "cmcp-leaf-v1", kind: "hand-over", instance: "A".repeat(43), seq: 0, body_hash: LAUNCH }),
  );
});
