import { CmcpError } from "@cmcp/boundary";
import { readWitnessPolicy } from "./verify.ts";
import { quorumsIntersect, type WitnessPolicy } from "./witness-policy.ts";

/**
 * Reads the witness policy of an instance. It has no `log` line and no URL, which are its host's to say, and every two
 * of its quorums have a witness in common.
 * @throws CmcpError `WITNESS_POLICY_INVALID`
 */
export function readInstancePolicy(text: string): WitnessPolicy {
  const policy = readWitnessPolicy(text);
  if (!quorumsIntersect(policy.quorum)) throw invalid("every two quorums must have a witness in common");
  if (policy.logs.length > 0) throw invalid("a log line says nothing here: the host has the log's key");
  if (policy.witnesses.some(({ url }) => url !== null)) throw invalid("the URLs of witnesses belong in witness_urls");
  return policy;
}

function invalid(why: string): CmcpError {
  return new CmcpError("WITNESS_POLICY_INVALID", why);
}
