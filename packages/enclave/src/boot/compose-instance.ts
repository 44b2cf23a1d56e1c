import type { Evidence } from "@cmcp/appraise/evidence";
import { compilePolicy, type CompiledPolicy } from "@cmcp/policy";
import { Clock } from "../instance/clock.ts";
import { Freshness } from "../instance/freshness.ts";
import { earlierIdentities, openIdentity, type Identity } from "../instance/identity.ts";
import type { SigningKey } from "../instance/keys.ts";
import { ownReport } from "../instance/refresh.ts";
import type { Reported } from "../instance/report.ts";
import { Reports } from "../instance/reports.ts";
import { SessionEvidence } from "../instance/session-evidence.ts";
import type { Journal } from "../record/journal.ts";
import type { AcceptedLaunch, Contents, Surroundings } from "./launch.ts";
import { Policies } from "./policies.ts";

/** Reports one principal may ask for on demand in a minute; those of its sessions are not counted. */
const MAX_ON_DEMAND_REPORTS = 30;
const WINDOW_MS = 60_000;

/** The instance: its clocks, its reports, and the policy in force. */
export interface InstanceParts {
  readonly clock: Clock;
  readonly monotonic: () => number;
  readonly reports: Reports;
  readonly reported: Reported;
  readonly identity: Identity | null;
  readonly freshness: Freshness;
  readonly policies: Policies;
  readonly sessionEvidence: SessionEvidence;
  /** Asks the platform for a report over 64 bytes of report data, for the gateway itself. */
  readonly collect: (reportData: Uint8Array) => Promise<Evidence>;
}

/** What there is before an instance. */
export interface InstanceBeginnings {
  readonly surroundings: Surroundings;
  readonly key: SigningKey;
  readonly journal: Journal;
}

/** Compiles the policy, opens the identity and makes the first report: without evidence nothing is served. */
export async function composeInstance(
  launch: AcceptedLaunch,
  contents: Contents,
  from: InstanceBeginnings,
): Promise<InstanceParts> {
  const { surroundings, key, journal } = from;
  const { config } = launch;
  const { attester } = launch.platform;
  const compiling = compile(contents, surroundings);
  const clock = new Clock();
  const monotonic = (): number => performance.now();
  const reports = reportsOf(launch, clock, monotonic);
  const collect = async (reportData: Uint8Array): Promise<Evidence> => await reports.collect(reportData);
  const identity = await openIdentity(
    await attester.sealing(),
    launch.sha256,
    async () => await earlierIdentities(journal.scan({ kind: "instance" })),
  );
  const reported = { identity, key, catalog: contents.catalog, config, launchDigest: launch.digest };
  // The platform makes it over the policy's hash while the policy compiles.
  const fresh = ownReport(reported, contents.bundle.hash, collect).then(
    () => new Freshness(config.attestation, { wall: () => clock.now().getTime(), monotonic }),
  );
  const [policy, freshness] = await Promise.all([compiling, fresh]);
  const policies = new Policies(policy, {
    signingKey: launch.document.trust_anchors.policy_signing_key ?? null,
    reloadable: config.policy_reload_interval_seconds > 0,
    workerUrl: surroundings.policyWorker,
  });
  const sessionEvidence = new SessionEvidence({
    thumbprint: key.thumbprint,
    validityMs: config.attestation.validity_seconds * 1000,
    keepStale: config.attestation.staleness_policy === "warn_only",
    now: monotonic,
    collect: async (reportData, principalId) => await reports.collect(reportData, principalId),
  });
  return { clock, monotonic, reports, reported, identity, freshness, policies, sessionEvidence, collect };
}

function compile(
  { bundle, catalog }: Contents,
  { policyWorker, firstCompiler }: Surroundings,
): Promise<CompiledPolicy> {
  const compiling = compilePolicy(bundle, catalog, { workerUrl: policyWorker, started: firstCompiler });
  // Met once the rest is there.
  compiling.catch(() => undefined);
  return compiling;
}

function reportsOf({ config, platform }: AcceptedLaunch, clock: Clock, monotonic: () => number): Reports {
  // A principal waits for the reports of its own sessions, all of which may be closed at once, of as many that made room, and for a few of its own.
  const maxWaiting = config.enclave.max_sessions_per_principal * 2 + MAX_ON_DEMAND_REPORTS;
  const limits = { maxWaiting, maxOnDemand: MAX_ON_DEMAND_REPORTS, windowMs: WINDOW_MS };
  return new Reports(platform.attester, clock, limits, monotonic);
}
