import { hash } from "node:crypto";
import { toBase64Url } from "@cmcp/boundary";
import {
  instanceBindingInput,
  joinReportData,
  sessionBindingInput,
  thumbprintInput,
  type InstanceBinding,
  type SigningJwk,
} from "@cmcp/appraise/evidence";

/** RFC 7638 thumbprint of the signing key, 32 bytes. */
export function jwkThumbprint(jwk: SigningJwk): Uint8Array {
  return hash("sha256", thumbprintInput(jwk), "buffer");
}

/** {@link jwkThumbprint} as RFC 7638 writes it: base64url without padding, 43 characters. */
export function jwkThumbprintText(jwk: SigningJwk): string {
  return toBase64Url(jwkThumbprint(jwk));
}

/** report_data of a session's report, 64 bytes. @param chainRoot the hash of `session_start`, 64 hex digits. */
export function sessionReportData(thumbprint: Uint8Array, chainRoot: string): Uint8Array<ArrayBuffer> {
  return joinReportData(thumbprint, hash("sha256", sessionBindingInput(chainRoot), "buffer"));
}

/** report_data that commits to a key and 32 bytes more, 64 bytes. */
export function reportDataOf(thumbprint: Uint8Array, binding: Uint8Array): Uint8Array<ArrayBuffer> {
  return joinReportData(thumbprint, binding);
}

/** report_data of an instance's own report, 64 bytes. */
export function instanceReportData(thumbprint: Uint8Array, binding: InstanceBinding): Uint8Array<ArrayBuffer> {
  return joinReportData(thumbprint, hash("sha256", instanceBindingInput(binding), "buffer"));
}
