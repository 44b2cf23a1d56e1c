import { CmcpError } from "@cmcp/boundary";

/** Why a proof of possession is refused; words for each. */
export const PROOF_FAULTS = {
  missing: "the token is bound to a key: send it with the scheme DPoP and a proof of that key",
  unbound: "the token is not bound to a key: send it with the scheme Bearer and without a DPoP proof",
  form: "the DPoP proof is not a signed JWT in compact form, or is too long",
  type: "the DPoP proof's typ is not dpop+jwt",
  algorithm: "the DPoP proof's algorithm is not one that is accepted",
  key: "the DPoP proof's jwk is not a public key for its algorithm",
  private: "the DPoP proof's jwk holds a private key: that key is lost, use another",
  signature: "the DPoP proof's signature does not verify",
  claims: "the DPoP proof lacks jti, htm, htu, iat or ath, or one is of another form",
  method: "the DPoP proof is for another method",
  address: "the DPoP proof is for another address than the configured resource",
  token: "the DPoP proof is for another token",
  binding: "the token is bound to another key than the DPoP proof's",
  nonce: "the DPoP proof needs the nonce of DPoP-Nonce",
  replayed: "the DPoP proof was used before",
} as const;

export type ProofFault = keyof typeof PROOF_FAULTS;

/** Whether an error's detail names a {@link ProofFault}. */
export function isProofFault(detail: unknown): detail is ProofFault {
  return typeof detail === "string" && Object.hasOwn(PROOF_FAULTS, detail);
}

/** The error of a request whose proof is refused; `detail.proof` is the {@link ProofFault}. Nothing of the proof is in it. */
export function proofFault(proof: ProofFault): CmcpError {
  return new CmcpError("UNAUTHENTICATED", PROOF_FAULTS[proof], { detail: { proof } });
}
