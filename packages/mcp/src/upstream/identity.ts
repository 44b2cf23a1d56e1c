import { hash, timingSafeEqual } from "node:crypto";
import { checkServerIdentity, type TLSSocket } from "node:tls";
import { CmcpError } from "@cmcp/boundary";

/** Length of a pin in bytes: SHA-256. */
export const PIN_BYTES = 32;

function mismatch(why: string): CmcpError {
  return new CmcpError("UPSTREAM_IDENTITY_MISMATCH", `tool server: ${why}`);
}

/**
 * Checks who a finished handshake is with: the certificate must name the host (RFC 6125, RFC 9110 section
 * 4.3.4), be within its dates, and carry the pinned key. The pin is the trust, so no chain is asked for and
 * a self-signed certificate will do.
 *
 * @throws CmcpError `UPSTREAM_IDENTITY_MISMATCH`.
 */
export function checkIdentity(socket: TLSSocket, host: string, spkiSha256: Uint8Array, now: number): void {
  // A resumed session would show the certificate of an earlier handshake; none is ever offered.
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw mismatch("no certificate");
  const spki = certificate.publicKey.export({ type: "spki", format: "der" });
  if (!timingSafeEqual(hash("sha256", spki, "buffer"), spkiSha256)) throw mismatch("its key is not the pinned one");
  if (checkServerIdentity(host, certificate.toLegacyObject()) !== undefined)
    throw mismatch("its certificate is for another host");
  if (now < certificate.validFromDate.getTime() || now > certificate.validToDate.getTime()) {
    throw mismatch("its certificate is outside its validity dates");
  }
}
