/** Runs the numbered vectors of this folder through the TPM verifier. */
import { webcrypto } from "node:crypto";
import * as z from "zod";
import { tpmPolicySchema } from "../../../../packages/appraise/src/tpm/policy.ts";
import { readTpmEvidence } from "../../../../packages/appraise/src/tpm/read-evidence.ts";
import { verifyTpm } from "../../../../packages/appraise/src/tpm/verify.ts";
import { applyChanges, bytesOf, changesSchema, expectSchema, runVectors, sourceSchema } from "../quote-vectors.ts";

const inputSchema = z.strictObject({
  describes: z.string(),
  specification: z.string(),
  evidence: sourceSchema,
  attachments: z.array(sourceSchema).default([]),
  parts: z.partialRecord(z.enum(["quote", "signature"]), sourceSchema).default({}),
  changes: z.strictObject({ event_log: changesSchema }).optional(),
  at: z.iso.datetime(),
  policy: tpmPolicySchema.prefault({}),
  expect: expectSchema,
});

runVectors(new URL("./", import.meta.url), inputSchema, async (input, folder) => {
  const read = readTpmEvidence(
    bytesOf(input.evidence, folder),
    input.attachments.map((source) => bytesOf(source, folder)),
  );
  const parts = Object.fromEntries(
    Object.entries(input.parts).map(([part, source]) => [part, bytesOf(source, folder)]),
  );
  const eventLog =
    read.eventLog === undefined ? {} : { eventLog: applyChanges(read.eventLog, input.changes?.event_log ?? []) };
  return await verifyTpm(
    { evidence: { ...read, ...parts, ...eventLog }, ...input.expect },
    input.policy,
    new Date(input.at),
    webcrypto,
  );
});
