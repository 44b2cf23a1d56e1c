import { CmcpError } from "@cmcp/boundary";

/**
 * What a failed exchange means to an agent. A code the enclave chose passes unchanged. Everything that
 * says the stream itself failed (not dialable, closed, broken frames) is one thing: the enclave is not there.
 */
export function linkError(thrown: unknown): CmcpError {
  if (thrown instanceof CmcpError && !thrown.code.startsWith("WIRE_")) return thrown;
  return new CmcpError("ENCLAVE_UNAVAILABLE", "the connection to the enclave failed", { cause: thrown });
}
