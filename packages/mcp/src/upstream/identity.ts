import { timingSafeEqual } from "node:crypto";
import { checkServerIdentity, type TLSSocket } from "node:tls";
import { identityMismatch, spkiSha256 } from "./authentication.ts";

/** Length of a pin in bytes: SHA-256. */
export const PIN_BYTES = 32;

/**
 * Checks who a finished handshake is with: the certificate must name the host (RFC 6125, RFC 9110 section
 * 4.3.4), be within its dates, and carry the pinned key. The pin is the trust, so no chain is asked for and
 * a self-signed certificate will do.
 *
 * @throws CmcpError `UPSTREAM_IDENTITY_MISMATCH`.
 */
export function checkPinnedKey(socket: TLSSocket, host: string, pin: Uint8Array, now: number): void {
  // A resumed session would show the certificate of an earlier handshake; none is ever offered.
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw identityMismatch("no-certificate", "no certificate");
  if (!timingSafeEqual(spkiSha256(certificate), pin))
    throw identityMismatch("wrong-key", "its key is not the pinned one");
  if (checkServerIdentity(host, certificate.toLegacyObject()) !== undefined)
    throw identityMismatch("wrong-name", "its certificate is for another host");
  if (now < certificate.validFromDate.getTime())
    throw identityMismatch("not-yet-valid", "its certificate is not valid yet");
  if (now > certificate.validToDate.getTime()) throw identityMismatch("expired", "its certificate has expired");
}
