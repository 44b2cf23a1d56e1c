/**
 * A session goes on in another one: behind an operator's reset in the same chain, and in one of its own when it is
 * full. The record links them.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MAX_BUNDLE_ENTRIES, type AuditBundle, type Receipt } from "@cmcp/audit/schema";
import type { Claim } from "@cmcp/claim/schema";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
import { newOperator, resetAfter } from "../gateway/operator.ts";
import { startDeployment, type Agent, type CallContext, type Deployment } from "../gateway/principals.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };
const PATIENT = { patient_id: "P-1001" };
/** Calls that run at once where a session is filled. */
const BATCH = 32;

const operator = newOperator();
let deployment: Deployment;
let alice: Agent;
before(async () => {
  deployment = await startDeployment({ alice: null }, [`operator_keys: [${operator.publicKey}]`], startGateway);
  alice = deployment.agent(deployment.tokenOf("alice"));
});
after(() => deployment?.close());

async function text(path: string, method = "GET"): Promise<string> {
  const answer = await alice.request(path, { method });
  assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  return answer.text;
}

const claimOf = async (session: string, how: "close" | "trace-claim"): Promise<Claim> =>
  JSON.parse(await text(`/sessions/${session}/${how}`, how === "close" ? "POST" : "GET")) as Claim;
const bundleOf = async (session: string): Promise<AuditBundle> =>
  JSON.parse(await text(`/audit/export?session_id=${session}`)) as AuditBundle;

/** What `cmcp verify` says of a session's record. */
async function verified(claim: Claim, bundle: AuditBundle, receipts: readonly Receipt[] = []): Promise<CommandResult> {
  const paths = await Promise.all(
    [claim, bundle, ...receipts].map(async (value, at) => {
      const path = join(deployment.folder, `linked-${at}.json`);
      await writeFile(path, JSON.stringify(value));
      return path;
    }),
  );
  const [claimPath = "", bundlePath = "", ...receiptPaths] = paths;
  const held = receiptPaths.flatMap((path) => ["--receipt", path]);
  return await cmcp(["verify", claimPath, "--audit-bundle", bundlePath, ...held, "--allow-software-only"]);
}

