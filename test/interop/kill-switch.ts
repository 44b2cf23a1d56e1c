import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { receiptOf } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
import { startDeployment } from "../gateway/principals.ts";
import { changeOneByte } from "./change-one-byte.ts";
import { Comparison } from "./comparison.ts";
import { INTACT, passedChecks, runPublicVerifier } from "./public-verifier.ts";
import { script } from "./python.ts";
import { written, type SessionRecord } from "./records.ts";

/** A session that the kill switch stopped, and the receipt of the call that it refused next. */
async function stoppedRecord(folder: string): Promise<SessionRecord & { readonly refusal: string }> {
  const deployment = await startDeployment({ alice: null }, [], async (config, env) => {
    await appendFile(config, "kill_switch: {enabled: true, deny_rate_threshold: 0.5, min_calls: 3}\n");
    return await startGateway(config, env);
  });
  try {
    const agent = deployment.agent(deployment.tokenOf("alice"));
    const { body } = await agent.call("get_patient_record", { patient_id: "P-1001" });
    for (let call = 0; call < 2; call += 1) await agent.call("send_message", { to: "a", text: "after" });
    const text = async (path: string, method = "GET"): Promise<string> => {
      const answer = await agent.request(path, { method });
      if (answer.status !== 200) throw new Error(`${path}: HTTP ${answer.status}`);
      return answer.text;
    };
    // A refusal names the claim of the session that was stopped, once there is one.
    const session = receiptOf(body).session_id;
    const claim = await text(`/sessions/${session}/close`, "POST");
    const refused = await agent.call("send_message", { to: "a", text: "after" });
    const refusal = refused.body.error?.data?.receipt;
    const bundle = await text(`/audit/export?session_id=${session}`);
    return { ...(await written(folder, claim, bundle)), refusal: JSON.stringify(refusal) };
  } finally {
    await deployment.close();
  }
}

/**
 * The public verifier accepts the claim of a session that the kill switch stopped, and the receipt of the refusal
 * after it. Returns the number of differences.
 */
export async function compareKillSwitch(folder: string): Promise<number> {
  const record = await stoppedRecord(folder);
  const comparison = new Comparison();
  comparison.add("claim passes", INTACT.toSorted().join(" "), passedChecks(await runPublicVerifier(record)));
  const [receipt, claim] = [join(folder, "refusal.json"), join(folder, "claim.json")];
  const verified = async (text: string): Promise<string> => {
    await writeFile(receipt, text);
    const found = JSON.parse(await script("verify_refusal.py", [receipt, claim])) as {
      valid: boolean;
      agent_id: string;
      errors: string[];
    };
    return `${String(found.valid)} ${found.agent_id} ${found.errors.join("; ")}`.trim();
  };
  comparison.add("refusal", "true alice", await verified(record.refusal));
  comparison.add(
    "refusal, a byte of its time changed",
    "false alice receipt signature verification failed",
    await verified(changeOneByte(record.refusal, /"refused_at":"20(\d)/)),
  );
  return comparison.print("Public verifier on a session that the kill switch stopped (theirs: as it must be)");
}
