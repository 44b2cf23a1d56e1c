import * as z from "zod";
import { historySchema } from "./history.ts";
import { LEAF_VERSION, leafBytes } from "./leaf.ts";
import { signedLostStoreSchema } from "./lost-store.ts";
import { logPlaceSchema } from "./receipt.ts";

const text = z.string().max(4096);
/** A sealed blob has at most 8192 bytes. */
const MAX_SEALED_TEXT = 10_923;
/** Most characters of a witness policy. */
const MAX_WITNESS_POLICY = 64 * 1024;
const thumbprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const hex = z.string().regex(/^[0-9a-f]{64}$/);

/** The public half of an instance's signing key. */
export const signingJwkSchema = z.strictObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: thumbprint });
/** The public half of an instance's signing key. */
export type SigningJwk = z.infer<typeof signingJwkSchema>;

/** First record of an instance: its key, what it runs, and the log that it continues. */
export const handOverSchema = z.strictObject({
  jwk: signingJwkSchema,
  gateway_version: text,
  policy_hash: digest,
  catalog_hash: digest,
  /** `sha256:` and hex of the launch document. */
  launch_digest: digest,
  platform: text,
  /** As the platform reports it. */
  measurement: text,
  /** The keys that requests are sealed to, as the instance's report names them; absent where it has none. */
  seal_keys: thumbprint.optional(),
  /** ISO 8601, by a clock the host sets. */
  boot_time: z.iso.datetime({ offset: true }),
  /** What this instance found of the log before it. */
  history: historySchema,
  /** The head that the instance continues; `null` for an empty log. */
  predecessor: z
    .strictObject({
      size: z.int().positive(),
      /** Root hash, hex. */
      root: hex,
      /** The instance that signed it, if its note has the name of one. */
      instance: thumbprint.nullable(),
    })
    .nullable(),
  /** The operator's statement that opened the log's epoch; absent in the first one. */
  lost_store: signedLostStoreSchema.optional(),
  /** The witnesses and their quorum, as a C2SP witness policy; absent where the launch document names none. */
  witnesses: z.string().min(1).max(MAX_WITNESS_POLICY).optional(),
  /** What the instance's stdio servers listed as it started, hashed; absent where the catalog has no tool of any. */
  stdio_tools: digest.optional(),
  /**
   * The gateway's identity as only the same image, launch and machine can open it, base64url; where the platform can
   * seal.
   */
  sealed_identity: z.string().max(MAX_SEALED_TEXT).optional(),
  /** The platform's evidence as an evidence file, over the key and the SHA-256 of everything else here; absent for `software-only`. */
  evidence: z.record(z.string(), z.json()).optional(),
});
/** First record of an instance. */
export type HandOver = z.infer<typeof handOverSchema>;

/** The hand-over of an instance, and where the log has it. */
export const provenHandOverSchema = z.strictObject({ body: handOverSchema, log: logPlaceSchema });
/** The hand-over of an instance, and where the log has it. */
export type ProvenHandOver = z.infer<typeof provenHandOverSchema>;

/**
 * The leaf of a hand-over, which is an instance's first record.
 * @param instance RFC 7638 thumbprint of the instance's key, base64url
 * @param hash digest of the body's canonical JSON, `sha256:` and hex
 */
export function handOverLeaf(instance: string, hash: string): Uint8Array<ArrayBuffer> {
  return leafBytes({ v: LEAF_VERSION, kind: "hand-over", instance, seq: 0, body_hash: hash });
}
