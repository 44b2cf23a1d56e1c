import { JwtAuthenticator } from "@cmcp/identity";
import { Admission } from "../access/admission.ts";
import { Listeners } from "../access/listeners.ts";
import { Operators } from "../access/operators.ts";
import { Principals } from "../access/principals.ts";
import { TokenBoundStreams } from "../access/token-bound-streams.ts";
import { Turns } from "../access/turns.ts";
import { TokenClock } from "../instance/clock.ts";
import { tokenCommitment } from "../record/provisions.ts";
import type { InstanceParts } from "./compose-instance.ts";
import type { AcceptedLaunch } from "./launch.ts";

/** Authentication and admission. */
export interface AccessParts {
  readonly principals: Principals;
  readonly operators: Operators;
  readonly admission: Admission;
  readonly listeners: Listeners;
  readonly tokenBound: TokenBoundStreams;
  /** Turns of lists and exports. */
  readonly turns: Turns;
}

/**
 * Composes authentication and admission. Tokens are checked by the token clock, which is never before the date of the policy in force.
 * @param tokens the principal of each token that the log names, by its commitment
 */
export async function composeAccess(
  { config }: AcceptedLaunch,
  { clock, activePolicy }: InstanceParts,
  listeners: Listeners,
  tokens: ReadonlyMap<string, string>,
): Promise<AccessParts> {
  const { principals: measured, operator_keys: operators, identity } = config.enclave;
  const tokenClock = new TokenClock(clock, () => activePolicy.current);
  const jwt = identity.jwt.length === 0 ? null : await JwtAuthenticator.of(identity.jwt, () => tokenClock.now());
  const principals = new Principals(measured, jwt, {
    commit: (sha256) => tokenCommitment(config.log.origin, sha256),
    bound: tokens,
  });
  return {
    principals,
    operators: new Operators(operators),
    admission: new Admission(),
    listeners,
    tokenBound: new TokenBoundStreams((caller) => principals.isStillValid(caller)),
    turns: new Turns(),
  };
}
