import { CmcpError, type ErrorCode } from "@cmcp/boundary";

/**
 * An input file does not have the form it should have. Commands end with an exit code of their own for it, as nothing
 * was
 * verified.
 */
export class MalformedInput extends CmcpError {}

/** Codes with which parsers refuse evidence. */
const NO_EVIDENCE: readonly ErrorCode[] = ["EVIDENCE_MALFORMED", "EVIDENCE_COLLATERAL_INVALID"];

/**
 * Runs a parser over evidence from the command line. Parser errors become {@link MalformedInput}.
 * @throws MalformedInput
 */
export function readEvidenceInput<T>(read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof CmcpError && NO_EVIDENCE.includes(thrown.code))
      throw new MalformedInput(thrown.code, thrown.message, { cause: thrown });
    throw thrown;
  }
}
