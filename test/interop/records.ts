import { mkdir, writeFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { receiptOf, startFixture } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
import { newOperator, resetAfter } from "../gateway/operator.ts";
import { startDeployment } from "../gateway/principals.ts";
import { script } from "./python.ts";

/** One side's record: the files of one software-only session. */
export interface SessionRecord {
  readonly folder: string;
  readonly claim: string;
  readonly bundle: string;
  readonly policyHash: string;
  readonly catalogHash: string;
}

interface ClaimPins {
  readonly trace: { readonly policy: { readonly bundle_hash: string } };
  readonly gateway: { readonly catalog: { readonly hash: string } };
}

/** The claim, bundle and TRACE record of a session of calls through the real gateway. */
export async function ourRecord(folder: string): Promise<SessionRecord & { readonly traceRecord: string }> {
  const fixture = await startFixture(startGateway);
  try {
    const first = await fixture.call("echo", { message: "interop" }, "interop");
    await fixture.call("get-env", {}, "interop");
    await fixture.call("get_patient_record", { patient_id: "P-1001" }, "interop");
    await fixture.call("send_message", { to: "a", text: "after" }, "interop");
    const session = receiptOf(first.body).session_id;
    const text = async (path: string, method = "GET"): Promise<string> => {
      const response = await fixture.request(path, { method });
      if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
      return await response.text();
    };
    const claim = await text(`/sessions/${session}/close`, "POST");
    return {
      ...(await written(folder, claim, await text(`/audit/export?session_id=${session}`))),
      traceRecord: await text(`/sessions/${session}/trace-record`),
    };
  } finally {
    await fixture.close();
  }
}

/** The claim and bundle of a session that an operator reset twice. */
export async function resetRecord(folder: string): Promise<SessionRecord> {
  const operator = newOperator();
  const deployment = await startDeployment({ alice: null }, [`operator_keys: [${operator.publicKey}]`], startGateway);
  try {
    const agent = deployment.agent(deployment.tokenOf("alice"));
    const ask = async (path: string, init: RequestInit = {}): Promise<string> => {
      const answer = await agent.request(path, init);
      if (answer.status !== 200) throw new Error(`${path}: HTTP ${answer.status}`);
      return answer.text;
    };
    for (const sequence of [1, 2]) {
      const receipt = receiptOf((await agent.call("get_patient_record", { patient_id: "P-1001" })).body);
      const body = JSON.stringify(operator.sign(resetAfter(receipt, sequence)));
      await ask(`/sessions/${receipt.session_id}/reset`, { method: "POST", body });
    }
    const { session_id: last } = receiptOf((await agent.call("send_message", { to: "a", text: "after" })).body);
    const claim = await ask(`/sessions/${last}/close`, { method: "POST" });
    return await written(folder, claim, await ask(`/audit/export?session_id=${last}`));
  } finally {
    await deployment.close();
  }
}

/** The claim and bundle of a session that the Python runtime's own classes make, under the same policy and catalog. */
export async function theirRecord(folder: string, { policyHash, catalogHash }: SessionRecord): Promise<SessionRecord> {
  await mkdir(folder, { recursive: true });
  await script("make_record.py", [folder, policyHash, catalogHash]);
  return await written(
    folder,
    await readFile(join(folder, "claim.json"), "utf8"),
    await readFile(join(folder, "audit-bundle.json"), "utf8"),
  );
}

/** Writes a record's files. */
export async function written(folder: string, claim: string, bundle: string): Promise<SessionRecord> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "claim.json"), claim);
  await writeFile(join(folder, "audit-bundle.json"), bundle);
  const { trace, gateway } = JSON.parse(claim) as ClaimPins;
  return { folder, claim, bundle, policyHash: trace.policy.bundle_hash, catalogHash: gateway.catalog.hash };
}
