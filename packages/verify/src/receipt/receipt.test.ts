import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Receipt } from "@cmcp/audit";
import { Instance } from "../testing/instance.ts";
import { entriesOf, failures, judge, OTHER_HASH, recordOf } from "../testing/session.ts";

const record = recordOf();
const { instance, entries, claim, bundle } = record;
const another = new Instance();
const [, receipt] = record.receipts as [Receipt, Receipt];

const found = async (held: Receipt) => failures(await judge({ claim, bundle, receipts: [held] }));

describe("a receipt nobody of this instance signed", () => {
  test("with its decision changed", async () => {
    assert.deepEqual(await found({ ...receipt, decision: "allow" }), ["receipt 2 signature RECEIPT_INVALID"]);
  });

  test("signed by another key under this instance's name, or its own", async () => {
    assert.deepEqual(await found(another.receipt(receipt)), ["receipt 2 signature RECEIPT_INVALID"]);
    assert.deepEqual(await found(another.receipt({ ...receipt, instance: another.name })), [
      "receipt 2 signature RECEIPT_INVALID",
    ]);
  });

  test("signed by this key under another instance's name", async () => {
    assert.deepEqual(await found(instance.receipt({ ...receipt, instance: another.name })), [
      "receipt 2 signature RECEIPT_INVALID",
    ]);
  });

  test("at another place in the log, along another path, or under another note", async () => {
    const { log } = receipt;
    assert.ok(log.path.length >= 2);
    const [lowest = "", ...rest] = log.path;
    const changed = (from: string | RegExp, to: string): Partial<Receipt["log"]> => ({
      note: log.note.replace(from, to),
    });
    const elsewhere: Partial<Receipt["log"]>[] = [
      { index: log.index - 1 },
      { index: log.index + 1 },
      { index: 1_000 },
      { index: 0, path: [] },
      { path: rest },
      { path: [...rest, lowest] },
      { path: [...log.path, lowest] },
      { path: ["A".repeat(43), ...rest] },
      { path: [`${lowest.slice(0, -1)}_`, ...rest] },
      changed("log.example/0", "log.example/1"),
      changed(/\n\d+\n/, "\n1000\n"),
      changed("cmcp-instance-", "cmcp-other-"),
      changed("\n\n", "\nextension\n\n"),
      { note: "" },
      { note: log.note.split("\n\n")[0] ?? "" },
      { note: another.receipt(receipt).log.note },
    ];
    for (const change of elsewhere)
      assert.deepEqual(
        await found({ ...receipt, log: { ...log, ...change } }),
        ["receipt 2 signature RECEIPT_INVALID"],
        JSON.stringify(change),
      );
  });

  test("is found without the bundle too", async () => {
    assert.deepEqual(failures(await judge({ claim, receipts: [{ ...receipt, decision: "allow" }] })), [
      "receipt 2 signature RECEIPT_INVALID",
    ]);
  });
});

test("a sealed call's receipt that commits to another request or answer than the entry is no receipt of it", async () => {
  const entry = entries[receipt.sequence_number];
  const { request_payload_hash: request, response_payload_hash: response } = entry ?? assert.fail();
  const sealed = (change: Partial<Receipt>): Receipt => instance.receipt({ ...receipt, ...change });
  const own = {
    ...(request === null ? {} : { request_payload_hash: request }),
    ...(response === null ? {} : { response_payload_hash: response }),
  };
  assert.deepEqual(await found(sealed(own)), []);
  for (const change of [{ request_payload_hash: OTHER_HASH }, { response_payload_hash: OTHER_HASH }])
    assert.deepEqual(await found(sealed({ ...own, ...change })), ["receipt 2 CHAIN_BROKEN"]);
});

describe("a genuine receipt that the record does not hold", () => {
  test("of another session of the same instance", async () => {
    const [other] = instance.receiptsOf(entriesOf(instance)) as [Receipt];
    assert.deepEqual(await found(other), ["receipt 1 RECEIPT_INVALID"]);
  });

  const claims: Record<string, Partial<Receipt>> = {
    "another entry": { entry_hash: "0".repeat(64) },
    "another entry before": { prev_entry_hash: "0".repeat(64) },
    "another call": { call_id: "call-other" },
    "another decision": { decision: "allow" },
    "another policy": { policy_hash: OTHER_HASH },
    "another place": { sequence_number: 3 },
    "a place behind the end": { sequence_number: 7 },
  };
  for (const [what, fields] of Object.entries(claims)) {
    test(`says ${what}`, async () => {
      const forked = instance.receipt({ ...receipt, ...fields });
      assert.deepEqual(await found(forked), [`receipt ${forked.sequence_number} CHAIN_BROKEN`]);
    });
  }

  test("of calls that were withheld: an earlier claim over a shorter chain is presented", async () => {
    const earlier = recordOf(instance, entries.slice(0, 3));
    assert.equal((await judge({ ...earlier, receipts: record.receipts.slice(0, 2) })).outcome, "accepted");
    const verdict = await judge({ ...earlier, receipts: record.receipts });
    assert.equal(verdict.outcome, "rejected");
    assert.deepEqual(failures(verdict), ["receipt 3 CHAIN_BROKEN", "receipt 4 CHAIN_BROKEN", "receipt 5 CHAIN_BROKEN"]);
  });
});

test("without the bundle a receipt's place is not performed, and said so", async () => {
  const verdict = await judge({ claim, receipts: [receipt] });
  assert.equal(verdict.outcome, "accepted");
  assert.equal(verdict.checks.find(({ name }) => name === "receipt 2")?.status, "not-performed");
});

test("a receipt that is not one is malformed, however many good ones stand beside it", async () => {
  const verdict = await judge({ claim, bundle, receipts: [...record.receipts, { ...receipt, extra: 1 } as Receipt] });
  assert.deepEqual([verdict.outcome, failures(verdict)], ["malformed", ["receipt form RECEIPT_MALFORMED"]]);
});