describe("a session that an operator resets", () => {
  const seen: Receipt[] = [];
  let sequence = 0;
  const call = async (name: string, args: object, how: CallContext): Promise<Receipt> => {
    const receipt = receiptOf((await alice.call(name, args, how)).body);
    seen.push(receipt);
    return receipt;
  };
  const reset = async (latest: Receipt): Promise<string> => {
    sequence += 1;
    const answer = await fetch(`${deployment.gateway.url}/sessions/${latest.session_id}/reset`, {
      method: "POST",
      body: JSON.stringify(operator.sign(resetAfter(latest, sequence))),
      headers: { "content-type": "application/json" },
    });
    const { successor_session_id: successor } = (await answer.json()) as { successor_session_id: string };
    assert.equal(answer.status, 200);
    return successor;
  };

  test("goes on in its successor, by the same handle, in one chain with one claim", async () => {
    const handle = await alice.open();
    const first = await call("get_patient_record", PATIENT, { handle });
    const second = await reset(first);
    const after = await call("send_message", MESSAGE, { handle });
    assert.deepEqual([after.session_id, after.sequence_number], [second, 3]);
    const third = await reset(after);
    assert.equal((await call("send_message", MESSAGE, { handle })).session_id, third);

    const claim = await claimOf(second, "close");
    assert.equal(claim.gateway.session_id, third);
    const bundle = await bundleOf(first.session_id);
    assert.deepEqual(
      bundle.entries.map(({ entry_type: type, session_id: id, detail }) => [
        type,
        id,
        detail?.["closed_session_id"],
        detail?.["successor_session_id"],
      ]),
      [
        ["session_start", first.session_id, undefined, undefined],
        ["tool_call", first.session_id, undefined, undefined],
        ["session_reset", first.session_id, first.session_id, second],
        ["tool_call", second, first.session_id, undefined],
        ["session_reset", second, second, third],
        ["tool_call", third, second, undefined],
        ["session_end", third, undefined, undefined],
      ],
    );
    for (const id of [first.session_id, second, third]) {
      assert.deepEqual(await claimOf(id, "trace-claim"), claim);
      assert.deepEqual(await bundleOf(id), bundle);
    }
    const { code, stdout } = await verified(claim, bundle, seen);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /passed +linked sessions: 2 resets, each with its successor in this chain/);
    assert.match(stdout, /passed +operator resets: 2, signed by/);
  });

  test("is answered for by every name after a restart, as it was before", async () => {
    const ids = [...new Set(seen.map(({ session_id: id }) => id))];
    assert.equal(ids.length, 3);
    const bundle = await bundleOf(ids[0] ?? "");
    await deployment.restart();
    for (const id of ids) {
      assert.equal((await claimOf(id, "trace-claim")).gateway.session_id, ids.at(-1));
      assert.deepEqual(await bundleOf(id), bundle);
    }
  });

  test("is exported whole by every name when a crash interrupts its successor", async () => {
    const first = await call("get_patient_record", PATIENT, { label: "crash" });
    const successor = await reset(first);
    assert.equal((await call("send_message", MESSAGE, { label: "crash" })).session_id, successor);
    await deployment.killEnclave();
    for (const id of [first.session_id, successor]) {
      const left = JSON.parse(await text(`/audit/export?session_id=${id}`)) as AuditBundle & { incomplete: boolean };
      assert.deepEqual([left.incomplete, left.session_id, left.entries.length], [true, first.session_id, 4]);
      const path = join(deployment.folder, "left.json");
      await writeFile(path, JSON.stringify(left));
      const { code, stdout } = await cmcp(["verify", "--audit-bundle", path, "--allow-software-only"]);
      assert.equal(code, 0, stdout);
    }
  });

  test("is rejected by the verifier where an entry changes the session without a reset, or a reset names another one", async () => {
    const first = await call("get_patient_record", PATIENT, { label: "forged" });
    await reset(first);
    await call("send_message", MESSAGE, { label: "forged" });
    const claim = await claimOf(first.session_id, "close");
    const bundle = await bundleOf(first.session_id);
    const [, , third] = bundle.entries;
    assert.ok(third !== undefined);
    for (const detail of [
      { ...third.detail, successor_session_id: first.session_id },
      { ...third.detail, closed_session_id: claim.gateway.session_id },
    ]) {
      const entries = bundle.entries.with(2, { ...third, detail });
      assert.equal((await verified(claim, { ...bundle, entries })).code, 10);
    }
    assert.equal((await verified(claim, { ...bundle, session_id: first.session_id })).code, 10);
  });
});

test("a session that is full goes on in another one by the same handle, and an auditor follows the claims of both", async () => {
  const handle = await alice.open();
  const first = receiptOf((await alice.call("get_patient_record", PATIENT, { handle })).body).session_id;
  // Refused calls, an entry each. Many run at once, so that some may still do when it is full.
  const refused = async (id: number): Promise<string> => {
    const params = { name: "unknown", arguments: {} };
    const answer = await alice.post({ jsonrpc: "2.0", id, method: "tools/call", params }, { "mcp-session-id": handle });
    return receiptOf(JSON.parse(answer.text) as RpcReply).session_id;
  };
  let now = first;
  for (let count = 0; now === first && count < MAX_BUNDLE_ENTRIES + BATCH; count += BATCH) {
    const ids = await Promise.all(Array.from({ length: BATCH }, (_, at) => refused(count + at)));
    now = ids.find((id) => id !== first) ?? first;
  }
  assert.notEqual(now, first, "the agent goes on, and only its receipts say in what");
  const held = await alice.call("send_message", MESSAGE, { handle });
  assert.match(JSON.stringify(held.body), /SESSION_SENSITIVITY_POLICY_DENY/, "what it saw goes with it");

  const [full, last] = [await claimOf(first, "close"), await claimOf(now, "close")];
  const [fullBundle, lastBundle] = [await bundleOf(first), await bundleOf(now)];
  assert.equal(fullBundle.entries.at(-1)?.detail?.["successor_session_id"], now);
  assert.equal(lastBundle.entries[0]?.detail?.["closed_session_id"], first);
  assert.equal(last.gateway.sequence_number, full.gateway.sequence_number + 1);
  const ended = await verified(full, fullBundle);
  assert.equal(ended.code, 0, ended.stdout);
  assert.match(ended.stdout, new RegExp(`linked sessions: full: session ${now} goes on, with a claim of its own`));
  const goingOn = await verified(last, lastBundle);
  assert.equal(goingOn.code, 0, goingOn.stdout);
  assert.match(goingOn.stdout, new RegExp(`linked sessions: goes on for the full session ${first}`));
});
