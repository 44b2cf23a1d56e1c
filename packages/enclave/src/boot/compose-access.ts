import { JwtAuthenticator, ProofFreshness, ProofOfPossession } from "@cmcp/identity";
import type { Config } from "@cmcp/launch";
import { Admission } from "../access/admission.ts";
import { Approvers } from "../access/approvers.ts";
import { FetchedIssuerKeys } from "../servers/issuer-keys.ts";
import { Listeners } from "../access/listeners.ts";
import { Operators } from "../access/operators.ts";
import { Principals } from "../access/principals.ts";
import { Provisioners } from "../access/provisioners.ts";
import { TokenBoundStreams } from "../access/token-bound-streams.ts";
import { Turns } from "@cmcp/wire";
import { TokenClock } from "../instance/clock.ts";
import { tokenCommitment } from "../record/provisions.ts";
import type { ServerParts } from "./compose-servers.ts";
import type { InstanceParts } from "./compose-instance.ts";
import type { AcceptedLaunch } from "./launch.ts";

/** Authentication and admission. */
export interface AccessParts {
  readonly principals: Principals;
  /** The nonce that the next proof of possession needs. */
  readonly proofNonce: () => string;
  /** The keys of issuers that are fetched. */
  readonly issuerKeys: FetchedIssuerKeys;
  readonly operators: Operators;
  readonly provisioners: Provisioners;
  readonly approvers: Approvers;
  readonly admission: Admission;
  readonly listeners: Listeners;
  readonly tokenBound: TokenBoundStreams;
  /** Turns of what takes long beside calls: lists, exports, answers from the record, provisioning statements. */
  readonly turns: Turns;
}

/**
 * Composes authentication and admission. Tokens are checked by the token clock, which is never before the date of the policy in force.
 * @param tokens the principal of each token that the log names, by its commitment
 */
export async function composeAccess(
  { config, dial, digest: launchDigest }: AcceptedLaunch,
  {
    clock,
    monotonic,
    rules,
    name,
    roots,
  }: Pick<InstanceParts, "clock" | "monotonic" | "rules"> & Pick<ServerParts, "roots"> & { readonly name: string },
  listeners: Listeners,
  tokens: ReadonlyMap<string, string>,
): Promise<AccessParts> {
  const {
    principals: measured,
    operator_keys: operators,
    provisioning_keys: provisioners = [],
    approvers = [],
  } = config.enclave;
  const tokenClock = new TokenClock(clock, () => rules.current.policy);
  const proofs = new ProofFreshness(monotonic);
  const issuerKeys = new FetchedIssuerKeys({ dial, roots, monotonic, now: () => clock.now().getTime() });
  const jwt = await jwtOf(config.enclave, tokenClock, { proofs, issuerKeys });
  const principals = new Principals(measured, jwt, {
    commit: (sha256) => tokenCommitment(config.log.origin, sha256),
    bound: tokens,
  });
  return {
    principals,
    proofNonce: () => proofs.nonce,
    issuerKeys,
    operators: new Operators(operators),
    provisioners: new Provisioners(provisioners, { instance: name, launchDigest, now: () => clock.now().getTime() }),
    approvers: new Approvers(approvers, { instance: name, launchDigest, now: () => clock.now().getTime(), monotonic }),
    admission: new Admission(),
    listeners,
    tokenBound: new TokenBoundStreams((caller) => principals.isStillValid(caller)),
    turns: new Turns(),
  };
}

/** What checks JWTs; `null` where the configuration names no issuer. */
async function jwtOf(
  { identity, spiffe_bundles: bundles = {} }: Config["enclave"],
  clock: TokenClock,
  { proofs, issuerKeys }: { readonly proofs: ProofFreshness; readonly issuerKeys: FetchedIssuerKeys },
): Promise<JwtAuthenticator | null> {
  const { jwt, spiffe, resource } = identity;
  if (jwt.length === 0 && spiffe == null) return null;
  return await JwtAuthenticator.of(identity, () => clock.now(), {
    possession: resource == null ? null : new ProofOfPossession(resource, proofs),
    bundles,
    remoteKeys: (settings) => issuerKeys.open(settings),
  });
}
