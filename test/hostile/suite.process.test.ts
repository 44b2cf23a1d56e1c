/** What the suite of schedules is worth: it finds nothing where nobody lies, and what it must find where somebody does. */
import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { incompleteSessionSchema } from "@cmcp/audit/schema";
import { canonicalText } from "@cmcp/boundary";
import { eventually } from "../gateway/principals.ts";
import { flipped } from "./host/doctored.ts";
import type { KeptRecord } from "./host/kept.ts";
import { signedByHost } from "./host/shown-log.ts";
import type { Finding, Rule } from "./oracle/finding.ts";
import { checkClaim, checkExport, type Held } from "./oracle/documents.ts";
import { newMark } from "./oracle/marks.ts";
import { RecordOracle } from "./oracle/record.ts";
import { AgentSteps } from "./run/agent-steps.ts";
import { HostActs } from "./run/host-acts.ts";
import { runSchedule } from "./run/run.ts";
import { settle } from "./run/settle.ts";
import { AgentState, type SeenSession } from "./run/state.ts";
import { SEALED_LIES, type AgentAct, type HostAct } from "./schedule/acts.ts";
import { arrivals, World } from "./world.ts";

type Call = Extract<AgentAct, { kind: "call" }>;
const call = (tool: Call["tool"], label: string | null = null): Call => ({
  side: "agent",
  kind: "call",
  agent: 0,
  tool,
  label,
  together: false,
});
const ordinary: readonly AgentAct[] = [
  call("send_message"),
  { side: "agent", kind: "open", agent: 0 },
  call("send_message", "handle"),
  { side: "agent", kind: "list", agent: 1 },
  { side: "agent", kind: "claim", agent: 0, session: 0 },
  call("erase_record", "a"),
  call("get_patient_record"),
  call("send_message", "a"),
  { side: "agent", kind: "export", agent: 0, session: 1 },
  { side: "agent", kind: "steal", agent: 1, session: 0 },
  { side: "agent", kind: "close", agent: 0, session: 0 },
];
/** Times that a lie is told before the oracle is said to have missed it. */
const MOST_TRIES = 5;
const rulesOf = (findings: readonly Finding[]): Rule[] => [...new Set(findings.map(({ rule }) => rule))].sort();

