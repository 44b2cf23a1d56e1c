import { alternativeUris, Certificate } from "@cmcp/appraise/x509";
import { CmcpError } from "@cmcp/boundary";
import { identityMismatch } from "./authentication.ts";

/** The certificate as it was sent. @throws CmcpError `UPSTREAM_IDENTITY_MISMATCH` for one that cannot be read */
function read(der: Uint8Array): { readonly certificate: Certificate; readonly uris: readonly string[] } {
  try {
    const certificate = Certificate.parse(der);
    return { certificate, uris: alternativeUris(certificate) };
  } catch (thrown) {
    if (thrown instanceof CmcpError) throw identityMismatch("invalid-svid", "its certificate cannot be read");
    throw thrown;
  }
}

/** The URIs that a certificate names. @throws CmcpError `UPSTREAM_IDENTITY_MISMATCH` for one that cannot be read */
export function svidUris(der: Uint8Array): readonly string[] {
  return read(der).uris;
}

/**
 * Holds the certificate of a server to one SPIFFE ID (X509-SVID sections 2, 4 and 5.2). It has exactly one URI among its alternative
 * names, which is that ID, byte for byte. It is not an authority's, and its key signs handshakes and neither certificates nor
 * lists of revoked ones. OpenSSL has checked the chain and that it is for servers, where it says what it is for.
 *
 * @throws CmcpError `UPSTREAM_IDENTITY_MISMATCH`
 */
export function checkSvid(der: Uint8Array, spiffeId: string): void {
  const { certificate, uris } = read(der);
  const [uri, ...others] = uris;
  if (uri === undefined || others.length > 0)
    throw identityMismatch("invalid-svid", "its certificate does not have exactly one URI");
  const { isCa, keyUsage } = certificate;
  if (isCa) throw identityMismatch("invalid-svid", "its certificate is an authority's");
  if (keyUsage?.has("digitalSignature") !== true || keyUsage.has("keyCertSign") || keyUsage.has("cRLSign"))
    throw identityMismatch("invalid-svid", "its key is not for handshakes alone");
  if (uri !== spiffeId) throw identityMismatch("wrong-spiffe-id", "its certificate is for another SPIFFE ID");
}
