import { auditorOf, verifiesStatement, type Auditor } from "@cmcp/audit";
import { fromBase64Url } from "@cmcp/boundary";
import type { Config } from "@cmcp/launch";
import { KillSwitch } from "@cmcp/limits";
import { SessionTable, type Session } from "@cmcp/session";
import type { SigningKey } from "../instance/signing-key.ts";
import { Manifests } from "../access/manifests.ts";
import { Claims, type ClaimSettings } from "../record/claims.ts";
import { SessionCloser } from "../record/session-closer.ts";
import type { Journal } from "../record/journal.ts";
import { KeyedCalls } from "../record/keyed-calls.ts";
import { PolicyKeys } from "../record/policy-keys.ts";
import { PrincipalStops } from "../record/principal-stops.ts";
import { Provisions, tokenCommitment, type ProvisionPorts } from "../record/provisions.ts";
import type { LogPast } from "../record/read-log.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { Recorder } from "../record/recorder.ts";
import type { RootFacts } from "../record/root-detail.ts";
import { SessionLookup } from "../record/session-lookup.ts";
import { Sessions, type SessionSources } from "../record/sessions.ts";
import type { Witnesses } from "../record/witnesses.ts";
import { StoredSessions } from "../record/stored-sessions.ts";
import type { InstanceParts } from "./compose-instance.ts";
import type { AcceptedLaunch, LaunchContents } from "./launch.ts";

/** The record: sessions with their chains, the recorder, and claims. */
export interface RecordParts {
  readonly journal: Journal;
  /** `null` where the log has no witnesses. */
  readonly witnesses: Witnesses | null;
  /** `null` where the configuration asks for no agent manifests. */
  readonly manifests: Manifests | null;
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
  readonly stored: StoredSessions;
  /** Calls with idempotency keys. */
  readonly keyed: KeyedCalls;
  /** The facts for a root entry that is written now. */
  readonly root: () => RootFacts;
  /** Whether no instance was before this one. */
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
  /** Who approves, as root entries say it. */
  readonly approvers: string | null;
  /** Drops the session's data in other rooms. */
  readonly forget: (session: Session) => Promise<void>;
}

/** Composes the record. */
export function composeRecord(launch: AcceptedLaunch, contents: LaunchContents, from: RecordInputs): RecordParts {
  const { parts, key, name: instance, journal } = from;
  const auditors = auditorsOf(launch);
  const manifests = manifestsOf(launch, parts);
  const sessions = sessionsOf(launch, contents, parts, {
    auditors,
    manifestOf: (caller) => manifests?.of(caller) ?? null,
  });
  const root = (): RootFacts => ({
    ...rootOf(launch, from, provisions.inForce),
    auditors: auditors.map(({ id }) => id),
    approvers: from.approvers,
  });
  const onBroken = (recorded: RecordedSession): void => sessions.scheduleClose(recorded);
  const driftPolicy = launch.config.catalog.drift_policy;
  const onFull = (recorded: RecordedSession): void => closing.retire(recorded);
  const recorder = new Recorder(journal, { instance, driftPolicy, root, onBroken, onFull });
  const believedFrom = (): number => from.past.state.believedFrom;
  const provisions: Provisions = provisionsOf(launch, from, { sessions, recorder, believedFrom });
  const claims = claimsOf(launch, from, recorder);
  const closing: SessionCloser = new SessionCloser({
    sessions,
    recorder,
    claims,
    journal,
    policyHash: () => parts.rules.hashes.policy,
    forget: from.forget,
  });
  const killSwitch = killSwitchOf(launch, parts);
  const now = (): number => parts.clock.now().getTime();
  const windowSeconds = launch.config.kill_switch?.window_seconds ?? 0;
  const switched = killSwitch === null ? null : { state: killSwitch, windowSeconds };
  const stops = new PrincipalStops({ killSwitch: switched, recorder, sessions, closing, key, journal, root, now });
  const { keys } = parts.rules;
  const policyKeys = new PolicyKeys({ keys, recorder, sessions, journal, root, now, verifies: verifiesStatement });
  const stored = new StoredSessions({ journal, instance, jwk: key.jwk, believedFrom });
  const lookup = new SessionLookup({ sessions, stored, x: key.jwk.x });
  return {
    journal,
    witnesses: from.witnesses,
    manifests,
    sessions,
    recorder,
    provisions,
    claims,
    closing,
    killSwitch,
    stops,
    policyKeys,
    lookup,
    stored,
    keyed: keyedCallsOf(launch, from, believedFrom),
    root,
    first: from.past.predecessor === null && from.past.history.state === "complete",
  };
}

