import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { SessionChain, type AuditEntry, type EntryFields } from "@cmcp/audit";
import { fromBase64Url } from "@cmcp/boundary";
import type { ClaimInput } from "../build.ts";
import { CallSummaryBuilder, type CallFacts } from "../transcript.ts";

/** A policy hash of the right form. */
export const POLICY = `sha256:${"a".repeat(64)}`;
/** A catalog hash of the right form. */
export const CATALOG = `sha256:${"b".repeat(64)}`;
/** A session id. */
export const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";

const pair = generateKeyPairSync("ed25519");
const { x } = pair.publicKey.export({ format: "jwk" });
if (x === undefined) throw new Error("an Ed25519 key has no x");
/** A signing key's public half. */
export const jwk = { kty: "OKP", crv: "Ed25519", x } as const;
/** Signs with {@link jwk}'s private half. */
export const signWithKey = (bytes: Uint8Array): Uint8Array => sign(null, bytes, pair.privateKey);

/** True when the unpadded base64url signature over the bytes was made with the key. */
export function isSignedBy(key: { readonly x: string }, bytes: Uint8Array, signature: string): boolean {
  const publicKey = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: key.x } });
  return verify(null, bytes, publicKey, fromBase64Url(signature) ?? new Uint8Array());
}

/** A `tool_call` entry's fields. */
export function call(
  toolName: string | null,
  decision: AuditEntry["policy_decision"],
  more: Partial<EntryFields> = {},
): EntryFields {
  return {
    entry_type: "tool_call",
    call_id: "c",
    tool_name: toolName,
    policy_decision: decision,
    detail: { policy_hash: POLICY },
    ...more,
  };
}

/** A closed session's entries: start, what is given, end. */
export function entriesOf(...middle: readonly EntryFields[]): AuditEntry[] {
  const chain = new SessionChain(SESSION, () => 1_785_000_000_000);
  const all: EntryFields[] = [
    { entry_type: "session_start", session_sensitivity_after: "public" },
    ...middle,
    { entry_type: "session_end" },
  ];
  return all.map((fields) => chain.append(fields));
}

/** What follows from entries. */
export function factsOf(entries: Iterable<AuditEntry>): CallFacts {
  const fold = new CallSummaryBuilder();
  for (const entry of entries) fold.add(entry);
  return fold.finish();
}

/** What a claim about these entries is made of. */
export function inputOf(entries: readonly AuditEntry[], change: Partial<ClaimInput> = {}): ClaimInput {
  return {
    eatProfile: "tag:agentrust-io.com,2026:trace-v0.2",
    issuedAt: 1_785_000_010,
    jwk,
    gatewayVersion: "0.1.0",
    session: {
      id: SESSION,
      root: entries[0]?.entry_hash ?? "",
      tip: entries.at(-1)?.entry_hash ?? "",
      length: entries.length,
      crossBoundaryEvents: [],
    },
    calls: factsOf(entries),
    policy: { hash: POLICY, version: "1.2.0", mode: "enforcing" },
    catalog: { hash: CATALOG, driftDetected: false },
    attestation: {
      platform: "software-only",
      measurement: `sha256:${"0".repeat(64)}`,
      reportData: Uint8Array.from({ length: 64 }, (_, index) => index),
      firmware: "software-only",
      generatedAt: 1_785_000_000_000,
      validitySeconds: 86_400,
    },
    surroundings: { isolation: "network-namespace", channel: "plain" },
    sequenceNumber: 1,
    ...change,
  };
}
