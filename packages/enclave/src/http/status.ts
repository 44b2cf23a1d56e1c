import type { JsonObject } from "@cmcp/boundary";
import type { Platform } from "@cmcp/appraise/evidence";
import type { HttpResponse } from "@cmcp/mcp";
import type { CompiledPolicy } from "@cmcp/policy";
import { assuranceOf } from "../instance/assurance.ts";
import type { Freshness } from "../instance/freshness.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import type { Past } from "../record/past.ts";
import type { Sessions } from "../record/sessions.ts";
import { json } from "./json-response.ts";

/** What the status says. */
export interface StatusParts {
  readonly phases: { readonly phase: string };
  readonly instance: string;
  readonly platform: Platform;
  readonly freshness: Pick<Freshness, "ageMs" | "stale">;
  readonly isolation: string;
  readonly history: Past["history"];
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

/** What this instance is: phase, isolation, what it enforces. Nothing here is secret and nothing here is proof. */
export function status(parts: StatusParts): HttpResponse {
  const { freshness, catalog, sessions, limits } = parts;
  const policy = parts.policy();
  return json({
    gateway_version: GATEWAY_VERSION,
    phase: parts.phases.phase,
    instance: parts.instance,
    platform: parts.platform,
    assurance: assuranceOf(parts.platform),
    attestation: { report_age_seconds: Math.floor(freshness.ageMs / 1000), stale: freshness.stale },
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
