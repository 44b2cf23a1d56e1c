import { CmcpError, type ErrorCode } from "@cmcp/boundary";

/** The sentences that go with the codes a host may refuse with. */
export type HostErrorMessages = Readonly<Partial<Record<ErrorCode, string>>>;

/**
 * What an exchange with the host failed with. The code and the words of an error frame are the host's choice and would reach agents, so
 * neither goes on: the code is one of a short list, and the sentence is the enclave's own.
 * @param otherwise the code of the list that any other failure is
 */
export function hostError(thrown: unknown, messages: HostErrorMessages, fallback: ErrorCode): CmcpError {
  const hostCode = thrown instanceof CmcpError ? thrown.code : fallback;
  const code = Object.hasOwn(messages, hostCode) ? hostCode : fallback;
  return new CmcpError(code, messages[code] ?? "the host did not do what it was asked", { cause: thrown });
}
