import process from "node:process";
import type { BufferedBytes, JsonObject } from "@cmcp/boundary";
import type { History } from "@cmcp/audit";
import type { Platform } from "@cmcp/appraise/evidence";
import type { HttpResponse } from "@cmcp/mcp";
import type { CompiledPolicy } from "@cmcp/policy";
import { DEFAULT_ADMISSION, type Admission } from "../access/admission.ts";
import { MAX_TASKS, type Tasks } from "../call/tasks.ts";
import { MAX_LISTENERS, type Listeners } from "../access/listeners.ts";
import { MAX_FOLLOWED_STREAMS, type Subscriptions } from "../servers/subscriptions.ts";
import type { Upstreams } from "../servers/upstreams.ts";
import { assuranceOf } from "../instance/assurance.ts";
import type { Freshness } from "../instance/freshness.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
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
  readonly development: boolean;
  readonly launchDigest: string;
  readonly policy: () => CompiledPolicy;
  readonly enforcementMode: string;
  readonly catalog: {
    readonly hash: string;
    readonly tools: { readonly size: number };
    readonly warnings: readonly string[];
  };
  readonly sessions: Pick<Sessions, "openCount" | "evictedCount">;
  readonly limits: { readonly max_sessions: number; readonly max_sessions_per_principal: number };
  readonly load: () => JsonObject;
}

/** `GET /v1/status`: phase, isolation, policy, limits and load. It contains no secret, and it proves nothing. */
export function status(parts: StatusPorts): HttpResponse {
  const { freshness, catalog, sessions, limits } = parts;
  const policy = parts.policy();
  return json({
    gateway_version: GATEWAY_VERSION,
    phase: parts.phases.phase,
    instance: parts.instance,
    platform: parts.platform,
    assurance: assuranceOf(parts.platform),
    attestation: { report_age_seconds: Math.floor(freshness.ageMs / 1000), stale: freshness.isStale },
    isolation: parts.isolation,
    history: parts.history,
    development: parts.development,
    launch_digest: parts.launchDigest,
    policy: {
      bundle_hash: policy.bundle.hash,
      version: policy.bundle.version,
      shape: policy.shape,
      enforcement_mode: parts.enforcementMode,
      warnings: policy.warnings,
    },
    catalog: { hash: catalog.hash, tools: catalog.tools.size, warnings: catalog.warnings },
    sessions: {
      open: sessions.openCount,
      evicted: sessions.evictedCount,
      max: limits.max_sessions,
      max_per_principal: limits.max_sessions_per_principal,
    },
    load: parts.load(),
  });
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
