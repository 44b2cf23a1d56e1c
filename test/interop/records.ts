import { mkdir, writeFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { receiptOf, startFixture } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
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
