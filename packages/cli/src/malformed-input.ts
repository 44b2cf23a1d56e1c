import { CmcpError, type ErrorCode } from "@cmcp/boundary";

/**
 * A file that was given is not of its form. A command ends with a code of its own for it: nothing was found about what
 * the file should have said.
 */
export class MalformedInput extends CmcpError {}

/** How readers of evidence say that it is none. */
const NO_EVIDENCE: readonly ErrorCode[] = ["EVIDENCE_MALFORMED", "EVIDENCE_COLLATERAL_INVALID"];

/**
 * Reads evidence that was given to the command; the same errors about what a service answers stay what they are.
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
