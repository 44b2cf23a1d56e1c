import { asCmcpError, CmcpError, parseJson, type JsonLimits, type JsonValue, type Untrusted } from "@cmcp/boundary";

/**
 * JSON of evidence, within limits.
 * @param name the structure's name, which begins the error message
 * @throws CmcpError `EVIDENCE_MALFORMED`, whatever is wrong
 */
export function readJson(input: Untrusted<Uint8Array>, limits: JsonLimits, name: string): JsonValue {
  try {
    return parseJson(input, limits);
  } catch (thrown) {
    const { message } = asCmcpError(thrown, "EVIDENCE_MALFORMED", "unreadable");
    throw new CmcpError("EVIDENCE_MALFORMED", `${name}: ${message}`);
  }
}
