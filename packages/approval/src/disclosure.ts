import {
  canonicalBytes,
  CmcpError,
  fromBase64Url,
  toBase64Url,
  toHex,
  type JsonObject,
  type Untrusted,
} from "@cmcp/boundary";
import * as z from "zod";
import type { Approver } from "./approver.ts";
import { sha256, verifiesEd25519, type ApprovalCrypto } from "./crypto.ts";
import {
  MAX_ANSWER_BYTES,
  MAX_APPROVAL_SECONDS,
  MAX_DISCLOSURE_NAME,
  MAX_NAMED,
  MAX_PERMISSION_LENGTH,
  SALT_BYTES,
} from "./limits.ts";
import { approverId, bytes, digest, seconds } from "./members.ts";
import { checked, readCanonical, type Form } from "./read.ts";
import { assertionSchema, type PasskeyAssertion } from "./webauthn/assertion.ts";
import { verifyAssertion } from "./webauthn/verify-assertion.ts";

/** What an owner's key signs begins with this, as in the exact-output disclosure of the public cMCP. */
const DOMAIN = "cmcp/exact-output-disclosure/v1\u0000";

const name = z.string().min(1).max(MAX_DISCLOSURE_NAME);
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

const permissionSchema = z
  .strictObject({
    /** The owner: an approver of the launch document. */
    principal: approverId,
    /** Seconds since the epoch. It counts from `not_before` on, and before `expires_at`. */
    not_before: seconds,
    expires_at: seconds,
    /** Random, hex of 32 bytes. Each counts once. */
    request_id: hex32,
    /** The agent's principal. */
    workload: name,
    /** The instance and the rule that it is about: see {@link sourceScopeOf}. */
    source_scope: name,
    /** Every compartment that the session may have seen. */
    labels: z.array(name).min(1).max(MAX_NAMED),
    /** The server and the tool that get the bytes: see {@link recipientOf}. */
    recipient: name,
    /** The call's workflow. */
    purpose: name,
    /** Hash of the policy bundle. */
    policy_version: digest,
    /** SHA-256 of {@link outputBytes}, hex. */
    output_sha256: hex32,
  })
  .refine(({ not_before: from, expires_at: to }) => to > from && to - from <= MAX_APPROVAL_SECONDS, {
    path: ["expires_at"],
    error: `is after not_before, by at most ${MAX_APPROVAL_SECONDS} seconds`,
  })
  .refine(({ labels }) => new Set(labels).size === labels.length, { path: ["labels"], error: "duplicate label" })
  .refine((permission) => JSON.stringify(permission).length <= MAX_PERMISSION_LENGTH, { error: "is too long" });

/** An owner's permission to send exact bytes to one recipient, once. */
export type DisclosurePermission = z.output<typeof permissionSchema>;

const salt = bytes(SALT_BYTES);
const signedSchema = z.union([
  z.strictObject({ permission: permissionSchema, salt, signature: bytes(64) }),
  z.strictObject({ permission: permissionSchema, salt, assertion: assertionSchema }),
]);
/** A permission with the salt of its bytes, and the signature of an Ed25519 key or a passkey's assertion. */
export type SignedPermission = z.output<typeof signedSchema>;
/** A permission as the record has it: without the salt, so that nobody can guess the bytes from their hash. */
export type RecordedPermission =
  | { readonly permission: DisclosurePermission; readonly signature: string }
  | { readonly permission: DisclosurePermission; readonly assertion: PasskeyAssertion };

const SIGNED: Form<SignedPermission> = {
  what: "disclosure permission",
  schema: signedSchema,
  limits: { maxBytes: MAX_ANSWER_BYTES, maxDepth: 4, maxItems: 128 },
};
const PERMISSION: Form<DisclosurePermission> = {
  what: "disclosure permission",
  schema: permissionSchema,
  limits: { maxBytes: MAX_ANSWER_BYTES, maxDepth: 3, maxItems: 96 },
};

/** Names a recipient: the server's identity, a space, and the tool. */
export function recipientOf(server: string, tool: string): string {
  return `${server} ${tool}`;
}

