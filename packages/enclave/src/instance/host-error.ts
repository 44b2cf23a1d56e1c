import { CmcpError, type ErrorCode } from "@cmcp/boundary";

/** The codes that a host may refuse with, and the message for each. */
export type HostErrorMessages = Readonly<Partial<Record<ErrorCode, string>>>;

/**
 * The error of a failed exchange with the host. The host chooses code and text of an error frame, and they would reach
 * agents. Therefore only codes of the list pass, each with the enclave's own message.
 * @param fallback the code for any other failure
 */
export function hostError(thrown: unknown, messages: HostErrorMessages, fallback: ErrorCode): CmcpError {
  const hostCode = thrown instanceof CmcpError ? thrown.code : fallback;
  const code = Object.hasOwn(messages, hostCode) ? hostCode : fallback;
  return new CmcpError(code, messages[code] ?? "the host failed to carry out the request", { cause: thrown });
}
