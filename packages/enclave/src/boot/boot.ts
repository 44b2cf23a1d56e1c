import { toBase64Url, type BufferedBytes, type Untrusted } from "@cmcp/boundary";
import type { Session } from "@cmcp/session";
import { Listeners } from "../access/listeners.ts";
import { RequestStates } from "../call/request-state.ts";
import { Tasks } from "../call/tasks.ts";
import type { Handler, HandlerParts } from "../http/router.ts";
import { SigningKey } from "../instance/keys.ts";
import { ownReport, Refresher } from "../instance/refresh.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import { Journal } from "../record/journal.ts";
import { readPast, type Past } from "../record/past.ts";
import { recoverInterrupted } from "../record/recovery.ts";
import { composeAccess } from "./compose-access.ts";
import { composeCall, type CallBeginnings, type KeptOfCalls } from "./compose-call.ts";
import { composeHttp } from "./compose-http.ts";
import { composeInstance, type InstanceParts } from "./compose-instance.ts";
import { composeRecord, type RecordParts } from "./compose-record.ts";
import { composeServers, type ServerParts } from "./compose-servers.ts";
import { Duties } from "./duties.ts";
import { acceptLaunch, loadContents, type AcceptedLaunch, type Contents, type Surroundings } from "./launch.ts";

/** A launched enclave: what answers requests, and what the host's control messages act on. */
export interface Launched {
  readonly handle: Handler;
  readonly duties: Duties;
  readonly buffered: BufferedBytes;
}

/** Turns the bytes of a launch document into a running enclave. Any failure is fatal for this process. */
export async function boot(
  received: Untrusted<Uint8Array>,
  surroundings: Surroundings,
  phases: HandlerParts["phases"],
): Promise<Launched> {
  const launch = await acceptLaunch(received, surroundings);
  const key = new SigningKey();
  const name = toBase64Url(key.thumbprint);
  const journal = new Journal(surroundings.host, name, (bytes) => key.sign(bytes));
  // Read while the policy compiles in its worker; used, or its failure met, once there is something that can record.
  const reading = readPast(journal, name);
  reading.catch(() => undefined);
  const contents = loadContents(launch);
  const listeners = new Listeners();
  const servers = await composeServers(launch, contents, surroundings, listeners);
  const instance = await composeInstance(launch, contents, { surroundings, key, journal });
  const access = await composeAccess(launch, instance, listeners);
  const kept = { tasks: new Tasks(instance.monotonic), states: new RequestStates(instance.monotonic) };
  const past = await reading;
  const forget = forgetting(servers, kept);
  const record = composeRecord(launch, contents, { parts: instance, key, name, journal, past, forget });
  const from = { instance, access, servers, record, ...kept };
  const call = composeCall(launch, contents, from);
  const stopping = new AbortController();
  const { buildDigest } = surroundings;
  const { history } = past;
  const handle = composeHttp(launch, contents, { ...from, phases, key, name, buildDigest, call, history, stopping });
  await begin(launch, contents, { from, key, name, past });
  return { handle, duties: new Duties(launch, contents, { ...from, stopping }), buffered: servers.buffered };
}

/** Forgets what is held for a session that is over, at its servers too. */
function forgetting({ subscriptions, upstreams }: ServerParts, { states, tasks }: KeptOfCalls) {
  return async (session: Session): Promise<void> => {
    subscriptions.forget(session.id);
    states.forget(session.id);
    tasks.forget(session.id);
    await upstreams.closeSession(session);
  };
}

interface Beginning {
  readonly from: CallBeginnings;
  readonly key: SigningKey;
  readonly name: string;
  readonly past: Past;
}

/** Puts the instance on record, takes over from those before it, and starts what goes on for as long as the process lives. */
async function begin(
  launch: AcceptedLaunch,
  { catalog, vocabulary, bundle }: Contents,
  { from, key, name, past }: Beginning,
): Promise<void> {
  const { instance, record } = from;
  const { journal, sessions, closing, root } = record;
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
      history: past.history,
      ...(past.latest === null ? {} : { previous: past.latest }),
    },
  });
  const floorMs = launch.config.enclave.sensitivity_floor_seconds * 1000;
  const now = (): number => clock.now().getTime();
  await recoverInterrupted({ journal, sessions, vocabulary, root, now, floorMs }, past);
  closing.startSweeping();
  refresherOf(launch, instance, record).start();
}

function refresherOf(
  { config }: AcceptedLaunch,
  instance: InstanceParts,
  { recorder, sessions }: RecordParts,
): Refresher {
  const { freshness, policies, reported, collect, monotonic } = instance;
  return new Refresher({
    freshness,
    stalenessPolicy: config.attestation.staleness_policy,
    report: async () => await ownReport(reported, policies.current.bundle.hash, collect),
    note: (fields) => void recorder.noteInAll(sessions.openSessions(), fields),
    now: monotonic,
  });
}
