import { asCmcpError } from "@cmcp/boundary";

/** How a PEM chain begins when it is written as it stands in the header of an answer: the space of its first line is encoded. */
const ENCODED = /^\s*-----BEGIN(?:%20|\+)CERTIFICATE-----/;
/** A line of PEM whose space was encoded as HTML forms do. No base64 has such dashes. */
const FORM_LINE = /-----(BEGIN|END)\+CERTIFICATE-----/g;

/**
 * PEM of an issuer chain that is percent-encoded, as Intel's service answers it in a header and tools keep it; `null` for a text that is
 * not. Some tools write `+` for the space of the lines around a certificate. A `+` anywhere else is base64's and stays.
 *
 * @throws CmcpError `EVIDENCE_COLLATERAL_INVALID`
 */
export function decodedChain(text: string): string | null {
  if (!ENCODED.test(text)) return null;
  try {
    return decodeURIComponent(text.trim().replaceAll(FORM_LINE, "-----$1 CERTIFICATE-----"));
  } catch (thrown) {
    throw asCmcpError(thrown, "EVIDENCE_COLLATERAL_INVALID", "a chain is not percent-encoded as it should be");
  }
}
