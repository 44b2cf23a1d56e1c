import * as z from "zod";

const MAX_KEYS = 16;
const hash = z.string().regex(/^sha256:[0-9a-f]{64}$/);
/** 32 bytes, base64url. */
const key = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
/** 64 bytes, base64url. */
const wide = z.string().regex(/^[A-Za-z0-9_-]{86}$/);

/** The answer to `GET /attestation`: an instance's own report (SPEC.md, section 6). */
export const instanceReportSchema = z.strictObject({
  binding: z.strictObject({
    purpose: z.literal("instance-attestation"),
    nonce: z.string().min(1).max(128),
    keys: z
      .record(z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/), key)
      .refine((keys) => Object.keys(keys).length <= MAX_KEYS, `at most ${MAX_KEYS} keys`),
    policy_hash: hash,
    catalog_hash: hash,
    enforcement_mode: z.enum(["enforcing", "advisory", "silent"]),
    launch_digest: hash,
  }),
  evidence: z.strictObject({
    platform: z.string().min(1).max(64),
    measurement: z.string().max(256),
    firmware: z.string().max(1_024),
    report_data: wide,
    generated_at: z.iso.datetime(),
  }),
  identity_signature: wide.optional(),
  evidence_file: z.record(z.string(), z.json()).optional(),
  /** Keys that requests are sealed to, under the instance's signature. Only the report without a nonce has them. */
  seal: z.strictObject({ key_configs: z.string().regex(/^[A-Za-z0-9_-]{1,21848}$/), signature: wide }).optional(),
});

/** An instance's own report as received: well formed, and not verified. */
export type ReceivedInstanceReport = z.infer<typeof instanceReportSchema>;
