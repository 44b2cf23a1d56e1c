import process from "node:process";
import type { BufferedBytes, JsonObject } from "@cmcp/boundary";
import type { History } from "@cmcp/audit";
import type { RemoteKeysState } from "@cmcp/identity";
import type { Platform } from "@cmcp/appraise/evidence";
import type { HttpResponse } from "@cmcp/mcp";
import { DEFAULT_ADMISSION, type Admission } from "../access/admission.ts";
import type { Rules } from "../call/rules.ts";
import { MAX_TASKS, type Tasks } from "../call/tasks.ts";
import { MAX_LISTENERS, type Listeners } from "../access/listeners.ts";
import { MAX_FOLLOWED_STREAMS, type Subscriptions } from "../servers/subscriptions.ts";
import { SERVER_FAULTS, type FaultyServer } from "../servers/server-faults.ts";
import type { Upstreams } from "../servers/upstreams.ts";
import { assuranceOf } from "../instance/assurance.ts";
import type { Freshness } from "../instance/freshness.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import { OPERATOR_READABLE, type ProvisionInForce } from "../record/provision-detail.ts";
import type { Sessions } from "../record/sessions.ts";
import { json } from "./json-response.ts";

/** What the status endpoint needs. */
export interface StatusPorts {
  readonly phases: { readonly phase: string };
  readonly instance: string;
  readonly platform: Platform;
  readonly freshness: Pick<Freshness, "ageMs" | "isStale">;
  readonly isolation: string;
  readonly history: History;
  /** `null` before the first. */
  readonly provision: () => ProvisionInForce | null;
  /** The keys of issuers that are fetched. */
  readonly issuerKeys: () => readonly RemoteKeysState[];
  /** Servers whose last use failed. */
  readonly serverFaults: () => readonly FaultyServer[];
  /** The list of revoked agent manifests in force; `undefined` where the configuration asks for no manifests. */
  readonly revocations: () => { readonly sequence: number; readonly valid_until: number } | null | undefined;
  /** Notices of approvals; `null` where nobody is told. */
  readonly notices: () => JsonObject | null;
  /** The log's name, and how many records of it the host has stored. */
  readonly log: () => { readonly origin: string; readonly size: number };
  readonly development: boolean;
  readonly launchDigest: string;
  readonly rules: () => Rules;
  /** The version that the catalog in force came with; `null` for the launch document's own. */
  readonly catalogVersion: () => number | null;
  readonly enforcementMode: string;
  readonly sessions: Pick<Sessions, "openCount" | "evictedCount">;
  readonly limits: {
    readonly max_sessions: number;
    readonly max_sessions_per_principal: number;
    readonly drift_check_seconds: number;
  };
  readonly load: () => JsonObject;
}

/** `GET /v1/status`: phase, isolation, policy, limits and load. It contains no secret, and it proves nothing. */
export function status(parts: StatusPorts): HttpResponse {
  const { freshness, sessions, limits } = parts;
  const { policy, catalog } = parts.rules();
  return json({
    gateway_version: GATEWAY_VERSION,
    phase: parts.phases.phase,
    instance: parts.instance,
    platform: parts.platform,
    assurance: assuranceOf(parts.platform),
    hardware_evidence: parts.platform !== "software-only",
    attestation: { report_age_seconds: Math.floor(freshness.ageMs / 1000), stale: freshness.isStale },
    isolation: parts.isolation,
    history: parts.history,
    provisioning: provisioningOf(parts.provision()),
    ...issuersOf(parts.issuerKeys()),
    ...serverFaultsOf(parts.serverFaults()),
    ...revocationsOf(parts.revocations()),
    ...noticesOf(parts.notices()),
    log: parts.log(),
    development: parts.development,
    launch_digest: parts.launchDigest,
    policy: {
      bundle_hash: policy.bundle.hash,
      version: policy.bundle.version,
      shape: policy.shape,
      enforcement_mode: parts.enforcementMode,
      warnings: policy.warnings,
    },
    catalog: {
      hash: catalog.hash,
      version: parts.catalogVersion(),
      tools: catalog.tools.size,
      warnings: catalog.warnings,
      drift_check_seconds: limits.drift_check_seconds,
    },
    sessions: {
      open: sessions.openCount,
      evicted: sessions.evictedCount,
      max: limits.max_sessions,
      max_per_principal: limits.max_sessions_per_principal,
    },
    load: parts.load(),
  });
}

