import type { JsonObject } from "@cmcp/boundary";
import * as z from "zod";
import { MAX_FILES, MAX_LAUNCH_DOCUMENT_PART, MAX_LOG_NOTE, MAX_LOG_PATH, MAX_PART } from "./limits.ts";

const bytes = z.string().min(1).max(MAX_PART);
const files = z.array(bytes).max(MAX_FILES);
const object = z.custom<JsonObject>((value) => typeof value === "object" && value !== null && !Array.isArray(value), {
  error: "must be an object",
});
const register = z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/);

const tpm = z.strictObject({
  quote: bytes,
  signature: bytes,
  key_quote: bytes,
  key_signature: bytes,
  ak_public: bytes,
  ak_certificates: files,
  pcrs: z.strictObject({ sha256: z.record(register, z.string().regex(/^[0-9a-f]{64}$/)) }),
  event_log: bytes.optional(),
});

const key = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** Where the log has the last claim of a closed session. */
const claimPlace = z.strictObject({
  /** Index of the claim's leaf, from 0. */
  index: z.int().nonnegative(),
  /** Inclusion path in the tree that the note names, lowest hash first, base64url. */
  path: z.array(key).max(MAX_LOG_PATH),
  /** The signed checkpoint of that tree. */
  note: z.string().max(MAX_LOG_NOTE),
  /** What the leaf says besides the claim's instance. */
  seq: z.int().nonnegative(),
  body_hash: digest,
  claim_hash: digest,
  /** Who signed the note, where it is not the claim's own key. */
  signing_key: z.strictObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: key }).optional(),
});
/** Where the log has the last claim of a closed session. */
export type ClaimPlace = z.infer<typeof claimPlace>;

/** What every evidence file has, and may have. */
const common = {
  format: z.literal("cmcp-evidence-v1"),
  platform: z.enum(["amd-sev-snp", "azure-cvm-sev-snp", "intel-tdx", "tpm2", "software-only"]),
  report_data: bytes,
  generated_at: z.iso.datetime({ offset: true }),
  collateral: files.optional(),
  binding: object.optional(),
  root_entry: object.optional(),
  launch_document: z.string().max(MAX_LAUNCH_DOCUMENT_PART).optional(),
  log: claimPlace.optional(),
};

/** Shape of `evidence.json` (SPEC.md). */
export const evidenceFileSchema = z.discriminatedUnion("provider", [
  z.strictObject({ ...common, provider: z.literal("software-only") }),
  z.strictObject({ ...common, provider: z.literal("sev-snp"), report: bytes, certificates: files }),
  z.strictObject({ ...common, provider: z.literal("tdx"), quote: bytes, event_log: bytes.optional() }),
  z.strictObject({ ...common, provider: z.literal("tpm"), tpm }),
  z.strictObject({
    ...common,
    provider: z.literal("azure-cvm"),
    report: bytes,
    quote: bytes.optional(),
    certificates: files,
    tpm,
  }),
]);

export type EvidenceJson = z.infer<typeof evidenceFileSchema>;
export type TpmJson = z.infer<typeof tpm>;
