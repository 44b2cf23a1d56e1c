import { JwtAuthenticator } from "@cmcp/identity";
import { Admission } from "../access/admission.ts";
import { Listeners } from "../access/listeners.ts";
import { Operators } from "../access/operators.ts";
import { Principals } from "../access/principals.ts";
import { TokenBoundStreams } from "../access/token-bound-streams.ts";
import { TokenClock } from "../instance/clock.ts";
import type { InstanceParts } from "./compose-instance.ts";
import type { AcceptedLaunch } from "./launch.ts";

/** Who may call, and how much at a time. */
export interface AccessParts {
  readonly principals: Principals;
  readonly operators: Operators;
  readonly admission: Admission;
  readonly listeners: Listeners;
  readonly tokenBound: TokenBoundStreams;
}

/** Tokens are held to the gateway's time, which is never before the policy in force was written. */
export async function composeAccess(
  { config }: AcceptedLaunch,
  { clock, activePolicy }: InstanceParts,
  listeners: Listeners,
): Promise<AccessParts> {
  const { principals: measured, operator_keys: operators, identity } = config.enclave;
  const tokenClock = new TokenClock(clock, () => activePolicy.current);
  const jwt = identity.jwt.length === 0 ? null : await JwtAuthenticator.of(identity.jwt, () => tokenClock.now());
  const principals = new Principals(measured, jwt);
  return {
    principals,
    operators: new Operators(operators),
    admission: new Admission(),
    listeners,
    tokenBound: new TokenBoundStreams((caller) => principals.isStillValid(caller)),
  };
}
