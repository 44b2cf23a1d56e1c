/** Approvals beside real witnesses: an answer counts once a quorum has cosigned its entry. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign, webcrypto } from "node:crypto";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { approvals, type Approvals } from "@cmcp/client";
import { formatVerifierKey } from "@cmcp/log";
import { cmcp } from "../gateway/cli.ts";
import { clientOf } from "../gateway/client.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway } from "../gateway/gateway.ts";
import { errorCodeOf } from "../gateway/refused-call.ts";
import { hasGo, NO_GO } from "./oracle.ts";
import { deployWitnessed } from "./witnessed-deployment.ts";

const TOKEN = "witnessed-approval-test-token-0123456789";
const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
const RULE = `@id("messages-need-a-person") @aarm_decision("require_approval")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message");
`;

interface Verdict {
  readonly log?: { readonly witnessing: string };
  readonly approvals?: readonly {
    readonly tool_name: string;
    readonly approvals: readonly { readonly approvers: readonly string[] }[];
  }[];
  readonly checks: readonly { readonly name: string; readonly status: string }[];
}

describe("an approval of a gateway with witnesses", { skip: hasGo() ? false : NO_GO }, () => {
  test("counts once a quorum cosigned it, can be given again after that failed, and is WITNESSED", async (t) => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const { x = "" } = publicKey.export({ format: "jwk" });
    const { config, folder, witnesses, records, policy, logKey } = await deployWitnessed(t, 3_000);
    await writeFile(join(folder, "policies/approval.cedar"), RULE);
    await appendFile(config, `enclave: {approvers: [{id: ann, ed25519: ${x}}]}\n`);
    const gateway = await startGateway(config, developmentEnvironment(TOKEN));
    t.after(() => gateway.kill());
    const client = clientOf(gateway, TOKEN);
    const approver = { id: "ann", sign: (message: Uint8Array) => new Uint8Array(sign(null, message, privateKey)) };
    const enter = async (): Promise<Approvals> =>
      await approvals(new URL(gateway.url), EXPECTED, { crypto: webcrypto, approver });
    const send = async () => (await client.call("send_message", "s", { to: "x", text: "x" })).body;
    const [, second, third] = witnesses;

    assert.equal(errorCodeOf(await send()), "APPROVAL_REQUIRED");
    const ann = await enter();
    const [waiting] = await ann.list();
    const id = waiting?.["approval_id"];
    assert.ok(typeof id === "string");
    const shown = await ann.show(id);
    await second?.kill();
    await third?.kill();
    await assert.rejects(ann.answer(shown, { decision: "approve" }), { code: "WITNESS_UNAVAILABLE" });
    assert.equal(errorCodeOf(await send()), "APPROVAL_REQUIRED", "an answer that no quorum saw counts for nothing");
    assert.equal((await ann.list()).length, 1, "and it waits as before");
    assert.equal(records.calls.length, 0);

    await second?.start();
    while ((await fetch(`${gateway.url}/readyz`)).status !== 200) await new Promise((done) => setTimeout(done, 50));
    assert.equal((await ann.answer(shown, { decision: "approve" })).state, "approved");
    const reply = await send();
    assert.ok("result" in reply && errorCodeOf(reply) === undefined, JSON.stringify(reply));
    assert.equal(records.calls.length, 1);
    assert.equal(errorCodeOf(await send()), "APPROVAL_REQUIRED", "it counts once");
    assert.equal(records.calls.length, 1);

    const file = (name: string): string => `${folder}-${name}`;
    const { session_id: session } = receiptOf(reply);
    await writeFile(file("policy"), `log ${formatVerifierKey(logKey)}\n${policy}`);
    await writeFile(file("receipt.json"), JSON.stringify(receiptOf(reply)));
    await writeFile(file("claim.json"), JSON.stringify(await client.close(session)));
    await writeFile(file("bundle.json"), JSON.stringify(await client.json(`/audit/export?session_id=${session}`)));
    const stored = join(folder, "audit.db");
    // Rounds go on after the claim is answered.
    for (let tries = 0; ; tries += 1) {
      const exported = await cmcp(["log", "export", "--store", stored, file(`log-${tries}`), "--json"]);
      assert.equal(exported.code, 0, exported.stderr);
      if ((JSON.parse(exported.stdout) as { readonly newer: number }).newer > 0) continue;
      const verdict = await verified(file, file(`log-${tries}`));
      assert.equal(verdict.log?.witnessing, "WITNESSED");
      assert.deepEqual(
        verdict.approvals?.map(({ tool_name: tool, approvals: used }) => [tool, used.flatMap((one) => one.approvers)]),
        [["send_message", ["ann"]]],
      );
      return;
    }
  });
});

async function verified(file: (name: string) => string, log: string): Promise<Verdict> {
  const claim = [file("claim.json"), "--receipt", file("receipt.json"), "--audit-bundle", file("bundle.json")];
  const witnessed = ["--log", log, "--witness-policy", file("policy"), "--allow-software-only", "--json"];
  const { code, stdout, stderr } = await cmcp(["verify", ...claim, ...witnessed]);
  assert.equal(code, 0, `${stdout}${stderr}`);
  return JSON.parse(stdout) as Verdict;
}
