/** What a principal did in a window decides what it may still do: kill switch, rate limits, budgets, ceilings of sinks. */
import assert from "node:assert/strict";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { auditBundleSchema, receiptSchema, type AuditEntry, type KillSwitchStatement } from "@cmcp/audit/schema";
import { claimSchema, claimSigningInput } from "@cmcp/claim";
import { canonicalBytes, fromBase64Url } from "@cmcp/boundary";
import { createPublicKey, hash, verify } from "node:crypto";
import * as z from "zod";
import { newOperator } from "../gateway/operator.ts";
import { startDeployment, type Agent } from "../gateway/principals.ts";
import { startInProcess } from "../gateway/in-process.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };
const PATIENT = { patient_id: "P-1001" };

/** A deployment with more settings, whose enclave has a clock of the test's. */
async function start(settings: string, enclave: readonly string[] = []) {
  const clock = { now: 1_000 };
  const deployment = await startDeployment({ alice: null, bob: null }, enclave, async (config, env) => {
    if (!(await readFile(config, "utf8")).includes(settings)) await appendFile(config, `${settings}\n`);
    return await startInProcess(config, env, { monotonic: () => clock.now });
  });
  const agent = (name: string): Agent => deployment.agent(deployment.tokenOf(name));
  return { clock, deployment, alice: agent("alice"), bob: agent("bob") };
}

type Reply = Awaited<ReturnType<Agent["call"]>>["body"];
const outcome = async (reply: Promise<{ readonly body: Reply }>): Promise<string> =>
  (await reply).body.error?.data?.error_code ?? "sent";

const refusalSchema = z.strictObject({
  type: z.literal("cmcp.kill-switch.refusal/v1"),
  agent_id: z.string(),
  session_id: z.uuid(),
  refused_at: z.iso.datetime(),
  gateway_key: z.string(),
  claim_digest: z.string().optional(),
  signature: z.string(),
});

async function exported(agent: Agent, session: string): Promise<readonly AuditEntry[]> {
  const { text } = await agent.request(`/audit/export?session_id=${session}`);
  return auditBundleSchema.parse(JSON.parse(text)).entries;
}

