import { isJsonObject, readSpiffeId, schemaProblem, type JsonObject, type JsonValue } from "@cmcp/boundary";
import * as z from "zod";
import { malformed } from "./malformed.ts";

const uuid7 = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i, {
  error: "is not a UUID of version 7",
});
/** A SPIFFE ID with a path. */
export const spiffeId = z
  .string()
  .refine((text) => (readSpiffeId(text)?.path ?? "") !== "", { error: "is not a SPIFFE ID" });
const hash = z.string().regex(/^(?:sha256|shake256):[0-9a-f]{64}$/, { error: "is not a hash" });
const time = z.iso.datetime({ offset: true });
/** What the signature covers and nothing here reads. */
const unread = z.unknown().optional();

/** What a full binding names, and nothing here reads. */
const bound = z.looseObject({});
/** Beside `tools` the specification has `catalog_hash` the root of a tree of them, which the hash of a gateway's catalog is not. */
const noTools = z
  .undefined({ error: "a catalog_hash beside tools names a tree of them, and no gateway's catalog" })
  .optional();

/** Names that v0.1 signs, in the order of the specification; the signature block and two more stand beside them. */
const signedMembers = {
  "@context": unread,
  "@type": unread,
  manifest_id: uuid7,
  previous_manifest_id: unread,
  agent_id: spiffeId,
  agent_instance_id: unread,
  version: z.enum(["0.1", "0.2"]),
  min_verifier_version: z.enum(["0.1", "0.2"], { error: "asks for a verifier of another version" }).optional(),
  issued_at: time,
  expires_at: time,
  issuer: spiffeId,
  crypto_profile: z.literal("standard", { error: "asks for another profile than standard" }).optional(),
  profile: z.undefined({ error: "names a profile, and only a full binding counts here" }).optional(),
  unbound_artifacts: z.undefined({ error: "only a full binding counts here" }).optional(),
  source_bundle: unread,
  artifacts: z.looseObject({
    system_prompt: bound,
    policy_bundle: z.looseObject({
      hash,
      enforcement_mode: z.enum(["enforce", "advisory", "audit-only"]).optional(),
    }),
    model_identity: bound,
    tool_manifest: z.looseObject({ catalog_hash: hash, tools: noTools }).optional(),
  }),
  delegation_chain: z.array(z.unknown()).max(0, { error: "delegations are not verified here" }).optional(),
  hitl_record: z
    .looseObject({ required: z.literal(false, { error: "approvals of a manifest are not verified here" }) })
    .optional(),
  prior_transparency_log_entry: unread,
  log_retention: unread,
  data_scope: unread,
  operational_lifecycle: unread,
  intent: z.strictObject({ statement: z.string().min(1) }).optional(),
};

/** Names of the members that a detached signature covers. */
export const SIGNED_MEMBERS: readonly string[] = Object.keys(signedMembers);

const signatureBlock = z.strictObject({
  algorithm: z.literal("Ed25519", { error: "is not Ed25519" }),
  key_id: z.string().regex(/^[0-9a-f]{64}$/, { error: "is not the SHA-256 of a key" }),
  key_type: z.enum(["software", "hsm", "tee-sealed"]),
  signed_at: time,
  // Nothing signs this list. What the signature covers is fixed.
  signed_fields: z.array(z.string()).optional(),
  signature_value: z.string().regex(/^[A-Za-z0-9_-]{86}$/, { error: "is not base64url of 64 bytes" }),
});

const membersSchema = z.strictObject(signedMembers);
/** The members of a manifest. What is not read of them is of type unknown. */
export type ManifestMembers = z.output<typeof membersSchema>;
/** The detached signature of a manifest. */
export type SignatureBlock = z.output<typeof signatureBlock>;

/** Removes the members that are null, in objects at any depth: an absent member and a null one are one to the specification. */
export function withoutNulls(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => (member === null ? [] : [[name, withoutNulls(member)]])),
  );
}

/** @throws CmcpError `AGENT_MANIFEST_MALFORMED` */
export function readMembers(value: JsonObject): ManifestMembers {
  return held(membersSchema, value);
}

/** @throws CmcpError `AGENT_MANIFEST_MALFORMED` */
export function readSignatureBlock(value: JsonValue | undefined): SignatureBlock {
  if (value === undefined) throw malformed("it has no signature");
  return held(signatureBlock, value);
}

function held<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw malformed(schemaProblem(parsed.error).text);
}
