import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import type { Evidence } from "@cmcp/attestation";
import { BufferedBytes, CmcpError, examine, toBase64Url, type Untrusted } from "@cmcp/boundary";
import { loadCatalog, requireCatalogHash, type Catalog } from "@cmcp/catalog";
import { JwtAuthenticator } from "@cmcp/identity";
import { prepareSchemas } from "@cmcp/inspection";
import { parseLaunchDocument, type LaunchDocument } from "@cmcp/launch";
import { compilePolicy, readBundle, requirePinned, type PolicyBundle } from "@cmcp/policy";
import type { CompileWorker } from "@cmcp/policy/worker";
import { SessionTable, Vocabulary } from "@cmcp/session";
import type { ExchangePool } from "@cmcp/wire";
import { bindImage, establishPlatform, type PlatformAccess } from "../instance/establish.ts";
import { Freshness } from "../instance/freshness.ts";
import { earlierIdentities, openIdentity } from "../instance/identity.ts";
import { ownReport, Refresher } from "../instance/refresh.ts";
import { Reports } from "../instance/reports.ts";
import { SessionEvidence } from "../instance/session-evidence.ts";
import { Clock, TokenClock } from "../instance/clock.ts";
import type { Core } from "./core.ts";
import { DriftMonitor } from "../servers/drift.ts";
import { dialEgress } from "../servers/egress.ts";
import { Journal } from "../record/journal.ts";
import { SigningKey } from "../instance/keys.ts";
import { Operators } from "../access/operators.ts";
import { Policies } from "./policies.ts";
import { Principals } from "../access/principals.ts";
import { Claims } from "../record/claims.ts";
import { Closing } from "../record/closing.ts";
import { EarlierSessions } from "../record/earlier-session.ts";
import { readPast } from "../record/past.ts";
import { Provisions } from "../record/provisions.ts";
import { Recorder } from "../record/recorder.ts";
import { recoverInterrupted } from "../record/recovery.ts";
import type { RootFacts } from "../record/root-detail.ts";
import { Sessions } from "../record/sessions.ts";
import { RequestStates } from "../call/request-state.ts";
import { Tasks } from "../call/tasks.ts";
import { Admission } from "../access/admission.ts";
import { Cursors } from "../http/cursor.ts";
import { StandingStreams } from "../access/standing-streams.ts";
import { Subscriptions } from "../servers/subscriptions.ts";
import { watchServers } from "../servers/watch.ts";
import { Listeners } from "../access/listeners.ts";
import { Credentials } from "../servers/credentials.ts";
import { StdioServers } from "../servers/stdio/servers.ts";
import { Upstreams } from "../servers/upstreams.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import { observeIsolation } from "./isolation.ts";

/** Reports one principal may ask for on demand in a minute; those of its sessions are not counted. */
const MAX_ON_DEMAND_REPORTS = 30;

/** What the process around the core gives it. */
export interface Surroundings {
  /** Streams to the host's services: store and egress relay. */
  readonly host: ExchangePool;
  /** The script that compiles policy candidates in a disposable worker. */
  readonly policyWorker: URL;
  /** One of them, started early for the policy of the launch document. */
  readonly firstCompiler: CompileWorker;
  /** `sha256:` and hex of the script this process was started with. */
  readonly buildDigest: string;
  readonly platform: PlatformAccess;
  /** Socket of the spawner of stdio servers; `null` where none runs. */
  readonly spawner: string | null;
}

