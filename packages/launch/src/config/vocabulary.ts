import * as z from "zod";

/** Sensitivity labels of a deployment with their ranks, as the enclave's vocabulary accepts them. */
export const vocabularySchema = z
  .record(
    z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, {
      error: "a label is 1 to 64 of a-z, 0-9, '_', '.', '-' and starts with a letter or digit",
    }),
    z.int().min(0).max(1000),
  )
  .refine((labels) => Object.keys(labels).length <= 256, { error: "at most 256 labels" });

/** Compliance domains of a deployment, as the enclave's vocabulary accepts them: whether each is regulated. */
export const domainsSchema = z
  .record(
    z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, {
      error: "a domain is 1 to 64 of a-z, 0-9, '_', '.', '-' and starts with a letter or digit",
    }),
    z.boolean(),
  )
  .refine((domains) => Object.keys(domains).length <= 256, { error: "at most 256 domains" });
