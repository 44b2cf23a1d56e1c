/** `enclave.claims: call`: a claim after every call, numbered and linked across the instance's sessions. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CLAIM_META_KEY, claimHash, type Claim } from "@cmcp/claim";
import { platformArguments } from "../gateway/appraisal.ts";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startDeployment, type Agent, type Deployment } from "../gateway/principals.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };
const V01 = "tag:agentrust.io,2026:trace-v0.1";

interface Reference {
  readonly sequence_number: number;
  readonly claim_hash: string;
}

function referenceOf(reply: RpcReply): Reference {
  const meta = reply.result?.["_meta"] as Record<string, unknown> | undefined;
  const found =
    reply.error === undefined
      ? meta?.[CLAIM_META_KEY]
      : (reply.error.data as Record<string, unknown> | undefined)?.["claim"];
  assert.ok(typeof found === "object" && found !== null, "the reply names its claim");
  return found as Reference;
}

describe("a gateway that claims after every call", () => {
  let deployment: Deployment;
  let alice: Agent;
  let bob: Agent;
  before(async () => {
    deployment = await startDeployment({ alice: null, bob: null }, ["claims: call", `eat_profile: "${V01}"`]);
    alice = deployment.agent(deployment.tokenOf("alice"));
    bob = deployment.agent(deployment.tokenOf("bob"));
  });
  after(() => deployment.close());

  const claimOf = async (agent: Agent, session: string): Promise<Claim> =>
    JSON.parse((await agent.request(`/sessions/${session}/trace-claim`)).text) as Claim;

  test("names it beside the receipt, and hands out that claim until the session goes on", async () => {
    const reply = await alice.call("send_message", MESSAGE, { label: "one" });
    const { session_id: session, entry_hash } = receiptOf(reply.body);
    const reference = referenceOf(reply.body);
    for (let n = 0; n < 2; n += 1) {
      const claim = await claimOf(alice, session);
      assert.equal(claimHash(claim), reference.claim_hash);
      assert.equal(claim.gateway.sequence_number, reference.sequence_number);
      assert.equal(claim.gateway.audit_chain.tip, entry_hash);
      assert.equal(claim.gateway.audit_chain.length, 2);
    }
    const next = referenceOf((await alice.call("send_message", MESSAGE, { label: "one" })).body);
    assert.equal(claimHash(await claimOf(alice, session)), next.claim_hash);
  });

  test("for a refused call too", async () => {
    const reply = await bob.call("get-env", {});
    const claim = await claimOf(bob, receiptOf(reply.body).session_id);
    assert.equal(claimHash(claim), referenceOf(reply.body).claim_hash);
    assert.equal(claim.gateway.call_summary.tool_calls_denied, 1);
  });

  test("numbers and links claims across sessions, per call and at close, without a gap", async () => {
    const claims: Claim[] = [];
    const sessions = [];
    for (const [agent, label] of [
      [alice, "a"],
      [bob, "b"],
      [alice, "c"],
      [alice, "a"],
    ] as const) {
      const { session_id } = receiptOf((await agent.call("send_message", MESSAGE, { label })).body);
      claims.push(await claimOf(agent, session_id));
      sessions.push([agent, session_id] as const);
    }
    for (const [agent, session] of sessions.slice(1))
      claims.push(JSON.parse((await agent.request(`/sessions/${session}/close`, { method: "POST" })).text) as Claim);
    assert.equal(claims.length, 7);
    for (const [index, claim] of claims.entries()) {
      const before = claims[index - 1];
      if (before === undefined) continue;
      assert.equal(claim.gateway.sequence_number, before.gateway.sequence_number + 1);
      assert.equal(claim.gateway.prev_claim_hash, claimHash(before));
    }
  });

  test("calls at the same time each get a claim that covers them", async () => {
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => alice.call("send_message", MESSAGE, { label: "busy" })),
    );
    const references = replies.map(({ body }) => referenceOf(body));
    const session = receiptOf(replies[0]?.body ?? {}).session_id;
    const latest = references.toSorted((a, b) => a.sequence_number - b.sequence_number).at(-1);
    const claim = await claimOf(alice, session);
    assert.equal(claim.gateway.audit_chain.length, 9);
    assert.ok(claim.gateway.sequence_number >= (latest?.sequence_number ?? Infinity));
  });

  test("under the profile of the configuration, which a verifier must be told", async () => {
    const { session_id: session } = receiptOf((await alice.call("send_message", MESSAGE, { label: "profile" })).body);
    const claim = await alice.request(`/sessions/${session}/close`, { method: "POST" });
    const bundle = await alice.request(`/audit/export?session_id=${session}`);
    assert.equal((JSON.parse(claim.text) as Claim).trace.eat_profile, V01);
    const [claimPath, bundlePath] = [join(deployment.folder, "claim.json"), join(deployment.folder, "bundle.json")];
    await writeFile(claimPath, claim.text);
    await writeFile(bundlePath, bundle.text);
    const platform = await platformArguments(deployment.gateway, {
      token: deployment.tokenOf("alice"),
      session,
      folder: deployment.folder,
    });
    const args = ["verify", claimPath, "--audit-bundle", bundlePath, ...platform];
    assert.equal((await cmcp([...args, "--eat-profile", V01])).code, 0);
    assert.equal((await cmcp(args)).code, 30, "v0.2 is expected by default, and only that is accepted then");
  });
});

describe("a gateway that claims when a session closes", () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await startDeployment({ alice: null });
  });
  after(() => deployment.close());

  test("names no claim in a reply, and links those it makes from the first on", async () => {
    const alice = deployment.agent(deployment.tokenOf("alice"));
    const reply = await alice.call("send_message", MESSAGE);
    assert.throws(() => referenceOf(reply.body), /names its claim/);
    const { session_id: session } = receiptOf(reply.body);
    const open = JSON.parse((await alice.request(`/sessions/${session}/trace-claim`)).text) as Claim;
    const closed = JSON.parse((await alice.request(`/sessions/${session}/close`, { method: "POST" })).text) as Claim;
    assert.equal(open.gateway.sequence_number, 1);
    assert.equal(open.gateway.prev_claim_hash, undefined);
    assert.equal(closed.gateway.sequence_number, 2);
    assert.equal(closed.gateway.prev_claim_hash, claimHash(open));
    assert.equal(closed.trace.eat_profile, "tag:agentrust-io.com,2026:trace-v0.2");
  });
});
