import { bytesEqual } from "@cmcp/boundary";
import { signatureAlgorithm, type SignatureAlgorithm } from "./algorithm.ts";
import { DerReader, TAG } from "./der.ts";
import type { Signed } from "./signature.ts";
import { bitStringBytes } from "./value.ts";

/** The signed form certificates and revocation lists share (RFC 5280 sections 4.1.1 and 5.1.1). */
export interface Envelope extends Signed {
  readonly algorithm: SignatureAlgorithm;
  /** A reader of what is signed. */
  readonly fields: DerReader;
  /** Reads the algorithm inside the signed part, which must repeat the one outside it. */
  readonly repeatAlgorithm: () => void;
}

/** @param what the structure's name, for error messages. @throws CmcpError `EVIDENCE_MALFORMED`. */
export function readEnvelope(raw: Uint8Array, what: string): Envelope {
  const file = new DerReader(raw, what);
  const outer = file.enter(TAG.sequence);
  file.end();
  const tbs = outer.next(TAG.sequence);
  const named = outer.next(TAG.sequence).whole;
  const signature = bitStringBytes(outer.next(TAG.bitString));
  outer.end();
  const fields = new DerReader(tbs.content, what);
  const repeatAlgorithm = (): void => {
    if (!bytesEqual(fields.next(TAG.sequence).whole, named)) throw fields.malformed("names two signature algorithms");
  };
  return {
    tbs: tbs.whole,
    algorithm: signatureAlgorithm(new DerReader(named, "a signature algorithm")),
    signature,
    fields,
    repeatAlgorithm,
  };
}
