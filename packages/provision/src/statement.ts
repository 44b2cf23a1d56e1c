import {
  canonicalBytes,
  canonicalText,
  CmcpError,
  examine,
  fromBase64Url,
  parseJson,
  schemaProblem,
  toBase64Url,
  untrusted,
  type JsonValue,
  type Untrusted,
} from "@cmcp/boundary";
import { openMessage, sealMessage, type GatewayKey, type OwnKey } from "@cmcp/seal";
import * as z from "zod";
import { buildStatementMessage, MAX_PROVISION_BYTES, parseStatementMessage, type StatementMessage } from "./message.ts";

/** What provisioning keys sign begins with this. */
const DOMAIN = "cmcp-provision-v1|";
/** `info` of the box, which keeps it apart from whatever else is sealed to the same key. */
const INFO = new TextEncoder().encode("cmcp-provision-v1");
/** The one purpose of a statement of this form. */
export const PURPOSE = "provision";
/** Largest signed statement in bytes. */
export const MAX_STATEMENT_BYTES = 1_433_600;
/** Longest time in seconds for which a statement may be valid. */
export const MAX_VALIDITY_SECONDS = 86_400;
/** What stands before the ciphertext in the canonical JSON of a statement, and nowhere else in it. */
const CIPHERTEXT = '"ciphertext":"';
/** Bytes that a ciphertext is longer than what was sealed. */
const TAG_BYTES = 16;
/** Bytes of an encapsulated key: X25519, and X-Wing. */
const ENCAPSULATED_BYTES: readonly number[] = [32, 1_120];

/** The one spelling of so many bytes in base64url: spare bits are zero. */
const bytes = (length: number): z.ZodString =>
  z
    .string()
    .length(Math.ceil((length * 4) / 3))
    .refine((text) => fromBase64Url(text)?.length === length, { error: `is not ${length} bytes in base64url` });
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
/** Seconds since the epoch. */
const seconds = z.int().nonnegative();

const boxSchema = z.strictObject({
  /** The configuration of the instance's key that the box is sealed to. */
  key_id: z.int().min(0).max(255),
  /** The encapsulated key, 32 or 1120 bytes, base64url. */
  enc: z
    .string()
    .max(1_494)
    .refine((text) => ENCAPSULATED_BYTES.includes(fromBase64Url(text)?.length ?? 0), {
      error: "is no encapsulated key",
    }),
  /** The sealed provision message, base64url. */
  ciphertext: z
    .string()
    .min(22)
    .max(Math.ceil(((MAX_PROVISION_BYTES + TAG_BYTES) * 4) / 3))
    .regex(/^[A-Za-z0-9_-]*$/),
});

const statementSchema = z
  .strictObject({
    v: z.literal(1),
    purpose: z.string().min(1).max(64),
    /** Of the launch document of the instance that it is for. */
    launch_digest: digest,
    /** RFC 7638 thumbprint of that instance's signing key, base64url. */
    instance: bytes(32),
    /** Higher than in any statement before in the log, whoever signed it. */
    sequence: z.int().positive(),
    not_before: seconds,
    expires: seconds,
    box: boxSchema,
  })
  .refine(({ not_before: from, expires }) => expires > from && expires - from <= MAX_VALIDITY_SECONDS, {
    path: ["expires"],
    error: `is after not_before, by at most ${MAX_VALIDITY_SECONDS} seconds`,
  });
/** What a provisioning key signs. */
export type ProvisionStatement = z.output<typeof statementSchema>;
/** What a statement says of itself, beside the box. */
export type ProvisionHeader = Omit<ProvisionStatement, "v" | "purpose" | "box">;

const signedSchema = z.strictObject({
  statement: statementSchema,
  /** The provisioning key's public part, Ed25519, base64url of 32 bytes. */
  key: bytes(32),
  /** Over {@link signingInput}, base64url of 64 bytes. */
  signature: bytes(64),
});
/** A statement with its key and signature. */
export type SignedProvision = z.output<typeof signedSchema>;

