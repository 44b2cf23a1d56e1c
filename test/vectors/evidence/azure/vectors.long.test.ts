/** Runs the numbered vectors of this folder through the verifier of Azure confidential VMs. */
import { webcrypto } from "node:crypto";
import * as z from "zod";
import { azureCvmPolicySchema } from "../../../../packages/appraise/src/azure/policy.ts";
import { readAzureCvmEvidence } from "../../../../packages/appraise/src/azure/read-evidence.ts";
import { verifyAzureCvm } from "../../../../packages/appraise/src/azure/verify.ts";
import { bytesOf, expectSchema, runVectors, sourceSchema } from "../quote-vectors.ts";

const inputSchema = z.strictObject({
  describes: z.string(),
  specification: z.string(),
  evidence: sourceSchema,
  attachments: z.array(sourceSchema).default([]),
  at: z.iso.datetime(),
  policy: azureCvmPolicySchema.prefault({}),
  expect: expectSchema,
});

runVectors(new URL("./", import.meta.url), inputSchema, async (input, folder) => {
  const evidence = readAzureCvmEvidence(
    bytesOf(input.evidence, folder),
    input.attachments.map((source) => bytesOf(source, folder)),
  );
  return await verifyAzureCvm({ evidence, ...input.expect }, input.policy, new Date(input.at), webcrypto);
});
