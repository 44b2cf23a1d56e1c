import { bytesEqual, CmcpError, fromBase64Url } from "@cmcp/boundary";
import type { Passkey } from "../approver.ts";
import { sha256, verifiesEd25519, type ApprovalCrypto } from "../crypto.ts";
import type { PasskeyAssertion } from "./assertion.ts";
import { readAuthenticatorData } from "./authenticator-data.ts";
import { readClientData } from "./client-data.ts";
import { rawSignature } from "./ecdsa-signature.ts";
import { readPublicKey } from "./public-key.ts";

/** The checks of an assertion, in the order of WebAuthn Level 3, section 7.2. `detail.check` of an error names one. */
export const ASSERTION_CHECKS = [
  "client-data",
  "type",
  "challenge",
  "origin",
  "authenticator-data",
  "rp-id",
  "user-present",
  "user-verified",
  "algorithm",
  "signature",
] as const;
type AssertionCheck = (typeof ASSERTION_CHECKS)[number];

/** An assertion, and what it must be over. */
export interface ExpectedAssertion {
  readonly assertion: PasskeyAssertion;
  /** Base64url. */
  readonly challenge: string;
}

/**
 * Verifies an assertion of a passkey (WebAuthn Level 3, section 7.2). The user must have been verified. The signature counter is not looked at.
 * @throws CmcpError `APPROVAL_ANSWER_INVALID`
 */
export async function verifyAssertion(
  crypto: ApprovalCrypto,
  passkey: Passkey,
  { assertion, challenge }: ExpectedAssertion,
): Promise<void> {
  const clientDataJson = fromBase64Url(assertion.client_data_json) ?? new Uint8Array();
  const client = readClientData(clientDataJson);
  if (client === null) throw refused("client-data", "its client data are not of their form");
  if (client.type !== "webauthn.get") throw refused("type", "it is no assertion");
  if (client.challenge !== challenge) throw refused("challenge", "it is of another answer");
  if (client.crossOrigin || !passkey.origins.includes(client.origin))
    throw refused("origin", "a page asked for it that is not the approver's");
  const authenticatorBytes = fromBase64Url(assertion.authenticator_data) ?? new Uint8Array();
  const data = readAuthenticatorData(authenticatorBytes);
  if (data === null) throw refused("authenticator-data", "its authenticator data are not of their form");
  if (!bytesEqual(data.rpIdHash, await sha256(crypto, new TextEncoder().encode(passkey.rp_id))))
    throw refused("rp-id", "it is of another relying party");
  if (!data.userPresent) throw refused("user-present", "nobody was present");
  if (!data.userVerified) throw refused("user-verified", "the authenticator did not verify who was present");
  const signed = new Uint8Array([...authenticatorBytes, ...(await sha256(crypto, clientDataJson))]);
  await verifySignature(crypto, passkey.public_key, { signature: assertion.signature, message: signed });
}

/**
 * Verifies the signature of an authenticator: ES256 or EdDSA.
 * @param publicKey SubjectPublicKeyInfo, base64url
 * @throws CmcpError `APPROVAL_ANSWER_INVALID`
 */
export async function verifySignature(
  crypto: ApprovalCrypto,
  publicKey: string,
  { signature, message }: { readonly signature: string; readonly message: Uint8Array },
): Promise<void> {
  const key = readPublicKey(fromBase64Url(publicKey) ?? new Uint8Array());
  const bytes = fromBase64Url(signature) ?? new Uint8Array();
  if (key === null) throw refused("algorithm", "the passkey is neither of P-256 nor of Ed25519");
  const verified =
    key.algorithm === "EdDSA"
      ? await verifiesEd25519(crypto, key.raw, bytes, message)
      : await verifiesP256(crypto, key.raw, { der: bytes, message });
  if (!verified) throw refused("signature", "the passkey did not sign it");
}

async function verifiesP256(
  { subtle }: ApprovalCrypto,
  point: Uint8Array,
  { der, message }: { readonly der: Uint8Array; readonly message: Uint8Array },
): Promise<boolean> {
  const raw = rawSignature(der);
  if (raw === null) return false;
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  try {
    const key = await subtle.importKey("raw", new Uint8Array(point), curve, false, ["verify"]);
    return await subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, new Uint8Array(raw), new Uint8Array(message));
  } catch {
    // A point that is not on the curve is refused when it is imported.
    return false;
  }
}

function refused(check: AssertionCheck, why: string): CmcpError {
  return new CmcpError("APPROVAL_ANSWER_INVALID", `the passkey's assertion is not accepted: ${why}`, {
    detail: { check },
  });
}
