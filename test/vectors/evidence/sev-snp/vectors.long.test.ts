/** Runs the numbered vectors of this folder through the SEV-SNP verifier. */
import { webcrypto } from "node:crypto";
import * as z from "zod";
import { sevSnpPolicySchema } from "../../../../packages/appraise/src/sev-snp/policy.ts";
import { verifySevSnp } from "../../../../packages/appraise/src/sev-snp/verify.ts";
import { bytesOf, expectSchema, runVectors, sourceSchema } from "../quote-vectors.ts";

const inputSchema = z.strictObject({
  describes: z.string(),
  specification: z.string(),
  report: sourceSchema,
  certificates: z.array(sourceSchema),
  revocation_lists: z.array(sourceSchema).default([]),
  at: z.iso.datetime(),
  policy: sevSnpPolicySchema.prefault({}),
  expect: expectSchema,
});

runVectors(new URL("./", import.meta.url), inputSchema, async (input, folder) => {
  const bytes = (source: z.infer<typeof sourceSchema>): Uint8Array => bytesOf(source, folder);
  const sent = {
    report: bytes(input.report),
    certificates: input.certificates.map(bytes),
    revocationLists: input.revocation_lists.map(bytes),
  };
  return await verifySevSnp({ ...sent, ...input.expect }, input.policy, new Date(input.at), webcrypto);
});
