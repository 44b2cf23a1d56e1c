import type { Checking } from "../checks/checking.ts";
import { asCmcpError } from "@cmcp/boundary";
import { BANKS } from "../event-log/hash-algorithm.ts";
import type { TpmQuote } from "./quote.ts";
import type { BoundKey } from "./attestation-key.ts";
import { parseSignature, verifySignature, type ParsedSignature } from "./signature.ts";

/** TPM_ALG_ID of the schemes a signature can have. */
const SCHEME_IDS = { rsassa: 0x0014, rsapss: 0x0016, ecdsa: 0x0018 } as const;

/** Checks that the key signed the quote, by the scheme the key is made for. Records `quote signature`; `null` when it did not. */
export async function checkQuoteSignature(
  { crypto, recorder }: Checking,
  quote: TpmQuote,
  bytes: Uint8Array | undefined,
  { key, area }: Pick<BoundKey, "key" | "area">,
): Promise<ParsedSignature | null> {
  const check = "quote signature";
  if (bytes === undefined) {
    recorder.fail(check, "EVIDENCE_SIGNATURE_INVALID", "the quote has no signature");
    return null;
  }
  try {
    const signature = parseSignature(bytes, key, quote.pcrDigest.length);
    const holds = fitsScheme(signature, area) && (await verifySignature(crypto, key, signature, quote.signed));
    const passed = `${signature.schemes.join(" or ")} with ${signature.hash}, by the attestation key`;
    return recorder.require(check, holds, "EVIDENCE_SIGNATURE_INVALID", {
      passed: passed,
      failed: "the attestation key did not sign this quote",
    })
      ? signature
      : null;
  } catch (thrown) {
    const { code, message } = asCmcpError(thrown, "EVIDENCE_MALFORMED", "the signature cannot be read");
    recorder.fail(check, code, message);
    return null;
  }
}

/** A restricted key has one scheme and one hash; a signature by another is not the TPM's. */
function fitsScheme({ schemes, hash }: ParsedSignature, area: BoundKey["area"]): boolean {
  if (area === null || area.scheme === null) return true;
  const { id, hashId } = area.scheme;
  return schemes.some((scheme) => SCHEME_IDS[scheme] === id) && BANKS[hash].id === hashId;
}
