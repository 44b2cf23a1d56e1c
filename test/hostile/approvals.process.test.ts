/** Calls that a person has to approve, in the suite of schedules: what an honest run does, and what the oracle finds. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { readRecord } from "@cmcp/audit";
import { untrusted } from "@cmcp/boundary";
import { ApprovalOracle } from "./oracle/approvals.ts";
import type { Finding } from "./oracle/finding.ts";
import { newMark } from "./oracle/marks.ts";
import { runSchedule } from "./run/run.ts";
import type { AgentAct, ApproverAnswer } from "./schedule/acts.ts";
import { World } from "./world.ts";

const pay = (sealed = false): AgentAct => ({
  side: "agent",
  kind: "call",
  agent: 0,
  tool: "pay_invoice",
  label: null,
  together: false,
  sealed,
});
const repeat = (payment = 0, together = false): AgentAct => ({ side: "agent", kind: "repeat", payment, together });
const approver = (how: ApproverAnswer, payment = 0): AgentAct => ({ side: "agent", kind: "approver", payment, how });

describe("payments in schedules of a hostile host", () => {
  let world: World;
  before(async () => {
    world = await World.start();
  });
  after(async () => await world?.close());

  /** How often the server got each payment of a schedule without a lie, which finds nothing. */
  async function paid(acts: readonly AgentAct[]): Promise<number[]> {
    const before = new Set(world.approvals.paid.keys());
    assert.deepEqual(await runSchedule(world, { seed: 0, acts }, world.principals() ?? [0, 1]), []);
    return [...world.approvals.paid].filter(([mark]) => !before.has(mark)).map(([, count]) => count);
  }

  test("each is made once for each approval, by calls in the clear and sealed ones", async () => {
    for (const sealed of [false, true]) {
      const once = [pay(sealed), approver("approve"), repeat(), approver("again"), repeat()];
      assert.deepEqual(await paid(once), [1]);
      assert.deepEqual(await paid([...once, approver("approve"), repeat()]), [2], "approved anew");
      assert.deepEqual(await paid([pay(sealed), approver("approve"), repeat(0, true), repeat(0, true)]), [1]);
    }
  });

  test("none is made without an approval, by a denial, by an answer to another, or under another key", async () => {
    assert.deepEqual(await paid([pay(), repeat()]), []);
    assert.deepEqual(await paid([pay(), approver("deny"), repeat()]), []);
    assert.deepEqual(await paid([pay(), approver("forged"), repeat()]), []);
    const other = [pay(), pay(true), approver("approve", 1), approver("elsewhere", 0), repeat(0)];
    assert.deepEqual(await paid(other), []);
    assert.deepEqual(await paid([...other, repeat(1)]), [1]);
  });

  test("the oracle finds a payment without an approval, before the record has it, and one too many", () => {
    const records = world.host.store.received;
    const findings: Finding[] = [];
    const oracle = new ApprovalOracle((rule, what) => findings.push({ rule, what }));
    const found = (): string[] => findings.splice(0).map(({ rule }) => rule);
    const id = records.flatMap(({ kind, leaf, body }) => {
      const record = kind === "entry" ? readRecord(untrusted(leaf), untrusted(body)) : null;
      const detail = record?.kind === "entry" ? record.body.detail : undefined;
      return detail?.["approval_decision"] === "approve" ? [String(detail["approval_id"])] : [];
    })[0];
    assert.ok(id !== undefined);
    const mark = newMark();
    oracle.acknowledged(records);
    oracle.reached(mark);
    assert.deepEqual(found(), ["approval"], "nobody approved it");
    const early = new ApprovalOracle((rule, what) => findings.push({ rule, what }));
    early.signs(mark, id);
    early.reached(mark);
    assert.deepEqual(found(), ["approval"], "nothing is stored");
    const other = newMark();
    oracle.signs(other, id);
    oracle.reached(other);
    assert.deepEqual(found(), []);
    oracle.reached(other);
    assert.deepEqual(found(), ["approval"], "it was approved once");
  });

  test("the oracle finds an entry of a payment whose approval is not in the record, or is there twice", () => {
    const records = world.host.store.received;
    const found = (some: typeof records): number => {
      const findings: Finding[] = [];
      new ApprovalOracle((rule, what) => findings.push({ rule, what })).arrived(some);
      return findings.length;
    };
    const entries = records.filter(({ kind }) => kind === "entry");
    const of = (text: string): number[] =>
      entries.flatMap(({ body }, at) => (Buffer.from(body).includes(text) ? [at] : []));
    const approvals = of('"approval_decision":"approve"');
    const payments = of('"approved_by"');
    assert.deepEqual([approvals.length > 0, payments.length > 0, found(entries)], [true, true, 0]);
    for (const at of payments) {
      const entry = entries[at];
      assert.ok(entry !== undefined);
      assert.equal(found(entries.toSpliced(at, 0, entry)), 1, "two payments on one approval");
      assert.equal(found([entry]), 1, "a payment without one");
    }
    for (const at of approvals) {
      const entry = entries[at];
      assert.ok(entry !== undefined);
      assert.equal(found(entries.toSpliced(at, 0, entry)), 1, "an answer twice");
    }
  });
});
