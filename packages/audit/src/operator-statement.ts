import { canonicalBytes } from "@cmcp/boundary";
import * as z from "zod";

/** Domain that signatures of operators are separated by. */
const OPERATOR_DOMAIN = "cmcp-operator-v1|";
/** Largest encoded statement in bytes. */
export const MAX_STATEMENT_BYTES = 8192;
/** Longest reason in a statement, in UTF-16 units. */
export const MAX_STATEMENT_REASON = 512;

/** Members of every operator's statement. */
export const statementMembers = {
  v: z.literal(1),
  /** RFC 7638 thumbprint of the instance's signing key, base64url. */
  instance: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** Rises with every statement of one key. */
  sequence: z.int().positive(),
  reason: z.string().min(1).max(MAX_STATEMENT_REASON),
};

/** What stands beside a statement as it travels. */
export const signatureMembers = {
  /** The operator's Ed25519 public key, 32 bytes, base64url. */
  key: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** Ed25519 over {@link operatorSigningInput}, 64 bytes, base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
};

/** An operator's statement with its key and signature. */
export interface OperatorStatement<T extends { readonly sequence: number } = { readonly sequence: number }> {
  readonly statement: T;
  readonly key: string;
  readonly signature: string;
}

const prefix = new TextEncoder().encode(OPERATOR_DOMAIN);

/**
 * The bytes an operator signs: `cmcp-operator-v1|` and the statement's canonical JSON (RFC 8785). The statement's
 * `purpose` keeps statements of different kinds apart.
 */
export function operatorSigningInput(statement: object): Uint8Array<ArrayBuffer> {
  const json = canonicalBytes(statement);
  const bytes = new Uint8Array(prefix.length + json.length);
  bytes.set(prefix);
  bytes.set(json, prefix.length);
  return bytes;
}
