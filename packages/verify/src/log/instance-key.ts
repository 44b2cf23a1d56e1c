import { sha256, type VerifierCrypto } from "@cmcp/appraise";
import { thumbprintInput, type SigningJwk } from "@cmcp/appraise/evidence";
import { fromBase64Url, toBase64Url } from "@cmcp/boundary";
import { instanceKeyName, keyIdInput, keyIdOf, SIGNATURE_TYPE, type Note, type VerifierKey } from "@cmcp/log/format";
import { isSignedBy } from "./witnessing.ts";

/** RFC 7638 thumbprint of an instance's key, base64url. */
export async function thumbprintOf(crypto: VerifierCrypto, jwk: SigningJwk): Promise<string> {
  return toBase64Url(await sha256(crypto, thumbprintInput(jwk)));
}

/** The key of an instance as notes name it; `null` for a key that is not 32 bytes. */
async function noteKeyOf(crypto: VerifierCrypto, jwk: SigningJwk): Promise<VerifierKey | null> {
  const publicKey = fromBase64Url(jwk.x);
  if (publicKey?.length !== 32) return null;
  const name = instanceKeyName(await thumbprintOf(crypto, jwk));
  const type = SIGNATURE_TYPE.ed25519;
  return { name, id: keyIdOf(await sha256(crypto, keyIdInput(name, type, publicKey))), type, publicKey };
}

/** Whether an instance's key signed a note. */
export async function isSignedByInstance(crypto: VerifierCrypto, note: Note, jwk: SigningJwk): Promise<boolean> {
  const key = await noteKeyOf(crypto, jwk);
  return key !== null && (await isSignedBy(crypto, note, key));
}
