import { hash } from "node:crypto";
import { fromBase64Url, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { calculateJwkThumbprint, compactVerify, importJWK } from "jose";
import { ALGORITHMS, algorithmsOf, type KeyKind } from "../jwt/algorithms.ts";
import { looksLikeJwt } from "../jwt/compact.ts";
import { readObject } from "../jwt/header.ts";
import { isSecretKey, publicKeySchema, type PublicKey } from "../jwt/jwk.ts";
import { MAX_PROOF, MAX_PROOF_ID } from "../limits.ts";
import { proofFault, type ProofFault } from "./fault.ts";
import { normalAddress } from "./target.ts";

/** Signature algorithms of proofs. `Ed25519` is the name of RFC 9864 for what `EdDSA` is here. */
export const PROOF_ALGORITHMS = [...ALGORITHMS, "Ed25519"] as const;
type ProofAlgorithm = (typeof PROOF_ALGORITHMS)[number];

/** What a proof must be for. */
export interface ProofPurpose {
  readonly method: string;
  /** Addresses of which the proof must name one. */
  readonly targets: readonly string[];
  readonly token: string;
  /** `jkt` of the token: base64url of the key's SHA-256 thumbprint (RFC 7638). */
  readonly thumbprint: string;
}

/** A proof that holds, but for its freshness. */
export interface CheckedProof {
  /** Empty where the proof has none. */
  readonly nonce: string;
  /** Tells this proof from every other. */
  readonly id: string;
}

interface ProofHeader {
  readonly algorithm: ProofAlgorithm;
  readonly key: PublicKey;
}

function algorithmsFor(key: KeyKind): readonly string[] {
  return key.kty === "OKP" ? ["EdDSA", "Ed25519"] : algorithmsOf(key);
}

/** RFC 9449 section 4.2: type, algorithm and the public key, which the sender chooses. */
function readProofHeader({ typ, alg, jwk, crit }: JsonObject): ProofHeader {
  if (crit !== undefined) throw proofFault("form");
  if (typ !== "dpop+jwt") throw proofFault("type");
  const algorithm = PROOF_ALGORITHMS.find((known) => known === alg);
  if (algorithm === undefined) throw proofFault("algorithm");
  if (!isJsonObject(jwk)) throw proofFault("key");
  if (isSecretKey(jwk)) throw proofFault("private");
  const { success, data: key } = publicKeySchema.safeParse(jwk);
  if (!success || !algorithmsFor(key).includes(algorithm)) throw proofFault("key");
  return { algorithm, key };
}

async function checkSignature(proof: string, { algorithm, key }: ProofHeader): Promise<void> {
  const fault: { now: ProofFault } = { now: "key" };
  try {
    const imported = await importJWK(key, algorithm);
    fault.now = "signature";
    await compactVerify(proof, imported, { algorithms: [algorithm] });
  } catch {
    // A point that is not on its curve, or a signature of another key.
    throw proofFault(fault.now);
  }
}

const isText = (value: JsonValue | undefined): value is string => typeof value === "string" && value !== "";

/** RFC 9449 section 4.3, the checks of the claims. */
function checkClaims({ jti, htm, htu, iat, ath, nonce }: JsonObject, purpose: ProofPurpose): CheckedProof {
  const isWhole = isText(jti) && jti.length <= MAX_PROOF_ID && isText(htm) && isText(htu) && isText(ath);
  // Its time is the sender's word against the host's clock: the nonce says how old a proof can be.
  if (!isWhole || typeof iat !== "number") throw proofFault("claims");
  if (nonce !== undefined && typeof nonce !== "string") throw proofFault("claims");
  if (htm !== purpose.method) throw proofFault("method");
  const address = normalAddress(htu);
  if (address === null || !purpose.targets.includes(address)) throw proofFault("address");
  if (ath !== hash("sha256", purpose.token, "base64url")) throw proofFault("token");
  return { nonce: nonce ?? "", id: hash("sha256", `${purpose.thumbprint} ${jti}`, "base64url") };
}

/**
 * Checks a DPoP proof (RFC 9449 section 4.3) in all but its freshness.
 * @throws CmcpError `UNAUTHENTICATED`; `detail.proof` is a `ProofFault`
 */
export async function checkProof(proof: string, purpose: ProofPurpose): Promise<CheckedProof> {
  if (proof.length > MAX_PROOF || !looksLikeJwt(proof)) throw proofFault("form");
  const [head, body, signature] = proof.split(".").map((part) => fromBase64Url(part));
  // One spelling of each proof: decoders differ on bits that mean nothing.
  if (head === undefined || body === undefined || signature === undefined) throw proofFault("form");
  const [header, claims] = [readObject(head), readObject(body)];
  if (header === null || claims === null) throw proofFault("form");
  const read = readProofHeader(header);
  await checkSignature(proof, read);
  const checked = checkClaims(claims, purpose);
  if ((await calculateJwkThumbprint(read.key)) !== purpose.thumbprint) throw proofFault("binding");
  return checked;
}