function provisionsOf(
  { config }: AcceptedLaunch,
  { name: instance, journal, past: { state } }: RecordInputs,
  parts: Pick<ProvisionPorts, "sessions" | "recorder" | "believedFrom">,
): Provisions {
  const { origin } = config.log;
  return new Provisions({
    ...parts,
    journal,
    instance,
    origin,
    sequence: state.provision,
    statementSequence: state.provisionStatement,
    storedSet: () => state.storedSet,
    commit: (sha256) => tokenCommitment(origin, sha256),
  });
}

function keyedCallsOf(
  { config }: AcceptedLaunch,
  { journal, past }: RecordInputs,
  believedFrom: () => number,
): KeyedCalls {
  return new KeyedCalls({
    journal,
    believedFrom,
    origin: config.log.origin,
    used: past.state.keys,
    // The hand-over is this instance's first record.
    firstSize: past.range.size + 1,
  });
}

/** Who can open commitments. @throws CmcpError `USAGE` for a key to which nothing can be sealed, `SEAL_SUITE_UNSUPPORTED` */
function auditorsOf({ config }: AcceptedLaunch): Auditor[] {
  return (config.log.auditors ?? []).map((key) => auditorOf(fromBase64Url(key) ?? new Uint8Array()));
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

function manifestsOf({ config }: AcceptedLaunch, { rules, clock }: InstanceParts): Manifests | null {
  if (config.agent_manifest === undefined) return null;
  return new Manifests(config.agent_manifest, {
    policyHash: () => rules.hashes.policy,
    catalogHash: () => rules.hashes.catalog,
    mode: config.attestation.enforcement_mode,
    now: () => clock.now().getTime(),
  });
}

function sessionsOf(
  { config }: AcceptedLaunch,
  { vocabulary, catalog }: LaunchContents,
  { clock }: InstanceParts,
  sources: SessionSources,
): Sessions {
  const { enclave } = config;
  const integrityScope = enclave.integrity?.scope ?? "session";
  // A later catalog may have one.
  const hasConsequential =
    enclave.catalog_keys !== undefined || [...catalog.tools.values()].some(({ consequential }) => consequential);
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
  return new Sessions(tableOf, limits, clock, sources);
}

function rootOf(
  { config, digest, platform, isolation, lostStore }: AcceptedLaunch,
  { name, parts, past }: RecordInputs,
  provision: Provisions["inForce"],
): Omit<RootFacts, "auditors" | "approvers"> {
  return {
    instance: name,
    policy: parts.rules.current.policy.bundle,
    catalogHash: parts.rules.hashes.catalog,
    enforcementMode: config.attestation.enforcement_mode,
    launchDigest: digest,
    platform: platform.launch.platform,
    isolation,
    history: past.history,
    sealKeys: parts.sealKeys.name,
    lostStore: lostStore?.statement.origin ?? null,
    provision,
    profile: config.conformance_profile ?? null,
  };
}

function claimsOf({ config, isolation }: AcceptedLaunch, from: RecordInputs, recorder: Recorder): Claims {
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
      validitySeconds: config.attestation.validity_seconds,
      isolation,
      killSwitch: killSwitchTerms(config),
      perCall: config.enclave.claims === "call",
    },
  });
}
