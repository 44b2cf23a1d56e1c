import type { JsonValue } from "@cmcp/boundary";
import * as z from "zod";
import { HASH } from "../config/environment.ts";
import { publicKey } from "../config/fields.ts";
import { measuredConfigSchema } from "../config/measured.ts";
import { PROVIDERS } from "../config/attestation.ts";

/** Most files of a policy bundle. */
export const MAX_BUNDLE_FILES = 1000;
/** Largest file of a policy bundle, in bytes on disk and in UTF-16 units in the document. */
export const MAX_BUNDLE_FILE = 1024 * 1024;
/** Largest launch document, in bytes. */
export const MAX_LAUNCH_DOCUMENT = 16 * 1024 * 1024;
const PATH_SEGMENT = /^[^\p{Cc}\\/]+$/u;

/** Whether a path names a file a policy bundle may hold: relative, `/`-separated, without `.` or `..` segments. */
export function isBundlePath(path: string): boolean {
  if (path.length > 512 || !path.isWellFormed()) return false;
  if (path !== "manifest.json" && path !== "schema.cedarschema" && !path.endsWith(".cedar")) return false;
  return path.split("/").every((segment) => PATH_SEGMENT.test(segment) && segment !== "." && segment !== "..");
}

/** Files of a policy bundle by relative path. */
export const bundleSchema = z
  .record(z.string().refine(isBundlePath, { error: "not a path of a policy bundle" }), z.string().max(MAX_BUNDLE_FILE))
  .refine((files) => Object.keys(files).length <= MAX_BUNDLE_FILES, { error: `more than ${MAX_BUNDLE_FILES} files` });

const pinSchema = z.string().regex(HASH, { error: "must be sha256: and 64 lowercase hex digits" });

/** Shape of the launch document. */
export const launchDocumentSchema = z
  .strictObject({
    v: z.literal(1),
    /** The platform the document is for; a document made for one is refused on another. */
    platform: z.enum(PROVIDERS),
    development: z.boolean(),
    config: measuredConfigSchema,
    /** Relative path to text: manifest.json, schema.cedarschema, every .cedar file. */
    policy_bundle: bundleSchema,
    /** The catalog file's JSON as written; its own loader checks it. */
    catalog: z.custom<JsonValue>((value) => typeof value === "object" && value !== null, {
      error: "must be an array or an object",
    }),
    pins: z.strictObject({ policy_hash: pinSchema.optional(), catalog_hash: pinSchema.optional() }),
    trust_anchors: z.strictObject({
      /** Ed25519 key that every policy bundle must be signed with, the first included. */
      policy_signing_key: publicKey.optional(),
    }),
  })
  .refine(({ platform, config }) => platform === config.attestation.provider, {
    path: ["platform"],
    error: "is not the one of the configuration",
  });

/** Everything an enclave is launched with, secrets excepted. */
export type LaunchDocument = z.output<typeof launchDocumentSchema>;
