import type { Evidence } from "@cmcp/appraise/evidence";
import type { SigningPair } from "@cmcp/oauth";
import { compilePolicy, type CompiledPolicy } from "@cmcp/policy";
import type { ClientCertificate } from "../instance/client-certificate.ts";
import { Clock } from "../instance/clock.ts";
import { Freshness } from "../instance/freshness.ts";
import { openIdentity, type Identity } from "../instance/identity.ts";
import { SealKeys } from "../instance/seal-keys.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import { gatewayReport } from "../instance/report-refresher.ts";
import { PresentReport } from "../instance/present-report.ts";
import type { ReportCommitments } from "../instance/report.ts";
import { ReportQueue } from "../instance/report-queue.ts";
import { SessionEvidence } from "../instance/session-evidence.ts";
import type { LogPast } from "../record/read-log.ts";
import type { AcceptedLaunch, LaunchContents, Environment } from "./launch.ts";
import { ActiveRules, type ReloadSettings } from "./active-rules.ts";
import { nextCatalogsOf } from "./compose-catalogs.ts";

/** Most reports that one principal requests on demand in a minute. Reports of its sessions are not counted. */
const MAX_ON_DEMAND_REPORTS = 30;
const WINDOW_MS = 60_000;

/** The instance: clocks, reports, identity, and policy and catalog in force. */
export interface InstanceParts {
  readonly clock: Clock;
  readonly monotonic: () => number;
  readonly reports: ReportQueue;
  readonly commitments: ReportCommitments;
  readonly identity: Identity | null;
  readonly freshness: Freshness;
  readonly presentReport: PresentReport;
  readonly sealKeys: SealKeys;
  readonly rules: ActiveRules;
  readonly sessionEvidence: SessionEvidence;
  /** Collects evidence over 64 bytes of report data, for the gateway itself. */
  readonly collect: (reportData: Uint8Array) => Promise<Evidence>;
}

/** What the instance is composed from. */
export interface InstanceInputs {
  readonly environment: Environment;
  readonly key: SigningKey;
  readonly clientCertificate: ClientCertificate | null;
  readonly clientKey: SigningPair | null;
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
  const { environment, key, clientCertificate, clientKey, past, clock, reports } = from;
  const { config } = launch;
  const { attester } = launch.platform;
  const compiling = compile(contents, environment);
  const { monotonic, requestsOfKey } = environment;
  const collect = async (reportData: Uint8Array): Promise<Evidence> => await reports.collect(reportData);
  const identity = await openIdentity(
    await attester.sealing(),
    launch.sha256,
    async () => (await past).sealedIdentities,
  );
  const sealKeys = new SealKeys({ sign: (bytes) => key.sign(bytes), requestsOfKey });
  const commitments = {
    identity,
    key,
    clientCertificate,
    clientKey,
    sealKeys,
    config,
    launchDigest: launch.digest,
  };
  // Runs while the policy compiles. The report commits to its hash only.
  const hashes = { policy: contents.bundle.hash, catalog: contents.catalog.hash };
  const reporting = gatewayReport(commitments, hashes, collect).then((report) => ({
    presentReport: new PresentReport(report),
    freshness: new Freshness(config.attestation, { wall: () => clock.now().getTime(), monotonic }),
  }));
  const [policy, { presentReport, freshness }] = await Promise.all([compiling, reporting]);
  const rules = new ActiveRules({ policy, catalog: contents.catalog }, reloadSettings(launch, contents, from));
  const sessionEvidence = new SessionEvidence({
    thumbprint: key.thumbprint,
    validityMs: config.attestation.validity_seconds * 1000,
    keepStale: config.attestation.staleness_policy === "warn_only",
    now: monotonic,
    collect: async (reportData, principalId) => await reports.collect(reportData, principalId),
  });
  return {
    clock,
    monotonic,
    reports,
    commitments,
    identity,
    freshness,
    presentReport,
    sealKeys,
    rules,
    sessionEvidence,
    collect,
  };
}

/** What the launch document lets change, and how. */
function reloadSettings(launch: AcceptedLaunch, contents: LaunchContents, from: InstanceInputs): ReloadSettings {
  return {
    signingKey: launch.document.trust_anchors.policy_signing_key ?? null,
    reloadable: launch.config.policy_reload_interval_seconds > 0,
    workerUrl: from.environment.policyWorker,
    hasDetectors: contents.detectors !== null,
    catalogs: nextCatalogsOf(launch, contents, from),
  };
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
