import { ByteReader, CmcpError } from "@cmcp/boundary";
import type { VerifierCrypto } from "../checks/crypto.ts";
import { BANKS, bankOf, type Bank } from "../event-log/hash-algorithm.ts";
import { ecdsaSignature } from "../x509/signature.ts";
import type { VerifyingKey } from "./public-key.ts";

/** TPM_ALG_ID of the signature schemes (part 2, section 6.3). */
const SCHEMES = { 0x0014: "rsassa", 0x0016: "rsapss", 0x0018: "ecdsa" } as const;
type Scheme = (typeof SCHEMES)[keyof typeof SCHEMES];

/** Largest signature taken, in bytes: RSA of 4096 bits with its header. */
const MAX_SIGNATURE_BYTES = 600;
const FIELD_BYTES = { "P-256": 32, "P-384": 48 } as const;

/** A quote's signature as parsed. `hash` is also the algorithm of the quote's PCR digest. */
export interface ParsedSignature {
  /** Several for a plain signature, which does not say how it was made. */
  readonly schemes: readonly Scheme[];
  readonly hash: Bank;
  /** RSA: the signature. ECDSA: r ‖ s. */
  readonly value: Uint8Array;
}

/**
 * Reads TPMT_SIGNATURE (part 2, section 11.3.4), or the plain bytes of one as `tpm2_quote -f plain` writes them:
 * RSA as long as the modulus, ECDSA as DER or r ‖ s.
 *
 * @param digestBytes length of the quote's PCR digest, which tells the hash of a plain signature.
 * @throws CmcpError `EVIDENCE_MALFORMED`; `EVIDENCE_POLICY_VIOLATION` for SHA-1.
 */
export function parseSignature(bytes: Uint8Array, key: VerifyingKey, digestBytes: number): ParsedSignature {
  if (bytes.length > MAX_SIGNATURE_BYTES) throw malformed(`${bytes.length} bytes`);
  const plain = plainSignature(bytes, key);
  if (plain !== undefined) return { ...plain, hash: hashOfLength(digestBytes) };
  const reader = new ByteReader(bytes, "TPM signature", "big");
  const id = reader.u16();
  const scheme = id === 0x0014 || id === 0x0016 || id === 0x0018 ? SCHEMES[id] : undefined;
  if (scheme === undefined) throw malformed("a scheme that is neither RSASSA, RSAPSS nor ECDSA");
  if ((scheme === "ecdsa") !== (key.kind === "ec")) throw malformed("a scheme of another kind of key");
  const hash = bankOf(reader.u16(), "the quote's signature");
  const value = key.kind === "ec" ? joinedNumbers(reader, FIELD_BYTES[key.curve]) : reader.take(reader.u16());
  reader.end();
  return { schemes: [scheme], hash, value };
}

function malformed(why: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", `TPM signature: ${why}`);
}

function plainSignature(bytes: Uint8Array, key: VerifyingKey): Pick<ParsedSignature, "schemes" | "value"> | undefined {
  if (key.kind === "rsa")
    return bytes.length === key.modulusBytes ? { schemes: ["rsassa", "rsapss"], value: bytes } : undefined;
  if (bytes.length === 2 * FIELD_BYTES[key.curve]) return { schemes: ["ecdsa"], value: bytes };
  const value = bytes[0] === 0x30 ? ecdsaSignature(bytes, key.curve) : undefined;
  return value === undefined ? undefined : { schemes: ["ecdsa"], value };
}

function hashOfLength(bytes: number): Bank {
  for (const bank of ["sha256", "sha384", "sha512"] as const) if (BANKS[bank].size === bytes) return bank;
  throw new CmcpError(
    "EVIDENCE_POLICY_VIOLATION",
    `the quote's digest of ${bytes} bytes is not by sha256, sha384 or sha512`,
  );
}

/** TPMS_SIGNATURE_ECC (part 2, section 11.3.2): r and s, each without leading zeros or padded. */
function joinedNumbers(reader: ByteReader, width: number): Uint8Array {
  const joined = new Uint8Array(2 * width);
  for (const end of [width, 2 * width]) {
    const number = reader.take(reader.u16());
    if (number.length > width) throw malformed("a number longer than the curve's");
    joined.set(number, end - number.length);
  }
  return joined;
}

/** True when the key made the signature over these bytes. */
export async function verifySignature(
  crypto: VerifierCrypto,
  key: VerifyingKey,
  signature: ParsedSignature,
  signed: Uint8Array,
): Promise<boolean> {
  const hash = BANKS[signature.hash].subtle;
  for (const algorithm of algorithms(key, signature)) {
    const parameters = { ...algorithm, hash };
    try {
      const imported = await crypto.subtle.importKey("spki", Uint8Array.from(key.spki), parameters, false, ["verify"]);
      if (await crypto.subtle.verify(parameters, imported, Uint8Array.from(signature.value), Uint8Array.from(signed)))
        return true;
    } catch {
      // WebCrypto throws for points off the curve and keys it cannot import; nothing verifies under those.
    }
  }
  return false;
}

/** What to try, as WebCrypto names it. */
function algorithms(
  key: VerifyingKey,
  { schemes, hash }: ParsedSignature,
): readonly ({ readonly name: string } & Record<string, string | number>)[] {
  if (key.kind === "ec") return [{ name: "ECDSA", namedCurve: key.curve }];
  const digest = BANKS[hash].size;
  // Part 1, appendix B.7: the salt is as long as the digest, and in earlier TPMs as long as the key allows.
  const salts = [digest, key.modulusBytes - digest - 2];
  const pss = salts.map((saltLength) => ({ name: "RSA-PSS", saltLength }));
  return schemes.flatMap((scheme) => (scheme === "rsapss" ? pss : [{ name: "RSASSA-PKCS1-v1_5" }]));
}
