import { asCmcpError, CmcpError } from "@cmcp/boundary";
import type { Config } from "@cmcp/launch";
import { readInstancePolicy, type WitnessPolicy } from "@cmcp/log";

/** The witnesses of a launch document. */
export interface WitnessSettings {
  readonly policy: WitnessPolicy;
  /** The policy as the document has it. */
  readonly text: string;
  /** Milliseconds that a start or a call waits for a quorum. */
  readonly waitMs: number;
}

/**
 * The witnesses that a configuration names; `null` for none.
 *
 * @throws CmcpError `CONFIG_INVALID` for a policy that is not valid, that has quorums without a witness in common, or that
 *   says what is the host's to say: the log's key, and where witnesses are
 */
export function witnessSettings({ witnesses: text, witness_wait_ms: waitMs }: Config["log"]): WitnessSettings | null {
  if (text === undefined) return null;
  if (waitMs === undefined) throw new CmcpError("CONFIG_INVALID", "log.witness_wait_ms: required with log.witnesses");
  return { policy: policyOf(text), text, waitMs };
}

function policyOf(text: string): WitnessPolicy {
  try {
    return readInstancePolicy(text);
  } catch (thrown) {
    const { message } = asCmcpError(thrown, "WITNESS_POLICY_INVALID", "unreadable");
    throw new CmcpError("CONFIG_INVALID", `log.witnesses: ${message}`, { cause: thrown });
  }
}
