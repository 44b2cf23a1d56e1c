import type { PasskeyAssertion } from "@cmcp/approval";
import { fromBase64Url, toBase64Url } from "@cmcp/boundary";

/** Name that passkeys of this page are bound to (WebAuthn Level 3, section 5.1.2). */
const RP_ID = "localhost";
/** COSE algorithms (RFC 9053): ES256 and EdDSA. */
const ALGORITHMS = [-7, -8];
/** How long a person has to touch the authenticator, in milliseconds. */
const TIMEOUT_MS = 180_000;

/** Flag "user verified" of authenticator data, and its place (WebAuthn Level 3, section 6.1). */
const FLAGS_AT = 32;
const USER_VERIFIED = 0x04;

/** A passkey that was made. */
export interface MadePasskey {
  /** The credential's id, by which the browser asks for this passkey alone. */
  readonly id: ArrayBuffer;
  /** SubjectPublicKeyInfo, base64url. */
  readonly publicKey: string;
}

/**
 * Has the approver's passkey sign a challenge, after it verified who is there.
 * @param id of the one passkey that may sign; without it the person chooses
 * @throws Error as the browser refuses
 */
export async function signWithPasskey(challenge: string, id?: ArrayBuffer): Promise<PasskeyAssertion> {
  const bytes = fromBase64Url(challenge);
  if (bytes === undefined) throw new Error("the challenge is not base64url");
  const credential = await navigator.credentials.get({
    publicKey: {
      challenge: new Uint8Array(bytes),
      rpId: RP_ID,
      ...(id === undefined ? {} : { allowCredentials: [{ type: "public-key", id }] }),
      userVerification: "required",
      timeout: TIMEOUT_MS,
    },
  });
  if (!(credential instanceof PublicKeyCredential)) throw new Error("no passkey answered");
  const { response } = credential;
  if (!(response instanceof AuthenticatorAssertionResponse)) throw new Error("the passkey gave no assertion");
  return {
    authenticator_data: toBase64Url(new Uint8Array(response.authenticatorData)),
    client_data_json: toBase64Url(new Uint8Array(response.clientDataJSON)),
    signature: toBase64Url(new Uint8Array(response.signature)),
  };
}

/** Makes a passkey for an approver. @throws Error as the browser refuses */
export async function makePasskey(approver: string): Promise<MadePasskey> {
  const credential = await navigator.credentials.create({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      rp: { id: RP_ID, name: "cMCP approvals" },
      user: { id: crypto.getRandomValues(new Uint8Array(32)), name: approver, displayName: approver },
      pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      attestation: "none",
      timeout: TIMEOUT_MS,
    },
  });
  if (!(credential instanceof PublicKeyCredential)) throw new Error("no passkey was made");
  const { response } = credential;
  if (!(response instanceof AuthenticatorAttestationResponse)) throw new Error("no passkey was made");
  const flags = new Uint8Array(response.getAuthenticatorData())[FLAGS_AT] ?? 0;
  if ((flags & USER_VERIFIED) === 0) throw new Error("the authenticator did not verify who is there");
  const key = response.getPublicKey();
  if (key === null) throw new Error("the browser does not say the passkey's public key");
  return { id: credential.rawId, publicKey: toBase64Url(new Uint8Array(key)) };
}
