import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { sharedFolder } from "@cmcp/appraise/testing";
import { verifyEvidence } from "@cmcp/appraise";
import type { Plan } from "../../plan.ts";
import { atMost, notMeasured, type Row } from "../../report/row.ts";
import { microseconds } from "../timing.ts";
import { GENUINE, genuineSamples, type Sample } from "./genuine.ts";
import { tpmSample } from "./tpm-sample.ts";

async function verification(
  { name, platform, files, policy, expected, at, boundMs }: Sample,
  plan: Plan,
): Promise<Row> {
  const verify = async (): Promise<void> => {
    const { outcome, checks } = await verifyEvidence(platform, files, { policy, expected, at }, nodeCrypto);
    if (outcome !== "verified")
      throw new Error(
        `${name} is ${outcome}: ${checks.find(({ status }) => status === "failed")?.name ?? "no check failed"}`,
      );
  };
  return atMost(
    `verifying: ${name}`,
    { value: (await microseconds(verify, plan.stageMs)) / 1000, bound: boundMs },
    "ms",
    "verifyEvidence as exported, warmed, strict policy with expected report data and measurement",
  );
}

/** How long a relying party waits for a verdict on evidence it has. */
export async function verifications(plan: Plan): Promise<readonly Row[]> {
  const rows: Row[] = [];
  if (sharedFolder() === null)
    rows.push(
      ...GENUINE.map((name) =>
        notMeasured(`verifying: ${name}`, "the corpus of genuine evidence is not here; CMCP_SHARED names its folder"),
      ),
    );
  else for (const sample of genuineSamples()) rows.push(await verification(sample, plan));
  return [...rows, await verification(await tpmSample(), plan)];
}
