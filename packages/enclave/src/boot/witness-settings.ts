import { CmcpError } from "@cmcp/boundary";
import type { Config } from "@cmcp/launch";
import { quorumsIntersect, readWitnessPolicy, type WitnessPolicy } from "@cmcp/log";

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
 * @throws CmcpError `CONFIG_INVALID` for a policy that is none, that has quorums without a witness in common, or that says what is the host's to
 *   say: the log's key, and where witnesses are
 */
export function witnessSettings({ witnesses: text, witness_wait_ms: waitMs }: Config["log"]): WitnessSettings | null {
  if (text === undefined) return null;
  const policy = policyOf(text);
  if (!quorumsIntersect(policy.quorum)) throw invalid("every two quorums must have a witness in common");
  if (policy.logs.length > 0) throw invalid("a log line says nothing here: the host has the log's key");
  if (policy.witnesses.some(({ url }) => url !== null)) throw invalid("the URLs of witnesses belong in witness_urls");
  if (waitMs === undefined) throw new CmcpError("CONFIG_INVALID", "log.witness_wait_ms: required with log.witnesses");
  return { policy, text, waitMs };
}

function policyOf(text: string): WitnessPolicy {
  try {
    return readWitnessPolicy(text);
  } catch (thrown) {
    throw invalid(thrown instanceof CmcpError ? thrown.message : "unreadable", thrown);
  }
}

function invalid(why: string, cause?: unknown): CmcpError {
  return new CmcpError("CONFIG_INVALID", `log.witnesses: ${why}`, { cause });
}
