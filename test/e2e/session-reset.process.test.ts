/** Only an operator's signature lowers what a principal has seen: over this instance, this session, this chain, once. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import type { AuditEntry, Receipt, SignedReset } from "@cmcp/audit/schema";
import type { Claim } from "@cmcp/claim/schema";
import { platformArguments } from "../gateway/appraisal.ts";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { IN_MACHINE } from "../gateway/launcher.ts";
import { newOperator, resetAfter } from "../gateway/operator.ts";
import { newToken, startDeployment, type Agent, type Deployment } from "../gateway/principals.ts";
import { startGateway } from "../gateway/gateway.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };
const PATIENT = { patient_id: "P-1001" };

describe("a reset", () => {
  const operator = newOperator();
  const second = newOperator();
  let deployment: Deployment;
  let alice: Agent;
  let bob: Agent;
  let sequence = 0;
  /** Receipt of the call that showed alice health data, in a session of its own. */
  let seen: Receipt;
  let label: string;
  before(async () => {
    deployment = await startDeployment(
      { alice: null, bob: null },
      [`operator_keys: [${operator.publicKey}, ${second.publicKey}]`],
      startGateway,
    );
    alice = deployment.agent(deployment.tokenOf("alice"));
    bob = deployment.agent(deployment.tokenOf("bob"));
  });
  after(() => deployment.close());
  beforeEach(async () => {
    sequence += 10;
    label = `session-${sequence}`;
    seen = receiptOf((await alice.call("get_patient_record", PATIENT, { label })).body);
  });

  const send = async (how: Parameters<Agent["call"]>[2] = { label }): Promise<string> =>
    (await alice.call("send_message", MESSAGE, how)).body.error?.data?.error_code ?? "sent";
  /** Posts a statement without any bearer token. */
  const post = async (
    signed: SignedReset | object,
    session = seen.session_id,
  ): Promise<{ status: number; code: string }> => {
    const response = await fetch(`${deployment.gateway.url}/sessions/${session}/reset`, {
      method: "POST",
      body: JSON.stringify(signed),
      headers: { "content-type": "application/json" },
    });
    const body = (await response.json()) as { error?: { code: string } };
    return { status: response.status, code: body.error?.code ?? "reset" };
  };
  /** How an auditor accepts the platform of the session. */
  const platform = (): Promise<string[]> =>
    platformArguments(deployment.gateway, {
      token: deployment.tokenOf("alice"),
      session: seen.session_id,
      folder: deployment.folder,
    });
  const isStillHeld = async (): Promise<void> =>
    assert.equal(await send({ label: `${label}-probe` }), "SESSION_SENSITIVITY_POLICY_DENY");

  test("by an operator takes effect at once, for the session and for new ones, and stands in the record", async () => {
    assert.deepEqual(await post(operator.sign(resetAfter(seen, sequence))), { status: 200, code: "reset" });
    assert.equal(await send(), "sent");
    assert.equal(await send({ label: `${label}-new` }), "sent");
    const claim = await alice.request(`/sessions/${seen.session_id}/close`, { method: "POST" });
    const bundle = await alice.request(`/audit/export?session_id=${seen.session_id}`);
    const { entries } = JSON.parse(bundle.text) as { entries: AuditEntry[] };
    assert.deepEqual(
      entries.map(({ entry_type, session_sensitivity_after }) => [entry_type, session_sensitivity_after]),
      [
        ["session_start", "public"],
        ["tool_call", "hipaa_phi"],
        ["session_reset", "public"],
        ["tool_call", "public"],
        ["session_end", "public"],
      ],
    );
    assert.equal(entries[2]?.detail?.["operator_key"], operator.publicKey);
    assert.equal(entries[2].detail["reason"], "the record was synthetic");
    assert.equal(
      (JSON.parse(claim.text) as Claim).gateway.call_summary.session_max_sensitivity,
      "hipaa_phi",
      "a claim tells the highest there ever was",
    );

    const [claimPath, bundlePath, receiptPath] = ["claim", "bundle", "receipt"].map((name) =>
      join(deployment.folder, `${name}.json`),
    ) as [string, string, string];
    await writeFile(claimPath, claim.text);
    await writeFile(bundlePath, bundle.text);
    await writeFile(receiptPath, JSON.stringify(seen));
    const verified = await cmcp([
      "verify",
      claimPath,
      "--audit-bundle",
      bundlePath,
      "--receipt",
      receiptPath,
      ...(await platform()),
    ]);
    assert.equal(verified.code, 0, verified.stdout);
    assert.match(verified.stdout, new RegExp(`passed +operator resets: 1, signed by ${operator.publicKey}`));

    const alone = await cmcp(["audit", "verify", bundlePath, "--receipt", receiptPath, "--allow-software-only"]);
    assert.equal(alone.code, 0, alone.stdout);
    for (const open of ["bundle signature", "claim"]) assert.match(alone.stdout, new RegExp(`not performed +${open}`));
    assert.equal(
      (await cmcp(["audit", "verify", bundlePath])).code,
      10,
      "not without saying that no hardware vouches for it",
    );
    const { trace } = JSON.parse(claim.text) as Claim;
    const pinned = await cmcp([
      "audit",
      "verify",
      bundlePath,
      "--receipt",
      receiptPath,
      "--trusted-key",
      trace.cnf.jwk.x,
      "--allow-software-only",
    ]);
    assert.match(pinned.stdout, /passed +bundle signature/);
    assert.equal(
      (await cmcp(["audit", "verify", bundlePath, "--trusted-key", operator.publicKey, "--allow-software-only"])).code,
      10,
    );
    await writeFile(bundlePath, bundle.text.replace("the record was synthetic", "the record was harmless."));
    assert.equal((await cmcp(["audit", "verify", bundlePath, "--allow-software-only"])).code, 10);
  });

  test("lowers nobody else, and the data seen after it counts again", async () => {
    await bob.call("get_patient_record", PATIENT);
    assert.equal((await post(operator.sign(resetAfter(seen, sequence)))).code, "reset");
    assert.equal(
      (await bob.call("send_message", MESSAGE)).body.error?.data?.error_code,
      "SESSION_SENSITIVITY_POLICY_DENY",
    );
    assert.equal(await send(), "sent");
    await alice.call("get_patient_record", PATIENT, { label });
    assert.equal(await send(), "SESSION_SENSITIVITY_POLICY_DENY");
    await isStillHeld();
  });

  test("leaves the principal's other open sessions with what they saw", async () => {
    await alice.call("get_patient_record", PATIENT, { label: `${label}-other` });
    assert.equal((await post(operator.sign(resetAfter(seen, sequence)))).code, "reset");
    assert.equal(await send({ label: `${label}-other` }), "SESSION_SENSITIVITY_POLICY_DENY");
  });

  test("that is forged is refused", async () => {
    const good = operator.sign(resetAfter(seen, sequence));
    const forger = newOperator();
    const forgeries: Record<string, object> = {
      "another's key and signature": forger.sign(good.statement),
      "an operator's key over another's signature": { ...forger.sign(good.statement), key: operator.publicKey },
      "one operator's signature under the other's key": { ...good, key: second.publicKey },
      "another reason": { ...good, statement: { ...good.statement, reason: "other" } },
      "another sequence": { ...good, statement: { ...good.statement, sequence: sequence + 1 } },
      "a changed signature": {
        ...good,
        signature: `${good.signature[0] === "A" ? "B" : "A"}${good.signature.slice(1)}`,
      },
    };
    for (const [what, forgery] of Object.entries(forgeries))
      assert.deepEqual(await post(forgery), { status: 403, code: "OPERATOR_STATEMENT_INVALID" }, what);
    await isStillHeld();
  });

  test("that is no statement is refused, and a bearer token is never an operator", async () => {
    const good = operator.sign(resetAfter(seen, sequence));
    for (const [what, body] of Object.entries({
      nothing: {},
      "no signature": { statement: good.statement, key: good.key },
      "another purpose": { ...good, statement: { ...good.statement, purpose: "catalog-exception" } },
      "another version": { ...good, statement: { ...good.statement, v: 2 } },
      surplus: { ...good, allow: true },
      "sequence zero": { ...good, statement: { ...good.statement, sequence: 0 } },
      "too long": { ...good, padding: "x".repeat(9000) },
    })) {
      assert.deepEqual(await post(body), { status: 400, code: "MCP_INVALID_REQUEST" }, what);
    }
    const withToken = await alice.request(`/sessions/${seen.session_id}/reset`, { method: "POST", body: "{}" });
    assert.equal(withToken.status, 400);
    assert.equal((await alice.request(`/sessions/${seen.session_id}/reset`)).status, 405);
    await isStillHeld();
  });

  test("that was used before is refused, and so is any not counted further", async () => {
    const good = operator.sign(resetAfter(seen, sequence));
    assert.equal((await post(good)).code, "reset");
    const after = receiptOf((await alice.call("get_patient_record", PATIENT, { label })).body);
    assert.deepEqual(await post(good), { status: 409, code: "OPERATOR_STATEMENT_REPLAYED" });
    for (const old of [sequence, sequence - 1])
      assert.deepEqual(await post(operator.sign(resetAfter(after, old))), {
        status: 409,
        code: "OPERATOR_STATEMENT_REPLAYED",
      });
    await isStillHeld();
    assert.equal((await post(second.sign(resetAfter(after, sequence)))).code, "reset", "another operator counts alone");
  });

  test("over a chain that has moved on is refused", async () => {
    const before = operator.sign(resetAfter(seen, sequence));
    const later = receiptOf((await alice.call("get_patient_record", PATIENT, { label })).body);
    assert.deepEqual(await post(before), { status: 409, code: "OPERATOR_STATEMENT_STALE" });
    await isStillHeld();
    assert.equal(
      (await post(operator.sign(resetAfter(later, sequence)))).code,
      "reset",
      "a refused statement uses up no sequence",
    );
  });

  test("for another session is refused there, and for a closed or unknown one", async () => {
    const good = operator.sign(resetAfter(seen, sequence));
    const other = receiptOf((await alice.call("get_patient_record", PATIENT, { label: `${label}-other` })).body);
    assert.deepEqual(await post(good, other.session_id), { status: 409, code: "OPERATOR_STATEMENT_MISMATCH" });
    const unknown = operator.sign({ ...good.statement, session_id: "11111111-1111-4111-8111-111111111111" });
    assert.deepEqual(await post(unknown, unknown.statement.session_id), { status: 404, code: "NOT_FOUND" });
    await alice.request(`/sessions/${seen.session_id}/close`, { method: "POST" });
    assert.deepEqual(await post(good), { status: 404, code: "NOT_FOUND" });
    await isStillHeld();
  });

  test("for another instance is refused, a restarted one included; one that took effect outlives the restart", async () => {
    const elsewhere = operator.sign({ ...resetAfter(seen, sequence), instance: newToken() });
    assert.deepEqual(await post(elsewhere), { status: 409, code: "OPERATOR_STATEMENT_MISMATCH" });
    await isStillHeld();
    const old = operator.sign(resetAfter(seen, sequence + 5));
    await deployment.killEnclave();
    assert.deepEqual(await post(old), { status: 409, code: "OPERATOR_STATEMENT_MISMATCH" });
    await isStillHeld();

    const again = receiptOf((await alice.call("get_patient_record", PATIENT, { label })).body);
    const reset = await post(operator.sign(resetAfter(again, sequence)), again.session_id);
    assert.equal(reset.code, "reset");
    await deployment.killEnclave();
    assert.equal(await send({ label: `${label}-after` }), "sent");
  });

  describe("from the command line", () => {
    const paths = { key: "operator.pem", receipt: "seen.json" };
    before(async () => {
      paths.key = join(deployment.folder, "operator.pem");
      paths.receipt = join(deployment.folder, "seen.json");
      await writeFile(paths.key, operator.privateKey.export({ type: "pkcs8", format: "pem" }));
    });

    test("with the latest receipt", async () => {
      await writeFile(paths.receipt, JSON.stringify(seen));
      const args = [
        "session",
        "reset",
        "--url",
        deployment.gateway.url,
        "--key",
        paths.key,
        "--reason",
        "looked at",
        "--receipt",
        paths.receipt,
      ];
      const done = await cmcp(args);
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stdout, new RegExp(`^session ${seen.session_id} reset: hipaa_phi to public, audit entry 2\n$`));
      assert.equal(await send(), "sent");
      const again = await cmcp([...args, "--json"]);
      assert.equal(again.code, 10);
      assert.equal((JSON.parse(again.stdout) as { error: { code: string } }).error.code, "OPERATOR_STATEMENT_STALE");
    });

    test("with the session's id and its principal's token", async () => {
      const args = [
        "session",
        "reset",
        "--url",
        deployment.gateway.url,
        "--key",
        paths.key,
        "--reason",
        "looked at",
        "--session",
        seen.session_id,
        "--token-env",
        "ALICE",
        "--json",
      ];
      const done = await cmcp(args, { ALICE: deployment.tokenOf("alice") });
      assert.equal(done.code, 0, done.stdout);
      assert.equal(await send(), "sent");
      assert.equal(
        (await cmcp(args, { ALICE: deployment.tokenOf("bob") })).code,
        10,
        "another principal's token finds no such session",
      );
    });

    test("with a key made for it", async () => {
      const path = join(deployment.folder, "made.pem");
      const made = await cmcp(["key", "new", path, "--json"]);
      assert.match((JSON.parse(made.stdout) as { public_key: string }).public_key, /^[A-Za-z0-9_-]{43}$/);
      assert.equal((await cmcp(["key", "new", path])).code, 64, "it is never overwritten");
      await writeFile(paths.receipt, JSON.stringify(seen));
      const refused = await cmcp([
        "session",
        "reset",
        "--url",
        deployment.gateway.url,
        "--key",
        path,
        "--reason",
        "x",
        "--receipt",
        paths.receipt,
        "--json",
      ]);
      assert.equal(
        (JSON.parse(refused.stdout) as { error: { code: string } }).error.code,
        "OPERATOR_STATEMENT_INVALID",
        "a key that is not measured",
      );
    });

    test("a session is closed, and its claim kept", async () => {
      const [path, evidence] = [
        join(deployment.folder, "closed.json"),
        join(deployment.folder, "closed-evidence.json"),
      ];
      const args = [
        "session",
        "close",
        "--url",
        deployment.gateway.url,
        "--session",
        seen.session_id,
        "--token-env",
        "ALICE",
        "--out",
        path,
        "--evidence-out",
        evidence,
      ];
      const done = await cmcp(args, { ALICE: deployment.tokenOf("alice") });
      // Software has no evidence that could be written beside it.
      assert.deepEqual([done.code, done.stdout], [0, IN_MACHINE ? `${path}\n${evidence}\n` : `${path}\n`]);
      assert.equal((await cmcp(["verify", path, ...(await platform())])).code, 0);
      assert.equal((await cmcp(args, { ALICE: deployment.tokenOf("bob") })).code, 10);
      assert.equal((await cmcp(args)).code, 64, "the token is read from the environment");
    });
  });
});
