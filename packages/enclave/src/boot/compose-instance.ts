import type { Evidence } from "@cmcp/appraise/evidence";
import { compilePolicy, type CompiledPolicy } from "@cmcp/policy";
import { Clock } from "../instance/clock.ts";
import { Freshness } from "../instance/freshness.ts";
import { openIdentity, type Identity } from "../instance/identity.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import { gatewayReport } from "../instance/report-refresher.ts";
import type { ReportCommitments } from "../instance/report.ts";
import { ReportQueue } from "../instance/report-queue.ts";
import { SessionEvidence } from "../instance/session-evidence.ts";
import type { LogPast } from "../record/read-log.ts";
import type { AcceptedLaunch, LaunchContents, Environment } from "./launch.ts";
import { ActivePolicy } from "./active-policy.ts";

/** Most reports that one principal requests on demand in a minute. Reports of its sessions are not counted. */
const MAX_ON_DEMAND_REPORTS = 30;
const WINDOW_MS = 60_000;

/** The instance: clocks, reports, identity and the policy in force. */
export interface InstanceParts {
  readonly clock: Clock;
  readonly monotonic: () => number;
  readonly reports: ReportQueue;
  readonly commitments: ReportCommitments;
  readonly identity: Identity | null;
  readonly freshness: Freshness;
  readonly activePolicy: ActivePolicy;
  readonly sessionEvidence: SessionEvidence;
  /** Collects evidence over 64 bytes of report data, for the gateway itself. */
  readonly collect: (reportData: Uint8Array) => Promise<Evidence>;
}

/** What the instance is composed from. */
export interface InstanceInputs {
  readonly environment: Environment;
  readonly key: SigningKey;
  readonly clock: Clock;
  readonly reports: ReportQueue;
  /** The log before this instance, while it is read. */
  readonly past: Promise<Pick<LogPast, "sealedIdentities">>;
}

/** Compiles the policy, opens the identity and makes the first report. Without a report the boot fails. */
export async function composeInstance(
  launch: AcceptedLaunch,
  contents: LaunchContents,
  from: InstanceInputs,
): Promise<InstanceParts> {
  const { environment, key, past, clock, reports } = from;
  const { config } = launch;
  const { attester } = launch.platform;
  const compiling = compile(contents, environment);
  const { monotonic } = environment;
  const collect = async (reportData: Uint8Array): Promise<Evidence> => await reports.collect(reportData);
  const identity = await openIdentity(
    await attester.sealing(),
    launch.sha256,
    async () => (await past).sealedIdentities,
  );
  const commitments = { identity, key, catalog: contents.catalog, config, launchDigest: launch.digest };
  // Runs while the policy compiles. The report commits to its hash only.
  const fresh = gatewayReport(commitments, contents.bundle.hash, collect).then(
    () => new Freshness(config.attestation, { wall: () => clock.now().getTime(), monotonic }),
  );
  const [policy, freshness] = await Promise.all([compiling, fresh]);
  const activePolicy = new ActivePolicy(policy, {
    signingKey: launch.document.trust_anchors.policy_signing_key ?? null,
    reloadable: config.policy_reload_interval_seconds > 0,
    workerUrl: environment.policyWorker,
    hasDetectors: contents.detectors !== null,
  });
  const sessionEvidence = new SessionEvidence({
    thumbprint: key.thumbprint,
    validityMs: config.attestation.validity_seconds * 1000,
    keepStale: config.attestation.staleness_policy === "warn_only",
    now: monotonic,
    collect: async (reportData, principalId) => await reports.collect(reportData, principalId),
  });
  return { clock, monotonic, reports, commitments, identity, freshness, activePolicy, sessionEvidence, collect };
}

function compile(
  { bundle, catalog }: LaunchContents,
  { policyWorker, firstCompiler }: Environment,
): Promise<CompiledPolicy> {
  const compiling = compilePolicy(bundle, catalog, { workerUrl: policyWorker, started: firstCompiler });
  // Awaited by the caller. This avoids an unhandled rejection before that.
  compiling.catch(() => undefined);
  return compiling;
}

/** The queue that every report of this instance is asked for in. */
export function reportsOf({ config, platform }: AcceptedLaunch, clock: Clock, monotonic: () => number): ReportQueue {
  // All sessions of a principal may close at once, and as many evicted ones, besides its requests on demand.
  const maxWaiting = config.enclave.max_sessions_per_principal * 2 + MAX_ON_DEMAND_REPORTS;
  const limits = { maxWaiting, maxOnDemand: MAX_ON_DEMAND_REPORTS, windowMs: WINDOW_MS };
  return new ReportQueue(platform.attester, clock, limits, monotonic);
}
