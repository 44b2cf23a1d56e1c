import { readWorkloadId } from "@cmcp/boundary";
import * as z from "zod";
import { areDistinct, subjectSchema, tokenMembers, workflows } from "../token-settings.ts";
import { trustDomain } from "./bundle.ts";

/** Algorithms of JWT-SVIDs (JWT-SVID section 2.1), as far as tokens may have them here. */
const SVID_ALGORITHMS = ["ES256", "ES384", "RS256", "PS256"] as const;

/** A trust domain whose JWT-SVIDs are accepted. */
export const svidIssuerSchema = z
  .strictObject({
    trust_domain: trustDomain.describe("Name of the trust domain. Its bundle is in enclave.spiffe_bundles."),
    ...tokenMembers,
    algorithms: z
      .array(z.enum(SVID_ALGORITHMS))
      .min(1)
      .max(SVID_ALGORITHMS.length)
      .refine(areDistinct, { error: "duplicate algorithm" })
      .describe("Signature algorithms that are accepted."),
    max_lifetime_seconds: z
      .int()
      .min(60)
      .max(86_400)
      .default(3_600)
      .describe("A JWT-SVID that ends later than so many seconds from now is refused."),
    subjects: z
      .array(subjectSchema)
      .max(1_000)
      .default([])
      .refine((subjects) => areDistinct(subjects.map(({ subject }) => subject)), { error: "duplicate subject" })
      .describe("Workloads that may call, by their SPIFFE IDs, and the principals they stand for."),
    any_subject: z
      .strictObject({ workflows: workflows.default(["default"]).describe("Workflows such a principal may name.") })
      .nullish()
      .describe(
        "Lets every workload of the trust domain call. The principal is its SPIFFE ID, of at most 128 characters, and no " +
          "other principal may begin with the trust domain's.",
      ),
  })
  .refine(({ subjects, any_subject: any }) => subjects.length > 0 || any != null, {
    path: ["subjects"],
    error: "allows no caller: list subjects, or set any_subject",
  })
  .refine(
    ({ trust_domain: domain, subjects }) => subjects.every(({ subject }) => readWorkloadId(subject, domain) !== null),
    { path: ["subjects"], error: "has a subject that is not a SPIFFE ID with a path in the trust domain" },
  );

/** One accepted trust domain. */
export type SvidIssuerSettings = z.output<typeof svidIssuerSchema>;
