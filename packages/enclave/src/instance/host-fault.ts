import { CmcpError, type ErrorCode } from "@cmcp/boundary";

/** The sentences that go with the codes a host may refuse with. */
export type HostSentences = Readonly<Partial<Record<ErrorCode, string>>>;

/**
 * What an exchange with the host failed with. The code and the words of an error frame are the host's choice and would reach agents, so
 * neither goes on: the code is one of a short list, and the sentence is the enclave's own.
 * @param otherwise the code of the list that any other failure is
 */
export function hostFault(thrown: unknown, sentences: HostSentences, otherwise: ErrorCode): CmcpError {
  const said = thrown instanceof CmcpError ? thrown.code : otherwise;
  const code = Object.hasOwn(sentences, said) ? said : otherwise;
  return new CmcpError(code, sentences[code] ?? "the host did not do what it was asked", { cause: thrown });
}
