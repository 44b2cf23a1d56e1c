import { CmcpError, fromBase64Url } from "@cmcp/boundary";

/** Bytes of base64 in either alphabet, with or without padding (RFC 4648). Throws `EVIDENCE_MALFORMED` for anything else. */
export function fromBase64(text: string, what: string): Uint8Array {
  const bytes = fromBase64Url(
    text
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replace(/={1,2}$/, ""),
  );
  if (bytes === undefined) throw new CmcpError("EVIDENCE_MALFORMED", `${what} is not base64`);
  return bytes;
}