/** Turns the bytes of a launch document into a running core. Any failure is fatal for this process. */
export async function boot(received: Untrusted<Uint8Array>, surroundings: Surroundings): Promise<Core> {
  // Hashed exactly as received, before anything reads them.
  const digests = digestsOf(received);
  const launchDigest = digests.sha256;
  const dial = async (host: string, port: number, signal: AbortSignal): Promise<Duplex> =>
    await dialEgress(surroundings.host, host, port, signal);
  // In an image, compared with what the hardware was launched with before anything reads them either.
  const image = await bindImage(digests, surroundings.platform, dial);
  const document = parseLaunchDocument(received);
  const isolation = observeIsolation();
  if (isolation === "none" && !document.development) {
    throw new CmcpError("ISOLATION_UNAVAILABLE", "this process can reach a network, which only development allows");
  }
  const { attester, launch } = await establishPlatform(document, image, digests, surroundings.platform, dial);
  const key = new SigningKey();
  const instance = toBase64Url(key.thumbprint);
  const journal = new Journal(surroundings.host, instance, (bytes) => key.sign(bytes));
  // Read while the policy compiles in its worker; used, or its failure met, once there is a core that can record.
  const past = readPast(journal, instance);
  past.catch(() => undefined);
  const { bundle, catalog, vocabulary } = load(document);
  const compiling = compilePolicy(bundle, catalog, {
    workerUrl: surroundings.policyWorker,
    started: surroundings.firstCompiler,
  });
  // Met once the rest is there.
  compiling.catch(() => undefined);
  const clock = new Clock();
  const { config } = document;
  const monotonic = (): number => performance.now();
  // A principal waits for the reports of its own sessions, all of which may be closed at once, of as many that made room, and for a few of its own.
  const maxWaiting = config.enclave.max_sessions_per_principal * 2 + MAX_ON_DEMAND_REPORTS;
  const reports = new Reports(
    attester,
    clock,
    { maxWaiting, maxOnDemand: MAX_ON_DEMAND_REPORTS, windowMs: 60_000 },
    monotonic,
  );
  const buffered = new BufferedBytes();
  const stdio = await StdioServers.open(catalog, config, {
    path: surroundings.spawner,
    development: document.development,
    buffered,
  });
  const credentials = new Credentials(catalog);
  const upstreams = new Upstreams({
    dial,
    stdio,
    credentials,
    buffered,
    limits: {
      connectMs: config.enclave.upstream_connect_timeout_ms,
      headersMs: config.enclave.upstream_idle_timeout_ms,
      idleMs: config.enclave.upstream_idle_timeout_ms,
      totalMs: config.enclave.upstream_call_timeout_ms,
      // JSON on the wire is larger than what is delivered; the exact limit is held after parsing.
      maxResponseBytes: config.max_response_size_bytes * 2,
    },
  });
  const listeners = new Listeners();
  const identity = await openIdentity(
    await attester.sealing(),
    launchDigest,
    async () => await earlierIdentities(journal.scan({ kind: "instance" })),
  );
  const reported = { identity, key, catalog, config, launchDigest: `sha256:${launchDigest.toString("hex")}`, reports };
  // Without evidence nothing is served. The platform makes it over the policy's hash while the policy compiles.
  const collect = async (reportData: Uint8Array): Promise<Evidence> => await reports.collect(reportData);
  const fresh = ownReport(reported, bundle.hash, collect).then(
    () => new Freshness(config.attestation, { wall: () => clock.now().getTime(), monotonic }),
  );
  const [policy, freshness] = await Promise.all([compiling, fresh]);
  const policies = new Policies(policy, {
    signingKey: document.trust_anchors.policy_signing_key ?? null,
    reloadable: config.policy_reload_interval_seconds > 0,
    workerUrl: surroundings.policyWorker,
  });
  const callerIdentity = config.enclave.identity;
  const tokenClock = new TokenClock(clock, () => policies.current);
  const jwt =
    callerIdentity.jwt.length === 0 ? null : await JwtAuthenticator.of(callerIdentity.jwt, () => tokenClock.now());
  const found = await past;
  const sessions = new Sessions(
    (evicted) =>
      new SessionTable({
        vocabulary,
        maxSessions: config.enclave.max_sessions,
        maxPerPrincipal: config.enclave.max_sessions_per_principal,
        idleMs: config.enclave.session_idle_seconds * 1000,
        floorMs: config.enclave.sensitivity_floor_seconds * 1000,
        evicted,
        now: () => clock.now().getTime(),
      }),
    { max: config.enclave.max_sessions, maxPerPrincipal: config.enclave.max_sessions_per_principal },
    clock,
  );
  const root = (): RootFacts => ({
    instance,
    policy: policies.current.bundle,
    catalogHash: catalog.hash,
    enforcementMode: config.attestation.enforcement_mode,
    launchDigest: reported.launchDigest,
    platform: launch.platform,
    isolation,
    history: found.history,
    provision: provisions.inForce,
  });
  const recorder = new Recorder(journal, {
    instance,
    driftPolicy: config.catalog.drift_policy,
    root,
    broken: (recorded) => sessions.setAside(recorded),
  });
  const provisions = new Provisions({ journal, instance, sessions, recorder });
  const sessionEvidence = new SessionEvidence({
    thumbprint: key.thumbprint,
    validityMs: config.attestation.validity_seconds * 1000,
    keepStale: config.attestation.staleness_policy === "warn_only",
    now: monotonic,
    collect: async (reportData, principalId) => await reports.collect(reportData, principalId),
  });
  const claims = new Claims({
    journal,
    recorder,
    instance,
    key,
    evidenceOf: async (root, principalId) => await sessionEvidence.of(root, principalId),
    now: () => clock.now().getTime(),
    terms: {
      eatProfile: config.enclave.eat_profile,
      mode: config.attestation.enforcement_mode,
      catalogHash: catalog.hash,
      validitySeconds: config.attestation.validity_seconds,
      isolation,
      perCall: config.enclave.claims === "call",
    },
  });
  const closing = new Closing({
    sessions,
    recorder,
    claims,
    journal,
    policyHash: () => policies.current.bundle.hash,
    forget: async (session) => {
      core.subscriptions.forget(session.id);
      core.requestStates.forget(session.id);
      core.tasks.forget(session.id);
      await upstreams.closeSession(session);
    },
  });
  const principals = new Principals(config.enclave.principals, jwt);
  const core: Core = {
    ...reported,
    development: document.development,
    launchDocument: examine(received),
    buildDigest: surroundings.buildDigest,
    get policy() {
      return policies.current;
    },
    policies,
    vocabulary,
    instance,
    platform: launch.platform,
    isolation,
    clock,
    journal,
    upstreams,
    credentials,
    requestStates: new RequestStates(() => performance.now()),
    stopping: new AbortController(),
    tasks: new Tasks(() => performance.now()),
    listeners,
    standing: new StandingStreams((caller) => principals.stillCounts(caller)),
    subscriptions: new Subscriptions(upstreams, listeners),
    admission: new Admission(),
    buffered,
    cursors: new Cursors(),
    drift: new DriftMonitor(
      catalog,
      async (server, kind, signal) => {
        const listed = await upstreams.list(server, kind, signal);
        watch(server);
        return listed;
      },
      config.enclave.drift_check_seconds * 1000,
    ),
    callerIdentity,
    principals,
    operators: new Operators(config.enclave.operator_keys),
    sessions,
    recorder,
    claims,
    closing,
    provisions,
    ownRecord: { journal, instance, jwk: key.jwk },
    earlierSessions: new EarlierSessions({ journal, instance }),
    history: found.history,
    freshness,
    sessionEvidence,
    attest: collect,
  };
  const watch = watchServers(core);
  await core.journal.append(instance, {
    kind: "instance",
    body: {
      jwk: key.jwk,
      gateway_version: GATEWAY_VERSION,
      policy_hash: policy.bundle.hash,
      catalog_hash: catalog.hash,
      boot_time: clock.now().toISOString(),
      ...(identity === null ? {} : { sealed_identity: toBase64Url(identity.sealed) }),
      history: found.history,
      ...(found.latest === null ? {} : { previous: found.latest }),
    },
  });
  const floorMs = config.enclave.sensitivity_floor_seconds * 1000;
  await recoverInterrupted({ journal, sessions, vocabulary, root, now: () => clock.now().getTime(), floorMs }, found);
  closing.startSweeping();
  new Refresher({
    freshness,
    stalenessPolicy: config.attestation.staleness_policy,
    report: async () => await ownReport(reported, policies.current.bundle.hash, collect),
    note: (fields) => void recorder.noteInAll(sessions.openSessions(), fields),
    now: monotonic,
  }).start();
  return core;
}

function digestsOf(received: Untrusted<Uint8Array>): { readonly sha256: Buffer; readonly sha384: Buffer } {
  const bytes = examine(received);
  return { sha256: createHash("sha256").update(bytes).digest(), sha384: createHash("sha384").update(bytes).digest() };
}

interface Loaded {
  readonly bundle: PolicyBundle;
  readonly catalog: Catalog;
  readonly vocabulary: Vocabulary;
}

/** Loads bundle and catalog, holding both to the hashes the document pins. */
function load(document: LaunchDocument): Loaded {
  const vocabulary = new Vocabulary(document.config.sensitivity.vocabulary);
  const bundle = readBundle(document.policy_bundle);
  requirePinned(bundle, {
    hash: document.pins.policy_hash ?? null,
    signingKey: document.trust_anchors.policy_signing_key ?? null,
    reloadable: document.config.policy_reload_interval_seconds > 0,
  });
  const catalog = loadCatalog(document.catalog, { developmentMode: document.development, vocabulary });
  requireCatalogHash(catalog.hash, document.pins.catalog_hash ?? null);
  for (const tool of catalog.tools.values()) prepareSchemas(tool);
  return { bundle, catalog, vocabulary };
}
