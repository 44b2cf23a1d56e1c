import { CmcpError, isJsonObject, parseJson, untrusted } from "@cmcp/boundary";

/**
 * How many sessions the enclave could not close, as it answers `drain` (wire SPEC, section 5).
 * @throws CmcpError `TEE_FAULT` for an answer that does not say
 */
export function unclosedSessions(answer: Uint8Array): number {
  const fault = (cause?: unknown): CmcpError =>
    new CmcpError("TEE_FAULT", "the enclave's answer to drain does not say how many sessions are not closed", {
      cause,
    });
  try {
    const said = parseJson(untrusted(answer));
    const count = isJsonObject(said) ? said["unclosed_sessions"] : undefined;
    if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) return count;
  } catch (thrown) {
    throw fault(thrown);
  }
  throw fault();
}