describe("schedules of a hostile host", () => {
  let world: World;
  before(async () => {
    world = await World.start();
  });
  after(() => world.close());

  /** Runs acts with principals of their own. */
  async function run(acts: readonly AgentAct[]): Promise<Finding[]> {
    return await runSchedule(world, { seed: 0, acts }, world.principals() ?? [0, 1]);
  }

  test("without a lie every call is answered as policy has it, and every session verifies", async () => {
    const before = [...world.reached.keys()].length;
    assert.deepEqual(await run(ordinary), []);
    assert.equal(
      [...world.reached.keys()].length - before,
      4,
      "two messages, a record, and the call of the test's own",
    );
  });

  const lies: Readonly<Record<string, HostAct>> = {
    "one flipped bit of a stored record": { side: "host", kind: "append", lie: "flip", skip: 2, at: 9 },
    "a record that was only said to be stored": { side: "host", kind: "append", lie: "forget", skip: 2, at: 0 },
    "a scan without one of its records": { side: "host", kind: "scan", lie: "drop", skip: 0, at: 1 },
    "a connection that was cut": { side: "host", kind: "egress", lie: "cut", skip: 0, at: 0 },
    "a request that was changed": { side: "host", kind: "request", lie: "garbage", skip: 0, at: 1 },
  };
  for (const [name, lie] of Object.entries(lies)) {
    test(`an oracle that takes the host for honest finds ${name}`, async () => {
      // A claim needs nothing of the store. An export reads all of it.
      const read: AgentAct = { side: "agent", kind: "export", agent: 0, session: 0 };
      const lied = async (): Promise<Finding[]> => {
        if ("skip" in lie) world.host.lies.arm(lie);
        return await run([call("send_message"), read]);
      };
      let findings = await lied();
      // The lie may meet a connection of the gateway's own, such as one that lists tools, where it harms no call.
      for (let tries = 1; findings.length === 0 && tries < MOST_TRIES; tries += 1) findings = await lied();
      assert.deepEqual(rulesOf(findings), ["honest"]);
    });
  }

  test("the record's oracle finds any record that is missing, doubled, out of place or changed", () => {
    const records = world.host.store.received;
    const found = (some: readonly KeptRecord[]): Finding[] => {
      const findings: Finding[] = [];
      new RecordOracle((rule, what) => findings.push({ rule, what })).arrived(some);
      return findings;
    };
    assert.deepEqual(found(records), []);
    assert.ok(records.length > 20);
    for (const [index, record] of records.entries()) {
      const rest = records.toSpliced(index, 1);
      if (index < rest.length) assert.ok(found(rest).length > 0, `without record ${index}`);
      assert.ok(found(records.toSpliced(index, 0, record)).length > 0, `record ${index} twice`);
      const changed = Buffer.from(Buffer.from(record.leaf).toString("latin1").replace('"seq":', '"seq":1'), "latin1");
      assert.ok(found(records.with(index, { ...record, leaf: changed })).length > 0, `record ${index} numbered anew`);
      const body = flipped(record.body, index);
      assert.ok(found(records.with(index, { ...record, body })).length > 0, `record ${index} with another body`);
    }
    const payload = { index: 0, session: "s", kind: "entry", leaf: Buffer.from("{}"), body: Buffer.from(newMark()) };
    assert.ok(rulesOf(found([payload])).includes("cleartext"));
  });

  test("the record's oracle finds a head of another size, of another tree, and one that its writer did not sign", () => {
    const { received, heads } = world.host.store;
    const findings: Finding[] = [];
    const oracle = new RecordOracle((rule, what) => findings.push({ rule, what }));
    let first = 0;
    const [older, newer] = heads.slice(-2);
    assert.ok(older !== undefined && newer !== undefined);
    for (const head of heads) {
      oracle.arrived(received.slice(first, head.size));
      oracle.signed(head);
      first = head.size;
    }
    assert.deepEqual(findings, []);
    for (const wrong of [
      older,
      { ...newer, note: older.note },
      { ...newer, note: newer.note.replace(/\n[^\n]+\n\n/, `\n${Buffer.alloc(32).toString("base64")}\n\n`) },
      { ...newer, note: signedByHost(newer, (origin) => origin) },
    ]) {
      oracle.signed(wrong);
      assert.deepEqual(rulesOf(findings.splice(0)), ["record"], wrong.note);
    }
  });

  test("a call that reaches the server before its intent is found, and so is one that policy never allows", () => {
    const findings: Finding[] = [];
    const find = (rule: Rule, what: string): number => findings.push({ rule, what });
    arrivals(new RecordOracle(find), new Map(), find)("send_message", newMark());
    assert.deepEqual(rulesOf(findings), ["unrecorded"]);
    arrivals(world.record, new Map(), find)("erase_record", newMark());
    assert.deepEqual(rulesOf(findings), ["forbidden", "unrecorded"]);
  });

  test("a claim and an export with one thing changed are found", async () => {
    const [index] = world.principals() ?? [0];
    const agent = new AgentState(index);
    const steps = new AgentSteps(world, [agent, new AgentState(index + 1)], true);
    await steps.perform(call("send_message"));
    await steps.perform(call("send_message"));
    const [seen] = steps.sessions;
    assert.ok(seen !== undefined);
    const held: Held & SeenSession = seen;
    const claim = await steps.document(agent, "POST", `/sessions/${held.session}/close`);
    const bundle = await steps.document(agent, "GET", `/audit/export?session_id=${held.session}`);
    assert.ok(claim !== null && bundle !== null);
    const found = async (claimText: string, bundleText: string, other: Partial<Held> = {}): Promise<Finding[]> => {
      const findings: Finding[] = [];
      const oracle = {
        record: world.record,
        find: (rule: Rule, what: string): void => void findings.push({ rule, what }),
      };
      await checkExport(bundleText, { ...held, ...other }, oracle);
      await checkClaim(claimText, { ...held, ...other }, bundleText, oracle);
      return findings;
    };
    assert.deepEqual(await found(claim, bundle), []);
    const later = JSON.parse(claim) as { gateway: { sequence_number: number } };
    later.gateway.sequence_number += 1;
    assert.deepEqual(rulesOf(await found(canonicalText(later), bundle)), ["claim"]);
    assert.deepEqual(rulesOf(await found(claim, bundle.replace('"allow"', '"deny"'))), ["claim"]);
    const shorter = JSON.parse(bundle) as { entries: unknown[] };
    shorter.entries.splice(1, 1);
    assert.deepEqual(rulesOf(await found(claim, JSON.stringify(shorter))), ["claim"]);
    const [receipt] = held.receipts;
    assert.ok(receipt !== undefined);
    const forged = { ...receipt, decision: "deny" } as const;
    assert.deepEqual(rulesOf(await found(claim, bundle, { receipts: [forged] })), ["claim"]);
    assert.equal(world.record.entryOf(forged), null);
    assert.deepEqual(rulesOf(world.findings()), ["claim"]);
  });

  test("the export of a session whose instance died is held to the receipts of that instance", async () => {
    const other = await World.start();
    try {
      const [index] = other.principals() ?? [0];
      const agent = new AgentState(index);
      const steps = new AgentSteps(other, [agent, new AgentState(index + 1)], true);
      await steps.perform(call("send_message"));
      await steps.perform(call("send_message"));
      const [held] = steps.sessions;
      assert.ok(held !== undefined);
      await other.host.kill();
      await other.restart();
      const left = await steps.document(agent, "GET", `/audit/export?session_id=${held.session}`);
      assert.ok(left !== null);
      const found = async (text: string): Promise<string[]> => {
        const findings: string[] = [];
        const find = (_: Rule, what: string): number => findings.push(what);
        await checkExport(text, held, { record: other.record, find });
        return findings;
      };
      assert.deepEqual(await found(left), []);
      const { hand_over: begun, ...without } = incompleteSessionSchema.parse(JSON.parse(left));
      assert.equal(begun?.body.jwk.x, other.record.instances.get(held.receipts[0]?.instance ?? "")?.x);
      const kept = held.receipts.map(({ sequence_number: number }) => `receipt ${number} signature RECEIPT_INVALID`);
      const [why = "", ...more] = await found(JSON.stringify(without));
      assert.deepEqual(more, []);
      for (const refused of kept) assert.ok(why.includes(refused), why);
      assert.equal(kept.length, 2);
    } finally {
      await other.close();
    }
  });

  /** Whether the call that a host tells a lie about reaches its server all the same. */
  const reaches: Readonly<Record<(typeof SEALED_LIES)[number], boolean>> = {
    replay: true,
    reorder: false,
    truncate: false,
    splice: false,
    swap: false,
    "answer-swap": true,
    "answer-cut": true,
    "stale-key": false,
  };
  for (const lie of SEALED_LIES)
    test(`sealed bytes that a host moves, ${lie}: nothing of what was changed is acted on, and nothing twice`, async () => {
      const before = world.reached.size;
      const sealed = { ...call("send_message"), sealed: true };
      assert.deepEqual(await run([sealed]), []);
      world.host.lies.arm({ side: "host", kind: "sealed", lie, skip: 1, at: 1_000 });
      const findings = await run([sealed, { ...sealed, agent: 1 }]);
      // To the agents nobody has lied, as the schedule has no act of a host.
      assert.deepEqual(rulesOf(findings), lie === "replay" ? [] : ["honest"]);
      // The test's own principal calls at the end of each run.
      assert.equal(world.reached.size - before, reaches[lie] ? 5 : 4);
    });

  test("a sealed call that reaches its server twice is found", async () => {
    const [index] = world.principals() ?? [0];
    const steps = new AgentSteps(world, [new AgentState(index), new AgentState(index + 1)], false);
    const mark = newMark();
    steps.sealed.add(mark);
    world.reached.set(mark, 2);
    await settle(world, steps, new HostActs(world, steps));
    assert.deepEqual(rulesOf(world.findings()), ["replay"]);
  });

  test("payload in cleartext towards a server and an end that nobody asked for are found", async () => {
    const other = await World.start();
    try {
      const mark = newMark();
      other.seen(Buffer.from(`POST /mcp ${mark.slice(0, 3)}`));
      assert.deepEqual(other.findings(), []);
      other.seen(Buffer.from(mark.slice(3)));
      assert.deepEqual(rulesOf(other.findings()), ["cleartext"]);
      process.kill(other.host.pid, "SIGKILL");
      await eventually("the end is noticed", () => other.findings().some(({ rule }) => rule === "crash"));
    } finally {
      await other.close();
    }
  });
});
