import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { MAX_MEMBERS, MAX_TEXT_BYTES } from "../limits.ts";
import { tokenFault } from "./fault.ts";

/** How a claim is read: see `enclave.identity.jwt[].claims`. */
export const CLAIM_KINDS = ["text", "integer", "boolean", "texts", "words"] as const;
export type ClaimKind = (typeof CLAIM_KINDS)[number];
/** A claim as policies read it. */
export type ClaimValue = string | number | boolean | readonly string[];

const encoder = new TextEncoder();

function readText(value: JsonValue): string {
  if (typeof value !== "string" || encoder.encode(value).byteLength > MAX_TEXT_BYTES) throw tokenFault("claims");
  return value;
}

function readTexts(values: readonly JsonValue[]): readonly string[] {
  if (values.length > MAX_MEMBERS) throw tokenFault("claims");
  return values.map(readText);
}

function readClaim(value: JsonValue, kind: ClaimKind): ClaimValue {
  if (kind === "text") return readText(value);
  if (kind === "integer" && typeof value === "number" && Number.isSafeInteger(value)) return value;
  if (kind === "boolean" && typeof value === "boolean") return value;
  if (kind === "texts" && Array.isArray(value)) return readTexts(value);
  if (kind === "words" && typeof value === "string") return readTexts(value.split(" ").filter((word) => word !== ""));
  throw tokenFault("claims");
}

/**
 * The claims that policies may read, as flat bounded values. A claim may be absent. One of another type, or one that
 * is too large, refuses the token: leaving it out or cutting it could turn a deny into an allow.
 * @throws CmcpError `UNAUTHENTICATED`, reason `claims`
 */
export function projectClaims(
  claims: JsonObject,
  wanted: Readonly<Record<string, { readonly claim: string; readonly kind: ClaimKind }>>,
): ReadonlyMap<string, ClaimValue> {
  const facts = new Map<string, ClaimValue>();
  for (const [name, { claim, kind }] of Object.entries(wanted)) {
    const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
    if (value !== undefined) facts.set(name, readClaim(value, kind));
  }
  return facts;
}