/** An Ed25519 key pair that signs statements. */
export interface ProvisioningKey {
  /** 32 bytes, base64url: as `enclave.provisioning_keys` lists it. */
  readonly publicKey: string;
  /** Signature, 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** The bytes that a provisioning key signs: `cmcp-provision-v1|` and the statement's canonical JSON (RFC 8785). */
export function signingInput(statement: ProvisionStatement): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${DOMAIN}${statementText(statement)}`);
}

/**
 * The canonical JSON of a statement. Whoever reaches a gateway can send a megabyte of ciphertext, which is base64url and stands in it as it
 * is: it is put in, and not written character by character.
 */
function statementText(statement: ProvisionStatement): string {
  const { box } = statement;
  const bare = canonicalText({ ...statement, box: { ...box, ciphertext: "" } });
  const at = bare.indexOf(CIPHERTEXT) + CIPHERTEXT.length;
  return `${bare.slice(0, at)}${box.ciphertext}${bare.slice(at)}`;
}

/**
 * Seals a provision message to a key of one instance, and signs it.
 *
 * @returns the canonical bytes that the gateway takes, and whose SHA-256 names the statement
 * @throws CmcpError `CONFIG_INVALID` for a message or header out of bounds, and for a message without tokens that asks for none;
 *   `SEAL_SUITE_UNSUPPORTED` where the runtime lacks an algorithm of the key
 */
export function sealStatement(
  message: StatementMessage,
  header: ProvisionHeader,
  { recipient, signer }: { readonly recipient: GatewayKey; readonly signer: ProvisioningKey },
): Uint8Array<ArrayBuffer> {
  refuseTokenless(message);
  const { id: key_id } = recipient;
  const said = { v: 1, purpose: PURPOSE, ...header } as const;
  const aad = boxBinding({ ...said, key_id, key: signer.publicKey });
  const { encapsulated, ciphertext } = sealMessage(recipient, { info: INFO, aad }, buildStatementMessage(message));
  const box = { key_id, enc: toBase64Url(encapsulated), ciphertext: toBase64Url(ciphertext) };
  const parsed = statementSchema.safeParse({ ...said, box });
  if (!parsed.success) throw new CmcpError("CONFIG_INVALID", `the statement: ${schemaProblem(parsed.error).text}`);
  const statement = parsed.data;
  const signature = toBase64Url(signer.sign(signingInput(statement)));
  return canonicalBytes({ statement, key: signer.publicKey, signature });
}

/**
 * Reads a signed statement. Only its one canonical spelling is accepted. Neither signature nor box is looked at.
 * @throws CmcpError `PROVISION_STATEMENT_MALFORMED`
 */
export function readStatement(input: Untrusted<Uint8Array>): SignedProvision {
  let value: JsonValue;
  try {
    value = parseJson(input, { maxBytes: MAX_STATEMENT_BYTES, maxDepth: 3, maxItems: 32 });
  } catch (thrown) {
    throw malformed("not JSON within bounds", thrown);
  }
  const parsed = signedSchema.safeParse(value);
  if (!parsed.success) throw malformed(schemaProblem(parsed.error).text);
  const { statement, key, signature } = parsed.data;
  const canonical = `{"key":"${key}","signature":"${signature}","statement":${statementText(statement)}}`;
  if (new TextDecoder().decode(examine(input)) !== canonical) throw malformed("not in canonical form (RFC 8785)");
  return parsed.data;
}

/**
 * Opens the box of a statement. That a provisioning key signed it is not checked.
 *
 * @param keyOf the instance's key of a configuration id; `null` for one that is not in use
 * @throws CmcpError `SEAL_NOT_OPENED` where it was not sealed to that key, in this statement, by this provisioning key;
 *   `CONFIG_INVALID` for a message that is not valid
 */
export function openStatement(
  { statement: { box, ...said }, key }: SignedProvision,
  keyOf: (id: number) => OwnKey | null,
): StatementMessage {
  const { key_id, enc, ciphertext } = box;
  const own = keyOf(key_id);
  const [encapsulated, sealed] = [fromBase64Url(enc), fromBase64Url(ciphertext)];
  const aad = boxBinding({ ...said, key_id, key });
  const opened =
    own === null ||
    encapsulated === undefined ||
    sealed === undefined ||
    encapsulated.length !== own.suite.kem.encapsulatedBytes
      ? null
      : openMessage(own, { info: INFO, aad }, { encapsulated, ciphertext: sealed });
  if (opened === null) throw new CmcpError("SEAL_NOT_OPENED", "the box of the statement does not open");
  const message = parseStatementMessage(untrusted(opened));
  refuseTokenless(message);
  return message;
}

/** `aad` of a box: the statement without it, the key that it is sealed to, and the key that signs. None of them can be another's. */
function boxBinding(
  said: Omit<ProvisionStatement, "box"> & { readonly key_id: number; readonly key: string },
): Uint8Array {
  return canonicalBytes(said);
}

function refuseTokenless(message: StatementMessage): void {
  if ("tokens" in message && message.tokenless === true)
    throw new CmcpError("CONFIG_INVALID", "provision message: a statement is never tokenless");
}

function malformed(why: string, cause?: unknown): CmcpError {
  return new CmcpError("PROVISION_STATEMENT_MALFORMED", `the statement is not valid: ${why}`, { cause });
}
