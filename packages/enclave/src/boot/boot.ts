import process from "node:process";
import { verifiesStatement } from "@cmcp/audit";
import { fromBase64Url, toBase64Url, type BufferedBytes, type Untrusted } from "@cmcp/boundary";
import { instanceKeyName, readWitnessPolicy, SIGNATURE_TYPE, verifierKey } from "@cmcp/log";
import { makeSigningPair, type SigningPair } from "@cmcp/oauth";
import type { Session } from "@cmcp/session";
import { Listeners } from "../access/listeners.ts";
import { ContentFindings } from "../call/content-findings.ts";
import { HeldAnswers } from "../call/held-answers.ts";
import { Disclosures } from "../call/disclosures.ts";
import { PendingApprovals } from "../call/pending-approvals.ts";
import { RequestStates } from "../call/request-state.ts";
import { Tasks } from "../call/tasks.ts";
import type { Handler } from "../http/router.ts";
import { ClientCertificate } from "../instance/client-certificate.ts";
import { Clock } from "../instance/clock.ts";
import { SigningKey } from "../instance/signing-key.ts";
import { gatewayReport, ReportRefresher } from "../instance/report-refresher.ts";
import { reportFenced, reportUnbelieved } from "../instance/stderr-events.ts";
import { handOverOf } from "./hand-over.ts";
import { hostCosign } from "../record/host-cosign.ts";
import { Witnesses } from "../record/witnesses.ts";
import { Journal } from "../record/journal.ts";
import { believesHandOver } from "./believe.ts";
import { restorePolicyKeys } from "../record/policy-keys.ts";
import { readLog, type LogPast } from "../record/read-log.ts";
import { recoverInterrupted } from "../record/recovery.ts";
import { composeAccess } from "./compose-access.ts";
import { composeCall, type ComposedParts, type CallState } from "./compose-call.ts";
import { composeHttp } from "./compose-http.ts";
import { composeInstance, reportsOf, type InstanceParts } from "./compose-instance.ts";
import { composeNotices } from "./compose-notices.ts";
import { composeRecord, type RecordParts } from "./compose-record.ts";
import { composeServers, type ServerParts } from "./compose-servers.ts";
import { ControlOperations } from "./control.ts";
import {
  acceptLaunch,
  loadLaunchContents,
  type AcceptedLaunch,
  type LaunchContents,
  type Environment,
} from "./launch.ts";
import type { PhaseMachine } from "./phases.ts";
import { Provisioning } from "./provisioning.ts";
import { needsClientCertificate, needsClientKey } from "./server-needs.ts";

/** A launched enclave: the handler of requests, and the operations of the host's control messages. */
export interface RunningEnclave {
  readonly handle: Handler;
  readonly control: ControlOperations;
  readonly buffered: BufferedBytes;
}

/** Boots the enclave from the bytes of a launch document. Any failure is fatal for the process. */
export async function boot(
  received: Untrusted<Uint8Array>,
  environment: Environment,
  phases: PhaseMachine,
): Promise<RunningEnclave> {
  const launch = await acceptLaunch(received, environment);
  const key = new SigningKey();
  const name = toBase64Url(key.thumbprint);
  const journal = journalOf(launch, key, environment);
  const clock = new Clock();
  const reports = reportsOf(launch, clock, environment.monotonic);
  const believes = believesHandOver(launch, {
    thumbprint: key.thumbprint,
    collect: async (reportData) => await reports.collect(reportData),
    refused: reportUnbelieved,
  });
  // Runs while the policy compiles. Its result, or its error, is awaited below.
  const reading = readLog({ journal, origin: launch.config.log.origin, lostStore: launch.lostStore, believes });
  reading.catch(() => undefined);
  const contents = await loadLaunchContents(launch);
  const listeners = new Listeners();
  const clientCertificate = clientCertificateFor(contents, name);
  const keys = { key, clientCertificate, clientKey: await clientKeyFor(contents) };
  const servers = await composeServers(launch, contents, { environment, clock, ...keys, listeners });
  const instance = await composeInstance(launch, contents, { environment, ...keys, clock, reports, past: reading });
  const past = await reading;
  const access = await composeAccess(launch, { ...instance, name, roots: servers.roots }, listeners, past.state.tokens);
  const pending = new PendingApprovals(instance.monotonic);
  const callState = {
    tasks: new Tasks(instance.monotonic),
    states: new RequestStates(instance.monotonic),
    content: new ContentFindings(contents.detectors),
    held: new HeldAnswers(),
    pending,
    notices: composeNotices(launch, { instance, key, pending }),
    disclosures: new Disclosures(() => clock.now().getTime()),
  };
  const forget = sessionForgetter(servers, callState);
  const witnesses = witnessesOf(launch, past, { environment, clock });
  const approvers = access.approvers.named;
  const inputs = { parts: instance, key, name, journal, past, witnesses, forget, approvers };
  const record = composeRecord(launch, contents, inputs);
  const from = { instance, access, servers, record, ...callState };
  const call = composeCall(launch, contents, { ...from, key, name });
  const stopping = new AbortController();
  const provisioning = new Provisioning(launch, { access, servers, record, phases });
  const { buildDigest } = environment;
  const { clientKey } = keys;
  const served = { phases, key, clientKey, name, buildDigest, call, history: past.history, provisioning, stopping };
  const handle = composeHttp(launch, { ...from, ...served });
  await startInstance(launch, contents, { from, key, name, past }).catch((thrown: unknown) => {
    witnesses?.stop();
    throw thrown;
  });
  return {
    handle,
    control: new ControlOperations({ ...from, provisioning, stopping }),
    buffered: servers.buffered,
  };
}

