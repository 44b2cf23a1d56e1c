import { toBase64Url, type BufferedBytes, type Untrusted } from "@cmcp/boundary";
import type { Session } from "@cmcp/session";
import { verifiesStatement } from "../access/operators.ts";
import { Listeners } from "../access/listeners.ts";
import { ContentFindings } from "../call/content-findings.ts";
import { RequestStates } from "../call/request-state.ts";
import { Tasks } from "../call/tasks.ts";
import type { Handler, HandlerPorts } from "../http/router.ts";
import { SigningKey } from "../instance/signing-key.ts";
import { gatewayReport, ReportRefresher } from "../instance/report-refresher.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import { Journal } from "../record/journal.ts";
import { readEarlierInstances, type EarlierInstances } from "../record/earlier-instances.ts";
import { restorePolicyKeys } from "../record/policy-keys.ts";
import { recoverInterrupted } from "../record/recovery.ts";
import { composeAccess } from "./compose-access.ts";
import { composeCall, type ComposedParts, type CallState } from "./compose-call.ts";
import { composeHttp } from "./compose-http.ts";
import { composeInstance, type InstanceParts } from "./compose-instance.ts";
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
  phases: HandlerPorts["phases"],
): Promise<RunningEnclave> {
  const launch = await acceptLaunch(received, environment);
  const key = new SigningKey();
  const name = toBase64Url(key.thumbprint);
  const journal = new Journal(environment.host, name, (bytes) => key.sign(bytes));
  // Runs while the policy compiles. Its result, or its error, is awaited below.
  const reading = readEarlierInstances(journal, name);
  reading.catch(() => undefined);
  const contents = await loadLaunchContents(launch);
  const listeners = new Listeners();
  const servers = await composeServers(launch, contents, environment, listeners);
  const instance = await composeInstance(launch, contents, { environment, key, journal });
  const access = await composeAccess(launch, instance, listeners);
  const callState = {
    tasks: new Tasks(instance.monotonic),
    states: new RequestStates(instance.monotonic),
    content: new ContentFindings(contents.detectors),
  };
  const earlier = await reading;
  const forget = sessionForgetter(servers, callState);
  const record = composeRecord(launch, contents, { parts: instance, key, name, journal, earlier, forget });
  const from = { instance, access, servers, record, ...callState };
  const call = composeCall(launch, contents, from);
  const stopping = new AbortController();
  const { buildDigest } = environment;
  const { history } = earlier;
  const handle = composeHttp(launch, contents, { ...from, phases, key, name, buildDigest, call, history, stopping });
  await startInstance(launch, contents, { from, key, name, earlier });
  return {
    handle,
    control: new ControlOperations(launch, contents, { ...from, stopping }),
    buffered: servers.buffered,
  };
}

/** Drops the data of a session that is over, here and at its servers. */
function sessionForgetter({ subscriptions, upstreams }: ServerParts, { states, tasks }: CallState) {
  return async (session: Session): Promise<void> => {
    subscriptions.forget(session.id);
    states.forget(session.id);
    tasks.forget(session.id);
    await upstreams.closeSession(session);
  };
}

interface StartInputs {
  readonly from: ComposedParts;
  readonly key: SigningKey;
  readonly name: string;
  readonly earlier: EarlierInstances;
}

/** Writes the first record of the instance, recovers earlier ones, and starts the timers. */
async function startInstance(
  launch: AcceptedLaunch,
  { catalog, vocabulary, bundle }: LaunchContents,
  { from, key, name, earlier }: StartInputs,
): Promise<void> {
  const { instance, record } = from;
  const { journal, sessions, closing, root, killSwitch } = record;
  const { operators } = from.access;
  const { clock, identity } = instance;
  await journal.append(name, {
    kind: "instance",
    body: {
      jwk: key.jwk,
      gateway_version: GATEWAY_VERSION,
      policy_hash: bundle.hash,
      catalog_hash: catalog.hash,
      boot_time: clock.now().toISOString(),
      ...(identity === null ? {} : { sealed_identity: toBase64Url(identity.sealed) }),
      history: earlier.history,
      ...(earlier.latest === null ? {} : { previous: earlier.latest }),
    },
  });
  const floorMs = launch.config.enclave.sensitivity_floor_seconds * 1000;
  const now = (): number => clock.now().getTime();
  const hasSigned = operators.hasSigned.bind(operators);
  await recoverInterrupted({ journal, sessions, vocabulary, root, now, floorMs, killSwitch, hasSigned }, earlier);
  restorePolicyKeys({ keys: instance.activePolicy.keys, verifies: verifiesStatement }, earlier, hasSigned);
  closing.startSweeping();
  refresherOf(launch, instance, record).start();
}

function refresherOf(
  { config }: AcceptedLaunch,
  instance: InstanceParts,
  { recorder, sessions }: RecordParts,
): ReportRefresher {
  const { freshness, activePolicy, commitments, collect, monotonic } = instance;
  return new ReportRefresher({
    freshness,
    stalenessPolicy: config.attestation.staleness_policy,
    report: async () => await gatewayReport(commitments, activePolicy.current.bundle.hash, collect),
    note: (fields) => void recorder.noteInAll(sessions.openSessions(), fields),
    now: monotonic,
  });
}
