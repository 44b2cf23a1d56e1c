import { CmcpError } from "@cmcp/boundary";
import type { VerifierCrypto } from "../checks/crypto.ts";

/** A digest algorithm as the TCG numbers it. */
export interface HashAlgorithm {
  readonly id: number;
  readonly name: string;
  /** Digest length in bytes. */
  readonly size: number;
}

/** TCG Algorithm Registry, table of TPM_ALG_ID: the digests a log or a quote can name. */
const KNOWN: readonly HashAlgorithm[] = [
  { id: 0x0004, name: "sha1", size: 20 },
  { id: 0x000b, name: "sha256", size: 32 },
  { id: 0x000c, name: "sha384", size: 48 },
  { id: 0x000d, name: "sha512", size: 64 },
  { id: 0x0012, name: "sm3-256", size: 32 },
  { id: 0x0027, name: "sha3-256", size: 32 },
  { id: 0x0028, name: "sha3-384", size: 48 },
  { id: 0x0029, name: "sha3-512", size: 64 },
];

export const SHA1_ID = 0x0004;

/** The algorithm of a number, `undefined` for one that is no digest known here. */
export function hashAlgorithm(id: number): HashAlgorithm | undefined {
  return KNOWN.find((algorithm) => algorithm.id === id);
}

/** Register banks a verification may rest on. SHA-1 banks are read, and never count. */
export type Bank = "sha256" | "sha384" | "sha512";

interface BankFacts extends HashAlgorithm {
  /** Name of the algorithm in WebCrypto. */
  readonly subtle: "SHA-256" | "SHA-384" | "SHA-512";
}

export const BANKS: Readonly<Record<Bank, BankFacts>> = {
  sha256: { id: 0x000b, name: "sha256", size: 32, subtle: "SHA-256" },
  sha384: { id: 0x000c, name: "sha384", size: 48, subtle: "SHA-384" },
  sha512: { id: 0x000d, name: "sha512", size: 64, subtle: "SHA-512" },
};

/** The bank of a TCG algorithm number. Throws `EVIDENCE_POLICY_VIOLATION` for SHA-1 and everything else that is no bank here. */
export function bankOf(id: number, what: string): Bank {
  for (const bank of ["sha256", "sha384", "sha512"] as const) if (BANKS[bank].id === id) return bank;
  const name = hashAlgorithm(id)?.name ?? `algorithm 0x${id.toString(16).padStart(4, "0")}`;
  throw new CmcpError("EVIDENCE_POLICY_VIOLATION", `${what} uses ${name}; only sha256, sha384 and sha512 are accepted`);
}

/** Digest of the parts one after another, {@link BANKS}`[bank].size` bytes. */
export async function hash(crypto: VerifierCrypto, bank: Bank, ...parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const input = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    input.set(part, offset);
    offset += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest(BANKS[bank].subtle, input));
}