/** What the instance shows to tool servers that authenticate it; `null` where the catalog has none. */
function clientCertificateFor({ catalog }: LaunchContents, name: string): ClientCertificate | null {
  return needsClientCertificate(catalog) ? new ClientCertificate(name) : null;
}

/** What the instance proves itself by to authorization servers that know no secret of it; `null` where the catalog has none. */
async function clientKeyFor({ catalog }: LaunchContents): Promise<SigningPair | null> {
  return needsClientKey(catalog) ? await makeSigningPair() : null;
}

/** Drops the data of a session that is over, here and at its servers. */
function sessionForgetter({ subscriptions, upstreams }: ServerParts, { states, tasks, held, pending }: CallState) {
  return async (session: Session): Promise<void> => {
    subscriptions.forget(session.id);
    states.forget(session.id);
    tasks.forget(session.id);
    held.forget(session);
    pending.forget(session.id);
    await upstreams.closeSession(session);
  };
}

interface StartInputs {
  readonly from: ComposedParts;
  readonly key: SigningKey;
  readonly name: string;
  readonly past: LogPast;
}

/** Writes the hand-over, recovers what earlier instances left, and starts the timers. */
async function startInstance(
  launch: AcceptedLaunch,
  { catalog, vocabulary, bundle }: LaunchContents,
  { from, key, name, past }: StartInputs,
): Promise<void> {
  const { instance, record, servers } = from;
  const { journal, sessions, closing, root, killSwitch } = record;
  const { operators } = from.access;
  const { clock } = instance;
  const { state } = past;
  journal.begin(past, record.witnesses);
  const { sealKeys } = instance;
  const handOver = await handOverOf(launch, { bundle, catalog, instance, sealKeys, key, past, servers });
  // No other instance can continue the log from an earlier record from here on.
  await journal.appendCosigned(name, { kind: "hand-over", body: handOver });
  const floorMs = launch.config.enclave.sensitivity_floor_seconds * 1000;
  const now = (): number => clock.now().getTime();
  const hasSigned = operators.hasSigned.bind(operators);
  state.dropPrincipals(now() - floorMs);
  await recoverInterrupted({ journal, sessions, vocabulary, root, now, floorMs, killSwitch }, state);
  restorePolicyKeys({ keys: instance.rules.keys, verifies: verifiesStatement }, state, hasSigned);
  closing.startSweeping();
  refresherOf(launch, instance, record).start();
}

/** The log of this launch, as this instance writes it. */
function journalOf({ config }: AcceptedLaunch, key: SigningKey, { host }: Environment): Journal {
  const instance = toBase64Url(key.thumbprint);
  const publicKey = fromBase64Url(key.jwk.x) ?? new Uint8Array();
  const noteKey = verifierKey(instanceKeyName(instance), SIGNATURE_TYPE.ed25519, publicKey);
  const identity = { instance, origin: config.log.origin, key: noteKey, sign: (bytes: Uint8Array) => key.sign(bytes) };
  return new Journal(host, identity, (error) => {
    // Another instance writes the log. Nothing that this one would say or do counts.
    reportFenced(error);
    process.exit(1);
  });
}

/**
 * The witnesses of the log; `null` for none. Where the hand-over before names others, their quorum is needed beside. The clock is never
 * before the time that they have reached.
 */
function witnessesOf(
  { witnesses }: AcceptedLaunch,
  { state }: Pick<LogPast, "state">,
  { environment, clock }: { readonly environment: Environment; readonly clock: Clock },
): Witnesses | null {
  if (witnesses === null) return null;
  const { policy, text, waitMs } = witnesses;
  const before = state.handOver?.witnesses;
  const policies = before === undefined || before === text ? [policy] : [policy, readWitnessPolicy(before)];
  return new Witnesses({
    policies,
    waitMs,
    cosign: hostCosign(environment.host),
    timeOver: (seconds) => clock.raise(seconds * 1000),
  });
}

function refresherOf(
  { config }: AcceptedLaunch,
  instance: InstanceParts,
  { recorder, sessions }: RecordParts,
): ReportRefresher {
  const { freshness, presentReport, sealKeys, rules, commitments, collect, monotonic } = instance;
  return new ReportRefresher({
    freshness,
    stalenessPolicy: config.attestation.staleness_policy,
    namesSealKeys: () => presentReport.current.binding.keys.seal === sealKeys.name,
    report: async () => {
      const report = await gatewayReport(commitments, rules.hashes, collect);
      presentReport.replace(report);
      return report;
    },
    note: (fields) => void recorder.noteInAll(sessions.openSessions(), fields),
    now: monotonic,
  });
}