/** Which keys of issuers verify tokens, where they are fetched. */
function issuersOf(states: readonly RemoteKeysState[]): JsonObject {
  if (states.length === 0) return {};
  return {
    issuers: states.map(({ issuer, set, failure }) => ({
      issuer,
      ...(set === null
        ? { keys: "none" }
        : { keys: set.keys, key_set: set.hash, age_seconds: Math.floor(set.ageMs / 1000) }),
      ...(failure === null ? {} : { failure }),
    })),
  };
}

/** Most servers that are listed, and characters of a name. */
const MAX_FAULTY = 64;
const MAX_NAME = 128;

/** Which servers do not work, why, and what to do; nothing where all do, or none was used. */
function serverFaultsOf(faulty: readonly FaultyServer[]): JsonObject {
  if (faulty.length === 0) return {};
  return {
    server_faults: faulty
      .slice(0, MAX_FAULTY)
      .map(({ server, fault }) => ({ server: server.slice(0, MAX_NAME), reason: fault, action: SERVER_FAULTS[fault] })),
  };
}

/** Until when agent manifests count: without a list in force none does. */
function revocationsOf(list: ReturnType<StatusPorts["revocations"]>): JsonObject {
  if (list === undefined) return {};
  const revocations = list === null ? "none" : { sequence: list.sequence, valid_until: list.valid_until };
  return { agent_manifests: { revocations } };
}

function noticesOf(state: JsonObject | null): JsonObject {
  return state === null ? {} : { approval_notices: state };
}

/** Who gave tokens and credentials. Whoever provisions a secret knows it. */
function provisioningOf(inForce: ProvisionInForce | null): JsonObject {
  if (inForce === null) return { state: "none" };
  const { sequence, hash, statement, hasCredentials, isStored, restoredFrom } = inForce;
  return {
    state: statement === null ? "unsigned, for development" : "signed",
    sequence,
    hash,
    ...(statement === null ? {} : { statement: { ...statement } }),
    credentials: hasCredentials ? "provisioned" : "none",
    ...(isStored ? { storage: OPERATOR_READABLE } : {}),
    ...(restoredFrom === null ? {} : { restored_from: restoredFrom }),
  };
}

/** Where the load is counted. */
export interface LoadPorts {
  readonly admission: Pick<Admission, "running" | "waiting" | "questions">;
  readonly listeners: Pick<Listeners, "size">;
  readonly subscriptions: Pick<Subscriptions, "size" | "streams">;
  readonly tasks: Pick<Tasks, "size">;
  readonly upstreams: Pick<Upstreams, "load">;
  readonly buffered: Pick<BufferedBytes, "held" | "max">;
}

/** The load of this instance, each count with its limit. Counts are over all principals. */
export function load({ admission, listeners, subscriptions, tasks, upstreams, buffered }: LoadPorts): JsonObject {
  const { maxRunning, maxPerPrincipal, maxQuestions } = DEFAULT_ADMISSION;
  return {
    requests: {
      running: admission.running,
      waiting: admission.waiting,
      max_running: maxRunning,
      max_per_principal: maxPerPrincipal,
    },
    questions: { open: admission.questions, max: maxQuestions },
    agent_streams: { open: listeners.size, max: MAX_LISTENERS },
    followed_resources: subscriptions.size,
    followed_streams: { open: subscriptions.streams, max: MAX_FOLLOWED_STREAMS },
    tasks: { kept: tasks.size, max: MAX_TASKS },
    servers: { ...upstreams.load },
    buffered_bytes: { held: buffered.held, max: buffered.max },
    memory_bytes: process.memoryUsage.rss(),
  };
}
