import type { Certificate } from "../x509/certificate.ts";
import type { RevocationList } from "../x509/revocation-list.ts";

/** A document of Intel's: the exact bytes that were signed, and the ECDSA P-256 signature, r ‖ s of 64 bytes. */
export interface SignedDocument {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** What Intel says about platforms at a time, as found in the files given. Nothing of it is verified. */
export interface TdxCollateral {
  tcbInfo: SignedDocument | null;
  qeIdentity: SignedDocument | null;
  /** Lists of the root and of the PCK's issuer. */
  readonly revocationLists: RevocationList[];
  /** Issuer chains: TCB signing, PCK authorities, roots, in any order. */
  readonly certificates: Certificate[];
  /** A PCK certificate chain for quotes that only name their PCK; leaf first. */
  readonly pckChain: Certificate[];
}