/** Names what a permission is about: the instance's thumbprint, a slash, and the rule that refuses. */
export function sourceScopeOf(instance: string, rule: string): string {
  return `${instance}/${rule}`;
}

/** The bytes that `output_sha256` is of: the salt, and the canonical JSON of the call's arguments. @param saltText base64url of 32 bytes */
export function outputBytes(saltText: string, args: JsonObject): Uint8Array<ArrayBuffer> {
  return joined(
    fromBase64Url(checked(saltText, { what: "salt", schema: salt })) ?? new Uint8Array(),
    canonicalBytes(args),
  );
}

/** SHA-256 of {@link outputBytes}, hex. */
export async function outputHash(crypto: ApprovalCrypto, saltText: string, args: JsonObject): Promise<string> {
  return toHex(await sha256(crypto, outputBytes(saltText, args)));
}

/** The bytes that an owner's Ed25519 key signs. @throws CmcpError `APPROVAL_MALFORMED` */
export function permissionSigningInput(permission: DisclosurePermission): Uint8Array<ArrayBuffer> {
  return joined(new TextEncoder().encode(DOMAIN), canonicalBytes(checked(permission, PERMISSION)));
}

/** The challenge that a passkey signs, base64url: SHA-256 of {@link permissionSigningInput}, which no answer has. */
export async function permissionChallenge(crypto: ApprovalCrypto, permission: DisclosurePermission): Promise<string> {
  return toBase64Url(await sha256(crypto, permissionSigningInput(permission)));
}

/** Reads a signed permission of at most 16 KiB. Its signature is not looked at. @throws CmcpError `APPROVAL_MALFORMED` */
export function readSignedPermission(input: Untrusted<Uint8Array>): SignedPermission {
  return readCanonical(input, SIGNED);
}

/** Reads the permission of an entry. @throws CmcpError `APPROVAL_MALFORMED` */
export function readPermission(input: Untrusted<Uint8Array>): DisclosurePermission {
  return readCanonical(input, PERMISSION);
}

/**
 * Verifies that an owner gave a permission.
 * @throws CmcpError `DISCLOSURE_PERMISSION_INVALID` where it did not; `detail.check` names the check that failed
 */
export async function verifyPermission(
  crypto: ApprovalCrypto,
  owner: Approver,
  signed: RecordedPermission,
): Promise<void> {
  const { permission } = signed;
  if (permission.principal !== owner.id) throw notPermitted("the permission names another owner", "owner");
  if ("passkey" in owner) {
    if (!("assertion" in signed)) throw notPermitted("the owner signs with a passkey", "method");
    return await verifyPasskey(crypto, owner, { permission, assertion: signed.assertion });
  }
  if (!("signature" in signed)) throw notPermitted("the owner signs with an Ed25519 key", "method");
  const [key, signature] = [fromBase64Url(owner.ed25519), fromBase64Url(signed.signature)];
  const verified =
    key !== undefined &&
    signature !== undefined &&
    (await verifiesEd25519(crypto, key, signature, permissionSigningInput(permission)));
  if (!verified) throw notPermitted("the owner's key did not sign it", "signature");
}

async function verifyPasskey(
  crypto: ApprovalCrypto,
  { passkey }: Extract<Approver, { passkey: unknown }>,
  { permission, assertion }: Extract<RecordedPermission, { assertion: unknown }>,
): Promise<void> {
  const challenge = await permissionChallenge(crypto, permission);
  try {
    await verifyAssertion(crypto, passkey, { assertion, challenge });
  } catch (thrown) {
    const check = thrown instanceof CmcpError ? thrown.detail["check"] : undefined;
    throw notPermitted("the owner's passkey did not sign it", typeof check === "string" ? check : "assertion", thrown);
  }
}

/** The error for a permission that does not count. @param check what it fails */
export function notPermitted(why: string, check: string, cause?: unknown): CmcpError {
  return new CmcpError("DISCLOSURE_PERMISSION_INVALID", why, { cause, detail: { check } });
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
