import type { Config } from "@cmcp/launch";
import { KillSwitch } from "@cmcp/limits";
import { SessionTable, type Session } from "@cmcp/session";
import { verifiesStatement } from "../access/operators.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import { Claims, type ClaimSettings } from "../record/claims.ts";
import { SessionCloser } from "../record/session-closer.ts";
import type { Journal } from "../record/journal.ts";
import { PolicyKeys } from "../record/policy-keys.ts";
import { PrincipalStops } from "../record/principal-stops.ts";
import { Provisions, tokenCommitment } from "../record/provisions.ts";
import type { LogPast } from "../record/read-log.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { Recorder } from "../record/recorder.ts";
import type { RootFacts } from "../record/root-detail.ts";
import { SessionLookup } from "../record/session-lookup.ts";
import { Sessions } from "../record/sessions.ts";
import type { Witnesses } from "../record/witnesses.ts";
import { StoredSessions } from "../record/stored-sessions.ts";
import type { InstanceParts } from "./compose-instance.ts";
import type { AcceptedLaunch, LaunchContents } from "./launch.ts";

/** The record: sessions with their chains, the recorder, and claims. */
export interface RecordParts {
  readonly journal: Journal;
  /** `null` where the log has no witnesses. */
  readonly witnesses: Witnesses | null;
  readonly sessions: Sessions;
  readonly recorder: Recorder;
  readonly provisions: Provisions;
  readonly claims: Claims;
  readonly closing: SessionCloser;
  /** `null` where the configuration has no kill switch. */
  readonly killSwitch: KillSwitch | null;
  readonly stops: PrincipalStops;
  readonly policyKeys: PolicyKeys;
  readonly lookup: SessionLookup;
  /** The facts for a root entry that is written now. */
  readonly root: () => RootFacts;
  /** Whether the log has no records of an earlier instance. */
  readonly first: boolean;
}

/** What the record is composed from. */
export interface RecordInputs {
  readonly parts: InstanceParts;
  readonly key: SigningKey;
  readonly name: string;
  readonly journal: Journal;
  readonly past: LogPast;
  readonly witnesses: Witnesses | null;
  /** Drops the session's data in other rooms. */
  readonly forget: (session: Session) => Promise<void>;
}

/** Composes the record. */
export function composeRecord(launch: AcceptedLaunch, contents: LaunchContents, from: RecordInputs): RecordParts {
  const { parts, key, name: instance, journal } = from;
  const sessions = sessionsOf(launch, contents, parts);
  const root = (): RootFacts => rootOf(launch, contents, from, provisions.inForce);
  const onBroken = (recorded: RecordedSession): void => sessions.scheduleClose(recorded);
  const driftPolicy = launch.config.catalog.drift_policy;
  const onFull = (recorded: RecordedSession): void => closing.retire(recorded);
  const recorder = new Recorder(journal, { instance, driftPolicy, root, onBroken, onFull });
  const provisions: Provisions = new Provisions({
    journal,
    instance,
    sequence: from.past.state.provision,
    commit: (sha256) => tokenCommitment(launch.config.log.origin, sha256),
    sessions,
    recorder,
  });
  const claims = claimsOf(launch, contents, from, recorder);
  const closing: SessionCloser = new SessionCloser({
    sessions,
    recorder,
    claims,
    journal,
    policyHash: () => parts.activePolicy.current.bundle.hash,
    forget: from.forget,
  });
  const killSwitch = killSwitchOf(launch, parts);
  const now = (): number => parts.clock.now().getTime();
  const windowSeconds = launch.config.kill_switch?.window_seconds ?? 0;
  const switched = killSwitch === null ? null : { state: killSwitch, windowSeconds };
  const stops = new PrincipalStops({ killSwitch: switched, recorder, sessions, closing, key, journal, root, now });
  const { keys } = parts.activePolicy;
  const policyKeys = new PolicyKeys({ keys, recorder, sessions, journal, root, now, verifies: verifiesStatement });
  const believedFrom = (): number => from.past.state.believedFrom;
  const stored = new StoredSessions({ journal, instance, jwk: key.jwk, believedFrom });
  const lookup = new SessionLookup({ sessions, stored, x: key.jwk.x });
  return {
    journal,
    witnesses: from.witnesses,
    sessions,
    recorder,
    provisions,
    claims,
    closing,
    killSwitch,
    stops,
    policyKeys,
    lookup,
    root,
    first: from.past.predecessor === null,
  };
}

function killSwitchTerms({ kill_switch: settings }: Config): ClaimSettings["killSwitch"] {
  if (settings === undefined) return undefined;
  const { window_seconds, deny_rate_threshold, min_calls } = settings;
  return { window_seconds, deny_rate_threshold, min_calls };
}

function killSwitchOf({ config }: AcceptedLaunch, { monotonic }: InstanceParts): KillSwitch | null {
  if (config.kill_switch === undefined) return null;
  const { window_seconds: seconds, deny_rate_threshold, min_calls } = config.kill_switch;
  return new KillSwitch(
    { windowMs: seconds * 1000, denyRateThreshold: deny_rate_threshold, minCalls: min_calls },
    monotonic,
  );
}

function sessionsOf(
  { config }: AcceptedLaunch,
  { vocabulary, catalog }: LaunchContents,
  { clock }: InstanceParts,
): Sessions {
  const { enclave } = config;
  const integrityScope = enclave.integrity?.scope ?? "session";
  const hasConsequential = [...catalog.tools.values()].some(({ consequential }) => consequential);
  const limits = { max: enclave.max_sessions, maxPerPrincipal: enclave.max_sessions_per_principal };
  const tableOf = (evicted: (session: Session) => void): SessionTable =>
    new SessionTable({
      vocabulary,
      integrityScope,
      keepsUntrusted: integrityScope === "principal" || hasConsequential,
      maxSessions: limits.max,
      maxPerPrincipal: limits.maxPerPrincipal,
      idleMs: enclave.session_idle_seconds * 1000,
      floorMs: enclave.sensitivity_floor_seconds * 1000,
      evicted,
      now: () => clock.now().getTime(),
    });
  return new Sessions(tableOf, limits, clock);
}

function rootOf(
  { config, digest, platform, isolation }: AcceptedLaunch,
  { catalog }: LaunchContents,
  { name, parts, past }: RecordInputs,
  provision: Provisions["inForce"],
): RootFacts {
  return {
    instance: name,
    policy: parts.activePolicy.current.bundle,
    catalogHash: catalog.hash,
    enforcementMode: config.attestation.enforcement_mode,
    launchDigest: digest,
    platform: platform.launch.platform,
    isolation,
    history: past.history,
    provision,
  };
}

function claimsOf(
  { config, isolation }: AcceptedLaunch,
  { catalog }: LaunchContents,
  from: RecordInputs,
  recorder: Recorder,
): Claims {
  const { parts, key, journal } = from;
  return new Claims({
    journal,
    recorder,
    key,
    evidenceOf: async (root, principalId) => await parts.sessionEvidence.of(root, principalId),
    now: () => parts.clock.now().getTime(),
    settings: {
      eatProfile: config.enclave.eat_profile,
      mode: config.attestation.enforcement_mode,
      catalogHash: catalog.hash,
      validitySeconds: config.attestation.validity_seconds,
      isolation,
      killSwitch: killSwitchTerms(config),
      perCall: config.enclave.claims === "call",
    },
  });
}
