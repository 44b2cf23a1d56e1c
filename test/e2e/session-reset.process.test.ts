/** An operator's signature lowers what a principal has seen, and stands in the record. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import type { AuditEntry } from "@cmcp/audit/schema";
import type { Claim } from "@cmcp/claim/schema";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { resetAfter } from "../gateway/operator.ts";
import { MESSAGE, PATIENT, Resets } from "../gateway/resets.ts";

describe("a reset", () => {
  const resets = new Resets();
  const { operator, send, post, platform, isStillHeld } = resets;
  before(() => resets.open());
  after(() => resets.close());
  beforeEach(() => resets.beginSession());

  test("by an operator takes effect at once, for the session and for new ones, and stands in the record", async () => {
    assert.deepEqual(await post(operator.sign(resetAfter(resets.seen, resets.sequence))), {
      status: 200,
      code: "reset",
    });
    assert.equal(await send(), "sent");
    assert.equal(await send({ label: `${resets.label}-new` }), "sent");
    const claim = await resets.alice.request(`/sessions/${resets.seen.session_id}/close`, { method: "POST" });
    const bundle = await resets.alice.request(`/audit/export?session_id=${resets.seen.session_id}`);
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
      join(resets.deployment.folder, `${name}.json`),
    ) as [string, string, string];
    await writeFile(claimPath, claim.text);
    await writeFile(bundlePath, bundle.text);
    await writeFile(receiptPath, JSON.stringify(resets.seen));
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

  test("leaves the command that closes the session with its last successor and the claim of them all", async () => {
    assert.equal((await post(operator.sign(resetAfter(resets.seen, resets.sequence)))).code, "reset");
    const successor = receiptOf((await resets.alice.call("send_message", MESSAGE, { label: resets.label })).body);
    assert.notEqual(successor.session_id, resets.seen.session_id);
    const [claim, evidence] = ["closed", "closed-evidence"].map((name) =>
      join(resets.deployment.folder, `${name}.json`),
    );
    const files = ["--out", claim ?? "", "--evidence-out", evidence ?? ""];
    const named = ["--url", resets.deployment.gateway.url, "--session", resets.seen.session_id, "--json", ...files];
    const { code, stdout, stderr } = await cmcp(["session", "close", ...named], {
      CMCP_BEARER_TOKEN: resets.deployment.tokenOf("alice"),
    });
    assert.equal(code, 0, stdout + stderr);
    assert.equal((JSON.parse(stdout) as { session: string }).session, successor.session_id);
    const { gateway } = JSON.parse(await readFile(claim ?? "", "utf8")) as Claim;
    assert.deepEqual([gateway.session_id, gateway.audit_chain.length], [successor.session_id, 5]);
  });

  test("directly behind another continues the same chain, which verifies under one claim", async () => {
    const reset = async (session: string, chain_tip: string, at: number): Promise<AuditEntry["detail"]> => {
      const statement = { ...resetAfter(resets.seen, at), session_id: session, chain_tip };
      const { text } = await resets.alice.request(`/sessions/${session}/reset`, {
        method: "POST",
        body: JSON.stringify(operator.sign(statement)),
      });
      return JSON.parse(text) as AuditEntry["detail"];
    };
    const first = await reset(resets.seen.session_id, resets.seen.entry_hash, resets.sequence);
    const next = await reset(
      String(first?.["successor_session_id"]),
      String(first?.["entry_hash"]),
      resets.sequence + 1,
    );
    const claim = await resets.alice.request(`/sessions/${resets.seen.session_id}/close`, { method: "POST" });
    const { session_id: last } = (JSON.parse(claim.text) as Claim).gateway;
    assert.equal(last, next?.["successor_session_id"]);
    const bundles = await Promise.all(
      [resets.seen.session_id, last].map((id) => resets.alice.request(`/audit/export?session_id=${id}`)),
    );
    assert.equal(bundles[0]?.text, bundles[1]?.text);
    const [claimPath, bundlePath] = ["twice", "twice-bundle"].map((name) =>
      join(resets.deployment.folder, `${name}.json`),
    );
    await writeFile(claimPath ?? "", claim.text);
    await writeFile(bundlePath ?? "", bundles[0]?.text ?? "");
    const named = [claimPath ?? "", "--audit-bundle", bundlePath ?? ""];
    const { code, stdout } = await cmcp(["verify", ...named, ...(await platform())]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /passed +operator resets: 2, signed by /);
  });

  test("lowers nobody else, and the data seen after it counts again", async () => {
    await resets.bob.call("get_patient_record", PATIENT);
    assert.equal((await post(operator.sign(resetAfter(resets.seen, resets.sequence)))).code, "reset");
    assert.equal(
      (await resets.bob.call("send_message", MESSAGE)).body.error?.data?.error_code,
      "SESSION_SENSITIVITY_POLICY_DENY",
    );
    assert.equal(await send(), "sent");
    await resets.alice.call("get_patient_record", PATIENT, { label: resets.label });
    assert.equal(await send(), "SESSION_SENSITIVITY_POLICY_DENY");
    await isStillHeld();
  });

  test("leaves the principal's other open sessions with what they saw", async () => {
    await resets.alice.call("get_patient_record", PATIENT, { label: `${resets.label}-other` });
    assert.equal((await post(operator.sign(resetAfter(resets.seen, resets.sequence)))).code, "reset");
    assert.equal(await send({ label: `${resets.label}-other` }), "SESSION_SENSITIVITY_POLICY_DENY");
  });
});
