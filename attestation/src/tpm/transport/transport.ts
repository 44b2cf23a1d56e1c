import { CmcpError } from "@cmcp/boundary";

/** Largest command or response, in bytes; what a TPM may exchange (TPM2_PT_MAX_COMMAND_SIZE) is 4096 in practice. */
export const MAX_MESSAGE_BYTES = 4096;
/** Bytes of the header of every command and response: tag, size, code (TPM 2.0 part 1, section 18.4). */
export const HEADER_BYTES = 10;
/** Longest time one command may take, in milliseconds. Making a key is the slowest: seconds on a discrete TPM. */
export const COMMAND_DEADLINE_MS = 60_000;

/**
 * A way to a TPM 2.0: bytes of one command in, bytes of its response out. A command is answered before the next
 * is sent. After a failure the transport is closed: what is still under way could be taken for a later answer.
 */
export interface TpmTransport {
  /** @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` when there is no whole response in time. */
  transmit(command: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Why a TPM could not be asked. */
export function tpmUnavailable(why: string, cause?: unknown): CmcpError {
  return new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", `the TPM ${why}`, cause === undefined ? {} : { cause });
}

/** Refuses a command no TPM would take. */
export function requireCommandSize(command: Uint8Array): void {
  if (command.length < HEADER_BYTES || command.length > MAX_MESSAGE_BYTES)
    throw tpmUnavailable(`takes commands of ${HEADER_BYTES} to ${MAX_MESSAGE_BYTES} bytes, not ${command.length}`);
}