describe("the kill switch", () => {
  const operator = newOperator();
  let scene: Awaited<ReturnType<typeof start>>;
  let sequence = 0;
  before(async () => {
    scene = await start("kill_switch: {enabled: true, window_seconds: 60, deny_rate_threshold: 0.5, min_calls: 4}", [
      `operator_keys: [${operator.publicKey}]`,
    ]);
  });
  after(() => scene.deployment.close());

  const instance = async (): Promise<string> => {
    const { text } = await scene.bob.request("/v1/status");
    return z.looseObject({ instance: z.string() }).parse(JSON.parse(text)).instance;
  };
  const operate = async (
    act: "trip" | "unblock",
    principal: string,
    change: Partial<KillSwitchStatement> = {},
  ): Promise<{ status: number; text: string }> => {
    sequence += 1;
    const statement: KillSwitchStatement = {
      v: 1,
      purpose: `kill-switch-${act}`,
      principal,
      instance: await instance(),
      sequence,
      reason: "test",
      ...change,
    };
    const response = await fetch(`${scene.deployment.gateway.url}/kill-switch/${act}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(operator.sign(statement)),
    });
    return { status: response.status, text: await response.text() };
  };
  let tripped = "";

  test("trips at the call that reaches the threshold, and refuses the next with a signed receipt over the claim", async () => {
    const { alice } = scene;
    const first = (await alice.call("get_patient_record", PATIENT)).body;
    assert.equal(first.error, undefined);
    const outcomes = [];
    for (let call = 0; call < 4; call += 1) outcomes.push(await outcome(alice.call("send_message", MESSAGE)));
    // One allowed call, three denied: the fourth of all reaches 0.5 with enough calls.
    assert.deepEqual(outcomes, [...Array<string>(3).fill("SESSION_SENSITIVITY_POLICY_DENY"), "KILL_SWITCH_TRIPPED"]);
    const { status, body } = await alice.call("get_patient_record", PATIENT);
    assert.equal(status, 403);
    const data = z
      .looseObject({
        error_code: z.string(),
        agent_id: z.string(),
        receipt: refusalSchema,
        "cmcp.gateway/receipt": receiptSchema,
      })
      .parse(body.error?.data);
    assert.equal(data.agent_id, "alice");
    tripped = data.receipt.session_id;
    const claim = claimSchema.parse(JSON.parse((await alice.request(`/sessions/${tripped}/trace-claim`)).text));
    assert.equal(claim.gateway.kill_switch_triggered, true);
    assert.deepEqual(claim.gateway.kill_switch, {
      enabled: true,
      window_seconds: 60,
      deny_rate_threshold: 0.5,
      min_calls: 4,
      trigger: "deny_rate",
    });
    const { signature, ...signed } = data.receipt;
    assert.equal(data.receipt.claim_digest, `sha256:${hash("sha256", claimSigningInput(claim))}`);
    const { x } = claim.trace.cnf.jwk;
    assert.equal(data.receipt.gateway_key, x);
    const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
    assert.ok(verify(null, canonicalBytes(signed), key, fromBase64Url(signature) ?? new Uint8Array()));
    const entries = await exported(alice, tripped);
    assert.deepEqual(
      entries.map(({ entry_type: type, policy_decision: decision }) => `${type} ${decision}`),
      [
        "session_start n/a",
        "tool_call redact",
        "tool_call deny",
        "tool_call deny",
        "tool_call deny",
        "break_glass_used n/a",
        "session_end n/a",
      ],
    );
    const own = await exported(alice, data["cmcp.gateway/receipt"].session_id);
    assert.ok(
      own.some(({ policy_rule_matched: rule }) => rule === "kill_switch"),
      "the refusal has its entry",
    );
  });

  test("leaves others alone, and outlives a restart", async () => {
    assert.equal(await outcome(scene.bob.call("get_patient_record", PATIENT)), "sent");
    await scene.deployment.restart();
    assert.equal(await outcome(scene.bob.call("get_patient_record", PATIENT)), "sent");
    const { body } = await scene.alice.call("get_patient_record", PATIENT);
    assert.equal(body.error?.data?.error_code, "KILL_SWITCH_TRIPPED");
    const receipt = refusalSchema.parse(body.error.data.receipt);
    assert.equal(receipt.claim_digest, undefined, "the claim was signed by another key");
  });

  test("is lifted by an operator's statement for this instance, once, and stays lifted over a restart", async () => {
    const stranger = await operate("unblock", "alice", { instance: "A".repeat(43) });
    assert.equal(stranger.status, 409);
    assert.match(stranger.text, /OPERATOR_STATEMENT_MISMATCH/);
    assert.match((await operate("unblock", "bob")).text, /NOT_BLOCKED/);
    const lifted = await operate("unblock", "alice");
    assert.equal(lifted.status, 200, lifted.text);
    assert.equal(await outcome(scene.alice.call("get_patient_record", PATIENT)), "sent");
    sequence -= 1;
    assert.match((await operate("unblock", "alice")).text, /OPERATOR_STATEMENT_REPLAYED/);
    await scene.deployment.restart();
    assert.equal(await outcome(scene.alice.call("get_patient_record", PATIENT)), "sent");
  });

  test("is tripped by an operator, who gets the session's claim", async () => {
    assert.equal(await outcome(scene.bob.call("get_patient_record", PATIENT)), "sent");
    const { status, text } = await operate("trip", "bob");
    assert.equal(status, 200, text);
    const { claim } = z.looseObject({ claim: claimSchema }).parse(JSON.parse(text));
    assert.equal(claim.gateway.kill_switch?.trigger, "operator");
    assert.equal(await outcome(scene.bob.call("get_patient_record", PATIENT)), "KILL_SWITCH_TRIPPED");
    const entries = await exported(scene.bob, claim.gateway.session_id);
    const trip = entries.find(({ entry_type: type }) => type === "break_glass_used");
    assert.deepEqual(
      [trip?.detail?.["reason"], trip?.detail?.["authorized_by"], trip?.detail?.["agent_id"]],
      ["kill_switch_operator_trip", operator.publicKey, "bob"],
    );
    await scene.deployment.restart();
    assert.equal(await outcome(scene.bob.call("get_patient_record", PATIENT)), "KILL_SWITCH_TRIPPED");
  });
});

describe("a rate limit and a budget", () => {
  let scene: Awaited<ReturnType<typeof start>>;
  before(async () => {
    scene = await start("", [
      "rate_limits: [{tool: get_patient_record, window_seconds: 60, max_calls: 2}]",
      "budgets: [{tool: send_message, principal: bob, window_seconds: 60, max_bytes_sent: 300}]",
    ]);
  });
  after(() => scene.deployment.close());

  test("refuse what goes over them, each principal by itself, and let calls through when the window is over", async () => {
    const { alice, bob, clock } = scene;
    const read = async (agent: Agent): Promise<string> => await outcome(agent.call("get_patient_record", PATIENT));
    assert.deepEqual(
      [await read(alice), await read(alice), await read(alice)],
      ["sent", "sent", "RATE_LIMIT_EXCEEDED"],
    );
    assert.equal(await read(bob), "sent");
    clock.now += 62_000;
    assert.equal(await read(alice), "sent");
  });

  test("on bytes count what is sent", async () => {
    const { alice, deployment } = scene;
    const bob = deployment.agent(deployment.tokenOf("bob"));
    const send = async (agent: Agent, length: number): Promise<string> =>
      await outcome(agent.call("send_message", { to: "a", text: "x".repeat(length) }));
    assert.equal(await send(bob, 400), "BUDGET_EXCEEDED");
    assert.notEqual(await send(alice, 400), "BUDGET_EXCEEDED");
  });
});

describe("a ceiling", () => {
  let scene: Awaited<ReturnType<typeof start>>;
  before(async () => {
    scene = await start(
      "sink_policy: {tool_max_sensitivity: {get_patient_record: hipaa_phi, send_message: pii}, response_max_sensitivity: hipaa_phi}",
    );
  });
  after(() => scene.deployment.close());

  test("refuses a sink that may not have what the session saw, before policy, and a tool without one", async () => {
    const { alice } = scene;
    assert.equal(await outcome(alice.call("send_message", MESSAGE)), "sent");
    assert.equal(await outcome(alice.call("echo", { message: "x" })), "POLICY_DENY");
    assert.equal(await outcome(alice.call("send_message", MESSAGE, { dataClass: "confidential" })), "POLICY_DENY");
    assert.equal(await outcome(alice.call("get_patient_record", PATIENT)), "sent");
    const { body } = await alice.call("send_message", MESSAGE);
    assert.equal(body.error?.data?.error_code, "POLICY_DENY");
    const { session_id } = receiptSchema.parse(body.error.data.receipt);
    const rules = (await exported(alice, session_id)).map(({ policy_rule_matched: rule }) => rule);
    assert.equal(rules.at(-1), "sink_policy:tool_denied");
  });
});

describe("a start", () => {
  for (const [setting, name] of [
    ["sink_policy: {tool_max_sensitivity: {send_mesage: pii}, response_max_sensitivity: pii}", "send_mesage"],
    ["sink_policy: {tool_max_sensitivity: {send_message: secret}, response_max_sensitivity: pii}", "secret"],
  ] as const)
    test(`is refused for ${name}, which nothing is called, by its name`, async () => {
      await assert.rejects(start(setting), (thrown) => {
        assert.match(String(thrown), new RegExp(`CONFIG_INVALID.*${name}`));
        return true;
      });
    });
});

describe("a rule over history", () => {
  let scene: Awaited<ReturnType<typeof start>>;
  const clock = { now: 1_000 };
  before(async () => {
    const deployment = await startDeployment({ alice: null, bob: null }, [], async (config, env) => {
      await declareHistory(join(dirname(config), "policies"));
      return await startInProcess(config, env, { monotonic: () => clock.now });
    });
    const agent = (name: string): Agent => deployment.agent(deployment.tokenOf(name));
    scene = { clock, deployment, alice: agent("alice"), bob: agent("bob") };
  });
  after(() => scene.deployment.close());
  const read = async (agent: Agent, patient: string): Promise<string> =>
    await outcome(agent.call("get_patient_record", { patient_id: patient }));

  test("lets a principal read three patients in ten minutes, however often, and no fourth", async () => {
    const { alice, bob } = scene;
    for (const patient of ["P-1001", "P-1002", "P-1001", "P-1003", "P-1002"])
      assert.notEqual(await read(alice, patient), "POLICY_DENY", patient);
    assert.equal(await read(alice, "P-1004"), "POLICY_DENY");
    assert.notEqual(await read(alice, "P-1003"), "POLICY_DENY", "a patient that is counted");
    assert.notEqual(await read(bob, "P-1004"), "POLICY_DENY", "another principal");
    clock.now += 620_000;
    assert.notEqual(await read(alice, "P-1004"), "POLICY_DENY");
  });

  test("holds for calls that are made at the same time", async () => {
    clock.now += 620_000;
    const outcomes = await Promise.all(
      ["P-1", "P-2", "P-3", "P-4", "P-5"].map(async (patient) => await read(scene.bob, patient)),
    );
    assert.equal(outcomes.filter((code) => code === "POLICY_DENY").length, 2, outcomes.join());
  });

  test("denies after a restart until the window is over, where it asks for all of it", async () => {
    await scene.deployment.restart();
    assert.equal(await read(scene.alice, "P-1001"), "POLICY_DENY");
    clock.now += 600_000;
    assert.notEqual(await read(scene.alice, "P-1001"), "POLICY_DENY");
  });
});

/** Adds to a bundle that a principal reads at most three patients in ten minutes. */
async function declareHistory(policies: string): Promise<void> {
  const path = join(policies, "manifest.json");
  const manifest = z.looseObject({}).parse(JSON.parse(await readFile(path, "utf8")));
  const patients = {
    name: "patients",
    of: "distinct",
    tool: "get_patient_record",
    argument: "patient_id",
    window_seconds: 600,
  };
  await writeFile(path, JSON.stringify({ ...manifest, history: [patients] }));
  await writeFile(
    join(policies, "history.cedar"),
    `@id("three-patients")
    forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"get_patient_record")
    when { context.history.patients > 3 || !context.history_complete };`,
  );
}
